// Listings show the code that runs, and their tables fit it.
#include "engine/listing.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "engine/engine.hpp"
#include "tests/support/wat.hpp"

namespace wrun::engine {
namespace {

constexpr std::string_view sample = R"((module
    (import "env" "f" (func (param i32 f64) (result i32)))
    (memory 1) (table 4 funcref) (global (mut i64) (i64.const 3)) (global (mut i32) (i32.const 3))
    (func (export "sum") (param i32 i32) (result i32) (local i32)
        (block (loop
            (br_if 1 (i32.ge_u (local.get 0) (local.get 1)))
            (local.set 2 (i32.add (local.get 2) (i32.load offset=4 (local.get 0))))
            (local.set 0 (i32.add (local.get 0) (i32.const 4)))
            (br 0)))
        (local.get 2))
    (func (param i32) (result f64)
        (block (block (block (br_table 0 1 2 1 (local.get 0))) (return (f64.const 1.5)))
            (drop (call 0 (i32.const 1) (f64.const 2.5)))
            (drop (call 1 (i32.const 1) (i32.const 2)))
            (drop (memory.grow (i32.const 1)))
            (global.set 1 (i32.const 4))
            (return (f64.const -0.25)))
        (drop (i32.trunc_f64_s (f64.const 3)))
        (call_indirect (param i32) (i32.const 1) (local.get 0))
        (f64.const 0))))";

struct Listing : testing::Test {
    void SetUp() override {
        if (!wat::available()) GTEST_SKIP() << wat::unavailable_reason();
        auto made = Lister::make(wat::assemble(sample), {});
        ASSERT_TRUE(made.ok());
        lister = std::move(made.value());
    }
    FunctionListing list(u32 func) {
        auto listing = lister->list(FuncIndex{func});
        EXPECT_TRUE(listing.ok());
        return listing.ok() ? listing.value() : FunctionListing{};
    }
    std::unique_ptr<Lister> lister;
};

TEST_F(Listing, CodeIsWhatRunsButForCalls) {
    auto made = Engine::make({});
    ASSERT_TRUE(made.ok());
    const auto engine = std::move(made.value());
    const auto module = Module::compile(*engine, wat::assemble(sample)).value();
    for (const u32 func : {1u, 2u}) {
        const FunctionListing listing = list(func);
        const auto run = module->code(FuncIndex{func});
        std::vector<u8> code{run.begin(), run.end()};
        for (const codegen::CallFixup& call : listing.calls)
            std::fill_n(code.begin() + call.code_offset, 4, u8{0});
        EXPECT_EQ(code, listing.code) << func;
        EXPECT_EQ(listing.calls.size(), func - 1);
    }
}

TEST_F(Listing, EveryReachableOperationHasARow) {
    for (const u32 func : {1u, 2u}) {
        const FunctionListing listing = list(func);
        ASSERT_FALSE(listing.lines.empty());
        EXPECT_TRUE(std::is_sorted(listing.lines.begin(), listing.lines.end(),
            [](const auto& a, const auto& b) { return a.code_offset < b.code_offset; }));
        EXPECT_LE(listing.lines.back().code_offset, listing.code.size());
        u32 last = 0;
        for (const LineRow& row : listing.lines) {
            if (row.kind != LineRow::Kind::code) continue;
            EXPECT_GE(row.body_offset, last);
            last = row.body_offset;
        }
        // The body's last byte is its `end`, which every function here reaches.
        EXPECT_EQ(last, lister->module().body(FuncIndex{func}).size() - 1);
    }
}

TEST_F(Listing, TrapsLieInTheCodeOfTheirOperation) {
    const FunctionListing listing = list(2);
    ASSERT_FALSE(listing.rows.empty());
    for (const runtime::TrapRow& row : listing.rows) {
        const auto behind = std::find_if(listing.lines.begin(), listing.lines.end(),
            [&](const LineRow& line) { return line.code_offset > row.code_offset; });
        ASSERT_NE(behind, listing.lines.begin());
        EXPECT_EQ(std::prev(behind)->body_offset, row.body_offset()) << text(row.code());
    }
}

TEST_F(Listing, KindsOfRows) {
    const FunctionListing listing = list(2);
    const auto count = [&](LineRow::Kind kind) {
        return std::count_if(listing.lines.begin(), listing.lines.end(),
            [&](const LineRow& row) { return row.kind == kind; });
    };
    EXPECT_EQ(count(LineRow::Kind::jump_table), 1);
    EXPECT_EQ(count(LineRow::Kind::constants), 1);
    EXPECT_GT(count(LineRow::Kind::out_of_line), 3);
}

TEST_F(Listing, NothingIsNotedWhenNobodyAsks) {
    codegen::CompileOptions options;
    runtime::ContextLayout layout;
    codegen::FunctionCompiler compiler{lister->module(), layout, options};
    FunctionValidator validator{lister->module(), default_features()};
    FunctionSummary summary;
    ASSERT_TRUE(validator.validate(FuncIndex{1}, summary).ok());
    ASSERT_TRUE(compiler.compile(FuncIndex{1}, summary).ok());
    EXPECT_TRUE(compiler.chunk().lines.empty());
}

TEST_F(Listing, ContextItems) {
    using runtime::Context;
    const auto base = static_cast<u32>(sizeof(Context));
    EXPECT_EQ(lister->context_item(offsetof(Context, helper_call)), "helper call");
    EXPECT_EQ(lister->context_item(base), "func 0");
    EXPECT_EQ(lister->context_item(0x7fff'0000), "");
    std::vector<std::string> all;
    for (u32 offset = base; offset < base + 128; offset += 8)
        all.push_back(lister->context_item(offset));
    for (const char* item :
        {"memory 0 base", "memory 0 size", "table 0 base", "table 0 size", "global 0", "global 1"})
        EXPECT_THAT(all, testing::Contains(item));
}

TEST_F(Listing, ErrorsOfBodiesAreErrors) {
    auto bytes = wat::assemble("(module (func (result i32) (i32.const 1)))");
    const auto constant = std::find(bytes.begin(), bytes.end(), u8{0x41});
    ASSERT_NE(constant, bytes.end());
    std::fill_n(constant, 2, u8{0x01});
    auto made = Lister::make(bytes, {});
    ASSERT_TRUE(made.ok());
    EXPECT_EQ(made.value()->list(FuncIndex{0}).error().code, ErrorCode::type_mismatch);
    EXPECT_FALSE(Lister::make({1, 2, 3}, {}).ok());
}

TEST(Listings, Names) {
    EXPECT_EQ(text(runtime::TrapCode::unreachable), "unreachable");
    EXPECT_EQ(helper_name(0), "memory_grow");
    EXPECT_EQ(helper_name(1'000'000), "");
}

}  // namespace
}  // namespace wrun::engine
