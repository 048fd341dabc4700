// Templates and slots: what a run finds is what the template froze, whatever ran in the slot
// before.
#include "engine/pool.hpp"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "base/errors.hpp"
#include "base/os_pages.hpp"
#include "base/sanitizers.hpp"
#include "engine/state.hpp"
#include "tests/engine/slots.hpp"
#include "tests/support/wat.hpp"

namespace wrun::test {
namespace {

/// Every kind of state that a run can change, and a function that changes all of it. `seen` tells
/// all of it in one number, which is that of a fresh instance or is not.
const char* const stateful = R"((module
    (import "host" "note" (func $note (param i32)))
    (memory (export "memory") 2 20) (data (i32.const 100) "abc") (data $passive "xyz")
    (table $t 4 100 funcref) (elem (table $t) (i32.const 1) func $one $two)
    (elem $late func $two $two)
    (global $numbers (mut i64) (i64.const 7)) (global $function (mut funcref) (ref.func $one))
    (type $number (func (result i32)))
    (func $one (result i32) (i32.const 1))
    (func $two (result i32) (i32.const 2))
    (start $begin)
    (func $begin
        (i32.store (i32.const 200) (i32.add (i32.load (i32.const 200)) (i32.const 1)))
        (global.set $numbers (i64.const 9)) (call $note (i32.const 77))
        (table.set $t (i32.const 3) (ref.func $two)))
    (func $byte (param i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "seen") (result i32)
        (call_indirect $t (type $number) (i32.const 1))
        (i32.mul (call_indirect $t (type $number) (i32.const 2)) (i32.const 10))
        (i32.mul (call_indirect $t (type $number) (i32.const 3)) (i32.const 100))
        i32.add i32.add
        (i32.add (i32.mul (table.size $t) (i32.const 1000)))
        (i32.add (i32.mul (memory.size) (i32.const 10000)))
        (i32.add (i32.mul (i32.wrap_i64 (global.get $numbers)) (i32.const 100000)))
        (i32.add (i32.mul (i32.load (i32.const 200)) (i32.const 1000000)))
        (i32.add (call $byte (i32.const 100))) (i32.add (call $byte (i32.const 131071)))
        (i32.add (call $byte (i32.const 70000)))
        (i32.add (i32.mul (ref.is_null (global.get $function)) (i32.const 10000000)))
        (memory.init $passive (i32.const 300) (i32.const 0) (i32.const 3))
        (table.init $t $late (i32.const 0) (i32.const 0) (i32.const 2)))
    (func $spoil (export "spoil")
        (i32.store (i32.const 100) (i32.const -1)) (i32.store (i32.const 200) (i32.const 5))
        (memory.fill (i32.const 60000) (i32.const 255) (i32.const 71072))
        (drop (memory.grow (i32.const 3)))
        (memory.fill (i32.const 131072) (i32.const 255) (i32.const 196608))
        (global.set $numbers (i64.const -1)) (global.set $function (ref.null func))
        (table.set $t (i32.const 1) (ref.func $two)) (table.set $t (i32.const 2) (ref.null func))
        (drop (table.grow $t (ref.func $one) (i32.const 50)))
        (table.fill $t (i32.const 10) (ref.func $two) (i32.const 5))
        (data.drop $passive) (elem.drop $late))
    (func (export "spoil_and_trap") (call $spoil) unreachable)
    (func (export "spoil_and_exit") (call $spoil) (call $note (i32.const -1)))
    (func $deeper (export "deeper") (call $deeper))
    (func (export "spoil_and_overflow") (call $spoil) (call $deeper))
    (func (export "nothing"))))";
constexpr const char* as_new = "1924318";

class PoolTest : public SlotsTest {
protected:
    PoolTest() { define("note", {type_i32}, {}, note, &notes); }

