// Calls between host and guest in both directions: arguments, results, traps, exits, nesting.
#include <gmock/gmock.h>

#include <cmath>

#include "engine/state.hpp"
#include "tests/engine/world.hpp"

namespace wrun::test {
namespace {

using engine::Outcome;

class Call : public EngineTest {};

TEST_F(Call, PassesMixedArgumentsInAnyNumber) {
    make(R"((module (func (export "f")
        (param i32 f64 i64 f32 i32 f64 i64 f32 i32 f64 i64 f32 i32 f64 i64 f32 i32 f64 i64 f32 i64)
        (result f64)
        (f64.convert_i32_s (local.get 0)) (local.get 1) f64.sub
        (f64.convert_i64_s (local.get 2)) f64.add (f64.promote_f32 (local.get 3)) f64.sub
        (f64.convert_i32_s (local.get 4)) f64.add (local.get 5) f64.sub
        (f64.convert_i64_s (local.get 6)) f64.add (f64.promote_f32 (local.get 7)) f64.sub
        (f64.convert_i32_s (local.get 8)) f64.add (local.get 9) f64.sub
        (f64.convert_i64_s (local.get 10)) f64.add (f64.promote_f32 (local.get 11)) f64.sub
        (f64.convert_i32_s (local.get 12)) f64.add (local.get 13) f64.sub
        (f64.convert_i64_s (local.get 14)) f64.add (f64.promote_f32 (local.get 15)) f64.sub
        (f64.convert_i32_s (local.get 16)) f64.add (local.get 17) f64.sub
        (f64.convert_i64_s (local.get 18)) f64.add (f64.promote_f32 (local.get 19)) f64.sub
        (f64.convert_i64_s (local.get 20)) f64.add)))");
    std::vector<Value> arguments;
    double expected = 0;
    for (int i = 0; i < 20; ++i) {
        const double weight = std::pow(3, i);
        const Value values[] = {Value::i32(static_cast<u32>(weight)), f64_value(weight),
            Value::i64(static_cast<u64>(weight)), f32_value(static_cast<float>(i))};
        arguments.push_back(values[i % 4]);
        expected += (i % 2 == 0 ? 1 : -1) * (i % 4 == 3 ? i : weight);
    }
    arguments.push_back(Value::i64(5));
    EXPECT_EQ(call("f", arguments), text(f64_value(expected + 5)));
}

TEST_F(Call, BringsBackResultsOfEveryClassInOrder) {
    make(R"((module (func (export "f") (result f32 i32 f64 i64 i32 f32)
        f32.const 1.5 i32.const 2 f64.const 3.5 i64.const 4 i32.const -5 f32.const 6.5)))");
    EXPECT_EQ(call("f"), "1.5 2 3.5 4 -5 6.5");
}

TEST_F(Call, BringsBackAThousandResults) {
    std::string types;
    std::string body;
    std::string expected;
    for (int i = 0; i < 1000; ++i) {
        types += i % 3 == 0 ? " f64" : " i32";
        body += i % 3 == 0 ? " f64.const " : " i32.const ";
        body += std::to_string(i);
        expected += (i == 0 ? "" : " ") + std::to_string(i);
    }
    make("(module (func $f (export \"f\") (result" + types + ")" + body +
         ") (func (export \"g\") (result" + types + ") call $f))");
    EXPECT_EQ(call("f"), expected);
    EXPECT_EQ(call("g"), expected);
}

TEST_F(Call, RefusesArgumentsThatDoNotFit) {
    make(R"((module (func (export "f") (param i32 externref))))");
    const std::string refused = "error: arguments do not match the function's type";
    const Value null = Value::ref(type_externref, 0);
    EXPECT_EQ(call("f", {Value::i32(1), null}), "");
    EXPECT_EQ(call("f", {}), refused);
    EXPECT_EQ(call("f", {Value::i32(1)}), refused);
    EXPECT_EQ(call("f", {Value::i64(1), null}), refused);
    EXPECT_EQ(call("f", {Value::i32(1), Value::ref(type_funcref, 0)}), refused);
    EXPECT_EQ(call("f", {Value::i32(1), null, null}), refused);
}

TEST_F(Call, IgnoresWhatLiesAboveAnI32) {
    make(R"((module (memory 1)
        (func (export "load") (param i32) (result i32) local.get 0 i32.load8_u)
        (func (export "wide") (param i32) (result i64) local.get 0 i64.extend_i32_u)))");
    const Value poisoned{type_i32, 0xdead'beef'0000'0007};
    EXPECT_EQ(call("load", {poisoned}), "0");
    EXPECT_EQ(call("wide", {poisoned}), "7");
}

