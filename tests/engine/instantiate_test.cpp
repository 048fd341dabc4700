// Instantiation: matching of imports, order of its steps, what traps leave behind, constant
// expressions.
#include <gmock/gmock.h>

#include "engine/state.hpp"
#include "tests/engine/world.hpp"

namespace wrun::test {
namespace {

using ::testing::HasSubstr;

class Instantiate : public EngineTest {
protected:
    /// Instantiates `exporter` as module "m".
    void library(std::string_view exporter) { linker.define_instance("m", make(exporter)); }
};

TEST_F(Instantiate, MatchesImportsByTheRules) {
    library(R"((module
        (func (export "f") (param i32) (result i64) i64.const 0)
        (table (export "t") 5 10 funcref) (table (export "t_open") 5 funcref)
        (table (export "t_extern") 5 externref)
        (memory (export "mem") 2 4)
        (global (export "g") i32 (i32.const 1)) (global (export "g_mut") (mut i32) (i32.const 1))
        (global (export "g_func") funcref (ref.null func))))");
    struct Row {
        const char* import;
        bool fits;
    };
    const Row rows[] = {
        {R"("f" (func (param i32) (result i64)))", true},
        {R"("f" (func (param i32) (result i32)))", false},
        {R"("f" (func (result i64)))", false},
        {R"("f" (memory 1))", false},
        {R"("t" (table 5 10 funcref))", true},
        {R"("t" (table 0 funcref))", true},
        {R"("t" (table 5 11 funcref))", true},
        {R"("t" (table 5 9 funcref))", false},
        {R"("t" (table 6 funcref))", false},
        {R"("t" (table 5 10 externref))", false},
        {R"("t_open" (table 5 funcref))", true},
        {R"("t_open" (table 5 10 funcref))", false},
        {R"("t_extern" (table 5 externref))", true},
        {R"("mem" (memory 2 4))", true},
        {R"("mem" (memory 0))", true},
        {R"("mem" (memory 3))", false},
        {R"("mem" (memory 2 3))", false},
        {R"("g" (global i32))", true},
        {R"("g" (global i64))", false},
        {R"("g" (global (mut i32)))", false},
        {R"("g_mut" (global (mut i32)))", true},
        {R"("g_mut" (global i32))", false},
        {R"("g_mut" (global (mut i64)))", false},
        {R"("g_func" (global funcref))", true},
        {R"("g_func" (global externref))", false},
    };
    for (const Row& row : rows) {
        const std::string answer =
            instantiate(std::string{"(module (import \"m\" "} + row.import + "))");
        if (row.fits) {
            EXPECT_EQ(answer, "") << row.import;
        } else {
            EXPECT_THAT(answer, HasSubstr("incompatible import type")) << row.import;
        }
    }
}

TEST_F(Instantiate, MatchesTheSizeOfNow) {
    library(R"((module (memory (export "mem") 1 8) (table (export "t") 1 8 funcref)
        (func (export "grow") (drop (memory.grow (i32.const 2)))
            (drop (table.grow 0 (ref.null func) (i32.const 2))))))");
    const char* const importer =
        R"((module (import "m" "mem" (memory 3)) (import "m" "t" (table 3 funcref))))";
    engine::Instance* const exporter = instance;
    EXPECT_THAT(instantiate(importer), HasSubstr("incompatible import type"));
    instance = exporter;
    EXPECT_EQ(call("grow"), "");
    EXPECT_EQ(instantiate(importer), "");
}

TEST_F(Instantiate, SaysWhichImportFailsAndWhy) {
    define("f", {type_i32}, {type_f64},
        [](Caller&, void*, std::span<u64>) { return HostResult::ok(); });
    EXPECT_EQ(instantiate(R"((module (import "host" "f" (func (param i32) (result f64)))
        (import "env" "gone" (func (param i32)))))"),
        "error: import \"env\" \"gone\": unknown import: wanted (func (param i32))");
    EXPECT_EQ(instantiate(R"((module (import "host" "f" (func (param i32)))))"),
        "error: import \"host\" \"f\": incompatible import type: wanted (func (param i32)), "
        "found (func (param i32) (result f64))");
}

