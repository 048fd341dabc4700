// Guests on fibers: many on one thread, each in a slot of its own, suspended by host functions in
// any order, with limits and without. Each shall answer what it answers alone, or end when and as
// its own limits say.
#include "engine/fiber.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <random>
#include <thread>

#include "base/os_thread.hpp"
#include "base/sanitizers.hpp"
#include "engine/state.hpp"
#include "tests/engine/slots.hpp"

namespace wrun::test {
namespace {

using engine::CallLimits;
using engine::Canceller;
using engine::Fiber;

constexpr u64 us = 1'000;
constexpr u64 ms = 1'000'000;
constexpr u64 far_ns = 100'000 * ms;
constexpr const char* stopped = "trap: deadline exceeded";
constexpr const char* cancelled = "trap: cancelled";

void sleep_ms(u64 time_ms) {
    timespec left{static_cast<time_t>(time_ms / 1000), static_cast<long>(time_ms % 1000 * ms)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

/// `run` mixes its arguments for $n rounds: registers, memory, a table, a global and a fill, and
/// now and then a host function that answers what it is given. `is_new` sees whether all that is
/// as it was.
const char* const mixer = R"((module
    (import "host" "pass" (func $pass (param i32) (result i32)))
    (memory 2) (table $t 10 funcref) (elem declare func $mix) (global $g (mut i64) (i64.const 3))
    (func $mix (param i32 i32) (result i32)
        (i32.add (i32.mul (local.get 0) (i32.const 31)) (local.get 1)))
    (func (export "run") (param $n i32) (param $seed i32) (result i32)
        (local $sum i32) (local $d f64)
        (local.set $sum (local.get $seed)) (local.set $d (f64.convert_i32_u (local.get $seed)))
        (loop $l
            (local.set $sum (call $mix (local.get $sum) (local.get $n)))
            (local.set $d (f64.add (f64.mul (local.get $d) (f64.const 0.75))
                (f64.convert_i32_u (local.get $sum))))
            (i32.store (i32.and (local.get $sum) (i32.const 0xfffc)) (local.get $n))
            (if (i32.eqz (i32.and (local.get $n) (i32.const 63))) (then
                (table.set $t (i32.const 3) (ref.func $mix))
                (memory.fill (i32.const 70000) (local.get $n) (i32.const 1000))
                (global.set $g (i64.add (global.get $g) (i64.extend_i32_u (local.get $sum))))
                (local.set $sum (i32.add (call $pass (local.get $sum))
                    (i32.load (i32.const 70500))))))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (i32.add (i32.add (local.get $sum) (i32.load (i32.const 1000)))
            (i32.add (i32.wrap_i64 (i64.reinterpret_f64 (local.get $d))) (i32.wrap_i64 (global.get $g)))))
    (func (export "is_new") (result i32) (local $at i32) (local $any i64)
        (loop $l
            (local.set $any (i64.or (local.get $any) (i64.load (local.get $at))))
            (br_if $l (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8)))
                (i32.const 131072))))
        (i32.and (i64.eqz (local.get $any)) (i32.and (ref.is_null (table.get $t (i32.const 3)))
            (i64.eq (global.get $g) (i64.const 3)))))))";

class FiberTest : public SlotsTest {
protected:
    /// One run, in a slot of its own, on a fiber of its own.
    struct Task {
        FiberTest* test = nullptr;
        std::unique_ptr<Fiber> fiber = Fiber::make().take();
        u32 rounds = 0;
        u32 seed = 0;
        CallLimits limits;
        Canceller canceller;
        std::string outcome;
        u32 result = 0;
        u64 passes = 0;                  // through the host function
        engine::Shard* shard = nullptr;  // absent: the test's
        std::mt19937_64 random{1};
        bool was_new = false;

        static void run(void* self) noexcept { static_cast<Task*>(self)->run(); }
        void run() {
            auto slot =
                (shard != nullptr ? shard : test->shard.get())->start(test->from, this).take();
            std::vector<Value> results;
            was_new = text(slot.call(test->is_new, {}, results)) == "" && results[0].bits == 1;
            const std::array arguments = {Value::i32(rounds), Value::i32(seed)};
            outcome = text(slot.call(test->run_function, arguments, results, limits));
            result = results.empty() ? 0 : static_cast<u32>(results[0].bits);
        }
        [[nodiscard]] bool start(u64 slice_ns = 0) { return fiber->start(run, this, slice_ns); }
    };

