// Patterns of results against values: what matches, what does not, and what may be an argument.
#include "spec-tests/values.hpp"

#include <gtest/gtest.h>

namespace wrun::spec {
namespace {

std::optional<Pattern> try_pattern(const std::string& text) {
    ScriptError error;
    const std::optional<Document> document = Document::read(text, error);
    EXPECT_TRUE(document.has_value()) << text;
    return document ? parse_pattern(document->items()[0]) : std::nullopt;
}

Pattern pattern(const std::string& text) {
    std::optional<Pattern> parsed = try_pattern(text);
    EXPECT_TRUE(parsed.has_value()) << text;
    return parsed ? std::move(*parsed) : Pattern{};
}

struct Row {
    const char* pattern;
    Observed value;
    bool matches;
};

TEST(Pattern, MatchesBitsExactly) {
    const ValType func = ValType::reference(TypeIndex{3}, true);
    const Row rows[] = {
        {"(i32.const -1)", {type_i32, 0xffff'ffff}, true},
        {"(i32.const -1)", {type_i32, 0xffff'fffe}, false},
        {"(i32.const 1)", {type_i64, 1}, false},
        {"(i64.const 0x1_0000_0000)", {type_i64, u64{1} << 32}, true},
        {"(i64.const 0)", {type_i64, u64{1} << 32}, false},
        {"(f32.const 0)", {type_f32, 0x8000'0000}, false},
        {"(f32.const -0)", {type_f32, 0x8000'0000}, true},
        {"(f32.const nan:0x200000)", {type_f32, 0x7fa0'0000}, true},
        {"(f32.const nan:0x200000)", {type_f32, 0x7fe0'0000}, false},
        {"(f32.const nan:canonical)", {type_f32, 0x7fc0'0000}, true},
        {"(f32.const nan:canonical)", {type_f32, 0xffc0'0000}, true},
        {"(f32.const nan:canonical)", {type_f32, 0x7fc0'0001}, false},
        {"(f32.const nan:canonical)", {type_f32, 0x7f80'0000}, false},
        {"(f32.const nan:arithmetic)", {type_f32, 0xffc0'0001}, true},
        {"(f32.const nan:arithmetic)", {type_f32, 0x7fa0'0000}, false},
        {"(f32.const nan:arithmetic)", {type_f64, 0x7ff8'0000'0000'0000}, false},
        {"(f64.const nan:canonical)", {type_f64, 0xfff8'0000'0000'0000}, true},
        {"(f64.const nan:canonical)", {type_f64, 0x7ff8'0000'0000'0001}, false},
        {"(f64.const nan:arithmetic)", {type_f64, 0x7ff8'0000'0000'0001}, true},
        {"(f64.const nan:arithmetic)", {type_f64, 0x7ff4'0000'0000'0000}, false},
        {"(v128.const i32x4 1 2 3 -1)", {type_v128, 0x2'0000'0001, 0xffff'ffff'0000'0003}, true},
        {"(v128.const i32x4 1 2 3 -1)", {type_v128, 0x2'0000'0001, 0xffff'ffff'0000'0004}, false},
        {"(v128.const i64x2 1 2)", {type_v128, 1, 2}, true},
        {"(v128.const i64x2 1 2)", {type_i64, 1, 2}, false},
        {"(v128.const f32x4 nan:canonical 0 nan:arithmetic 1)",
            {type_v128, 0xffc0'0000, 0x3f80'0000'7fff'ffff}, true},
        {"(v128.const f32x4 nan:canonical 0 nan:arithmetic 1)",
            {type_v128, 0xffc0'0001, 0x3f80'0000'7fff'ffff}, false},
        {"(v128.const f64x2 nan:arithmetic 0)", {type_v128, 0x7ff8'0000'0000'0001, 0}, true},
        {"(v128.const f64x2 nan:arithmetic 0)", {type_v128, 0x7ff8'0000'0000'0001, 1}, false},
        {"(ref.null func)", {type_funcref, 0}, true},
        {"(ref.null func)", {type_funcref, 1}, false},
        {"(ref.null func)", {type_externref, 0}, false},
        {"(ref.null nofunc)", {type_funcref, 0}, true},
        {"(ref.null func)", {func, 0}, true},
        {"(ref.null)", {type_externref, 0}, true},
        {"(ref.null extern)", {type_i64, 0}, false},
        {"(ref.extern 0)", {type_externref, 1}, true},
        {"(ref.extern 0)", {type_externref, 0}, false},
        {"(ref.extern 5)", {type_externref, 5}, false},
        {"(ref.extern)", {type_externref, 9}, true},
        {"(ref.extern)", {type_externref, 0}, false},
        {"(ref.extern)", {type_funcref, 9}, false},
        {"(ref.func)", {type_funcref, 64}, true},
        {"(ref.func)", {func, 64}, true},
        {"(ref.func)", {type_funcref, 0}, false},
        {"(ref.func)", {type_externref, 64}, false},
        {"(ref.struct)", {ValType::reference(Heap::any), 64}, false},
        {"(either (i32.const 1) (i32.const 2))", {type_i32, 2}, true},
        {"(either (i32.const 1) (i32.const 2))", {type_i32, 3}, false},
    };
    for (const Row& row : rows)
        EXPECT_EQ(matches(pattern(row.pattern), row.value), row.matches)
            << row.pattern << " and " << describe(row.value);
}

TEST(Pattern, ReadsEveryShape) {
    const struct {
        const char* text;
        u64 low;
        u64 high;
    } rows[] = {
        {"(v128.const i8x16 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 -1)", 0x0706'0504'0302'0100,
            0xff0e'0d0c'0b0a'0908},
        {"(v128.const i16x8 0 1 2 3 4 5 6 -1)", 0x0003'0002'0001'0000, 0xffff'0006'0005'0004},
        {"(v128.const f32x4 0 1 -0 2)", 0x3f80'0000'0000'0000, 0x4000'0000'8000'0000},
        {"(v128.const f64x2 1 -0)", 0x3ff0'0000'0000'0000, 0x8000'0000'0000'0000},
    };
    for (const auto& row : rows) {
        const Pattern read = pattern(row.text);
        EXPECT_EQ(read.low, row.low) << row.text;
        EXPECT_EQ(read.high, row.high) << row.text;
    }
}

TEST(Pattern, RefusesWhatIsNoValue) {
    const char* const texts[] = {"i32.const", "(i32.const)", "(i32.const 1 2)", "(i32.const 0x1p1)",
        "(i32.const \"1\")", "(f32.const nan:signaling)", "(i32.const nan:canonical)",
        "(v128.const i32x4 1 2 3)", "(v128.const i32x4 1 2 3 4 5)", "(v128.const i8x4 1 2 3 4)",
        "(v128.const)", "(v128.const i8x16 256 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0)", "(ref.extern x)",
        "(ref.none)", "(ref.null a b)", "(either (i32.const x))", "(i31.const 1)"};
    for (const char* text : texts)
        EXPECT_FALSE(try_pattern(text).has_value()) << text;
}

TEST(Argument, HasTheTypeOfItsParameter) {
    EXPECT_EQ(argument(pattern("(i32.const -2)"), type_i32)->low, 0xffff'fffeU);
    EXPECT_FALSE(argument(pattern("(i32.const 1)"), type_i64).has_value());
    EXPECT_EQ(argument(pattern("(ref.extern 0)"), type_externref)->low, 1U);
    EXPECT_FALSE(argument(pattern("(ref.extern 0)"), type_funcref).has_value());
    EXPECT_FALSE(argument(pattern("(ref.extern)"), type_externref).has_value());
    EXPECT_EQ(argument(pattern("(ref.null func)"), type_funcref)->low, 0U);
    EXPECT_FALSE(argument(pattern("(ref.null func)"), type_externref).has_value());
    EXPECT_FALSE(argument(pattern("(ref.null func)"), type_i32).has_value());
    EXPECT_FALSE(argument(pattern("(f32.const nan:canonical)"), type_f32).has_value());
    EXPECT_FALSE(argument(pattern("(either (i32.const 1))"), type_i32).has_value());
}

TEST(Describe, SaysValuesAsPeopleReadThem) {
    EXPECT_EQ(describe(Observed{type_i32, 0xffff'ffff}), "i32:-1 (0xffffffff)");
    EXPECT_EQ(describe(Observed{type_f64, 0x3ff8'0000'0000'0000}), "f64:1.5 (0x3ff8000000000000)");
    EXPECT_EQ(describe(Observed{type_externref, 4}), "externref 3");
    EXPECT_EQ(describe(Observed{type_externref, 0}), "externref null");
    EXPECT_EQ(describe(pattern("(either (f32.const nan:canonical) (ref.extern 3))")),
        "f32:nan:canonical or ref.extern 3");
}

}  // namespace
}  // namespace wrun::spec