TEST_F(Instantiate, EvaluatesConstantExpressions) {
    library(R"((module (global (export "base") i32 (i32.const 10))
        (global (export "big") i64 (i64.const 0x100000000))))");
    make(R"((module
        (import "m" "base" (global $base i32)) (import "m" "big" (global $big i64))
        (func $f (export "f"))
        (global (export "a") i32
            (i32.sub (i32.mul (global.get $base) (i32.const 7)) (i32.add (i32.const 1) (i32.const 2))))
        (global (export "b") i64 (i64.mul (global.get $big) (i64.add (i64.const 3) (i64.const -1))))
        (global (export "c") i32 (i32.mul (i32.const 0x10000) (i32.const 0x10000)))
        (global (export "d") f64 (f64.const 2.5)) (global (export "e") f32 (f32.const 1.5))
        (global (export "g") funcref (ref.func $f)) (global (export "h") externref (ref.null extern))
        (global (export "i") i64 (i64.sub (i64.const 1) (i64.const 2)))
        (memory 1) (data (i32.mul (i32.const 0x10000) (i32.const 0x10000)) "?")
        (data (i32.add (i32.const -1) (i32.const 2)) "!")))");
    EXPECT_EQ(instance->memory().load<u16>(0), '?' | '!' << 8) << "arithmetic of i32 wraps";
    const auto global = [&](const char* name) {
        auto* const object = export_of(name).global;
        return text(Value{engine::Store::type_of(object).type, engine::Store::get(object)});
    };
    EXPECT_EQ(global("a"), "67");
    EXPECT_EQ(global("b"), "8589934592");
    EXPECT_EQ(global("c"), "0");
    EXPECT_EQ(global("d"), "2.5");
    EXPECT_EQ(global("e"), "1.5");
    EXPECT_EQ(global("g"), "ref " + std::to_string(reinterpret_cast<u64>(export_of("f").func)));
    EXPECT_EQ(global("h"), "null");
    EXPECT_EQ(global("i"), "-1");
}