    FiberTest() {
        define("pass", {type_i32}, {type_i32}, [](Caller& caller, void*, std::span<u64>) {
            auto* const task = static_cast<Task*>(caller.store().host_data());
            ++task->passes;
            if (task->test->suspends(*task)) Fiber::suspend();
            return HostResult::ok();
        });
    }
    void open(const PoolOptions& options = {}) {
        open_pool(options);
        from = Template::make(compile(mixer).take(), linker).take().made;
        run_function = from->find_function("run").value();
        is_new = from->find_function("is_new").value();
    }
    [[nodiscard]] bool suspends(Task& task) const {
        return Fiber::current() != nullptr && task.random() % 100 < suspend_percent;
    }
    /// What it answers alone, without a fiber.
    [[nodiscard]] u32 alone(u32 rounds, u32 seed) {
        Task task;
        task.test = this;
        task.rounds = rounds;
        task.seed = seed;
        task.run();
        EXPECT_EQ(task.outcome, "");
        EXPECT_TRUE(task.was_new);
        return task.result;
    }
    /// Ready to be started.
    void prepare(Task& task, u32 rounds, u32 seed, const CallLimits& limits = {}) {
        task.test = this;
        task.rounds = rounds;
        task.seed = seed;
        task.limits = limits;
        task.outcome = "not over";
        task.passes = 0;
    }
    [[nodiscard]] static u64 runs() {
        const char* const wanted = std::getenv("WRUN_FIBER_RUNS");
        if (wanted != nullptr) return std::strtoull(wanted, nullptr, 10);
        return has_address_sanitizer || has_thread_sanitizer ? 2'000 : 20'000;
    }

    std::mt19937_64 random{1};
    u64 suspend_percent = 100;
    TemplatePtr from;
    FuncIndex run_function;
    FuncIndex is_new;
};

constexpr u32 seeds = 16;
constexpr u32 rounds_max = 4'000;

TEST_F(FiberTest, AGuestWaitsInTheMiddleOfAHostFunction) {
    open();
    Task task;
    prepare(task, 640, 7);
    EXPECT_TRUE(task.start());
    u64 resumed = 0;
    for (bool is_waiting = true; is_waiting; ++resumed) {
        EXPECT_EQ(task.passes, resumed + 1);
        EXPECT_EQ(task.outcome, "not over");
        is_waiting = task.fiber->resume();
    }
    EXPECT_EQ(resumed, 10u);
    EXPECT_EQ(task.outcome, "");
    EXPECT_EQ(task.result, alone(640, 7));
}

/// What a deadline or a request did to a task, when something outside knew of it.
struct Ended {
    u64 by_deadline = 0;
    u64 by_request = 0;
    u64 complete = 0;
};

TEST_F(FiberTest, InterleavedRunsAreExactAndEndByTheirOwnLimitsOnly) {
    for (const auto watch : {runtime::Watch::faults, runtime::Watch::writes}) {
        open({.spare_slots = 0, .watch = watch});
        suspend_percent = 60;
        std::array<u32, seeds> expected{};
        for (u32 i = 0; i < seeds; ++i)
            expected[i] = alone(rounds_max, i);
        std::vector<Task> tasks(24);
        std::vector<int> kinds(tasks.size(), -1);  // -1: idle
        std::vector<bool> is_cancelled(tasks.size());
        Ended ended;
        u64 started = 0;
        const u64 wanted = runs() / 4;
        while (
            started < wanted || ended.by_deadline + ended.by_request + ended.complete < started) {
            const std::size_t i = random() % tasks.size();
            Task& task = tasks[i];
            bool is_waiting = false;
            bool was_due = false;
            const u64 passes_before = task.passes;
            if (kinds[i] < 0) {
                if (started >= wanted) continue;
                ++started;
                kinds[i] = static_cast<int>(random() % 5);
                is_cancelled[i] = false;
                task.canceller = {};
                CallLimits limits;
                if (kinds[i] == 1) limits = CallLimits::within(far_ns);
                if (kinds[i] == 2) limits = CallLimits::within(random() % (2 * ms));
                if (kinds[i] >= 3) limits = CallLimits::within(far_ns, &task.canceller);
                prepare(task, rounds_max, static_cast<u32>(random() % seeds), limits);
                is_waiting = task.start();
            } else {
                was_due = task.limits.deadline_ns <= os::monotonic_ns() || is_cancelled[i];
                is_waiting = task.fiber->resume();
                if (was_due) {
                    // Not one more instruction of the guest, whatever was resumed before.
                    ASSERT_FALSE(is_waiting);
                    ASSERT_EQ(task.passes, passes_before);
                }
            }
            if (is_waiting) {
                if (kinds[i] >= 3 && random() % 16 == 0) {
                    task.canceller.cancel();
                    is_cancelled[i] = true;
                }
                continue;
            }
            ASSERT_TRUE(task.was_new);
            if (task.outcome == "") {
                ++ended.complete;
                ASSERT_FALSE(was_due);
                ASSERT_EQ(task.result, expected[task.seed]) << "kind " << kinds[i];
            } else if (kinds[i] == 2) {
                ASSERT_EQ(task.outcome, stopped);
                ASSERT_GE(os::monotonic_ns(), task.limits.deadline_ns);
                ++ended.by_deadline;
            } else {
                ASSERT_EQ(task.outcome, cancelled) << "kind " << kinds[i];
                ASSERT_TRUE(is_cancelled[i]);
                ++ended.by_request;
            }
            kinds[i] = -1;
        }
        EXPECT_GT(ended.by_deadline, wanted / 20);
        EXPECT_GT(ended.by_request, wanted / 20);
        EXPECT_GT(ended.complete, wanted / 4);
        EXPECT_EQ(pool->stats().quarantined, 0u);
        std::printf("%llu by deadline, %llu by request, %llu complete\n",
            static_cast<unsigned long long>(ended.by_deadline),
            static_cast<unsigned long long>(ended.by_request),
            static_cast<unsigned long long>(ended.complete));
    }
}

