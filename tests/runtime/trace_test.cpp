// Backtraces after traps: which frames, where in them, and both ends of long stacks.
#include <gtest/gtest.h>

#include "tests/runtime/guest.hpp"

namespace wrun::test {
namespace {

using runtime::Context;
using runtime::HostCallArea;
using runtime::RawTrace;
using runtime::TrapCode;

std::vector<GuestFunction> functions_of(const RawTrace& trace) {
    std::vector<GuestFunction> functions;
    for (const auto& frame : trace.frames) {
        functions.push_back(static_cast<GuestFunction>(frame.function));
    }
    return functions;
}

TEST(Trace, NamesTheOpcodeOfTheTrap) {
    Guest guest;
    const GuestRun run = guest.run(GuestFunction::load, {1 << 20});
    const RawTrace trace = runtime::capture_trace(run.record);
    ASSERT_EQ(functions_of(trace), std::vector{GuestFunction::load});
    EXPECT_EQ(trace.frames[0].body_offset, 1u) << "the first row";
    EXPECT_EQ(trace.frames[0].owner, &guest);
    EXPECT_EQ(trace.omitted, 0u);
}

TEST(Trace, GoesThroughContexts) {
    Guest outer;
    Guest inner;
    auto record = inner.record(GuestFunction::load);
    const GuestRun run =
        outer.run(GuestFunction::call_record, {reinterpret_cast<u64>(&record), 1 << 20});
    const RawTrace trace = runtime::capture_trace(run.record);
    EXPECT_EQ(functions_of(trace), (std::vector{GuestFunction::load, GuestFunction::call_record}));
    EXPECT_EQ(trace.frames[0].owner, &inner);
    EXPECT_EQ(trace.frames[1].owner, &outer);
    EXPECT_EQ(trace.frames[1].body_offset, runtime::RawFrame::unknown);
}

TEST(Trace, FindsACallThatEndsItsFunction) {
    Guest guest;
    const GuestRun run = guest.run(GuestFunction::call_last);
    EXPECT_EQ(functions_of(runtime::capture_trace(run.record)),
        (std::vector{GuestFunction::unreachable, GuestFunction::call_last}));
}

TEST(Trace, BeginsAtTheCallerOfAHostFunctionThatFailed) {
    Guest guest;
    TestHostFunction host{
        [](HostCallArea&, Context*, const u64*, void*) { return trapped(TrapCode::host); },
        nullptr};
    const GuestRun run =
        guest.run(GuestFunction::call_record, {reinterpret_cast<u64>(&host.record)});
    EXPECT_EQ(
        functions_of(runtime::capture_trace(run.record)), std::vector{GuestFunction::call_record});
}

TEST(Trace, BeginsAtTheCallerOfAHelperThatTrapped) {
    Guest guest;
    const u64 fill = to_underlying(runtime::Helper::memory_fill);
    const GuestRun run = guest.run(GuestFunction::help, {fill, 1 << 20, 0, 1});
    EXPECT_EQ(run.status, trapped(TrapCode::memory_out_of_bounds));
    EXPECT_EQ(functions_of(runtime::capture_trace(run.record)), std::vector{GuestFunction::help});
}

TEST(Trace, CountsEveryFrame) {
    constexpr u64 kept = RawTrace::innermost_frames_kept + RawTrace::outermost_frames_kept;
    Guest guest;
    for (const u64 calls : {u64{0}, u64{1}, kept - 1, kept, kept + 1, u64{1000}}) {
        const GuestRun run = guest.run(GuestFunction::depth, {calls});
        const RawTrace trace = runtime::capture_trace(run.record);
        EXPECT_EQ(trace.frames.size() + trace.omitted, calls + 1);
        EXPECT_EQ(trace.omitted, calls + 1 > kept ? calls + 1 - kept : 0);
        EXPECT_EQ(functions_of(trace), std::vector(trace.frames.size(), GuestFunction::depth));
    }
}

/// Overflow can hit any instruction of a prologue, of a call or of a stub; no frame may be lost.
TEST(Trace, OfStackOverflowHasEveryCaller) {
    Guest guest;
    auto record = guest.record(GuestFunction::add);
    for (u64 room = 16; room < 160; room += 8) {
        const GuestRun run = guest.run_at(guest.stack.limit() + room, GuestFunction::call_record,
            {reinterpret_cast<u64>(&record)});
        if (run.status == 0) continue;
        const RawTrace trace = runtime::capture_trace(run.record);
        ASSERT_FALSE(trace.frames.empty()) << room;
        EXPECT_EQ(functions_of(trace).back(), GuestFunction::call_record) << room;
        EXPECT_LE(trace.frames.size(), 2u) << room;
    }
    const GuestRun run = guest.run(GuestFunction::recurse);
    const RawTrace trace = runtime::capture_trace(run.record);
    // Frames of 48 bytes: the stack is full of them.
    EXPECT_NEAR(static_cast<double>(trace.frames.size() + trace.omitted),
        static_cast<double>(guest.stack.high() - guest.stack.limit()) / 48, 3);
}

TEST(Trace, OfANestedRunEndsAtItsOwnEntry) {
    struct Env {
        Guest& guest;
        RawTrace inner;
    };
    Guest guest;
    Env env{guest, {}};
    TestHostFunction host{[](HostCallArea&, Context*, const u64*, void* pointer) -> u64 {
                              auto& self = *static_cast<Env*>(pointer);
                              const GuestRun run = self.guest.run_at(
                                  wrun_entry->guest_rsp & ~u64{15}, GuestFunction::depth, {2});
                              self.inner = runtime::capture_trace(run.record);
                              return trapped(TrapCode::host);
                          },
        &env};
    const GuestRun run =
        guest.run(GuestFunction::call_record, {reinterpret_cast<u64>(&host.record)});
    EXPECT_EQ(functions_of(env.inner), std::vector(3, GuestFunction::depth));
    EXPECT_EQ(
        functions_of(runtime::capture_trace(run.record)), std::vector{GuestFunction::call_record});
}

}  // namespace
}  // namespace wrun::test