    static HostResult note(Caller& caller, void* env, std::span<u64> slots) {
        static_cast<std::vector<u64>*>(env)->push_back(slots[0]);
        if (slots[0] == 0xffff'ffff) return HostResult::exited(3);
        seen_host_data = caller.store().host_data();
        return HostResult::ok();
    }

    [[nodiscard]] Result<Template::Made> freeze(
        std::string_view wat, const TemplateOptions& options = {}) {
        return Template::make(compile(wat).take(), linker, options);
    }
    [[nodiscard]] TemplatePtr template_of(
        std::string_view wat, const TemplateOptions& options = {}) {
        auto made = freeze(wat, options);
        EXPECT_TRUE(made.ok()) << describe(made.error());
        return made.ok() ? made.value().made : nullptr;
    }
    void open(const PoolOptions& options = {}) { open_pool(options); }
    [[nodiscard]] static std::string call(engine::Run& run, const TemplatePtr& of,
        std::string_view name, std::vector<Value> arguments = {}) {
        std::vector<Value> results;
        std::string all = text(run.call(of->find_function(name).value(), arguments, results));
        for (const Value& result : results)
            all += (all.empty() ? "" : " ") + text(result);
        return all;
    }
    [[nodiscard]] std::string run_once(const TemplatePtr& of, std::string_view name) {
        auto run = shard->start(of);
        if (!run.ok()) return "error: " + describe(run.error());
        return call(run.value(), of, name);
    }

    static inline thread_local void* seen_host_data = nullptr;
    std::vector<u64> notes;
};

TEST_F(PoolTest, EveryRunStartsFromWhatIsFrozen) {
    open({.spare_slots = 0});
    const auto of = template_of(stateful);
    ASSERT_NE(of, nullptr);
    EXPECT_EQ(notes, std::vector<u64>{77}) << "the start function runs once, here";
    const std::pair<const char*, const char*> runs[] = {{"nothing", ""}, {"spoil", ""},
        {"spoil_and_trap", "trap: unreachable"}, {"spoil_and_exit", "exit 3"},
        {"spoil_and_overflow", "trap: call stack exhausted"}, {"seen", as_new}};
    for (int round = 0; round < 3; ++round) {
        for (const auto& [name, outcome] : runs) {
            EXPECT_EQ(run_once(of, name), outcome) << name;
            EXPECT_EQ(run_once(of, "seen"), as_new) << "after " << name;
        }
    }
    EXPECT_EQ(pool->stats().slots, 1u);
    EXPECT_EQ(notes.size(), 4u) << "and never again in a run";
}

TEST_F(PoolTest, EveryWayOfResettingDoes) {
    for (const auto way :
        {runtime::ResetWay::drop, runtime::ResetWay::learned, runtime::ResetWay::copy}) {
        for (const auto look : {os::PageScanner::Way::scan, os::PageScanner::Way::read}) {
            open({.look = look});
            const auto of = template_of(stateful, {.reset = way});
            for (int round = 0; round < 5; ++round) {
                EXPECT_EQ(run_once(of, "spoil"), "");
                EXPECT_EQ(run_once(of, "seen"), as_new);
            }
        }
    }
}

TEST_F(PoolTest, ARunMayCallOftenAndItsStateLasts) {
    open();
    const auto of = template_of(R"((module (memory 1)
        (func (export "next") (param i32) (result i32)
            (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (local.get 0)))
            (i32.load (i32.const 0)))))");
    auto run = shard->start(of).take();
    EXPECT_EQ(call(run, of, "next", {Value::i32(5)}), "5");
    EXPECT_EQ(call(run, of, "next", {Value::i32(6)}), "11");
    auto beside = shard->start(of).take();
    EXPECT_EQ(call(beside, of, "next", {Value::i32(1)}), "1");
    EXPECT_EQ(call(run, of, "next", {Value::i32(1)}), "12");
}

TEST_F(PoolTest, SteadyStateTakesNoPageFault) {
    open();
    // Sixteen dirty pages, table and globals untouched.
    const auto of = template_of(R"((module (memory 16) (data (i32.const 0) "x")
        (table 4 funcref) (global (mut i32) (i32.const 0))
        (func (export "handle") (local $i i32)
            (loop $next
                (i32.store8 (i32.mul (local.get $i) (i32.const 65536)) (i32.const 1))
                (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
                    (i32.const 16)))))))");
    const FuncIndex handle = of->find_function("handle").value();
    std::vector<Value> results;
    const auto cycle = [&] {
        auto run = shard->start(of).take();
        return run.call(handle, {}, results).ok();
    };
    for (int i = 0; i < 10; ++i)
        ASSERT_TRUE(cycle());
    const auto before = os::thread_fault_count();
    ASSERT_TRUE(before.has_value());
    for (int i = 0; i < 1000; ++i)
        ASSERT_TRUE(cycle());
    EXPECT_EQ(os::thread_fault_count(), before);
}