TEST_F(Instantiate, KeepsWhatItDidBeforeATrap) {
    library(R"((module (memory (export "mem") 1) (table (export "t") 10 funcref)
        (func (export "byte") (param i32) (result i32) (i32.load8_u (local.get 0)))
        (func (export "call") (param i32) (result i32)
            (call_indirect (result i32) (local.get 0)))))");
    engine::Instance* const exporter = instance;
    EXPECT_EQ(
        instantiate(R"((module (import "m" "mem" (memory 1)) (import "m" "t" (table 10 funcref))
        (func $f (result i32) i32.const 42)
        (elem (i32.const 3) $f) (elem (i32.const 9) $f $f)
        (data (i32.const 0) "a")))"),
        "trap: out of bounds table access");
    EXPECT_EQ(
        instantiate(R"((module (import "m" "mem" (memory 1)) (import "m" "t" (table 10 funcref))
        (func $f (result i32) i32.const 43)
        (elem (i32.const 4) $f)
        (data (i32.const 1) "b") (data (i32.const 65535) "cc") (data (i32.const 2) "d")))"),
        "trap: out of bounds memory access");
    instance = exporter;
    EXPECT_EQ(call("call", {Value::i32(3)}), "42") << "a function of an instance that failed";
    EXPECT_EQ(call("call", {Value::i32(4)}), "43");
    EXPECT_EQ(call("call", {Value::i32(9)}), "trap: uninitialized element");
    EXPECT_EQ(call("byte", {Value::i32(0)}), "0") << "tables come before memories";
    EXPECT_EQ(call("byte", {Value::i32(1)}), "98");
    EXPECT_EQ(call("byte", {Value::i32(65'535)}), "0") << "a segment is written whole or not";
    EXPECT_EQ(call("byte", {Value::i32(2)}), "0");
}

TEST_F(Instantiate, AllowsEmptySegmentsAtTheEnd) {
    EXPECT_EQ(instantiate(R"((module (memory 1) (table 1 funcref)
        (data (i32.const 65536) "") (elem (i32.const 1))))"),
        "");
    EXPECT_EQ(instantiate(R"((module (memory 1) (data (i32.const 65537) "")))"),
        "trap: out of bounds memory access");
    EXPECT_EQ(instantiate(R"((module (table 1 funcref) (elem (i32.const 2))))"),
        "trap: out of bounds table access");
    EXPECT_EQ(instantiate(R"((module (memory 1) (data (i32.const -1) "a")))"),
        "trap: out of bounds memory access");
}

TEST_F(Instantiate, DropsActiveAndDeclarativeSegments) {
    make(R"((module (memory 1) (table 4 funcref) (func $f)
        (data $active (i32.const 0) "a") (data $passive "p")
        (elem $a (i32.const 0) $f) (elem $d declare func $f) (elem $p func $f)
        (func (export "data_active") (memory.init $active (i32.const 0) (i32.const 0) (i32.const 1)))
        (func (export "data_passive") (memory.init $passive (i32.const 0) (i32.const 0) (i32.const 1)))
        (func (export "elem_active") (table.init $a (i32.const 0) (i32.const 0) (i32.const 1)))
        (func (export "elem_declared") (table.init $d (i32.const 0) (i32.const 0) (i32.const 1)))
        (func (export "elem_passive") (table.init $p (i32.const 0) (i32.const 0) (i32.const 1)))
        (func (export "drop") (data.drop $passive) (elem.drop $p))))");
    const auto& dropped = instance->state().runtime.dropped_elems;
    EXPECT_TRUE(dropped.has(0) && dropped.has(1) && !dropped.has(2));
    EXPECT_EQ(call("data_active"), "trap: out of bounds memory access");
    EXPECT_EQ(call("elem_active"), "trap: out of bounds table access");
    EXPECT_EQ(call("elem_declared"), "trap: out of bounds table access");
    EXPECT_EQ(call("data_passive"), "");
    EXPECT_EQ(call("elem_passive"), "");
    EXPECT_EQ(call("drop"), "");
    EXPECT_EQ(call("data_passive"), "trap: out of bounds memory access");
    EXPECT_EQ(call("elem_passive"), "trap: out of bounds table access");
}

TEST_F(Instantiate, RunsTheStartFunctionLast) {
    make(R"((module (memory 1) (data (i32.const 0) "\05")
        (global $g (export "g") (mut i32) (i32.const 1))
        (func $start (global.set $g (i32.add (global.get $g) (i32.load8_u (i32.const 0)))))
        (start $start)))");
    EXPECT_EQ(engine::Store::get(export_of("g").global), 6u);
}

TEST_F(Instantiate, MayStartWithAnImport) {
    u32 count = 0;
    define(
        "f", {}, {},
        [](Caller& caller, void* env, std::span<u64>) {
            *static_cast<u32*>(env) += caller.instance() == nullptr ? 1 : 100;
            return HostResult::ok();
        },
        &count);
    make(R"((module (import "host" "f" (func $f)) (start $f)))");
    EXPECT_EQ(count, 1u);
}

TEST_F(Instantiate, GivesBackTheStartFunctionsTrapOrExit) {
    EXPECT_EQ(instantiate("(module (func $f unreachable) (start $f))"), "trap: unreachable");
    EXPECT_EQ(instance, nullptr);
    define("exit", {}, {}, [](Caller&, void*, std::span<u64>) { return HostResult::exited(9); });
    EXPECT_EQ(instantiate(R"((module (import "host" "exit" (func $exit))
        (func $f call $exit) (start $f)))"),
        "exit 9");
}

