// Code that is compiled with `fuel` or `epoch`: what it counts, where it stops, and that it
// computes what it always did.
#include <gmock/gmock.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "base/os_thread.hpp"
#include "engine/state.hpp"
#include "tests/engine/slots.hpp"
#include "tests/support/wat.hpp"

namespace wrun::test {
namespace {

using engine::CallLimits;
using engine::Canceller;
using engine::ModuleOptions;
using engine::Store;

constexpr u64 ms = 1'000'000;

class Meter : public SlotsTest {
protected:
    void make_with(std::string_view wat, const ModuleOptions& options) {
        module = engine::Module::compile(*engine, wat::assemble(wat), options).take();
        auto made = store->instantiate(module, linker).take();
        ASSERT_NE(made.instance, nullptr) << text(made.outcome);
        instance = made.instance;
    }
    [[nodiscard]] std::string call_within(
        std::string_view name, std::vector<Value> arguments, const CallLimits& limits) {
        std::vector<Value> results;
        const auto done = store->call(export_of(name).func, arguments, results, limits);
        std::string all = text(done);
        for (const Value& result : results)
            all += text(result);
        return all;
    }
    std::shared_ptr<const engine::Module> module;
};

// ---- fuel --------------------------------------------------------------------------------------

constexpr u64 plenty = 1'000'000;

struct Cost {
    const char* name;
    const char* body;  // of a function f with a parameter $n
    u32 argument;
    u64 fuel;
};

/// Operations are counted as the text format shows them, `end` and `else` among them.
const Cost costs[] = {
    {"nothing", "(func (export \"f\") (param $n i32))", 0, 1},
    {"straight",
        "(func (export \"f\") (param $n i32) (drop (i32.add (local.get $n) (i32.const 1))))", 0, 5},
    {"dead code", "(func (export \"f\") (param $n i32) (return) (drop (i32.const 1)))", 0, 2},
    // local.get, if, nop, end, end: whether it is entered or not.
    {"an if not entered", "(func (export \"f\") (param $n i32) (if (local.get $n) (then (nop))))",
        0, 5},
    {"an if entered", "(func (export \"f\") (param $n i32) (if (local.get $n) (then (nop))))", 1,
        5},
    // Outside: loop, end; each turn: get, const, sub, tee, br_if, end.
    {"one turn", R"((func (export "f") (param $n i32)
        (loop $l (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))",
        1, 2 + 6},
    {"ten turns", R"((func (export "f") (param $n i32)
        (loop $l (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))",
        10, 2 + 60},
    // A turn of the outer one also holds: const, set, loop.
    {"loops in loops", R"((func (export "f") (param $n i32) (local $m i32)
        (loop $outer (local.set $m (i32.const 5))
            (loop $inner (br_if $inner (local.tee $m (i32.sub (local.get $m) (i32.const 1)))))
            (br_if $outer (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))",
        4, 2 + 4 * (3 + 6 + 5 * 6)},
    // get, call, end and what is called.
    {"calls",
        R"((func $g (param i32) (nop)) (func (export "f") (param $n i32) (call $g (local.get $n))))",
        0, 3 + 2},
    {"a loop that returns", R"((func (export "f") (param $n i32) (loop (return)) (nop)))", 0,
        3 + 2},
};

TEST_F(Meter, CountsOperations) {
    for (const Cost& cost : costs) {
        make_with("(module " + std::string{cost.body} + ")", {.fuel = true});
        for (int i = 0; i < 2; ++i) {
            store->set_fuel(plenty);
            EXPECT_EQ(call("f", {Value::i32(cost.argument)}), "") << cost.name;
            EXPECT_EQ(plenty - store->fuel(), cost.fuel) << cost.name;
        }
        store->set_fuel(cost.fuel);
        EXPECT_EQ(call("f", {Value::i32(cost.argument)}), "") << cost.name;
        EXPECT_EQ(store->fuel(), 0u) << cost.name;
        store->set_fuel(cost.fuel - 1);
        EXPECT_EQ(call("f", {Value::i32(cost.argument)}), "trap: out of fuel") << cost.name;
        EXPECT_EQ(store->fuel(), 0u) << cost.name;
    }
}

constexpr const char* busy = R"((module (memory 1)
    (func $fib (param i32) (result i32)
        (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
            (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
    (func (export "run") (param $n i32) (result i32) (local $sum i32)
        (memory.fill (i32.const 0) (i32.const 0) (i32.const 2048))
        (loop $l
            (local.set $sum (i32.add (call $fib (i32.and (local.get $n) (i32.const 7)))
                (i32.add (i32.load (i32.and (local.get $n) (i32.const 1023))) (local.get $sum))))
            (i32.store (i32.and (local.get $n) (i32.const 1023)) (local.get $sum))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum)))";

TEST_F(Meter, TheSameFuelWhateverTheCodeIs) {
    make_with(std::string{busy} + ")", {});
    const std::string expected = call("run", {Value::i32(500)});
    std::vector<u64> used;
    for (const u32 homes : {0u, 3u, 16u}) {
        for (const engine::Bounds bounds : {engine::Bounds::guard, engine::Bounds::checked}) {
            for (const bool epoch : {false, true}) {
                engine::EngineOptions options = test_options();
                options.integer_homes_max = homes;
                const auto other = engine::Engine::make(options).take();
                const auto compiled =
                    engine::Module::compile(*other, wat::assemble(std::string{busy} + ")"),
                        {.bounds = bounds, .epoch = epoch, .fuel = true})
                        .take();
                const auto own = Store::make(*other, {.fuel = plenty}).take();
                const auto made = own->instantiate(compiled, linker).take();
                std::vector<Value> results;
                const Value arguments[] = {Value::i32(500)};
                const auto run = made.instance->find_export("run")->func;
                EXPECT_EQ(text(own->call(run, arguments, results)), "");
                EXPECT_EQ(text(results.at(0)), expected);
                used.push_back(plenty - own->fuel());
            }
        }
    }
    EXPECT_GT(used.front(), 10'000u);
    EXPECT_THAT(used, testing::Each(used.front()));
}

TEST_F(Meter, FuelEndsWhatDoesNotEnd) {
    for (const char* const body :
        {"(func (export \"f\") (loop $l (br $l)))", "(func $f (export \"f\") (call $f))",
            "(func $g (call 1)) (func (export \"f\") (loop $l (call $g) (br $l)))"}) {
        make_with("(module " + std::string{body} + ")", {.fuel = true});
        store->set_fuel(10'000);
        EXPECT_EQ(call("f"), "trap: out of fuel");
    }
    // The instance is as it was, and can go on.
    store->set_fuel(10'000);
    EXPECT_EQ(call("f"), "trap: out of fuel");
}

TEST_F(Meter, FuelIsTheStoresNotTheInstances) {
    make_with(R"((module (func (export "g") (nop) (nop))))", {.fuel = true});
    linker.define_instance("other", *instance);
    make_with(
        R"((module (import "other" "g" (func $g)) (func (export "f") (call $g))))", {.fuel = true});
    store->set_fuel(100);
    EXPECT_EQ(call("f"), "");
    EXPECT_EQ(store->fuel(), 100u - 2 - 3);
}

TEST_F(Meter, EachRunOfASlotBeginsWithTheTemplatesFuel) {
    open_pool({});
    const auto compiled = engine::Module::compile(
        *engine, wat::assemble("(module (func (export \"f\") (loop $l (br $l))))"), {.fuel = true})
                              .take();
    TemplateOptions options;
    options.store.fuel = 1000;
    const auto from = Template::make(compiled, linker, options).take().made;
    for (int i = 0; i < 3; ++i) {
        auto run = shard->start(from).take();
        EXPECT_EQ(run.store().fuel(), 1000u);
        std::vector<Value> results;
        EXPECT_EQ(
            text(run.call(from->find_function("f").value(), {}, results)), "trap: out of fuel");
        EXPECT_EQ(run.store().fuel(), 0u);
    }
}

TEST_F(Meter, WhatIsNotAskedForIsNotInTheCode) {
    const auto bytes = [&](const ModuleOptions& options) {
        make_with(std::string{busy} + ")", options);
        std::vector<u8> code;
        for (u32 func = 0; func < 2; ++func) {
            const auto part = module->code(FuncIndex{func});
            code.insert(code.end(), part.begin(), part.end());
        }
        return code;
    };
    const auto plain = bytes({});
    EXPECT_LT(plain.size(), bytes({.fuel = true}).size());
    EXPECT_LT(plain.size(), bytes({.epoch = true}).size());
    EXPECT_EQ(plain, bytes({.epoch = false, .fuel = false}));
}

// ---- epoch -------------------------------------------------------------------------------------

/// An engine that may send no signal; should it do so all the same, it is kept back.
class Epoch : public Meter {
protected:
    Epoch() {
        store.reset();
        engine::EngineOptions options;
        options.interrupt_signal = engine::EngineOptions::no_signal;
        engine = engine::Engine::make(options).take();
        store = Store::make(*engine).take();
        sigset_t all;
        sigemptyset(&all);
        sigaddset(&all, SIGURG);
        sigaddset(&all, SIGSYS);
        pthread_sigmask(SIG_BLOCK, &all, &before);
        define("nothing", {}, {}, [](Caller&, void*, std::span<u64>) { return HostResult::ok(); });
        define("call", {}, {}, [](Caller& caller, void*, std::span<u64>) {
            std::vector<Value> results;
            const auto spin = caller.instance()->find_export("spin")->func;
            (void)caller.store().call(spin, {}, results);
            return HostResult::ok();
        });
    }
    ~Epoch() override { pthread_sigmask(SIG_SETMASK, &before, nullptr); }

    sigset_t before{};
};

const char* const endless[] = {
    R"((func (export "run") (loop $l (br $l))))",
    R"((func $f (param i32) (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))
            (call $f (i32.sub (local.get 0) (i32.const 1))))))
        (func (export "run") (call $f (i32.const 1000))))",
    R"((memory 65536) (func (export "run") (loop $l
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 0xffffffff)) (br $l))))",
    R"((import "host" "nothing" (func $f)) (func (export "run") (loop $l (call $f) (br $l))))",
    R"((import "host" "call" (func $f)) (func (export "spin") (loop $l (br $l)))
        (func (export "run") (loop $l (call $f) (br $l))))",
};