/// The deadline of a suspended run passes while the thread sleeps in the system: nothing comes.
TEST_F(FiberTest, NoSignalReachesTheThreadForARunThatIsSuspended) {
    open();
    Task task;
    prepare(task, 640, 1, CallLimits::within(3 * ms, &task.canceller));
    ASSERT_TRUE(task.start());
    for (int i = 0; i < 2; ++i) {
        timespec left{0, 10'000'000};
        EXPECT_EQ(nanosleep(&left, &left), 0) << "interrupted";
        task.canceller.cancel();
    }
    EXPECT_FALSE(task.fiber->resume());
    EXPECT_EQ(task.outcome, cancelled);
    EXPECT_EQ(task.passes, 1u);
}

/// And when it is resumed, a host function that waits in the system is interrupted at once.
TEST_F(FiberTest, WhatPassedMeanwhileIsToldAndSignalledAfterResume) {
    struct Seen {
        bool is_interrupted = false;
        u64 slept_ns = 0;
    };
    define("wait", {}, {}, [](Caller& caller, void*, std::span<u64>) {
        auto& seen = *static_cast<Seen*>(caller.store().host_data());
        Fiber::suspend();
        seen.is_interrupted = engine::is_interrupted();
        const u64 begin_ns = os::monotonic_ns();
        timespec left{5, 0};
        (void)nanosleep(&left, &left);
        seen.slept_ns = os::monotonic_ns() - begin_ns;
        return HostResult::ok();
    });
    open();
    const auto waits = Template::make(compile(R"((module (import "host" "wait" (func $f))
        (func (export "run") (call $f))))")
                                          .take(),
        linker)
                           .take()
                           .made;
    for (const bool by_request : {false, true}) {
        Seen seen;
        struct Call {
            engine::Shard* shard;
            const TemplatePtr* from;
            Seen* seen;
            CallLimits limits;
            std::string outcome;
        } call{shard.get(), &waits, &seen, {}, ""};
        const Canceller canceller;
        call.limits =
            by_request ? CallLimits{CallLimits::never, &canceller} : CallLimits::within(2 * ms);
        const auto fiber = Fiber::make().take();
        ASSERT_TRUE(fiber->start(
            [](void* self) noexcept {
                auto& of = *static_cast<Call*>(self);
                auto slot = of.shard->start(*of.from, of.seen).take();
                std::vector<Value> results;
                of.outcome = text(
                    slot.call((*of.from)->find_function("run").value(), {}, results, of.limits));
            },
            &call));
        sleep_ms(5);
        if (by_request) canceller.cancel();
        EXPECT_FALSE(fiber->resume());
        EXPECT_EQ(call.outcome, by_request ? cancelled : stopped);
        EXPECT_TRUE(seen.is_interrupted);
        EXPECT_LT(seen.slept_ns, 2'000 * ms);
    }
}

