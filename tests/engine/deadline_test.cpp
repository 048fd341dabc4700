// Runs that are ended from outside: by a deadline and by another thread, wherever the guest is; and
// that nothing else is ended. How soon is measured by bench/deadline_bench.cpp: here, machines may
// be slow.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "base/errors.hpp"
#include "base/os_thread.hpp"
#include "base/sanitizers.hpp"
#include "engine/state.hpp"
#include "tests/engine/slots.hpp"
#include "tests/support/wat.hpp"

namespace wrun::test {
namespace {

using engine::CallLimits;
using engine::Canceller;
using engine::Store;

constexpr u64 ms = 1'000'000;
constexpr u64 far_ns = 100'000 * ms;
/// Far more than a kill may take, for machines that do something else just then.
constexpr int patience_s = 5;
constexpr u64 patience_ns = patience_s * 1'000 * ms;

void sleep_ms(u64 time_ms) {
    timespec left{static_cast<time_t>(time_ms / 1000), static_cast<long>(time_ms % 1000 * ms)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

class Deadline : public SlotsTest {
protected:
    Deadline() {
        define("nothing", {}, {}, [](Caller&, void*, std::span<u64>) { return HostResult::ok(); });
        define("sleep", {}, {}, sleep_until_interrupted);
        define("sleep_on", {}, {}, sleep_until_interrupted_often);
        define("sleep_once_marked", {}, {}, sleep_once_marked);
        define("fail", {}, {}, [](Caller& caller, void* env, std::span<u64> slots) {
            (void)sleep_until_interrupted(caller, env, slots);
            caller.explain("interrupted system call");
            return HostResult::trapped(runtime::TrapCode::host);
        });
        define("leave", {}, {}, [](Caller& caller, void* env, std::span<u64> slots) {
            (void)sleep_until_interrupted(caller, env, slots);
            return HostResult::exited(1);
        });
        define("call", {}, {}, call_spin);
        define("wait", {}, {}, [](Caller&, void*, std::span<u64>) {
            sleep_ms(50);
            return HostResult::ok();
        });
    }

    /// As a host function of some embedder's would: it takes EINTR.
    static HostResult sleep_until_interrupted(Caller&, void*, std::span<u64>) {
        timespec left{60, 0};
        while (!engine::is_interrupted() && nanosleep(&left, &left) != 0) {
        }
        return HostResult::ok();
    }
    /// What a request marks while nobody asks: when it comes after the last question and before the
    /// system call, only another signal ends that.
    static HostResult sleep_once_marked(Caller&, void*, std::span<u64>) {
        while (!engine::is_interrupted())
            sleep_ms(1);
        timespec left{patience_s, 0};
        sleep_was_cut = nanosleep(&left, &left) != 0;
        return HostResult::ok();
    }
    /// Not the first signal reaches it, as when it comes between a question and a system call.
    static HostResult sleep_until_interrupted_often(Caller&, void*, std::span<u64>) {
        timespec left{60, 0};
        for (int interruptions = 0; interruptions < 3; ++interruptions) {
            if (nanosleep(&left, &left) == 0) break;
        }
        return HostResult::ok();
    }
    static HostResult call_spin(Caller& caller, void*, std::span<u64>) {
        std::vector<Value> results;
        const auto spin = caller.instance()->find_export("spin")->func;
        const auto done = caller.store().call(spin, {}, results);
        inner = text(done);
        return HostResult::ok();
    }

    void renew_store() { store = Store::make(*engine).take(); }
    [[nodiscard]] std::string call_within(std::string_view name, const CallLimits& limits) {
        std::vector<Value> results;
        const auto done = store->call(export_of(name).func, {}, results, limits);
        std::string all = text(done);
        for (const Value& result : results)
            all += text(result);
        return all;
    }
    /// A fresh instance that runs "run" until its deadline.
    [[nodiscard]] std::string run_within(std::string_view wat, u64 limit_ns) {
        renew_store();
        make(wat);
        const u64 begin_ns = os::monotonic_ns();
        const std::string answer = call_within("run", CallLimits::within(limit_ns));
        const u64 took_ns = os::monotonic_ns() - begin_ns;
        EXPECT_GE(took_ns, limit_ns);
        EXPECT_LT(took_ns, limit_ns + patience_ns);
        return answer;
    }

    static std::string inner;  // what the guest's guest answered
    static bool sleep_was_cut;
};
std::string Deadline::inner;
bool Deadline::sleep_was_cut;

constexpr const char* stopped = "trap: deadline exceeded";
constexpr const char* refused =
    "error: this store's guest was stopped midway: it cannot be called again";

// ---- wherever the guest is ---------------------------------------------------------------------

struct Place {
    const char* name;
    const char* wat;
};

const Place places[] = {
    {"loop", R"((func (export "run") (loop $l (br $l))))"},
    {"calls that return", R"(
        (func $fib (param i32) (result i32)
            (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
                (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                    (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
        (func (export "run") (loop $l (drop (call $fib (i32.const 15))) (br $l))))"},
    {"empty functions", R"(
        (func $f) (func (export "run") (loop $l (call $f) (call $f) (call $f) (br $l))))"},
    {"many arguments through the switching stub", R"(
        (import "host" "nothing" (func)) (table 1 funcref) (elem (i32.const 0) func $f)
        (type $t (func (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)))
        (func $f (type $t))
        (func (export "run") (local i64) (loop $l
            local.get 0 local.get 0 local.get 0 local.get 0 local.get 0 local.get 0 local.get 0
            local.get 0 local.get 0 local.get 0 local.get 0 local.get 0 local.get 0 local.get 0
            local.get 0 local.get 0 (call_indirect (type $t) (i32.const 0)) (br $l))))"},
    {"a large fill", R"((memory 65536)
        (func (export "run") (loop $l
            (memory.fill (i32.const 0) (i32.const 1) (i32.const 0xffffffff)) (br $l))))"},
    {"a large copy", R"((memory 65536)
        (func (export "run") (loop $l
            (memory.copy (i32.const 0) (i32.const 0x80000000) (i32.const 0x7fffffff)) (br $l))))"},
    {"small fills", R"((memory 1) (func (export "run") (loop $l
            (memory.fill (i32.const 0) (i32.const 1) (i32.const 60000)) (br $l))))"},
    {"growing by nothing", R"((memory 1)
        (func (export "run") (loop $l (drop (memory.grow (i32.const 0))) (br $l))))"},
    {"a table", R"((table $t 5000000 funcref) (elem declare func $f) (func $f)
        (func (export "run") (loop $l (table.fill $t (i32.const 0) (ref.func $f) (i32.const 5000000))
            (table.copy $t $t (i32.const 1) (i32.const 0) (i32.const 4000000)) (br $l))))"},
    {"short host functions", R"((import "host" "nothing" (func $f))
        (func (export "run") (loop $l (call $f) (br $l))))"},
    {"a host function that sleeps", R"((import "host" "sleep" (func $f))
        (func (export "run") (call $f)))"},
    {"a host function that fails when it is interrupted", R"((import "host" "fail" (func $f))
        (func (export "run") (call $f)))"},
    {"a host function that exits when it is interrupted", R"((import "host" "leave" (func $f))
        (func (export "run") (call $f)))"},
    {"a host function that sleeps on when it is interrupted",
        R"((import "host" "sleep_on" (func $f))
        (func (export "run") (call $f)))"},
    {"a host function that sleeps, again and again", R"((import "host" "sleep" (func $f))
        (func (export "run") (loop $l (call $f) (br $l))))"},
    {"a guest called by the host called by a guest", R"((import "host" "call" (func $f))
        (func (export "spin") (loop $l (br $l)))
        (func (export "run") (loop $l (call $f) (br $l))))"},
    {"a guest that returns to the host at once", R"((import "host" "call" (func $f))
        (func (export "spin"))
        (func (export "run") (loop $l (call $f) (br $l))))"},
    {"a guest in a host function in a guest", R"((import "host" "call" (func $f))
        (import "host" "sleep" (func $sleep))
        (func (export "spin") (call $sleep))
        (func (export "run") (call $f)))"},
};

TEST_F(Deadline, EndsTheRunWhereverItIs) {
    for (const Place& place : places) {
        const std::string wat = "(module " + std::string{place.wat} + ")";
        for (const u64 limit_ns : {0 * ms, 3 * ms, 20 * ms}) {
            EXPECT_EQ(run_within(wat, limit_ns), stopped) << place.name << ", " << limit_ns;
            EXPECT_EQ(call("run"), refused) << place.name;
        }
    }
}

TEST_F(Deadline, StoppedGuestsAreFoundAgain) {
    renew_store();
    make(R"((module (func $inner (loop $l (br $l))) (func (export "run") (call $inner))))");
    std::vector<Value> results;
    const auto done =
        store->call(export_of("run").func, {}, results, CallLimits::within(5 * ms)).take();
    const auto& frames = std::get<engine::Trap>(done).frames;
    ASSERT_EQ(frames.size(), 2u);
    EXPECT_EQ(frames[0].func_index, 0u);
    EXPECT_EQ(frames[1].name, "run");
}

/// A host function takes as long as it likes, but it does not go back to the guest.
TEST_F(Deadline, NoInstructionOfTheGuestFollowsAHostFunctionThatWasInterrupted) {
    make(
        R"((module (import "host" "wait" (func $wait)) (global $after (export "g") (mut i32) (i32.const 0))
        (func (export "run") (call $wait) (global.set $after (i32.const 1)))))");
    EXPECT_EQ(call_within("run", CallLimits::within(10 * ms)), stopped);
    EXPECT_EQ(Store::get(export_of("g").global), 0u);
}

TEST_F(Deadline, ACallWithinIsRefusedOnceTheRunShallEnd) {
    define("late", {}, {}, [](Caller& caller, void*, std::span<u64> slots) {
        sleep_ms(30);
        EXPECT_TRUE(engine::is_interrupted());
        return call_spin(caller, nullptr, slots);
    });
    make(
        R"((module (import "host" "late" (func $late)) (global (export "g") (mut i32) (i32.const 0))
        (func (export "spin") (global.set 0 (i32.const 1))) (func (export "run") (call $late))))");
    EXPECT_EQ(call_within("run", CallLimits::within(5 * ms)), stopped);
    EXPECT_EQ(inner, stopped);
    EXPECT_EQ(Store::get(export_of("g").global), 0u);
}

/// Copying segments stops too, so what it was for is never seen.
TEST_F(Deadline, NothingIsInstantiatedOnceTheRunShallEnd) {
    struct Late {
        std::shared_ptr<const engine::Module> module;
        Store* other = nullptr;
        const engine::Linker* linker = nullptr;
        std::string outcome;
        static HostResult instantiate(Caller&, void* env, std::span<u64>) {
            auto& self = *static_cast<Late*>(env);
            sleep_ms(30);
            auto made = self.other->instantiate(self.module, *self.linker).take();
            EXPECT_EQ(made.instance, nullptr);
            self.outcome = text(made.outcome);
            return HostResult::ok();
        }
    };
    const auto other = Store::make(*engine).take();
    Late late{compile(R"((module (memory 1) (data (i32.const 5) "segment")))").take(), other.get(),
        &linker, ""};
    define("late", {}, {}, Late::instantiate, &late);
    make(R"((module (import "host" "late" (func $late)) (func (export "run") (call $late))))");
    EXPECT_EQ(call_within("run", CallLimits::within(5 * ms)), stopped);
    EXPECT_EQ(late.outcome, stopped);
    EXPECT_NE(other->instantiate(late.module, linker).take().instance, nullptr);
}

// ---- and nothing else --------------------------------------------------------------------------

TEST_F(Deadline, CallsThatEndInTimeAreAsWithout) {
    make(R"((module (func (export "run") (result i32) (i32.const 42))
        (func (export "trap") unreachable) (func (export "deep") (call 2))))");
    for (int i = 0; i < 1000; ++i) {
        EXPECT_EQ(call_within("run", CallLimits::within(far_ns)), "42");
    }
    EXPECT_EQ(call_within("trap", CallLimits::within(far_ns)), "trap: unreachable");
    EXPECT_EQ(call_within("deep", CallLimits::within(far_ns)), "trap: call stack exhausted");
    EXPECT_EQ(call_within("run", {CallLimits::never, nullptr}), "42");
}

/// What the call that a host function makes is given.
struct Inner {
    Store* store = nullptr;  // null: the caller's
    runtime::FuncRecord* spin = nullptr;
    u64 own_ns = 5 * ms;
};

HostResult call_with_limits(Caller& caller, void* env, std::span<u64> slots) {
    auto& inner = *static_cast<Inner*>(env);
    Store& store = inner.store != nullptr ? *inner.store : caller.store();
    auto* const spin =
        inner.spin != nullptr ? inner.spin : caller.instance()->find_export("spin")->func;
    std::vector<Value> results;
    const auto done = store.call(spin, {}, results, CallLimits::within(inner.own_ns));
    slots[0] = text(done) == stopped;
    return HostResult::ok();
}

TEST_F(Deadline, OfACallWithinEndsThatCallOnly) {
    make(R"((module (func (export "spin") (loop $l (br $l)))))");
    const auto other = std::move(store);
    Inner with;
    with.store = other.get();
    with.spin = export_of("spin").func;
    define("inner", {}, {type_i32}, call_with_limits, &with);
    renew_store();
    make(R"((module (import "host" "inner" (func $inner (result i32)))
        (func (export "run") (result i32) (i32.add (i32.const 41) (call $inner)))))");
    EXPECT_EQ(call_within("run", CallLimits::within(far_ns)), "42");
    EXPECT_EQ(call("run"), "41");  // the other store is dead by now
}

TEST_F(Deadline, OfACallWithinTheSameStoreEndsBoth) {
    Inner with;
    define("inner", {}, {type_i32}, call_with_limits, &with);
    make(R"((module (import "host" "inner" (func $inner (result i32)))
        (func (export "spin") (loop $l (br $l)))
        (func (export "run") (result i32) (i32.add (i32.const 41) (call $inner)))))");
    EXPECT_EQ(call_within("run", CallLimits::within(far_ns)), stopped);
    EXPECT_EQ(call("run"), refused);
}

TEST_F(Deadline, OfTheOuterCallIsThatOfCallsWithin) {
    struct Limits {
        static HostResult call(Caller& caller, void*, std::span<u64>) {
            std::vector<Value> results;
            const auto spin = caller.instance()->find_export("spin")->func;
            inner = text(caller.store().call(spin, {}, results, CallLimits::within(far_ns)));
            return HostResult::ok();
        }
    };
    define("inner", {}, {}, Limits::call);
    make(R"((module (import "host" "inner" (func $inner))
        (func (export "spin") (loop $l (br $l))) (func (export "run") (call $inner))))");
    EXPECT_EQ(call_within("run", CallLimits::within(10 * ms)), stopped);
    EXPECT_EQ(inner, stopped);
}