TEST_F(Instantiate, KeepsTheIdentityOfFunctionsThatPassThrough) {
    library(R"((module (func (export "f"))))");
    auto* const original = export_of("f").func;
    make(R"((module (import "m" "f" (func $f)) (export "again" (func $f))
        (table (export "t") 1 funcref) (elem (i32.const 0) $f)
        (func (export "ref") (result funcref) ref.func $f)
        (global (export "g") funcref (ref.func $f))))");
    const u64 bits = reinterpret_cast<u64>(original);
    EXPECT_EQ(export_of("again").func, original);
    EXPECT_EQ(engine::Store::get(export_of("t").table, 0), bits);
    EXPECT_EQ(engine::Store::get(export_of("g").global), bits);
    EXPECT_EQ(call("ref"), "ref " + std::to_string(bits));
}

TEST_F(Instantiate, SharesMemoriesTablesAndGlobals) {
    library(R"((module (memory (export "mem") 1) (global (export "g") (mut i64) (i64.const 1))
        (func (export "see") (result i32 i64 i32)
            (i32.load (i32.const 8)) (global.get 0) memory.size)))");
    engine::Instance* const exporter = instance;
    make(R"((module (import "m" "mem" (memory 1)) (import "m" "g" (global $g (mut i64)))
        (func (export "go") (i32.store (i32.const 8) (i32.const 5)) (global.set $g (i64.const 6))
            (drop (memory.grow (i32.const 1))) (i32.store (i32.const 131068) (i32.const 1)))))");
    EXPECT_EQ(call("go"), "");
    instance = exporter;
    EXPECT_EQ(call("see"), "5 6 2");
}

TEST_F(Instantiate, UsesTheHostsOwnObjects) {
    const auto memory = store->make_memory({{1, 2, false, false}}).take();
    const auto table = store->make_table({type_externref, {2, 4, false, false}}, 77).take();
    auto* const global = store->make_global({type_i32, true}, 0xffff'ffff'0000'0005);
    EXPECT_EQ(engine::Store::get(global), 5u);
    engine::Extern item;
    item.kind = ExternKind::memory;
    item.memory = memory;
    ASSERT_TRUE(linker.define("h", "m", item).ok());
    item.kind = ExternKind::table;
    item.table = table;
    ASSERT_TRUE(linker.define("h", "t", item).ok());
    item.kind = ExternKind::global;
    item.global = global;
    ASSERT_TRUE(linker.define("h", "g", item).ok());
    make(R"((module (import "h" "m" (memory 1 2)) (import "h" "t" (table $t 2 4 externref))
        (import "h" "g" (global $g (mut i32)))
        (func (export "go") (result i32 externref i32)
            (i32.load (i32.const 0)) (table.get $t (i32.const 1)) (global.get $g)
            (global.set $g (i32.const 6)) (i32.store (i32.const 4) (i32.const 9)))))");
    ASSERT_TRUE(engine::Store::view(memory).store<u32>(0, 3));
    EXPECT_EQ(call("go"), "3 ref 77 5");
    EXPECT_EQ(engine::Store::get(global), 6u);
    EXPECT_EQ(engine::Store::view(memory).load<u32>(4), 9u);
    EXPECT_EQ(engine::Store::grow(memory, 1), 1u);
    EXPECT_EQ(engine::Store::grow(memory, 1), std::nullopt);
    EXPECT_EQ(engine::Store::grow(table, 2, 78), 2u);
    EXPECT_EQ(engine::Store::get(table, 3), 78u);
    EXPECT_EQ(engine::Store::get(table, 4), std::nullopt);
    EXPECT_FALSE(engine::Store::set(table, 4, 0));
}

