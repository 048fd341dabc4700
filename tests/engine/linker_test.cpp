// Names in a linker, and what it says about a module before anything runs.
#include <gmock/gmock.h>

#include "tests/engine/world.hpp"

namespace wrun::test {
namespace {

class LinkerTest : public EngineTest {};

HostResult nothing(Caller&, void*, std::span<u64>) {
    return HostResult::ok();
}

TEST_F(LinkerTest, RefusesASecondDefinition) {
    EXPECT_TRUE(linker.define_function("a", "b", {}, nothing, nullptr).ok());
    EXPECT_TRUE(linker.define_function("a", "c", {}, nothing, nullptr).ok());
    EXPECT_EQ(linker.define_function("a", "b", {}, nothing, nullptr).error().code,
        ErrorCode::duplicate_definition);
    EXPECT_EQ(linker.define("a", "b", {}).error().code, ErrorCode::duplicate_definition);
}

TEST_F(LinkerTest, ListsWhatIsMissing) {
    EXPECT_TRUE(linker.define_function("a", "b", {}, nothing, nullptr).ok());
    const auto module = compile(R"((module (import "a" "b" (func)) (import "a" "x" (func))
        (import "z" "b" (memory 1))))")
                            .take();
    const auto missing = linker.missing(module->decoded());
    ASSERT_EQ(missing.size(), 2u);
    EXPECT_EQ(module->decoded().text(missing[0]->field), "x");
    EXPECT_EQ(missing[1]->kind, ExternKind::memory);
}

TEST_F(LinkerTest, ReplacesAnInstanceOfTheSameName) {
    for (const char* const value : {"1", "2"}) {
        make(std::string{"(module (func (export \"f\") (result i32) i32.const "} + value + "))");
        linker.define_instance("m", *instance);
        make(R"((module (import "m" "f" (func $f (result i32)))
            (func (export "g") (result i32) call $f)))");
        EXPECT_EQ(call("g"), value);
    }
}

TEST_F(LinkerTest, MakesOneFunctionForEachStore) {
    define("f", {}, {}, nothing);
    const char* const wat = R"((module (import "host" "f" (func $f)) (export "f" (func $f))))";
    make(wat);
    auto* const first = export_of("f").func;
    make(wat);
    EXPECT_EQ(export_of("f").func, first);
    auto other = engine::Store::make(*engine).take();
    const auto made = other->instantiate(compile(wat).take(), linker).take();
    EXPECT_NE(made.instance->find_export("f")->func, first);
}

TEST_F(LinkerTest, MayEndBeforeItsStores) {
    {
        engine::Linker passing;
        ASSERT_TRUE(passing
                        .define_function(
                            "a", "f", {{type_i32}, {type_i32}},
                            [](Caller&, void*, std::span<u64> slots) {
                                slots[0] += 1;
                                return HostResult::ok();
                            },
                            nullptr)
                        .ok());
        const auto module = compile(R"((module (import "a" "f" (func $f (param i32) (result i32)))
            (func (export "g") (param i32) (result i32) (call $f (local.get 0)))))")
                                .take();
        instance = store->instantiate(module, passing).take().instance;
    }
    EXPECT_EQ(call("g", {Value::i32(4)}), "5");
}

TEST_F(LinkerTest, FindsExportsByName) {
    make(
        R"((module (func (export "b")) (memory (export "") 1) (global (export "a") i32 (i32.const 1))
        (table (export "z\00") 1 funcref)))");
    EXPECT_EQ(instance->find_export("b")->kind, ExternKind::func);
    EXPECT_EQ(instance->find_export("")->kind, ExternKind::memory);
    EXPECT_EQ(instance->find_export("a")->kind, ExternKind::global);
    EXPECT_FALSE(instance->find_export("z"));
    EXPECT_FALSE(instance->find_export("c"));
}

}  // namespace
}  // namespace wrun::test