TEST_F(Deadline, OfTheOuterCallHoldsAfterCallsWithin) {
    struct Limits {
        static HostResult call(Caller& caller, void*, std::span<u64>) {
            std::vector<Value> results;
            const auto quick = caller.instance()->find_export("quick")->func;
            EXPECT_EQ(
                text(caller.store().call(quick, {}, results, CallLimits::within(15 * ms))), "");
            return HostResult::ok();
        }
    };
    define("inner", {}, {}, Limits::call);
    make(R"((module (import "host" "inner" (func $inner)) (func (export "quick"))
        (func (export "run") (call $inner) (loop $l (br $l)))))");
    EXPECT_EQ(call_within("run", CallLimits::within(20 * ms)), stopped);
}

TEST_F(Deadline, NoInstructionOfTheOuterGuestFollowsWhenTheInnerOneIsStopped) {
    make(R"((module (func (export "spin") (loop $l (br $l)))))");
    const auto other = std::move(store);
    Inner with;
    with.store = other.get();
    with.spin = export_of("spin").func;
    with.own_ns = far_ns;
    define("inner", {}, {type_i32}, call_with_limits, &with);
    renew_store();
    make(R"((module (import "host" "inner" (func $inner (result i32)))
        (global $after (export "g") (mut i32) (i32.const 0))
        (func (export "run") (drop (call $inner)) (global.set $after (i32.const 1)) (loop $l (br $l)))))");
    EXPECT_EQ(call_within("run", CallLimits::within(10 * ms)), stopped);
    EXPECT_EQ(Store::get(export_of("g").global), 0u);
}