TEST_F(PoolTest, AWrittenTableIsRestoredToWhatTheTemplateHas) {
    PoolOptions options;
    options.slots_max = 1;
    options.spare_slots = 0;
    open(options);
    const auto make = [this](const char* number) {
        return template_of(std::string{R"((module (table $t 3 funcref)
            (elem (table $t) (i32.const 0) func $f $f)
            (func $f (result i32) (i32.const )"} +
                           number + R"())
            (func (export "spoil") (table.fill $t (i32.const 0) (ref.null func) (i32.const 3)))
            (func (export "call") (result i32) (call_indirect $t (result i32) (i32.const 1)))))");
    };
    const auto first = make("1");
    const auto second = make("2");
    for (int i = 0; i < 3; ++i) {
        for (const auto& of : {first, second}) {
            for (int again = 0; again < 2; ++again) {
                EXPECT_EQ(run_once(of, "call"), of == first ? "1" : "2");
                EXPECT_EQ(run_once(of, "spoil"), "");
            }
        }
    }
}

/// Two pages are written always, those that `mark` names once.
const char* const marker = R"((module (memory 16) (data (i32.const 0) "x")
    (func (export "handle")
        (i32.store8 (i32.const 70000) (i32.const 1)) (i32.store8 (i32.const 500000) (i32.const 1)))
    (func (export "mark") (param i32) (i32.store8 (local.get 0) (i32.const 9)))
    (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))))";

class WatchedPoolTest : public PoolTest {
protected:
    void SetUp() override {
        PoolOptions options;
        options.spare_slots = 0;
        options.watch = runtime::Watch::writes;
        open_pool(options);
        of = template_of(marker);
        if (runs_until_watched() == not_watched) {
            GTEST_SKIP() << "the system cannot refuse pages (userfaultfd of Linux 6.4)";
        }
    }
    void cycle() {
        auto run = shard->start(of).take();
        ASSERT_EQ(call(run, of, "handle"), "");
    }
    [[nodiscard]] u32 runs_until_watched() {
        for (u32 runs = 1; runs < not_watched; ++runs) {
            auto run = shard->start(of).take();
            if (run.is_watched()) return runs;
            EXPECT_EQ(call(run, of, "handle"), "");
        }
        return not_watched;
    }

    static constexpr u32 not_watched = 20'000;
    TemplatePtr of;
};

TEST_F(WatchedPoolTest, SteadyStateTakesNoPageFaultAndStaysWatched) {
    cycle();
    const auto before = os::thread_fault_count();
    for (int i = 0; i < 1000; ++i) {
        auto run = shard->start(of).take();
        ASSERT_TRUE(run.is_watched());
        ASSERT_EQ(call(run, of, "handle"), "");
    }
    EXPECT_EQ(os::thread_fault_count(), before);
}

