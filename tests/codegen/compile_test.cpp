// FunctionCompiler as the engine uses it: chunks grow function by function, a refusal takes nothing
// away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "codegen/compile.hpp"
#include "decoder/decode.hpp"
#include "runtime/context_layout.hpp"
#include "tests/support/module_builder.hpp"
#include "validator/validate.hpp"

namespace wrun::codegen {
namespace {

using namespace wrun::build;

/// A module with what compiling its functions needs.
class Compiling {
public:
    explicit Compiling(const ModuleBuilder& builder, const CompileOptions& options = {})
        : bytes_{builder.bytes()},
          module_{decode(bytes_, default_features()).take()},
          declared_{validate_module(module_, default_features()).ok()},
          layout_{runtime::context_layout(module_).take()},
          validator_{module_, default_features()},
          compiler_{module_, layout_, options} {
        EXPECT_TRUE(declared_);
    }
    Result<void> compile(u32 func) {
        EXPECT_TRUE(validator_.validate(FuncIndex{func}, summary_).ok());
        return compiler_.compile(FuncIndex{func}, summary_);
    }
    [[nodiscard]] CodeChunk chunk() const { return compiler_.chunk(); }
    [[nodiscard]] std::vector<u8> code() const {
        return {chunk().code.begin(), chunk().code.end()};
    }
    FunctionCompiler& compiler() { return compiler_; }

private:
    Bytes bytes_;
    Module module_;
    bool declared_;
    runtime::ContextLayout layout_;
    FunctionValidator validator_;
    FunctionSummary summary_;
    FunctionCompiler compiler_;
};

/// Function 0 is small and traps; 1 calls 2, a function of a thousand values, more often than it
/// may.
ModuleBuilder small_and_huge(u32 calls) {
    ModuleBuilder module;
    const ValTypes thousand(1000, type_i64);
    const u32 small = module.type({type_i32, type_i32}, {type_i32});
    const u32 huge = module.type({}, {});
    const u32 make = module.type({}, thousand);
    const u32 pass = module.type(thousand, thousand);
    module.function(small, body(local_get(0), local_get(1), i32_div_s()));
    module.function(huge, body(call(2), repeat(calls, call(3)), wrun::build::unreachable()));
    module.function(make, body(repeat(1000, i64_const(i64{1}))));
    Bytes all;
    for (u32 i = 0; i < 1000; ++i)
        append(all, local_get(i));
    module.function(pass, body(all));
    return module;
}

TEST(FunctionCompiler, LaysFunctionsOneBehindTheOther) {
    Compiling compiling{small_and_huge(1)};
    ASSERT_TRUE(compiling.compile(0).ok());
    ASSERT_TRUE(compiling.compile(1).ok());
    const auto functions = compiling.chunk().functions;
    ASSERT_EQ(functions.size(), 2u);
    EXPECT_LE(functions[0].code_end, functions[1].code_begin);
    EXPECT_EQ(functions[1].code_end, compiling.chunk().code.size());
    EXPECT_EQ(compiling.chunk().calls.size(), 2u);
    const auto rows = compiling.chunk().rows;
    EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end(),
        [](const auto& a, const auto& b) { return a.code_offset < b.code_offset; }));
}

TEST(FunctionCompiler, TakesNothingAwayWhenItRefuses) {
    Compiling compiling{small_and_huge(2000)};
    ASSERT_TRUE(compiling.compile(0).ok());
    const auto code = compiling.code();
    const std::size_t rows = compiling.chunk().rows.size();
    const auto refused = compiling.compile(1);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::code_too_large);
    EXPECT_EQ(compiling.code(), code);
    EXPECT_EQ(compiling.chunk().rows.size(), rows);
    EXPECT_EQ(compiling.chunk().calls.size(), 0u);
    EXPECT_EQ(compiling.chunk().functions.size(), 1u);
    // And goes on as if nothing had been.
    ASSERT_TRUE(compiling.compile(0).ok());
    EXPECT_TRUE(std::equal(code.begin(), code.end(), compiling.chunk().code.begin()));
}

TEST(FunctionCompiler, ForgetsWhenCleared) {
    Compiling compiling{small_and_huge(1)};
    ASSERT_TRUE(compiling.compile(0).ok());
    const auto code = compiling.code();
    compiling.compiler().clear();
    EXPECT_TRUE(compiling.chunk().code.empty());
    EXPECT_TRUE(compiling.chunk().functions.empty());
    ASSERT_TRUE(compiling.compile(0).ok());
    EXPECT_EQ(compiling.code(), code);
}

TEST(FunctionCompiler, GivesADivisionItsDivisorsRegister) {
    Compiling compiling{small_and_huge(1)};
    ASSERT_TRUE(compiling.compile(0).ok());
    ASSERT_EQ(compiling.chunk().rows.size(), 1u);
    const runtime::TrapRow row = compiling.chunk().rows[0];
    EXPECT_EQ(row.code(), runtime::TrapCode::integer_divide_by_zero);
    // Parameters stay where they arrive: the second in rsi.
    EXPECT_EQ(row.aux(), to_underlying(runtime::x64::Gp::rsi));
    EXPECT_EQ(row.body_offset(), 5u);
}

/// Adds two values that lie below a block, and loads from their sum.
ModuleBuilder for_stress() {
    ModuleBuilder module;
    module.memory(1);
    module.function({type_i32, type_i32}, {type_i32},
        body(local_get(0), local_get(1), local_get(0), i32_mul(), local_get(1), block(),
            local_get(0), br_if(0), end(), i32_add(), i32_add(), i32_load()));
    return module;
}

TEST(FunctionCompiler, MakesOtherCodeUnderStress) {
    const auto code_under = [](const StressModes& stress) {
        CompileOptions options;
        options.stress = stress;
        Compiling compiling{for_stress(), options};
        EXPECT_TRUE(compiling.compile(0).ok());
        return compiling.code();
    };
    const auto plain = code_under({});
    EXPECT_EQ(code_under({}), plain);
    for (const StressModes& stress :
        {StressModes{.spill = true}, StressModes{.flush = true}, StressModes{.check = true}}) {
        EXPECT_GT(code_under(stress).size(), plain.size());
    }
}

TEST(FunctionCompiler, ComparesInsteadOfFaultingWithCheckedBounds) {
    const auto rows_with = [](runtime::Bounds bounds) {
        CompileOptions options;
        options.bounds = bounds;
        Compiling compiling{for_stress(), options};
        EXPECT_TRUE(compiling.compile(0).ok());
        // The offset of each row, and whether a ud2 lies there.
        std::vector<std::pair<u32, bool>> rows;
        const auto code = compiling.code();
        for (const runtime::TrapRow& row : compiling.chunk().rows) {
            EXPECT_EQ(row.code(), runtime::TrapCode::memory_out_of_bounds);
            rows.emplace_back(row.body_offset(),
                code[row.code_offset] == 0x0f && code[row.code_offset + 1] == 0x0b);
        }
        return rows;
    };
    const auto guard = rows_with(runtime::Bounds::guard);
    const auto checked = rows_with(runtime::Bounds::checked);
    ASSERT_EQ(guard.size(), 1u);
    ASSERT_EQ(checked.size(), 1u);
    EXPECT_EQ(guard[0].first, checked[0].first);
    EXPECT_FALSE(guard[0].second);
    EXPECT_TRUE(checked[0].second);
}

}  // namespace
}  // namespace wrun::codegen