TEST_F(Deadline, StartFunctionsHaveOneToo) {
    const auto module = compile("(module (start 0) (func (loop $l (br $l))))").take();
    auto made = store->instantiate(module, linker, CallLimits::within(5 * ms)).take();
    EXPECT_EQ(made.instance, nullptr);
    EXPECT_EQ(text(made.outcome), stopped);
    EXPECT_EQ(store->instantiate(module, linker).error().code, ErrorCode::store_killed);

    TemplateOptions options;
    options.start = CallLimits::within(5 * ms);
    EXPECT_EQ(text(Template::make(module, linker, options).take().outcome), stopped);

    const auto with_init = compile(R"((module (func (export "init") (loop $l (br $l)))))").take();
    options.start = CallLimits::within(5 * ms);
    options.init = {"init"};
    EXPECT_EQ(text(Template::make(with_init, linker, options).take().outcome), stopped);
}

// ---- cancelling --------------------------------------------------------------------------------

constexpr const char* cancelled = "trap: cancelled";

TEST_F(Deadline, AnotherThreadCancels) {
    for (const Place& place : places) {
        renew_store();
        make("(module " + std::string{place.wat} + ")");
        const Canceller canceller;
        std::thread other{[handle = canceller] {
            sleep_ms(10);
            handle.cancel();
        }};
        EXPECT_EQ(call_within("run", {CallLimits::never, &canceller}), cancelled) << place.name;
        other.join();
        EXPECT_TRUE(canceller.is_cancelled());
        EXPECT_EQ(call("run"), refused);
    }
}