TEST_F(Instantiate, RespectsTheStoresLimits) {
    engine::StoreOptions options;
    options.memory_bytes_max = 2 << 16;
    options.table_elements_max = 3;
    store = engine::Store::make(*engine, options).take();
    EXPECT_THAT(instantiate("(module (memory 3))"), HasSubstr("larger than the limit"));
    EXPECT_THAT(instantiate("(module (table 4 funcref))"), HasSubstr("larger than the limit"));
    make(R"((module (memory 1) (table 1 funcref)
        (func (export "m") (result i32) (memory.grow (i32.const 1)))
        (func (export "t") (result i32) (table.grow 0 (ref.null func) (i32.const 2)))))");
    EXPECT_EQ(call("m"), "1");
    EXPECT_EQ(call("m"), "-1");
    EXPECT_EQ(call("t"), "1");
    EXPECT_EQ(call("t"), "-1");
    EXPECT_THAT(
        instantiate("(module (table 2 funcref) (table 2 externref))"), HasSubstr("than the limit"));
    make(R"((module (table 1 funcref) (table 1 externref) (table 0 funcref)
        (func (export "f") (result i32) (table.grow 0 (ref.null func) (i32.const 1)))
        (func (export "e") (result i32) (table.grow 1 (ref.null extern) (i32.const 1)))))");
    EXPECT_EQ(call("f"), "1");
    EXPECT_EQ(call("f"), "-1");
    EXPECT_EQ(call("e"), "-1");
}

TEST_F(Instantiate, TakesManyOfEverything) {
    // Anything quadratic in one of the counts would take minutes.
    constexpr u32 count = 30'000;
    std::string wat = "(module (table " + std::to_string(count) + " funcref) (memory 1)";
    wat += "(global $g0 i32 (i32.const 5))";
    std::string elems;
    for (u32 i = 0; i < count; ++i) {
        const std::string number = std::to_string(i);
        wat += "(func $f" + number + " (export \"f" + number + "\") (result i32) i32.const " +
               number + ")";
        wat += "(global $g" + std::to_string(i + 1) + " i32 (i32.add (global.get $g" + number +
               ") (i32.const 1)))";
        wat += "(data (i32.const " + number + ") \"\\01\")";
        elems += " $f" + number;
    }
    wat += "(elem (i32.const 0) func" + elems + ")";
    wat +=
        "(func (export \"table\") (param i32) (result i32) (call_indirect (result i32) "
        "(local.get 0)))";
    wat += "(func (export \"global\") (result i32) global.get $g" + std::to_string(count) + "))";
    make(wat);
    EXPECT_EQ(call("f29999"), "29999");
    EXPECT_EQ(call("table", {Value::i32(12'345)}), "12345");
    EXPECT_EQ(call("global"), std::to_string(count + 5));
    EXPECT_EQ(instance->memory().load<u8>(count - 1), 1);
    EXPECT_EQ(instance->memory().load<u8>(count), 0);
}

TEST_F(Instantiate, BoundsTheSizesOfTables) {
    EXPECT_EQ(instantiate("(module (table 10000000 funcref))"), "");
    EXPECT_THAT(
        instantiate("(module (table 10000001 funcref))"), HasSubstr("larger than the limit"));
    EXPECT_EQ(instantiate("(module (table 0 4294967295 funcref))"), "")
        << "only what is there counts";
}

TEST_F(Instantiate, HasManyInstancesOfOneModule) {
    const auto module = compile(R"((module (memory 1) (global $g (mut i32) (i32.const 0))
        (func (export "f") (result i32) (global.set $g (i32.add (global.get $g) (i32.const 1)))
            (i32.store (i32.const 0) (global.get $g)) (i32.load (i32.const 0)))))")
                            .take();
    std::vector<engine::Instance*> instances;
    for (int i = 0; i < 3; ++i) {
        instances.push_back(store->instantiate(module, linker).take().instance);
    }
    for (u32 round = 1; round < 4; ++round) {
        for (engine::Instance* const one : instances) {
            instance = one;
            EXPECT_EQ(call("f"), std::to_string(round));
        }
    }
}

}  // namespace
}  // namespace wrun::test
