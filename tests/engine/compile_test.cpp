// The pipeline: errors and code do not depend on threads, figures are told, odd modules are
// compiled.
#include <gmock/gmock.h>

#include "base/errors.hpp"
#include "tests/engine/world.hpp"
#include "tests/support/wat.hpp"

namespace wrun::test {
namespace {

using engine::Engine;
using engine::EngineOptions;

class Compile : public EngineTest {
protected:
    static std::unique_ptr<Engine> engine_with(u32 threads) {
        EngineOptions options;
        options.compile_threads = threads;
        return Engine::make(options).take();
    }
    /// `count` functions of about 2 KiB, each calling its successor.
    static std::string many_functions(u32 count) {
        std::string wat = "(module (memory 1)";
        for (u32 i = 0; i < count; ++i) {
            wat += "(func $f" + std::to_string(i) + " (export \"f" + std::to_string(i) +
                   "\") (param i32) (result i32) ";
            for (u32 j = 0; j < 200; ++j) {
                wat += "(local.set 0 (i32.add (local.get 0) (i32.load (i32.const " +
                       std::to_string(i * 8) + "))))";
            }
            wat += "(i32.add (i32.const 1) ";
            wat += i + 1 < count ? "(call $f" + std::to_string(i + 1) + " (local.get 0))"
                                 : "(local.get 0)";
            wat += "))";
        }
        return wat + "(func $last (export \"last\") unreachable))";
    }
};

TEST_F(Compile, GivesTheSameCodeWithAnyNumberOfThreads) {
    const auto bytes = wat::assemble(many_functions(300));
    const auto one = engine_with(1);
    const auto four = engine_with(4);
    const auto first = engine::Module::compile(*one, bytes).take();
    const auto second = engine::Module::compile(*four, bytes).take();
    EXPECT_EQ(first->stats().threads, 1u);
    EXPECT_EQ(second->stats().threads, 4u);
    for (u32 i = 0; i < 300; ++i) {
        const auto left = first->code(FuncIndex{i});
        const auto right = second->code(FuncIndex{i});
        ASSERT_TRUE(std::equal(left.begin(), left.end(), right.begin(), right.end())) << i;
    }
}

TEST_F(Compile, LinksCallsAcrossBatches) {
    for (const u32 threads : {1u, 3u}) {
        store.reset();
        engine = engine_with(threads);
        store = engine::Store::make(*engine).take();
        make(many_functions(300));
        EXPECT_EQ(call("f0", {Value::i32(5)}), "305");
        EXPECT_EQ(call("f299", {Value::i32(5)}), "6");
    }
}

TEST_F(Compile, FindsTrapsAndFunctionsInEveryBatch) {
    make(many_functions(300));
    EXPECT_EQ(call("last"), "trap: unreachable");
    const auto unreachable = outcome("last");
    const auto& frames = std::get<engine::Trap>(unreachable).frames;
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(frames[0].name, "last");
    EXPECT_EQ(frames[0].module_offset, instance->module().decoded().bodies[300].begin + 1);
    const u8* end = nullptr;
    for (u32 i = 0; i < 301; ++i) {
        const auto code = instance->module().code(FuncIndex{i});
        ASSERT_GE(code.data(), end) << "ascending, and none inside another";
        end = code.data() + code.size();
    }
}

TEST_F(Compile, ReportsTheLowestFunctionThatIsWrong) {
    // Two bodies get a type error; which is found first depends on the threads, which is told does
    // not.
    auto bytes = wat::assemble(many_functions(200));
    const auto module = engine::Module::compile(*engine, bytes).take();
    const auto& bodies = module->decoded().bodies;
    for (const u32 wrong : {60u, 61u, 150u, 199u}) {
        // The first opcode behind the locals: local.get becomes drop.
        bytes[bodies[wrong].begin + 1] = 0x1a;
    }
    for (const u32 threads : {1u, 2u, 4u, 8u}) {
        const auto other = engine_with(threads);
        for (int round = 0; round < 5; ++round) {
            const auto failed = engine::Module::compile(*other, bytes);
            ASSERT_EQ(failed.error().code, ErrorCode::type_mismatch);
            EXPECT_EQ(failed.error().offset, bodies[60].begin + 1);
            EXPECT_EQ(
                engine::Module::validate(*other, bytes).error().offset, failed.error().offset);
        }
    }
}

TEST_F(Compile, ReportsAFunctionThatIsTooLargeBeforeAnInvalidOne) {
    // They are neighbours: the invalid one is looked at before the other is compiled.
    const auto repeat = [](std::string_view text, u32 count) {
        std::string result;
        for (u32 i = 0; i < count; ++i)
            result += text;
        return result;
    };
    const std::string values = repeat(" i64", 1000);
    std::string wat = "(module (func (result" + values + ")" + repeat("(i64.const 1)", 1000) + ")";
    wat += "(func (param" + values + ") (result" + values + ")";
    for (u32 i = 0; i < 1000; ++i)
        wat += "(local.get " + std::to_string(i) + ")";
    wat += ")(func call 0 " + repeat("call 1 ", 2000) + "unreachable)";
    wat += "(func (param i32) (result i32) local.get 0))";
    auto bytes = wat::assemble(wat);
    const auto large = engine::Module::compile(*engine, bytes);
    ASSERT_EQ(large.error().code, ErrorCode::code_too_large);
    constexpr u32 local_get_0_end = 3;
    ASSERT_EQ(bytes[bytes.size() - local_get_0_end], 0x20);
    bytes[bytes.size() - local_get_0_end] = 0x1a;  // drop
    ASSERT_EQ(engine::Module::validate(*engine, bytes).error().code, ErrorCode::type_mismatch);
    for (const u32 threads : {1u, 3u}) {
        const auto failed = engine::Module::compile(*engine_with(threads), bytes);
        EXPECT_EQ(failed.error().code, ErrorCode::code_too_large);
        EXPECT_EQ(failed.error().offset, large.error().offset);
    }
}

TEST_F(Compile, TellsSizesAndCounts) {
    const auto module = compile(
        "(module (memory 1) (func (export \"f\") (param i32) (result i32) "
        "(i32.load (local.get 0))) (func))")
                            .take();
    const auto& stats = module->stats();
    EXPECT_EQ(stats.functions, 2u);
    EXPECT_EQ(stats.wasm_bytes, module->decoded().bytes.size());
    EXPECT_GT(stats.machine_code_bytes, 8u);
    EXPECT_GE(stats.trap_table_bytes, 8u);
    EXPECT_GT(stats.code_section_bytes, 5u);
    EXPECT_GT(module->code(FuncIndex{0}).size(), 4u);
    EXPECT_TRUE(module->code(FuncIndex{2}).empty());
}

TEST_F(Compile, TellsWhatValidationAloneTook) {
    const auto bytes = wat::assemble("(module (func) (func (param i32) (drop (local.get 0))))");
    engine::CompileStats stats;
    stats.machine_code_bytes = 1;
    ASSERT_TRUE(engine::Module::validate(*engine, bytes, &stats).ok());
    EXPECT_EQ(stats.functions, 2u);
    EXPECT_EQ(stats.wasm_bytes, bytes.size());
    EXPECT_GT(stats.code_section_bytes, 5u);
    EXPECT_GT(stats.validate_ns, 0u);
    EXPECT_EQ(stats.compile_ns, 0u);
    EXPECT_EQ(stats.machine_code_bytes, 0u);
}

TEST_F(Compile, TakesModulesWithoutFunctions) {
    EXPECT_EQ(instantiate("(module)"), "");
    make("(module (memory (export \"m\") 1) (data (i32.const 0) \"x\"))");
    EXPECT_EQ(instance->memory().load<u8>(0), 'x');
    make("(module (table (export \"t\") 1 funcref))");
    EXPECT_EQ(engine::Store::size(export_of("t").table), 1u);
}

TEST_F(Compile, RefusesWhatIsNoModule) {
    EXPECT_EQ(engine::Module::compile(*engine, {}).error().code, ErrorCode::unexpected_end);
    EXPECT_EQ(engine::Module::compile(*engine, {0, 'a', 's', 'm', 2, 0, 0, 0}).error().code,
        ErrorCode::bad_version);
    EXPECT_EQ(engine::Module::validate(*engine, {}).error().code, ErrorCode::unexpected_end);
}

TEST_F(Compile, ValidatesWithoutGenerating) {
    const auto bytes = wat::assemble("(module (func (result i32) i32.const 1))");
    EXPECT_TRUE(engine::Module::validate(*engine, bytes).ok());
    auto broken = bytes;
    broken[broken.size() - 3] = 0x42;  // i32.const becomes i64.const
    EXPECT_EQ(engine::Module::validate(*engine, broken).error().code, ErrorCode::type_mismatch);
}

TEST_F(Compile, GivesStressedHomesTheSameResults) {
    const char* const wat = R"((module (func (export "f") (param i32 f64) (result f64)
        (local i32 i32 f64 f64)
        (loop (local.set 2 (i32.add (local.get 2) (local.get 0)))
            (local.set 4 (f64.add (local.get 4) (f64.mul (local.get 1)
                (f64.convert_i32_s (local.get 2)))))
            (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        local.get 4)))";
    std::vector<std::string> seen;
    for (const u32 homes : {0u, 1u, 16u}) {
        EngineOptions options;
        options.integer_homes_max = homes;
        options.float_homes_max = homes;
        store.reset();
        engine = Engine::make(options).take();
        store = engine::Store::make(*engine).take();
        make(wat);
        seen.push_back(call("f", {Value::i32(100), f64_value(0.1)}));
    }
    EXPECT_THAT(seen, ::testing::Each(seen[0]));
}

}  // namespace
}  // namespace wrun::test