TEST_F(Deadline, ARequestThatCameTooSoonComesAgain) {
    make(R"((module (import "host" "sleep_once_marked" (func $f))
        (func (export "run") (call $f))))");
    const Canceller canceller;
    std::thread other{[&] {
        sleep_ms(10);
        canceller.cancel();
    }};
    EXPECT_EQ(call_within("run", {CallLimits::never, &canceller}), cancelled);
    other.join();
    EXPECT_TRUE(sleep_was_cut);
}

TEST_F(Deadline, OneRequestEndsAllThatIsUnderIt) {
    const Canceller canceller;
    std::array<std::thread, 4> threads;
    std::array<std::string, 4> answers;
    const auto module = compile(R"((module (func (export "run") (loop $l (br $l)))))").take();
    for (std::size_t i = 0; i < threads.size(); ++i) {
        threads[i] = std::thread{[&, i] {
            const auto own = Store::make(*engine).take();
            const auto made = own->instantiate(module, linker).take();
            std::vector<Value> results;
            answers[i] = text(own->call(made.instance->find_export("run")->func, {}, results,
                {CallLimits::never, &canceller}));
        }};
    }
    sleep_ms(10);
    canceller.cancel();
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_THAT(answers, testing::Each(std::string{cancelled}));
}

TEST_F(Deadline, WhatWasCancelledBeforeDoesNotBegin) {
    make(R"((module (global (export "g") (mut i32) (i32.const 0))
        (func (export "run") (global.set 0 (i32.const 1)))))");
    const Canceller canceller;
    canceller.cancel();
    EXPECT_EQ(call_within("run", {CallLimits::never, &canceller}), cancelled);
    EXPECT_EQ(Store::get(export_of("g").global), 0u);
}