/// Calls within calls suspend as one; their deadlines nest on the fiber.
TEST_F(FiberTest, ACallWithinACallSuspendsBoth) {
    struct Inner {
        static HostResult call(Caller& caller, void*, std::span<u64> slots) {
            std::vector<Value> results;
            const auto inner = caller.instance()->find_export("inner")->func;
            const bool is_limited = slots[0] != 0;
            const auto done = caller.store().call(
                inner, {}, results, is_limited ? CallLimits::within(3 * ms) : CallLimits{});
            // 1 when it was stopped, else what it answers.
            slots[0] = text(done) == stopped ? 1 : results[0].bits;
            return HostResult::ok();
        }
    };
    define("call", {type_i32}, {type_i32}, Inner::call);
    define("wait", {}, {}, [](Caller&, void*, std::span<u64>) {
        if (Fiber::current() != nullptr) Fiber::suspend();
        return HostResult::ok();
    });
    open();
    const auto nested = Template::make(compile(R"((module
        (import "host" "call" (func $call (param i32) (result i32)))
        (import "host" "wait" (func $wait))
        (func (export "inner") (result i32) (call $wait) (i32.const 20))
        (func (export "run") (param i32) (result i32)
            (call $wait) (i32.add (call $call (local.get 0)) (i32.const 22)))))")
                                           .take(),
        linker)
                            .take()
                            .made;
    struct Call {
        engine::Shard* shard;
        const TemplatePtr* from;
        u32 argument;
        std::string outcome;
    };
    const Fiber::Entry entry = [](void* self) noexcept {
        auto& of = *static_cast<Call*>(self);
        auto slot = of.shard->start(*of.from).take();
        std::vector<Value> results;
        const std::array arguments = {Value::i32(of.argument)};
        of.outcome = text(slot.call((*of.from)->find_function("run").value(), arguments, results,
            CallLimits::within(far_ns)));
        if (!results.empty()) of.outcome += text(results[0]);
    };
    std::vector<std::unique_ptr<Fiber>> fibers;
    std::vector<Call> calls(6);
    for (u32 i = 0; i < calls.size(); ++i) {
        calls[i] = {shard.get(), &nested, i % 2, ""};
        fibers.push_back(Fiber::make().take());
        ASSERT_TRUE(fibers.back()->start(entry, &calls[i]));
    }
    for (const auto& fiber : fibers)
        ASSERT_TRUE(fiber->resume());
    sleep_ms(10);  // the inner deadlines pass
    for (const auto& fiber : fibers)
        ASSERT_FALSE(fiber->resume());
    for (u32 i = 0; i < calls.size(); ++i)
        EXPECT_EQ(calls[i].outcome, i % 2 == 0 ? "42" : stopped) << i;
}

/// A fiber's stack is the host's: calls within calls end before it does.
TEST_F(FiberTest, RecursionThroughTheHostEndsInATrap) {
    define("again", {}, {}, [](Caller& caller, void*, std::span<u64>) {
        std::vector<Value> results;
        const auto done =
            caller.store().call(caller.instance()->find_export("run")->func, {}, results);
        const auto* const trap = std::get_if<engine::Trap>(&done.value());
        return trap != nullptr ? HostResult::trapped(trap->code) : HostResult::ok();
    });
    open();
    const auto module = compile(R"((module (import "host" "again" (func $again))
        (func (export "run") (call $again))))")
                            .take();
    struct Call {
        engine::Shard* shard;
        TemplatePtr from;
        std::string outcome;
    } call{shard.get(), Template::make(module, linker).take().made, ""};
    const auto fiber = Fiber::make().take();
    EXPECT_FALSE(fiber->start(
        [](void* self) noexcept {
            auto& of = *static_cast<Call*>(self);
            auto slot = of.shard->start(of.from).take();
            std::vector<Value> results;
            of.outcome = text(slot.call(of.from->find_function("run").value(), {}, results));
        },
        &call));
    EXPECT_EQ(call.outcome, "trap: call stack exhausted");
}

TEST_F(FiberTest, ThreadsHaveTheirOwn) {
    open();
    suspend_percent = 50;
    std::array<u32, seeds> expected{};
    for (u32 i = 0; i < seeds; ++i)
        expected[i] = alone(rounds_max, i);
    std::atomic<u64> wrong = 0;
    const auto body = [&](u64 seed) {
        const auto own = Shard::make(*pool).take();
        std::mt19937_64 own_random{seed};
        std::vector<Task> tasks(6);
        u64 left = std::max<u64>(runs() / 20, 50);
        u64 running = 0;
        while (left + running != 0) {
            Task& task = tasks[own_random() % tasks.size()];
            bool is_waiting = false;
            if (task.fiber->is_suspended()) {
                is_waiting = task.fiber->resume();
            } else if (left != 0) {
                --left;
                ++running;
                const u64 limit_ns = own_random() % 3 == 0 ? 50 * us : far_ns;
                prepare(task, rounds_max, static_cast<u32>(own_random() % seeds),
                    CallLimits::within(limit_ns));
                task.shard = own.get();
                is_waiting = task.start();
            } else {
                continue;
            }
            if (is_waiting) continue;
            --running;
            const bool is_late = task.limits.deadline_ns <= os::monotonic_ns();
            wrong += task.outcome != "" && !(is_late && task.outcome == stopped);
            wrong += task.outcome == "" && task.result != expected[task.seed];
            wrong += !task.was_new;
        }
    };
    std::thread other{body, 2};
    body(3);
    other.join();
    EXPECT_EQ(wrong, 0u);
}

}  // namespace
}  // namespace wrun::test