TEST_F(Call, CarriesReferences) {
    make(R"((module
        (func $seven (export "seven") (result i32) i32.const 7)
        (func (export "self") (result funcref) ref.func $seven)
        (func (export "echo") (param externref) (result externref) local.get 0)
        (func (export "is_null") (param funcref) (result i32) local.get 0 ref.is_null)))");
    EXPECT_EQ(call("echo", {Value::ref(type_externref, 99)}), "ref 99");
    EXPECT_EQ(call("echo", {Value::ref(type_externref, 0)}), "null");
    const u64 seven = reinterpret_cast<u64>(export_of("seven").func);
    EXPECT_EQ(call("self"), "ref " + std::to_string(seven));
    EXPECT_EQ(call("is_null", {Value::ref(type_funcref, seven)}), "0");
    EXPECT_EQ(call("is_null", {Value::ref(type_funcref, 0)}), "1");
}

// ---- host functions ----------------------------------------------------------------------------

TEST_F(Call, GivesHostFunctionsTheirArgumentsInOrder) {
    std::string seen;
    define(
        "f",
        {type_i32, type_f64, type_i64, type_f32, type_externref, type_i32, type_i32, type_i64,
            type_i32},
        {},
        [](Caller&, void* env, std::span<u64> slots) {
            for (const u64 slot : slots) {
                *static_cast<std::string*>(env) += std::to_string(slot) + ' ';
            }
            return HostResult::ok();
        },
        &seen);
    make(R"((module
        (import "host" "f" (func $f (param i32 f64 i64 f32 externref i32 i32 i64 i32)))
        (func (export "go") (param externref)
            i32.const -1 f64.const 2 i64.const -3 f32.const 4 local.get 0
            i32.const 6 i32.const 7 i64.const 8 i32.const -9 call $f)))");
    EXPECT_EQ(call("go", {Value::ref(type_externref, 5)}), "");
    EXPECT_EQ(seen, "4294967295 " + std::to_string(std::bit_cast<u64>(2.0)) + ' ' +
                        std::to_string(~u64{2}) + ' ' + std::to_string(std::bit_cast<u32>(4.0f)) +
                        " 5 6 7 8 4294967287 ");
}

TEST_F(Call, TakesResultsOfHostFunctionsAndNarrowsThem) {
    define("f", {}, {type_i32, type_f32, type_i64, type_f64, type_i32},
        [](Caller&, void*, std::span<u64> slots) {
            slots[0] = 0xffff'ffff'0000'0001;
            slots[1] = 0xffff'ffff'0000'0000 | std::bit_cast<u32>(2.5f);
            slots[2] = 3;
            slots[3] = std::bit_cast<u64>(4.5);
            slots[4] = 0xffff'ffff'0000'0005;
            return HostResult::ok();
        });
    make(R"((module
        (import "host" "f" (func $f (result i32 f32 i64 f64 i32)))
        (func (export "go") (result i64 f64 i64 f32 i64) (local i32 f32 i64 f64 i32)
            call $f local.set 4 local.set 3 local.set 2 local.set 1 local.set 0
            local.get 2 local.get 3 (i64.extend_i32_u (local.get 0)) local.get 1
            (i64.extend_i32_u (local.get 4)))
        (export "f" (func $f))))");
    EXPECT_EQ(call("go"), "3 4.5 1 2.5 5");
    EXPECT_EQ(call("f"), "1 2.5 3 4.5 5") << "the host itself calls it";
}