TEST_F(Epoch, NeedsNoSignal) {
    for (const char* const body : endless) {
        for (const bool by_deadline : {true, false}) {
            store = Store::make(*engine).take();
            make_with("(module " + std::string{body} + ")", {.epoch = true});
            const Canceller canceller;
            std::thread other{[handle = canceller] {
                std::this_thread::sleep_for(std::chrono::milliseconds{10});
                handle.cancel();
            }};
            const u64 begin_ns = os::monotonic_ns();
            const auto limits = by_deadline ? CallLimits::within(5 * ms)
                                            : CallLimits{CallLimits::never, &canceller};
            EXPECT_EQ(call_within("run", {}, limits),
                by_deadline ? "trap: deadline exceeded" : "trap: cancelled")
                << body;
            EXPECT_LT(os::monotonic_ns() - begin_ns, 5'000 * ms) << body;
            other.join();
        }
    }
}

TEST_F(Epoch, AWordThatIsSetWithoutReasonStopsNothing) {
    make_with(std::string{busy} + ")", {.epoch = true});
    const std::string expected = call("run", {Value::i32(2000)});
    runtime::Worker& worker = *runtime::this_worker();
    std::atomic<bool> done = false;
    std::atomic<u64> looked = 0;
    std::thread late{[&] {
        while (!done) {
            looked += worker.attention.exchange(1) == 0;
            for (int i = 0; i < 1000; ++i)
                asm volatile("");
        }
    }};
    for (int i = 0; i < 200 || (looked < 100 && i < 10'000); ++i) {
        ASSERT_EQ(
            call_within("run", {Value::i32(2000)}, CallLimits::within(100'000 * ms)), expected);
        ASSERT_EQ(call("run", {Value::i32(2000)}), expected);
    }
    done = true;
    late.join();
    EXPECT_GE(looked, 10u) << "the word was hardly read, so nothing was tested";
}

}  // namespace
}  // namespace wrun::test
