// Traps of real code: kind, backtrace, and that the instance stays exact and callable.
#include <gmock/gmock.h>

#include "tests/engine/world.hpp"

namespace wrun::test {
namespace {

class Traps : public EngineTest {};

TEST_F(Traps, OfEveryKindHaveTheSpecsWords) {
    make(R"((module
        (memory 1) (table 2 funcref) (data "abc") (elem func $two) (type $none (func))
        (func $two (result i32) i32.const 2) (elem (i32.const 1) $two)
        (func (export "unreachable") unreachable)
        (func (export "divide") (param i32 i32) (result i32)
            (i32.div_s (local.get 0) (local.get 1)))
        (func (export "remainder") (param i64 i64) (result i64)
            (i64.rem_u (local.get 0) (local.get 1)))
        (func (export "convert") (param f64) (result i32) (i32.trunc_f64_s (local.get 0)))
        (func (export "load") (param i32) (result i64) (i64.load (local.get 0)))
        (func (export "init") (memory.init 0 (i32.const 0) (i32.const 1) (i32.const 3)))
        (func (export "copy") (memory.copy (i32.const 65535) (i32.const 0) (i32.const 2)))
        (func (export "fill") (memory.fill (i32.const 65535) (i32.const 0) (i32.const 2)))
        (func (export "table_init") (table.init 0 (i32.const 2) (i32.const 0) (i32.const 1)))
        (func (export "table_get") (param i32) (drop (table.get 0 (local.get 0))))
        (func (export "indirect") (param i32) (call_indirect (type $none) (local.get 0)))
        (func $forever (export "forever") call $forever)))");
    struct Row {
        const char* name;
        std::vector<Value> arguments;
        const char* message;
    };
    const Row rows[] = {
        {"unreachable", {}, "unreachable"},
        {"divide", {Value::i32(1), Value::i32(0)}, "integer divide by zero"},
        {"divide", {Value::i32(0x8000'0000), Value::i32(~0u)}, "integer overflow"},
        {"remainder", {Value::i64(1), Value::i64(0)}, "integer divide by zero"},
        {"convert", {f64_value(1e20)}, "integer overflow"},
        {"convert", {Value::f64_bits(0x7ff8'0000'0000'0000)}, "invalid conversion to integer"},
        {"load", {Value::i32(65'529)}, "out of bounds memory access"},
        {"load", {Value::i32(~0u)}, "out of bounds memory access"},
        {"init", {}, "out of bounds memory access"},
        {"copy", {}, "out of bounds memory access"},
        {"fill", {}, "out of bounds memory access"},
        {"table_init", {}, "out of bounds table access"},
        {"table_get", {Value::i32(2)}, "out of bounds table access"},
        {"indirect", {Value::i32(0)}, "uninitialized element"},
        {"indirect", {Value::i32(1)}, "indirect call type mismatch"},
        {"indirect", {Value::i32(2)}, "undefined element"},
        {"forever", {}, "call stack exhausted"},
    };
    for (int round = 0; round < 2; ++round) {
        for (const Row& row : rows) {
            EXPECT_EQ(call(row.name, row.arguments), std::string{"trap: "} + row.message)
                << row.name;
        }
    }
    EXPECT_EQ(call("divide", {Value::i32(6), Value::i32(3)}), "2");
    EXPECT_EQ(call("load", {Value::i32(65'528)}), "0");
}

TEST_F(Traps, KeepWhatHappenedBefore) {
    make(R"((module (memory 1) (global $g (mut i32) (i32.const 0))
        (func (export "go") (global.set $g (i32.const 7)) (i32.store (i32.const 4) (i32.const 8))
            unreachable)
        (func (export "see") (result i32 i32) global.get $g (i32.load (i32.const 4)))))");
    EXPECT_EQ(call("go"), "trap: unreachable");
    EXPECT_EQ(call("see"), "7 8");
}

TEST_F(Traps, HaveABacktraceWithNamesAndPlaces) {
    const auto& module = make(R"((module (memory 1)
        (func $load (param i32) (result i32) (i32.load (local.get 0)))
        (func $middle (param i32) (result i32) (i32.add (i32.const 1) (call $load (local.get 0))))
        (func (export "entry") (param i32) (result i32) (call $middle (local.get 0)))))")
                             .module();
    const auto outcome = this->outcome("entry", {Value::i32(~0u)});
    const auto& frames = std::get<engine::Trap>(outcome).frames;
    ASSERT_EQ(frames.size(), 3u);
    EXPECT_EQ(frames[0].name, "load");
    EXPECT_EQ(frames[1].name, "middle");
    EXPECT_EQ(frames[2].name, "entry");
    EXPECT_EQ(frames[2].func_index, 2u);
    const auto& bytes = module.decoded().bytes;
    EXPECT_EQ(bytes[frames[0].module_offset], 0x28) << "the opcode of i32.load";
    EXPECT_EQ(frames[1].module_offset, module.decoded().bodies[1].begin);
}

TEST_F(Traps, NameTheOpcodeOfAHelperToo) {
    const auto& module = make(R"((module (memory 1) (func (export "f")
        nop nop (memory.fill (i32.const -1) (i32.const 0) (i32.const 2)))))")
                             .module();
    const auto outcome = this->outcome("f");
    const auto& frames = std::get<engine::Trap>(outcome).frames;
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(module.decoded().bytes[frames[0].module_offset], 0xfc);
}

TEST_F(Traps, CountTheFramesOfAnEndlessRecursion) {
    make(R"((module (func $down (export "f") (param i32) (result i32)
        (i32.add (i32.const 1) (call $down (local.get 0))))))");
    const auto outcome = this->outcome("f", {Value::i32(0)});
    const auto& trap = std::get<engine::Trap>(outcome);
    EXPECT_EQ(trap.frames.size(), 80u);
    EXPECT_GT(trap.frames_omitted, 10'000u);
    for (const auto& frame : trap.frames)
        EXPECT_EQ(frame.name, "down");
}

TEST_F(Traps, ShowFramesOfEveryInstanceOnTheWay) {
    make(R"((module (func $inner (export "inner") unreachable)))");
    linker.define_instance("lib", *instance);
    make(R"((module (import "lib" "inner" (func $inner))
        (func $outer (export "outer") call $inner)))");
    const auto outcome = this->outcome("outer");
    const auto& frames = std::get<engine::Trap>(outcome).frames;
    ASSERT_EQ(frames.size(), 2u);
    EXPECT_EQ(frames[0].name, "inner");
    EXPECT_EQ(frames[1].name, "outer");
}

TEST_F(Traps, OverflowLargeFramesAndDeepStacks) {
    std::string locals;
    for (int i = 0; i < 20'000; ++i)
        locals += " i64";
    make(
        "(module (func $small (export \"small\") call $small)"
        "(func $large (export \"large\") (param i64) (local" +
        locals +
        ")"
        " (local.set 19999 (local.get 0)) (call $large (local.get 19999)))"
        "(func (export \"ok\") (result i32) i32.const 1))");
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(call("small"), "trap: call stack exhausted");
        EXPECT_EQ(call("large", {Value::i64(1)}), "trap: call stack exhausted");
        EXPECT_EQ(call("ok"), "1");
    }
}

TEST_F(Traps, TakeTheSizeOfTheStackFromTheStore) {
    const auto depth_with = [&](u32 stack_bytes) {
        engine::StoreOptions options;
        options.stack_bytes = stack_bytes;
        store = engine::Store::make(*engine, options).take();
        make(R"((module (global $n (mut i32) (i32.const 0)) (export "n" (global $n))
            (func $f (export "f") (global.set $n (i32.add (global.get $n) (i32.const 1)))
                call $f)))");
        EXPECT_EQ(call("f"), "trap: call stack exhausted");
        return engine::Store::get(export_of("n").global);
    };
    const u64 small = depth_with(1 << 20);
    const u64 large = depth_with(4 << 20);
    EXPECT_NEAR(static_cast<double>(large) / static_cast<double>(small), 4.0, 0.1);
    EXPECT_GT(small, 10'000u);
}

}  // namespace
}  // namespace wrun::test