TEST_F(Call, LetsNothingAboveAnI32ThroughToTheHostOrBack) {
    make("(module)");
    auto* const record = store->make_function(
        {std::vector(7, type_i32), {type_i32}},
        [](Caller&, void*, std::span<u64> slots) {
            const u64 all = slots[0] | slots[6];
            slots[0] = all > 0xffff'ffff ? 0 : 0xdead'beef'0000'0009;
            return HostResult::ok();
        },
        nullptr);
    // As the switching stub calls it, with what a slot may hold above its value.
    auto& function = *reinterpret_cast<runtime::HostFunction*>(record->context);
    runtime::HostCallArea area{};
    area.integers[0] = 0xffff'ffff'0000'0001;
    const u64 on_stack[] = {0xffff'ffff'0000'0002};
    auto& context = instance->state().block.context();
    EXPECT_EQ(function.dispatch(function, *record, area, &context, on_stack), 0u);
    EXPECT_EQ(area.integers[0], 9u);
}

TEST_F(Call, RefusesNullWhereTheTypeDoes) {
    const auto not_null = ValType::reference(Heap::func, false);
    auto* const record = store->make_function(
        {{not_null}, {}}, [](Caller&, void*, std::span<u64>) { return HostResult::ok(); }, nullptr);
    std::vector<Value> results;
    const std::vector<Value> null = {Value::ref(type_funcref, 0)};
    const std::vector<Value> not_null_type = {Value::ref(not_null, 0)};
    const std::vector<Value> good = {Value::ref(not_null, reinterpret_cast<u64>(record))};
    EXPECT_EQ(store->call(record, null, results).error().code, ErrorCode::argument_mismatch);
    EXPECT_EQ(
        store->call(record, not_null_type, results).error().code, ErrorCode::argument_mismatch);
    EXPECT_TRUE(store->call(record, good, results).ok());
}

TEST_F(Call, LetsHostFunctionsTouchTheCallersMemory) {
    define("f", {type_i32}, {type_i32}, [](Caller& caller, void*, std::span<u64> slots) {
        const auto memory = caller.memory();
        const auto value = memory.load<u32>(slots[0]);
        if (!value || !memory.store<u32>(slots[0], *value + 1)) {
            caller.explain("outside");
            return HostResult::trapped(runtime::TrapCode::memory_out_of_bounds);
        }
        slots[0] = *value;
        return HostResult::ok();
    });
    make(R"((module
        (import "host" "f" (func $f (param i32) (result i32)))
        (memory 1) (data (i32.const 8) "\2a\00\00\00")
        (func (export "go") (param i32) (result i32 i32)
            local.get 0 call $f local.get 0 i32.load)))");
    EXPECT_EQ(call("go", {Value::i32(8)}), "42 43");
    EXPECT_EQ(call("go", {Value::i32(65'533)}), "trap: out of bounds memory access (outside)");
}

TEST_F(Call, EndsByTrapsAndExitsOfHostFunctions) {
    define("trap", {}, {}, [](Caller& caller, void*, std::span<u64>) {
        caller.explain("no luck");
        return HostResult::trapped(runtime::TrapCode::host);
    });
    define("exit", {type_i32}, {}, [](Caller&, void*, std::span<u64> slots) {
        return HostResult::exited(static_cast<u32>(slots[0]));
    });
    make(R"((module
        (import "host" "trap" (func $trap)) (import "host" "exit" (func $exit (param i32)))
        (func (export "trap") call $trap)
        (func (export "exit") (param i32) local.get 0 call $exit unreachable)
        (func (export "plain") unreachable)
        (export "host_trap" (func $trap)) (export "host_exit" (func $exit))))");
    EXPECT_EQ(call("trap"), "trap: a host function failed (no luck)");
    EXPECT_EQ(call("plain"), "trap: unreachable") << "the detail is not of the trap before";
    EXPECT_EQ(call("exit", {Value::i32(7)}), "exit 7");
    EXPECT_EQ(call("host_trap"), "trap: a host function failed (no luck)");
    EXPECT_EQ(call("host_exit", {Value::i32(8)}), "exit 8");
}

TEST_F(Call, TellsADetailOfItsOwnTrapOnly) {
    define("idle_talk", {}, {}, [](Caller& caller, void*, std::span<u64>) {
        caller.explain("never mind");
        return HostResult::ok();
    });
    define("outer", {}, {type_i32}, [](Caller& caller, void*, std::span<u64> slots) {
        caller.explain("outer");
        std::vector<Value> results;
        const auto inner = caller.instance()->find_export("plain")->func;
        slots[0] = text(caller.store().call(inner, {}, results)) == "trap: unreachable";
        return slots[0] == 1 ? HostResult::trapped(runtime::TrapCode::host) : HostResult::ok();
    });
    make(R"((module
        (import "host" "idle_talk" (func $idle_talk))
        (import "host" "outer" (func $outer (result i32)))
        (func (export "idle") call $idle_talk unreachable)
        (func (export "plain") unreachable)
        (func (export "outer") (result i32) call $outer)))");
    EXPECT_EQ(call("idle"), "trap: unreachable");
    EXPECT_EQ(call("outer"), "trap: a host function failed (outer)");
    EXPECT_EQ(call("plain"), "trap: unreachable");
}

/// Calls the export "inner" of the instance that called; what comes of it is `outcome`.
struct Nest {
    std::vector<std::string> outcomes;
    static HostResult callback(Caller& caller, void* env, std::span<u64> slots) {
        auto& self = *static_cast<Nest*>(env);
        const auto inner = caller.instance()->find_export("inner");
        std::vector<Value> results;
        const std::vector<Value> arguments = {Value::i32(static_cast<u32>(slots[0]))};
        const auto outcome = caller.store().call(inner->func, arguments, results);
        self.outcomes.push_back(text(outcome));
        if (!results.empty()) slots[0] = results[0].bits;
        return HostResult::ok();
    }
};

TEST_F(Call, NestsHostAndGuest) {
    Nest nest;
    define("nest", {type_i32}, {type_i32}, Nest::callback, &nest);
    // Down to 0, each level through the host, with live values around the call.
    make(R"((module
        (import "host" "nest" (func $nest (param i32) (result i32)))
        (func $inner (export "inner") (param i32) (result i32)
            local.get 0 i32.eqz if (result i32) i32.const 1000
            else local.get 0 (call $nest (i32.sub (local.get 0) (i32.const 1))) i32.add end)))");
    EXPECT_EQ(call("inner", {Value::i32(10)}), "1055");
    EXPECT_EQ(nest.outcomes, std::vector<std::string>(10));
}

TEST_F(Call, KeepsTrapsAndExitsOfNestedGuestsAsValues) {
    Nest nest;
    define("nest", {type_i32}, {type_i32}, Nest::callback, &nest);
    define("exit", {}, {}, [](Caller&, void*, std::span<u64>) { return HostResult::exited(3); });
    make(R"((module
        (import "host" "nest" (func $nest (param i32) (result i32)))
        (import "host" "exit" (func $exit))
        (memory 1)
        (func $overflow call $overflow)
        (func (export "inner") (param i32)
            block block block block local.get 0 br_table 0 1 2 3 end
            unreachable end (drop (i32.load (i32.const 100000000))) end call $overflow end
            call $exit)
        (func (export "outer") (param i32) (result i32)
            (call $nest (local.get 0)) drop (i32.const 11))))");
    for (u32 i = 0; i < 4; ++i)
        EXPECT_EQ(call("outer", {Value::i32(i)}), "11");
    EXPECT_THAT(nest.outcomes,
        ::testing::ElementsAre("trap: unreachable", "trap: out of bounds memory access",
            "trap: call stack exhausted", "exit 3"));
}