TEST_F(Deadline, CancellingHitsNoRunThatIsNotUnderIt) {
    make(R"((module (func (export "run") (param i32) (result i32) (local $sum i32)
        (loop $l (local.set $sum (i32.add (local.get $sum) (local.get 0)))
            (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get $sum))))");
    std::atomic<bool> done = false;
    std::thread other{[&] {
        while (!done) {
            const Canceller nobody;
            nobody.cancel();
        }
    }};
    const Canceller own;
    for (int i = 0; i < 300; ++i) {
        std::vector<Value> results;
        const std::array arguments = {Value::i32(20'000)};
        const auto run = store->call(
            export_of("run").func, arguments, results, CallLimits{CallLimits::never, &own});
        ASSERT_EQ(text(run), "");
        ASSERT_EQ(text(results[0]), "200010000");
    }
    done = true;
    other.join();
}

// ---- late signals ------------------------------------------------------------------------------

/// Runs whose deadlines lie about where they end, in slots, each followed by one with a far
/// deadline; meanwhile a thread signals as if the watchdog were always late.
class EdgeTest : public Deadline {
protected:
    static constexpr u32 steps = 20'000;

    [[nodiscard]] static u64 runs() {
        const char* const wanted = std::getenv("WRUN_DEADLINE_RUNS");
        if (wanted != nullptr) return std::strtoull(wanted, nullptr, 10);
        return has_address_sanitizer || has_thread_sanitizer ? 2'000 : 10'000;
    }
    void SetUp() override {
        Deadline::SetUp();
        if (IsSkipped()) return;
        open_pool({});
        const auto module = compile(R"((module (import "host" "nothing" (func $nothing)) (memory 1)
            (table $t 10 funcref) (elem declare func $mix)
            (func $mix (param i32 i32) (result i32)
                (i32.add (i32.mul (local.get 0) (i32.const 31)) (local.get 1)))
            (func (export "run") (param $n i32) (result i32) (local $sum i32)
                (loop $l
                    (local.set $sum (call $mix (local.get $sum) (local.get $n)))
                    (if (i32.eqz (i32.and (local.get $n) (i32.const 63))) (then
                        (table.set $t (i32.const 3) (ref.func $mix))
                        (memory.fill (i32.const 0) (local.get $n) (i32.const 100)) (call $nothing)
                        (local.set $sum (i32.add (local.get $sum) (i32.load (i32.const 50))))))
                    (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                (i32.add (local.get $sum) (i32.load (i32.const 1000))))
            (func (export "is_new") (result i32)
                (i32.and (i32.eqz (i32.load (i32.const 50)))
                    (ref.is_null (table.get $t (i32.const 3)))))))")
                                .take();
        from = Template::make(module, linker).take().made;
        run = from->find_function("run").value();
        is_new = from->find_function("is_new").value();
    }
    struct Done {
        std::string outcome;
        u32 result = 0;
    };
    [[nodiscard]] Done once(const CallLimits& limits) {
        auto slot = shard->start(from).take();
        std::vector<Value> results;
        EXPECT_EQ(text(slot.call(is_new, {}, results)), "");
        EXPECT_EQ(results[0].bits, 1u) << "the slot is not as new";
        const std::array arguments = {Value::i32(steps)};
        Done done{text(slot.call(run, arguments, results, limits)), 0};
        if (!results.empty()) done.result = static_cast<u32>(results[0].bits);
        return done;
    }

    TemplatePtr from;
    FuncIndex run;
    FuncIndex is_new;
};

TEST_F(EdgeTest, RunsAtTheirDeadlineAreCompleteOrStoppedAndTheNextIsComplete) {
    const u32 expected = once({}).result;
    u64 took_ns = ~u64{0};
    for (int i = 0; i < 50; ++i) {
        const u64 begin_ns = os::monotonic_ns();
        (void)once({});
        took_ns = std::min(took_ns, os::monotonic_ns() - begin_ns);
    }

    runtime::Worker& worker = *runtime::this_worker();
    std::atomic<bool> done = false;
    std::thread late{[&] {
        const int signal = engine->options().interrupt_signal;
        std::mt19937_64 random{1};
        while (!done) {
            runtime::signal_worker(worker, signal);
            for (u64 i = random() % 30'000; i != 0; --i)
                asm volatile("");
        }
    }};
    std::mt19937_64 random{2};
    const u64 stopped_wanted = runs() / 1000;
    u64 stopped_runs = 0;
    u64 ended = 0;
    // Where other programs want the processors, signals come seldom.
    for (; ended < runs() || (stopped_runs <= stopped_wanted && ended < 10 * runs()); ++ended) {
        const u64 i = ended;
        const Canceller canceller;
        const Canceller* const cancel = i % 8 == 0 ? &canceller : nullptr;
        const Done edge = once(CallLimits::within(took_ns / 2 + random() % (3 * took_ns), cancel));
        if (edge.outcome == stopped) {
            ++stopped_runs;
        } else {
            ASSERT_EQ(edge.outcome, "") << "run " << i;
            ASSERT_EQ(edge.result, expected) << "run " << i;
        }
        if (cancel != nullptr) cancel->cancel();
        const Done next = once(i % 2 == 0 ? CallLimits::within(far_ns) : CallLimits{});
        ASSERT_EQ(next.outcome, "") << "after run " << i;
        ASSERT_EQ(next.result, expected) << "after run " << i;
    }
    done = true;
    late.join();
    RecordProperty("runs", static_cast<int>(ended));
    RecordProperty("stopped", static_cast<int>(stopped_runs));
    std::printf("%llu runs of %llu us, %llu stopped\n", static_cast<unsigned long long>(ended),
        static_cast<unsigned long long>(took_ns / 1000),
        static_cast<unsigned long long>(stopped_runs));
    EXPECT_GT(stopped_runs, stopped_wanted) << "hardly any deadline was met";
    EXPECT_LT(stopped_runs, ended - stopped_wanted) << "hardly any run was complete";
    EXPECT_EQ(pool->stats().quarantined, 0u);
}

// ---- the watchdog and its signal ---------------------------------------------------------------

[[nodiscard]] int watchdog_threads() {
    int count = 0;
    for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task"}) {
        std::string name;
        std::getline(std::ifstream{task.path() / "comm"}, name);
        count += name == "wrun-watchdog";
    }
    return count;
}

TEST_F(Deadline, TheWatchdogLivesFromTheFirstDeadlineToTheLastEngine) {
    for (int i = 0; i < 20; ++i) {
        renew_store();
        make(R"((module (func (export "run"))))");
        EXPECT_EQ(call("run"), "");
        EXPECT_EQ(watchdog_threads(), 0);
        EXPECT_EQ(call_within("run", CallLimits::within(far_ns)), "");
        EXPECT_EQ(watchdog_threads(), 1);
        store.reset();
        engine.reset();
        EXPECT_EQ(watchdog_threads(), 0);
        engine = engine::Engine::make(test_options()).take();
        EXPECT_EQ(
            run_within(R"((module (func (export "run") (loop $l (br $l)))))", 2 * ms), stopped);
        EXPECT_EQ(watchdog_threads(), 1);
        store.reset();
        engine.reset();
        engine = engine::Engine::make(test_options()).take();
    }
}

TEST_F(Deadline, ThreadsThatComeAndGo) {
    const auto module = compile(R"((module (func (export "run") (loop $l (br $l)))))").take();
    for (int i = 0; i < 20; ++i) {
        std::string answer;
        std::thread{[&] {
            // As in a host that handles signals elsewhere.
            sigset_t all;
            sigfillset(&all);
            pthread_sigmask(SIG_BLOCK, &all, nullptr);
            const auto own = Store::make(*engine).take();
            const auto made = own->instantiate(module, linker).take();
            std::vector<Value> results;
            answer = text(own->call(
                made.instance->find_export("run")->func, {}, results, CallLimits::within(ms)));
        }}.join();
        EXPECT_EQ(answer, stopped);
    }
}

TEST_F(Deadline, WorksInAChildOfFork) {
    if (has_thread_sanitizer) GTEST_SKIP() << "the thread sanitizer starts no threads after fork";
    EXPECT_EQ(run_within(R"((module (func (export "run") (loop $l (br $l)))))", ms), stopped);
    const pid_t child = fork();
    if (child == 0) {
        const std::string answer =
            run_within(R"((module (func (export "run") (loop $l (br $l)))))", 5 * ms);
        _exit(answer == stopped ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(run_within(R"((module (func (export "run") (loop $l (br $l)))))", ms), stopped);
}

std::atomic<int> foreign_signals = 0;

TEST_F(Deadline, SignalsOfOthersGoToTheirHandler) {
    struct sigaction mine {};
    mine.sa_handler = [](int) { ++foreign_signals; };
    struct sigaction before {};
    ASSERT_EQ(sigaction(SIGVTALRM, &mine, &before), 0);
    engine::EngineOptions options;
    options.interrupt_signal = SIGVTALRM;
    auto own = engine::Engine::make(options).take();
    ASSERT_EQ(raise(SIGVTALRM), 0);
    EXPECT_EQ(foreign_signals, 1);

    const auto module = engine::Module::compile(
        *own, wat::assemble(R"((module (func (export "run") (loop $l (br $l)))))"))
                            .take();
    auto other = Store::make(*own).take();
    const auto made = other->instantiate(module, linker).take();
    std::vector<Value> results;
    // The thread sanitizer would keep it back.
    if (!has_thread_sanitizer) {
        EXPECT_EQ(text(other->call(made.instance->find_export("run")->func, {}, results,
                      CallLimits::within(5 * ms))),
            stopped);
        EXPECT_EQ(foreign_signals, 1) << "ours went to the other handler";
    }
    ASSERT_EQ(raise(SIGVTALRM), 0);
    EXPECT_EQ(foreign_signals, 2);
}

TEST_F(Deadline, ASignalThatCannotBeHandledIsRefused) {
    for (const int signal : {SIGKILL, -2, 1000}) {
        engine::EngineOptions options;
        options.interrupt_signal = signal;
        const auto made = engine::Engine::make(options);
        ASSERT_FALSE(made.ok()) << signal;
        EXPECT_EQ(made.error().code, ErrorCode::bad_interrupt_signal);
    }
}

}  // namespace
}  // namespace wrun::test
