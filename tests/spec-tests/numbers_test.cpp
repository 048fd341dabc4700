// Numbers of the text format against their bits. The hard rows are those that double rounding gets
// wrong.
#include "spec-tests/numbers.hpp"

#include <gtest/gtest.h>

namespace wrun::spec {
namespace {

struct IntegerRow {
    const char* text;
    u32 bits;
    std::optional<u64> value;
};

TEST(ParseInteger, GivesBits) {
    const IntegerRow rows[] = {
        {"0", 32, 0},
        {"+7", 32, 7},
        {"-1", 32, 0xffff'ffff},
        {"4294967295", 32, 0xffff'ffff},
        {"4294967296", 32, std::nullopt},
        {"-2147483648", 32, 0x8000'0000},
        {"-2147483649", 32, std::nullopt},
        {"0xffff_FFFF", 32, 0xffff'ffff},
        {"-0x8000_0000", 32, 0x8000'0000},
        {"1_000_000", 32, 1'000'000},
        {"255", 8, 255},
        {"256", 8, std::nullopt},
        {"-128", 8, 128},
        {"-129", 8, std::nullopt},
        {"18446744073709551615", 64, ~u64{0}},
        {"18446744073709551616", 64, std::nullopt},
        {"-9223372036854775808", 64, u64{1} << 63},
        {"-9223372036854775809", 64, std::nullopt},
        {"0x1_0000_0000_0000_0000", 64, std::nullopt},
        {"", 32, std::nullopt},
        {"-", 32, std::nullopt},
        {"+-1", 32, std::nullopt},
        {"0x", 32, std::nullopt},
        {"_1", 32, std::nullopt},
        {"1_", 32, std::nullopt},
        {"1__0", 32, std::nullopt},
        {"0x_1", 32, std::nullopt},
        {"0X1", 32, std::nullopt},
        {"1a", 32, std::nullopt},
        {"1 ", 32, std::nullopt},
        {"1.0", 32, std::nullopt},
    };
    for (const IntegerRow& row : rows)
        EXPECT_EQ(parse_integer(row.text, row.bits), row.value) << row.text << " of " << row.bits;
}

struct F32Row {
    const char* text;
    std::optional<u32> bits;
};

TEST(ParseF32, GivesBits) {
    const F32Row rows[] = {
        {"0", 0},
        {"-0", 0x8000'0000},
        {"-0.0", 0x8000'0000},
        {"1", 0x3f80'0000},
        {"1.", 0x3f80'0000},
        {"+1.5", 0x3fc0'0000},
        {"1_0.2_5e1_0", 0x51be'ebcf},
        {"1e-45", 1},
        {"0x1p-149", 1},
        {"0x1.p-149", 1},
        {"-0x1p-149", 0x8000'0001},
        {"0x1.fffffep127", 0x7f7f'ffff},
        {"0xA.bP+1", 0x41ab'0000},
        {"0x0123456789ABCDEFabcdef", 0x6791'a2b4},
        {"inf", 0x7f80'0000},
        {"-inf", 0xff80'0000},
        {"nan", 0x7fc0'0000},
        {"-nan", 0xffc0'0000},
        {"nan:0x1", 0x7f80'0001},
        {"-nan:0x7f_ffff", 0xffff'ffff},
        // Half way between two floats, and a little more than a double can tell apart from it.
        {"0x1.00000100000000001p-50", 0x2680'0001},
        {"0x1.000001p-50", 0x2680'0000},
        {"1.00000005960464477539062500001", 0x3f80'0001},
        {"1.000000059604644775390625", 0x3f80'0000},
        {"0x1.ffffffp127", std::nullopt},
        {"0x1.fffffefffffffp127", 0x7f7f'ffff},
        {"1e39", std::nullopt},
        {"nan:0x0", std::nullopt},
        {"nan:0x80_0000", std::nullopt},
        {"nan:1", std::nullopt},
        {"nan:", std::nullopt},
        {"nan:canonical", std::nullopt},
        {"nan:arithmetic", std::nullopt},
        {"infinity", std::nullopt},
        {"Inf", std::nullopt},
        {"", std::nullopt},
        {"+", std::nullopt},
        {".5", std::nullopt},
        {"1e", std::nullopt},
        {"1e+", std::nullopt},
        {"1._5", std::nullopt},
        {"1_.5", std::nullopt},
        {"1.5_", std::nullopt},
        {"1p3", std::nullopt},
        {"0x1e3", 0x43f1'8000},
        {"0x1p", std::nullopt},
        {"0x", std::nullopt},
        {"0x.5", std::nullopt},
        {"0x1pa", std::nullopt},
        {"1 ", std::nullopt},
    };
    for (const F32Row& row : rows)
        EXPECT_EQ(parse_f32(row.text), row.bits) << row.text;
}

struct F64Row {
    const char* text;
    std::optional<u64> bits;
};

TEST(ParseF64, GivesBits) {
    const F64Row rows[] = {
        {"0", 0},
        {"-0", u64{1} << 63},
        {"0.1", 0x3fb9'9999'9999'999a},
        {"4.9e-324", 1},
        {"0x1p-1074", 1},
        {"0x1.fffffffffffffp1023", 0x7fef'ffff'ffff'ffff},
        {"2.2250738585072011e-308", 0x000f'ffff'ffff'ffff},
        {"0x1.000000000000080000000001p-600", 0x1a70'0000'0000'0001},
        {"0x1.00000000000008p-600", 0x1a70'0000'0000'0000},
        {"inf", 0x7ff0'0000'0000'0000},
        {"nan", 0x7ff8'0000'0000'0000},
        {"-nan:0xf_ffff_ffff_ffff", ~u64{0}},
        {"nan:0x10_0000_0000_0000", std::nullopt},
        {"1e309", std::nullopt},
        {"0x1p1024", std::nullopt},
    };
    for (const F64Row& row : rows)
        EXPECT_EQ(parse_f64(row.text), row.bits) << row.text;
}

}  // namespace
}  // namespace wrun::spec