TEST_F(Call, StopsRecursionThroughTheHost) {
    define("nest", {}, {}, [](Caller& caller, void*, std::span<u64>) {
        std::vector<Value> results;
        const auto outcome =
            caller.store().call(caller.instance()->find_export("inner")->func, {}, results);
        const bool deep = text(outcome) == "trap: call stack exhausted";
        return deep ? HostResult::trapped(runtime::TrapCode::stack_overflow) : HostResult::ok();
    });
    make(R"((module (import "host" "nest" (func $nest)) (func (export "inner") call $nest)))");
    EXPECT_EQ(call("inner"), "trap: call stack exhausted");
    EXPECT_EQ(call("inner"), "trap: call stack exhausted") << "and again";
}

TEST_F(Call, ReturnsToTheRightPlaceAfterANestOverAnotherStore) {
    // A host function of this store runs a guest of another store.
    struct Env {
        engine::Store& store;
        runtime::FuncRecord* func;
    };
    auto other = engine::Store::make(*engine).take();
    auto module = compile("(module (func (export \"f\") unreachable))").take();
    auto* const inner = other->instantiate(module, linker).take().instance;
    Env env{*other, inner->find_export("f")->func};
    define(
        "other", {}, {},
        [](Caller&, void* pointer, std::span<u64>) {
            const auto& self = *static_cast<Env*>(pointer);
            std::vector<Value> results;
            return text(self.store.call(self.func, {}, results)) == "trap: unreachable"
                       ? HostResult::ok()
                       : HostResult::trapped(runtime::TrapCode::host);
        },
        &env);
    make(R"((module (import "host" "other" (func $other))
        (func (export "f") (result i32) call $other i32.const 5)))");
    EXPECT_EQ(call("f"), "5");
}

TEST_F(Call, GoesThroughTablesToHostAndGuest) {
    define("twice", {type_i32}, {type_i32}, [](Caller&, void*, std::span<u64> slots) {
        slots[0] *= 2;
        return HostResult::ok();
    });
    make(R"((module (table (export "t") 4 funcref)
        (func $three (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))
        (elem (i32.const 1) $three)))");
    ASSERT_TRUE(linker.define("other", "t", export_of("t")).ok());
    make(R"((module
        (import "host" "twice" (func $twice (param i32) (result i32)))
        (import "other" "t" (table 4 funcref))
        (type $unary (func (param i32) (result i32)))
        (func $five (param i32) (result i32) (i32.mul (local.get 0) (i32.const 5)))
        (func $wrong (result i64) i64.const 1)
        (elem (i32.const 0) $twice) (elem (i32.const 2) $five $wrong)
        (func (export "f") (param i32 i32) (result i32)
            (call_indirect (type $unary) (local.get 0) (local.get 1)))))");
    EXPECT_EQ(call("f", {Value::i32(7), Value::i32(0)}), "14");
    EXPECT_EQ(call("f", {Value::i32(7), Value::i32(1)}), "21");
    EXPECT_EQ(call("f", {Value::i32(7), Value::i32(2)}), "35");
    EXPECT_EQ(call("f", {Value::i32(7), Value::i32(3)}), "trap: indirect call type mismatch");
    EXPECT_EQ(call("f", {Value::i32(7), Value::i32(4)}), "trap: undefined element");
}

}  // namespace
}  // namespace wrun::test