TEST_F(WatchedPoolTest, AWriteElsewhereIsSeenAndUndone) {
    {
        auto run = shard->start(of).take();
        ASSERT_TRUE(run.is_watched());
        EXPECT_EQ(call(run, of, "mark", {Value::i32(300'000)}), "");
        // And by the host, which is on the same thread.
        ASSERT_TRUE(run.instance().memory().write(400'000, "secret", 6));
    }
    auto run = shard->start(of).take();
    EXPECT_FALSE(run.is_watched());
    EXPECT_EQ(call(run, of, "load", {Value::i32(300'000)}), "0");
    EXPECT_EQ(call(run, of, "load", {Value::i32(400'000)}), "0");
}

TEST_F(WatchedPoolTest, WhoWritesElsewhereOftenIsWatchedSeldom) {
    u32 longest = 0;
    for (u32 page = 20; page < 40; ++page) {
        {
            auto run = shard->start(of).take();
            ASSERT_TRUE(run.is_watched()) << page;
            EXPECT_EQ(call(run, of, "mark", {Value::i32(page * 4096)}), "");
        }
        longest = runs_until_watched();
    }
    EXPECT_GT(longest, 1000u);
    EXPECT_LT(longest, not_watched);
}

TEST_F(WatchedPoolTest, ASlotThatIsBoundAnewStartsOver) {
    const auto other = template_of(R"((module (memory 16)
        (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))))");
    PoolOptions options;
    options.spare_slots = 0;
    options.slots_max = 1;
    options.watch = runtime::Watch::writes;
    open_pool(options);
    ASSERT_NE(runs_until_watched(), not_watched);
    {
        auto run = shard->start(of).take();
        EXPECT_EQ(call(run, of, "mark", {Value::i32(300'000)}), "");
    }
    auto run = shard->start(other).take();
    EXPECT_FALSE(run.is_watched());
    EXPECT_EQ(call(run, other, "load", {Value::i32(300'000)}), "0");
}

TEST_F(WatchedPoolTest, WhatADenseMemoryGrowsOverIsSeen) {
    const auto module = engine::Module::compile(*engine, wat::assemble(R"((module (memory 1 40)
        (func (export "handle"))
        (func (export "grow") (param i32) (result i32) (local $last i32)
            (drop (memory.grow (local.get 0)))
            (local.set $last (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)))
            (i32.load8_u (local.get $last))
            (i32.store8 (local.get $last) (i32.const 7)))))"),
        {.bounds = engine::Bounds::checked});
    TemplateOptions options;
    options.store.memory_bytes_max = u64{40} << 16;
    of = Template::make(module.value(), linker, options).take().made;
    for (const u32 pages : {3u, 9u, 5u, 30u}) {
        ASSERT_NE(runs_until_watched(), not_watched);
        for (int i = 0; i < 2; ++i) {
            auto run = shard->start(of).take();
            EXPECT_EQ(call(run, of, "grow", {Value::i32(pages)}), "0") << pages;
        }
    }
}

TEST_F(WatchedPoolTest, RunsMayBeginWithinEachOther) {
    auto outer = shard->start(of).take();
    ASSERT_TRUE(outer.is_watched());
    {
        auto inner = shard->start(of).take();
        EXPECT_EQ(call(inner, of, "mark", {Value::i32(300'000)}), "");
        EXPECT_EQ(call(outer, of, "mark", {Value::i32(310'000)}), "");
    }
    EXPECT_EQ(call(outer, of, "mark", {Value::i32(320'000)}), "");
    outer = {};
    for (int i = 0; i < 2; ++i) {
        auto run = shard->start(of).take();
        for (const u32 at : {300'000u, 310'000u, 320'000u})
            EXPECT_EQ(call(run, of, "load", {Value::i32(at)}), "0");
    }
}

TEST_F(PoolTest, HostDataIsThatOfTheRun) {
    open();
    const auto of = template_of(R"((module (import "host" "note" (func (param i32)))
        (func (export "run") (call 0 (i32.const 1)))))");
    int first = 0;
    int second = 0;
    {
        auto run = shard->start(of, &first).take();
        EXPECT_EQ(call(run, of, "run"), "");
        EXPECT_EQ(seen_host_data, &first);
    }
    auto run = shard->start(of, &second).take();
    EXPECT_EQ(call(run, of, "run"), "");
    EXPECT_EQ(seen_host_data, &second);
}

TEST_F(PoolTest, WhatTheHostMakesInARunEndsWithIt) {
    static std::shared_ptr<const engine::Module> other;
    other = compile(R"((module (memory 1) (func (export "f") (result i32) (i32.const 4))))").take();
    define(
        "make", {}, {type_i32},
        [](Caller& caller, void*, std::span<u64> slots) {
            engine::Store& inside = caller.store();
            (void)inside.make_function({{}, {}}, nullptr, nullptr);
            (void)inside.make_global({type_i32, true}, 1);
            const auto made = inside.instantiate(other, engine::Linker{}).take();
            std::vector<Value> results;
            (void)inside.call(made.instance->find_export("f")->func, {}, results);
            slots[0] = results[0].bits;
            return HostResult::ok();
        },
        nullptr);
    open();
    const auto of = template_of(R"((module (import "host" "make" (func $make (result i32)))
        (func (export "run") (result i32) (call $make))))");
    for (int i = 0; i < 50; ++i)
        ASSERT_EQ(run_once(of, "run"), "4");
    const auto run = shard->start(of).take();
    const engine::Store::State& store = run.store().state();
    EXPECT_EQ(store.instances.size(), 1u);
    EXPECT_EQ(store.host_functions.size(), 1u);
    EXPECT_TRUE(store.host_globals.empty());
    other.reset();
}

// ---- what cannot be a template -----------------------------------------------------------------

TEST_F(PoolTest, ImportsMustBeFunctionsOfTheHost) {
    make(
        R"((module (memory (export "m") 1) (func (export "f")) (global (export "g") i32 (i32.const 1))))");
    linker.define_instance("other", *instance);
    const auto code = [&](const char* wat) { return freeze(wat).error().code; };
    EXPECT_EQ(code(R"((module (import "other" "m" (memory 1))))"), ErrorCode::import_not_shareable);
    EXPECT_EQ(
        code(R"((module (import "other" "g" (global i32))))"), ErrorCode::import_not_shareable);
    EXPECT_EQ(code(R"((module (import "other" "f" (func))))"), ErrorCode::import_not_shareable);
    EXPECT_EQ(code(R"((module (import "other" "x" (func))))"), ErrorCode::unknown_import);
    EXPECT_EQ(code(R"((module (import "host" "note" (func (param i64)))))"),
        ErrorCode::incompatible_import_type);
}

TEST_F(PoolTest, WhatTheStartLeavesMustBeTheModulesOwn) {
    static u64 given;
    define("give", {}, {type_funcref}, [](Caller& caller, void*, std::span<u64> slots) {
        slots[0] = given != 0 ? given
                              : reinterpret_cast<u64>(
                                    caller.store().make_function({{}, {}}, nullptr, nullptr));
        return HostResult::ok();
    });
    define("number", {}, {type_externref}, [](Caller&, void*, std::span<u64> slots) {
        slots[0] = 5;
        return HostResult::ok();
    });
    given = 0;
    EXPECT_EQ(freeze(R"((module (import "host" "give" (func $give (result funcref)))
        (global $g (mut funcref) (ref.null func))
        (start $s) (func $s (global.set $g (call $give)))))")
                  .error()
                  .code,
        ErrorCode::start_not_freezable);
    EXPECT_EQ(freeze(R"((module (import "host" "number" (func $give (result externref)))
        (table $t 1 externref)
        (start $s) (func $s (table.set $t (i32.const 0) (call $give)))))")
                  .error()
                  .code,
        ErrorCode::start_not_freezable);
    const auto trapped = freeze("(module (start $s) (func $s unreachable))");
    ASSERT_TRUE(trapped.ok());
    EXPECT_EQ(trapped.value().made, nullptr);
    EXPECT_EQ(text(trapped.value().outcome), "trap: unreachable");
}

/// What `init` leaves is where every run begins.
const char* const initialised = R"((module (import "host" "note" (func $note (param i32)))
    (memory 1 9) (data (i32.const 8) "a") (data $late "later") (table $t 2 9 funcref) (elem declare func $one)
    (global $g (mut i32) (i32.const 1)) (global $f (mut funcref) (ref.null func))
    (func $one (result i32) (i32.const 100))
    (func (export "init")
        (call $note (i32.const 5))
        (i32.store (i32.const 60000) (i32.const 1000)) (drop (memory.grow (i32.const 1)))
        (i32.store (i32.const 131068) (i32.const 10000))
        (global.set $g (i32.const 10)) (global.set $f (ref.func $one))
        (drop (table.grow $t (ref.func $one) (i32.const 3))) (data.drop $late))
    (func (export "traps") unreachable)
    (func (export "leaves") (call $note (i32.const -1)))
    (func (export "takes") (param i32))
    (global (export "global") i32 (i32.const 0))
    (func (export "sum") (result i32)
        (table.set $t (i32.const 0) (global.get $f))
        (i32.add (i32.add (i32.load (i32.const 60000)) (i32.load (i32.const 131068)))
            (i32.add (global.get $g) (i32.add (call_indirect $t (result i32) (i32.const 4))
                (i32.add (call_indirect $t (result i32) (i32.const 0)) (table.size $t))))))
    (func (export "late") (memory.init $late (i32.const 0) (i32.const 0) (i32.const 5)))))";

TEST_F(PoolTest, RunsBeginWhereInitEnded) {
    open();
    TemplateOptions options;
    options.init = {"init"};
    const auto of = template_of(initialised, options);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(run_once(of, "sum"), "11215");
        EXPECT_EQ(run_once(of, "late"), "trap: out of bounds memory access");
    }
    EXPECT_EQ(notes, std::vector<u64>{5}) << "once, and in no run";
}

TEST_F(PoolTest, AnInitThatDoesNotReturnFreezesNothing) {
    TemplateOptions options;
    for (const auto& [name, said] : std::initializer_list<std::pair<const char*, const char*>>{
             {"traps", "trap: unreachable"}, {"leaves", "exit 3"}}) {
        options.init = {name};
        const auto made = freeze(initialised, options);
        ASSERT_TRUE(made.ok()) << name;
        EXPECT_EQ(made.value().made, nullptr);
        EXPECT_EQ(text(made.value().outcome), said);
    }
    for (const auto& [name, code] : std::initializer_list<std::pair<const char*, ErrorCode>>{
             {"absent", ErrorCode::no_such_export}, {"global", ErrorCode::no_such_export},
             {"takes", ErrorCode::argument_mismatch}}) {
        options.init = {name};
        const auto made = freeze(initialised, options);
        ASSERT_FALSE(made.ok()) << name;
        EXPECT_EQ(made.error().code, code) << name;
    }
}

TEST_F(PoolTest, TemplatesTellWhatBeginsOtherwise) {
    static u64 salt = 0;
    define("salt", {}, {type_i32}, [](Caller&, void*, std::span<u64> slots) {
        slots[0] = salt;
        return HostResult::ok();
    });
    const auto difference = [this](const std::string& init, u64 first, u64 second) {
        const std::string wat = R"((module (import "host" "salt" (func $salt (result i32)))
            (memory 2) (data (i32.const 100) "x") (table $t 5 9 funcref) (global $g (mut i32) (i32.const 1))
            (data $d "d") (func $f) (elem declare func $f) (func (export "init") )" +
                                init + "))";
        TemplateOptions options;
        options.init = {"init"};
        salt = first;
        const auto one = template_of(wat, options);
        salt = second;
        const auto other = template_of(wat, options);
        EXPECT_EQ(one->difference(*other).empty(), other->difference(*one).empty());
        return one->difference(*other);
    };
    const std::string store = "(i32.store8 (i32.const 70000) (call $salt))";
    EXPECT_EQ(difference(store, 3, 3), "");
    EXPECT_EQ(difference(store, 3, 4), "memory 0 at 0x11170");
    EXPECT_EQ(difference(store, 3, 0), "memory 0 at 0x11170") << "the image of one is shorter";
    EXPECT_EQ(difference("(drop (memory.grow (call $salt)))", 1, 2), "the size of memory 0");
    EXPECT_EQ(difference("(global.set $g (call $salt))", 1, 2), "global 0");
    EXPECT_EQ(
        difference("(if (call $salt) (then (table.set $t (i32.const 2) (ref.func $f))))", 0, 1),
        "table 0 at 0x2");
    EXPECT_EQ(difference("(drop (table.grow $t (ref.null func) (call $salt)))", 0, 1),
        "the size of table 0");
    EXPECT_EQ(
        difference("(if (call $salt) (then (data.drop $d)))", 0, 1), "which segments are dropped");
}

TEST_F(PoolTest, ImportedFunctionsMayBeReferences) {
    open();
    const auto of = template_of(R"((module (import "host" "note" (func $note (param i32)))
        (table $t 2 funcref) (elem (i32.const 1) $note) (global $g (mut funcref) (ref.func $note))
        (type $taking (func (param i32)))
        (func (export "run") (call_indirect (type $taking) (i32.const 5) (i32.const 1))
            (table.set $t (i32.const 0) (global.get $g)) (table.set $t (i32.const 1) (ref.null func))
            (call_indirect (type $taking) (i32.const 6) (i32.const 0)))))");
    EXPECT_EQ(run_once(of, "run"), "");
    EXPECT_EQ(run_once(of, "run"), "");
    EXPECT_EQ(notes, (std::vector<u64>{5, 6, 5, 6}));
}

// ---- limits ------------------------------------------------------------------------------------

const char* const one_page =
    R"((module (memory 1 100) (func (export "grow") (param i32) (result i32)
    (memory.grow (local.get 0))) (func (export "nothing"))))";

TEST_F(PoolTest, ThereAreNoMoreSlotsThanMayBe) {
    open({.slots_max = 2, .spare_slots = 0});
    const auto of = template_of(one_page);
    auto first = shard->start(of).take();
    {
        const auto second = shard->start(of).take();
        EXPECT_EQ(shard->start(of).error().code, ErrorCode::slot_limit);
    }
    EXPECT_TRUE(shard->start(of).ok());
    EXPECT_EQ(pool->stats().slots, 2u);
}

TEST_F(PoolTest, SlotsGoToWhoNeedsThem) {
    open({.slots_max = 2, .spare_slots = 0});
    const auto first = template_of(one_page);
    const auto second = template_of(stateful);
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(run_once(first, "nothing"), "");
        EXPECT_EQ(run_once(second, "seen"), as_new);
        auto one = shard->start(second).take();
        auto two = shard->start(second).take();
        EXPECT_EQ(call(one, second, "spoil"), "");
        EXPECT_EQ(call(two, second, "seen"), as_new);
    }
    EXPECT_EQ(pool->stats().slots, 2u);
    // A shard that has none gets what another one puts down.
    const auto other = Shard::make(*pool).take();
    EXPECT_EQ(other->start(first).error().code, ErrorCode::slot_limit);
    EXPECT_EQ(run_once(first, "nothing"), "");
    EXPECT_TRUE(other->start(first).ok());
}

TEST_F(PoolTest, TablesOfAnInstanceHaveALimitTogetherInEachRun) {
    open({});
    const auto module = engine::Module::compile(*engine, wat::assemble(R"((module
        (table $a 3 funcref) (table $b 1 externref)
        (func (export "a") (param i32) (result i32)
            (table.grow $a (ref.null func) (local.get 0)))
        (func (export "b") (param i32) (result i32)
            (table.grow $b (ref.null extern) (local.get 0)))))"));
    TemplateOptions options;
    options.store.table_elements_max = 100'000;
    const auto of = Template::make(module.value(), linker, options).take().made;
    for (int round = 0; round < 3; ++round) {
        auto run = shard->start(of).take();
        // What one table had in the last run, the other one may have in this one.
        const bool is_other = round == 1;
        const char* const first = is_other ? "b" : "a";
        const char* const second = is_other ? "a" : "b";
        EXPECT_EQ(call(run, of, first, {Value::i32(60'000)}), is_other ? "1" : "3") << round;
        EXPECT_EQ(call(run, of, second, {Value::i32(39'997)}), "-1");
        EXPECT_EQ(call(run, of, second, {Value::i32(39'996)}), is_other ? "3" : "1");
        EXPECT_EQ(call(run, of, first, {Value::i32(1)}), "-1");
    }
}

TEST_F(PoolTest, MemoryOfAllGuestsHasALimit) {
    constexpr u64 page = 65'536;
    open({.memory_bytes_max = 8 * page, .spare_slots = 0});
    const auto of = template_of(one_page);
    const auto large = template_of("(module (memory 7))");
    {
        auto one = shard->start(of).take();
        auto two = shard->start(of).take();
        EXPECT_EQ(call(one, of, "grow", {Value::i32(6)}), "1");
        EXPECT_EQ(call(two, of, "grow", {Value::i32(1)}), "-1") << "the other one has it";
        EXPECT_EQ(shard->start(of).error().code, ErrorCode::pool_memory_limit);
        EXPECT_EQ(pool->stats().memory_bytes, 8 * page);
    }
    EXPECT_EQ(pool->stats().memory_bytes, 2 * page) << "what was grown is given back";
    EXPECT_TRUE(shard->start(large).ok()) << "idle slots make room";
    EXPECT_LE(pool->stats().memory_bytes, 8 * page);
    shard->trim();
    pool->trim();
    EXPECT_EQ(pool->stats().memory_bytes, 0u);
    EXPECT_EQ(pool->stats().slots, 0u);
}

TEST_F(PoolTest, SparesAreBoundInTheBackground) {
    open({.spare_slots = 2});
    const auto of = template_of(one_page);
    EXPECT_EQ(run_once(of, "nothing"), "");
    for (int i = 0; i < 1000 && pool->stats().background_binds < 2; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
    EXPECT_EQ(pool->stats().background_binds, 2u);
    const u64 binds = pool->stats().binds;
    std::vector<engine::Run> runs;
    for (int i = 0; i < 3; ++i)
        runs.push_back(shard->start(of).take());
    EXPECT_LE(pool->stats().binds - pool->stats().background_binds, binds - 2);
}

TEST_F(PoolTest, ATemplateWhoseRunsGrowBecomesDense) {
    open({.spare_slots = 0, .growing_runs_max = 5});
    const auto of = template_of(R"((module (memory (export "memory") 1 50) (data (i32.const 9) "r")
        (global $g (mut i32) (i32.const 5)) (table 3 funcref) (elem (i32.const 1) $f $beyond)
        (func $f (result i32) (i32.const 3))
        (func (export "grow") (result i32) (local $had i32)
            (local.set $had (memory.grow (i32.const 20)))
            (local.set $had (i32.add (local.get $had) (i32.load (i32.const 1300000))))
            (i32.store (i32.const 1300000) (i32.const 7)) (i32.store (i32.const 9) (i32.const 7))
            (global.set $g (i32.add (global.get $g) (i32.const 1)))
            (i32.add (i32.add (global.get $g) (local.get $had)) (call_indirect (result i32) (i32.const 1))))
        (func $beyond (export "beyond") (result i32) (i32.load (i32.const 70000)))
        (func (export "beyond by reference") (result i32)
            (call_indirect (result i32) (i32.const 2)))))");
    for (int i = 0; i < 2000 && pool->stats().dense_templates == 0; ++i) {
        ASSERT_EQ(run_once(of, "grow"), "10");
        if (i >= 10) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    EXPECT_EQ(pool->stats().dense_templates, 1u);
    for (int i = 0; i < 20; ++i) {
        ASSERT_EQ(run_once(of, "grow"), "10");
        ASSERT_EQ(run_once(of, "beyond"), "trap: out of bounds memory access");
        ASSERT_EQ(run_once(of, "beyond by reference"), "trap: out of bounds memory access");
    }
    // Growing now takes no fault either.
    const FuncIndex grow = of->find_function("grow").value();
    std::vector<Value> results;
    results.reserve(1);
    const auto before = os::thread_fault_count();
    for (int i = 0; i < 100; ++i)
        ASSERT_TRUE(shard->start(of).take().call(grow, {}, results).ok());
    EXPECT_EQ(os::thread_fault_count(), before);
    EXPECT_EQ(pool->stats().memory_bytes % 65'536, 0u);
}

using PoolDeathTest = PoolTest;

/// All that a dense memory may ever hold is open at once: four gigabytes here.
TEST_F(PoolDeathTest, GoOnWhereADenseMemoryIsRefused) {
    if (has_address_sanitizer) GTEST_SKIP() << "the sanitizer itself needs terabytes of addresses";
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto body = [this] {
        open({.spare_slots = 0, .growing_runs_max = 3});
        const auto of = template_of(R"((module (memory 1)
            (func (export "grow") (result i32) (memory.grow (i32.const 1)))))");
        const rlimit gibibyte{u64{1} << 30, u64{1} << 30};
        setrlimit(RLIMIT_DATA, &gibibyte);
        bool is_right = true;
        for (int i = 0; i < 2000 && pool->stats().dense_templates == 0; ++i) {
            is_right = is_right && run_once(of, "grow") == "1";
            std::this_thread::sleep_for(std::chrono::milliseconds{1});
        }
        is_right = is_right && pool->stats().dense_templates == 1;
        for (int i = 0; i < 20; ++i)
            is_right = is_right && run_once(of, "grow") == "1";
        _exit(is_right ? 5 : 6);
    };
    EXPECT_EXIT(body(), ::testing::ExitedWithCode(5), "");
}

// ---- another's secret --------------------------------------------------------------------------

TEST_F(PoolTest, ASecretIsNotFoundByTheNext) {
    open({.slots_max = 1, .spare_slots = 0});
    const auto writer = template_of(R"((module (memory (export "memory") 8 40)
        (func (export "hide") (drop (memory.grow (i32.const 4)))
            (memory.fill (i32.const 0) (i32.const 0x5e) (i32.const 786432)))))");
    const auto reader =
        template_of(R"((module (memory (export "memory") 6 40) (data (i32.const 9) "r")
        (func (export "grow") (drop (memory.grow (i32.const 10))))))");
    const auto holds_secret = [](const engine::Run& run) {
        const auto memory = run.instance().memory();
        const auto bytes = memory.view(0, memory.size()).value();
        return std::find(bytes.begin(), bytes.end(), 0x5e) != bytes.end();
    };
    for (int round = 0; round < 20; ++round) {
        for (const auto& next : {writer, reader}) {
            {
                auto run = shard->start(writer).take();
                EXPECT_FALSE(holds_secret(run));
                EXPECT_EQ(call(run, writer, "hide"), "");
                EXPECT_TRUE(holds_secret(run));
            }
            auto run = shard->start(next).take();
            if (next == reader) {
                EXPECT_EQ(call(run, next, "grow"), "");
            }
            EXPECT_FALSE(holds_secret(run));
        }
    }
}

TEST_F(PoolTest, ManyThreadsShareAPool) {
    open({.slots_max = 6, .spare_slots = 1});
    // Two threads can have two slots each, and the spares are taken away from the rest.
    const TemplatePtr templates[] = {template_of(stateful), template_of(one_page),
        template_of(stateful, {.reset = runtime::ResetWay::drop})};
    shard.reset();
    std::atomic<u32> wrong = 0;
    std::atomic<u32> done = 0;
    const auto work = [&](u32 seed) {
        const auto own = Shard::make(*pool).take();
        for (u32 i = 0; i < 300; ++i) {
            seed = seed * 1'664'525 + 1'013'904'223;
            const TemplatePtr& of = templates[(seed >> 16) % 3];
            auto run = own->start(of);
            if (!run.ok()) {
                wrong += run.error().code != ErrorCode::slot_limit;
                std::this_thread::yield();
                continue;
            }
            ++done;
            std::vector<Value> results;
            const bool is_stateful = of != templates[1];
            const char* const name = !is_stateful            ? "nothing"
                                     : (seed >> 20) % 2 == 0 ? "deeper"
                                                             : "seen";
            (void)run.value().call(of->find_function(name).value(), {}, results);
            wrong += !results.empty() && text(results[0]) != as_new;
            if (is_stateful)
                (void)run.value().call(of->find_function("spoil").value(), {}, results);
        }
    };
    std::vector<std::thread> threads;
    for (u32 i = 0; i < 4; ++i)
        threads.emplace_back(work, i);
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(wrong, 0u);
    EXPECT_GT(done, 100u);
}

}  // namespace
}  // namespace wrun::test
