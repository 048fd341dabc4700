// Entering guests, calls through records into other contexts and into the host.
#include <gtest/gtest.h>
#include <xmmintrin.h>

#include <bit>
#include <cstring>

#include "tests/runtime/guest.hpp"

namespace wrun::test {
namespace {

using runtime::Context;
using runtime::HostCallArea;
using runtime::TrapCode;
using Vector = runtime::EntryArguments::Vector;

u64 bits(double value) {
    return std::bit_cast<u64>(value);
}

double number(u64 value) {
    return std::bit_cast<double>(value);
}

TEST(Entry, PassesIntegersAndBringsBackTheResult) {
    Guest guest;
    const GuestRun run = guest.run(GuestFunction::add, {40, 2});
    EXPECT_EQ(run.status, runtime::entry_status::returned);
    EXPECT_EQ(run.value(), 42u);
}

TEST(Entry, PassesEveryArgumentToItsPlace) {
    Guest guest;
    GuestRun run;
    for (u64 i = 0; i < 6; ++i)
        run.arguments.integers[i] = 100 + i;
    for (u64 i = 0; i < 8; ++i)
        run.arguments.floats[i].low = bits(static_cast<double>(10 + i));
    const u64 on_stack[] = {106, 107, bits(18)};
    run.arguments.stack_slot_count = 3;
    run.arguments.stack_slots = on_stack;
    guest.run(GuestFunction::sum_mixed, run);
    u64 integers = 0;
    for (u64 i = 0; i < 8; ++i)
        integers += (i + 1) * (100 + i);
    double floats = 0;
    for (int i = 0; i < 9; ++i)
        floats += static_cast<double>(1 << i) * (10 + i);
    EXPECT_EQ(run.value(), integers);
    EXPECT_EQ(number(run.arguments.float_result.low), floats);
}

TEST(Entry, KeepsTheHostsRegisters) {
    Guest guest;
    for (const GuestFunction function : {GuestFunction::add, GuestFunction::spoil}) {
        GuestRun run;
        run.record.guest_rsp = guest.stack.high();
        run.record.stack_low = guest.stack.low();
        run.record.stack_high = guest.stack.high();
        wrun_entry = &run.record;
        const u64 kept = wrun_test_enter_preserving(
            &run.record, guest.entry(function), &guest.context, &run.arguments);
        wrun_entry = nullptr;
        const u64 status = function == GuestFunction::add ? 0 : trapped(TrapCode::unreachable);
        EXPECT_EQ(kept, 1 + status);
    }
}

TEST(Entry, GivesTheGuestItsOwnMxcsrAndTheHostItsOldOne) {
    Guest guest;
    const unsigned before = _mm_getcsr();
    const unsigned rounding_up = before | 0x4000;
    for (const GuestFunction function : {GuestFunction::mxcsr, GuestFunction::spoil}) {
        _mm_setcsr(rounding_up);
        const GuestRun run = guest.run(function);
        const unsigned after = _mm_getcsr();
        _mm_setcsr(before);
        EXPECT_EQ(after, rounding_up);
        if (function == GuestFunction::mxcsr) {
            EXPECT_EQ(run.value(), 0x1f80u);
        }
    }
}

TEST(Entry, DoesNotGoBackIntoAGuestThatShallEnd) {
    Guest guest;
    TestHostFunction host{[](HostCallArea&, Context*, const u64*, void*) -> u64 {
                              wrun_entry->interrupt = trapped(TrapCode::cancelled);
                              return 0;
                          },
        nullptr};
    const GuestRun run =
        guest.run(GuestFunction::call_record, {reinterpret_cast<u64>(&host.record)});
    EXPECT_EQ(run.status, trapped(TrapCode::cancelled));
}

TEST(Entry, SwitchesContextsAndBack) {
    Guest caller;
    Guest callee;
    auto record = callee.record(GuestFunction::context);
    const GuestRun run = caller.run(GuestFunction::call_record, {reinterpret_cast<u64>(&record)});
    EXPECT_EQ(run.value(), reinterpret_cast<u64>(&callee.context));
    EXPECT_EQ(caller.run(GuestFunction::context).value(), reinterpret_cast<u64>(&caller.context));
}

TEST(Entry, ReloadsTheMemoryBaseOfTheCallee) {
    Guest caller;
    Guest callee;
    callee.memory->base()[100] = 42;
    auto record = callee.record(GuestFunction::load);
    const GuestRun run =
        caller.run(GuestFunction::call_record, {reinterpret_cast<u64>(&record), 100});
    EXPECT_EQ(run.value(), 42u);
}

TEST(Entry, PopsStackArgumentsOfAGuestInAnotherContext) {
    Guest caller;
    Guest callee;
    auto record = callee.record(GuestFunction::pop_two, 2);
    const GuestRun run = caller.run(GuestFunction::call_pop_two, {reinterpret_cast<u64>(&record)});
    EXPECT_EQ(run.status, runtime::entry_status::returned);
    EXPECT_EQ(run.value(), 0u);
}

TEST(Entry, PopsStackArgumentsOfAHostFunction) {
    Guest guest;
    TestHostFunction difference{[](HostCallArea& area, Context*, const u64* stack, void*) -> u64 {
                                    area.integers[0] = stack[0] - stack[1];
                                    return 0;
                                },
        nullptr, 2};
    const GuestRun run =
        guest.run(GuestFunction::call_pop_two, {reinterpret_cast<u64>(&difference.record)});
    EXPECT_EQ(run.status, runtime::entry_status::returned);
    EXPECT_EQ(run.value(), 0u);
}

TEST(Entry, GivesHostFunctionsTheirArgumentsAndTheirStack) {
    struct Seen {
        HostCallArea area;
        u64 stack[2];
        Context* caller;
        u64 frame;
    } seen{};
    Guest guest;
    TestHostFunction host{
        [](HostCallArea& area, Context* caller, const u64* stack, void* env) -> u64 {
            *static_cast<Seen*>(env) = {area, {stack[0], stack[1]}, caller,
                reinterpret_cast<u64>(__builtin_frame_address(0))};
            area.integers[0] = 77;
            area.floats[0].low = bits(7.5);
            return 0;
        },
        &seen, 2};
    const GuestRun run =
        guest.run(GuestFunction::call_record_mixed, {reinterpret_cast<u64>(&host.record)});
    EXPECT_EQ(run.value(), 77u);
    EXPECT_EQ(number(run.arguments.float_result.low), 7.5);
    for (u64 i = 0; i < 6; ++i)
        EXPECT_EQ(seen.area.integers[i], i + 1);
    for (u64 i = 0; i < 8; ++i)
        EXPECT_EQ(number(seen.area.floats[i].low), static_cast<double>(i + 1));
    EXPECT_EQ(seen.stack[0], 7u);
    EXPECT_EQ(number(seen.stack[1]), 9.0);
    EXPECT_EQ(seen.caller, &guest.context);
    EXPECT_EQ(seen.frame % 16, 0u);
    const u64 here = reinterpret_cast<u64>(__builtin_frame_address(0));
    EXPECT_LT(here - seen.frame, 1u << 20) << "not on the host's stack";
}

TEST(Entry, RunsHostFunctionsUnderTheHostsMxcsr) {
    Guest guest;
    unsigned seen = 0;
    TestHostFunction host{[](HostCallArea&, Context*, const u64*, void* env) -> u64 {
                              *static_cast<unsigned*>(env) = _mm_getcsr();
                              return 0;
                          },
        &seen};
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x4000);
    (void)guest.run(GuestFunction::call_record, {reinterpret_cast<u64>(&host.record)});
    _mm_setcsr(before);
    EXPECT_EQ(seen & 0x4000, 0x4000u);
}

TEST(Entry, LeavesByTheStatusOfAHostFunction) {
    Guest guest;
    for (const u64 status : {trapped(TrapCode::host), runtime::entry_status::exited}) {
        u64 answer = status;
        TestHostFunction host{[](HostCallArea&, Context*, const u64*, void* env) -> u64 {
                                  return *static_cast<u64*>(env);
                              },
            &answer};
        const GuestRun run =
            guest.run(GuestFunction::call_record, {reinterpret_cast<u64>(&host.record)});
        EXPECT_EQ(run.status, status);
        EXPECT_EQ(wrun_entry, nullptr);
        // What was left behind harms nobody.
        EXPECT_EQ(guest.run(GuestFunction::add, {1, 2}).value(), 3u);
    }
}

TEST(Entry, NestsAndTrapsInTheInnermostOnly) {
    Guest guest;
    TestHostFunction host{[](HostCallArea& area, Context*, const u64*, void* env) -> u64 {
                              auto& self = *static_cast<Guest*>(env);
                              const u64 below = wrun_entry->guest_rsp & ~u64{15};
                              const GuestRun inner = self.run_at(below, GuestFunction::unreachable);
                              area.integers[0] = inner.status;
                              return 0;
                          },
        &guest};
    const GuestRun run =
        guest.run(GuestFunction::call_record, {reinterpret_cast<u64>(&host.record)});
    EXPECT_EQ(run.status, runtime::entry_status::returned);
    EXPECT_EQ(run.value(), trapped(TrapCode::unreachable));
}

TEST(Entry, TakesManyStackArguments) {
    Guest guest;
    TestHostFunction host{[](HostCallArea& area, Context*, const u64* stack, void*) -> u64 {
                              for (u64 i = 0; i < 1000; ++i)
                                  area.integers[0] += stack[i] * i;
                              return 0;
                          },
        nullptr, 1000};
    std::vector<u64> many(1000);
    u64 expected = 0;
    for (u64 i = 0; i < many.size(); ++i) {
        many[i] = i * i;
        expected += many[i] * i;
    }
    GuestRun run;
    run.arguments.integers[1] = reinterpret_cast<u64>(&host.record);
    run.arguments.stack_slot_count = many.size();
    run.arguments.stack_slots = many.data();
    guest.run(GuestFunction::jump_to_record, run);
    EXPECT_EQ(run.status, runtime::entry_status::returned);
    EXPECT_EQ(run.value(), expected);
}

}  // namespace
}  // namespace wrun::test
