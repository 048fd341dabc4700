// The second engine's own readings: each known one is known, and whatever is next to it is a
// finding.
#include "fuzz/differential/readings.hpp"

#include <gtest/gtest.h>

#include "base/errors.hpp"
#include "base/features.hpp"

namespace wrun::differ {
namespace {

using Bytes = std::vector<u8>;

/// A module of these bytes behind its header.
Bytes module_of(const Bytes& sections) {
    Bytes wasm = {0, 'a', 's', 'm', 1, 0, 0, 0};
    for (const u8 byte : sections)
        wasm.push_back(byte);
    return wasm;
}

struct Row {
    const char* name;
    Bytes sections;
};

class Readings : public ::testing::Test {
protected:
    void SetUp() override {
        if (!second_engine_missing().empty()) GTEST_SKIP() << second_engine_missing();
    }
};

/// What the second engine says of the bytes; empty when it takes them.
std::string refusal_of(const Bytes& wasm) {
    std::string refusal;
    const bool accepted = second_validates(wasm, refusal) == Verdict::accepted;
    EXPECT_EQ(accepted, refusal.empty());
    return refusal;
}

TEST_F(Readings, KnownOnesAreNoFindings) {
    const Row rows[] = {
        {"memory bound", {5, 8, 1, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0}},
        {"memory maximum in ten bytes",
            {5, 13, 1, 1, 0, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0}},
        {"table bound", {4, 9, 1, 0x70, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0}},
        {"second table's maximum",
            {4, 13, 2, 0x6f, 0, 3, 0x70, 1, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0}},
        {"imported memory behind other imports",
            {1, 4, 1, 0x60, 0, 0, 2, 30, 4, 1, 'a', 1, 'b', 0, 0, 1, 'a', 1, 'b', 3, 0x7f, 1, 0, 0,
                1, 0x70, 0, 0, 0, 0, 2, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0}},
        {"packed imports", {2, 6, 1, 1, 'a', 0, 0x7f, 0}},
        {"packed imports of one type", {2, 9, 1, 1, 'a', 0, 0x7e, 3, 0x7f, 0, 0}},
        {"funcref the long way", {4, 5, 1, 0x63, 0x70, 0, 1}},
        {"externref the long way", {1, 6, 1, 0x60, 1, 0x63, 0x6f, 0}},
        {"own global", {6, 11, 2, 0x7f, 0, 0x41, 0, 0x0b, 0x7f, 0, 0x23, 0, 0x0b}},
    };
    for (const Row& row : rows) {
        const Bytes wasm = module_of(row.sections);
        const Result<void> mine = wrun_validates(wasm);
        const std::string refusal = refusal_of(wasm);
        EXPECT_NE(mine.ok(), refusal.empty()) << row.name << ": the verdicts are the same";
        EXPECT_NE(known_reading(wasm, mine, refusal), "")
            << row.name << ": " << describe(mine.error()) << " / " << refusal;
    }
}

/// What wrong engines might say of bytes that are next to them.
TEST_F(Readings, FaultsNextToThemAreFindings) {
    constexpr u16 typed = to_underlying(Feature::function_references);
    const Bytes padded = module_of({5, 7, 1, 0, 0x80, 0x80, 0x80, 0x80, 0});
    const Bytes maximum = module_of({5, 9, 1, 1, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0});
    const Bytes named = module_of({2, 7, 1, 1, 'a', 1, 'b', 0x7f, 0});
    const Bytes indexed = module_of({4, 5, 1, 0x63, 0, 0, 1});
    const struct {
        const char* name;
        const Bytes& wasm;
        Error mine;
    } rows[] = {
        {"a bound of five bytes", padded, {ErrorCode::integer_too_long, 0, 12}},
        {"a long bound, another offset", maximum, {ErrorCode::integer_too_long, 0, 12}},
        {"a long bound, another error", maximum, {ErrorCode::integer_too_large, 0, 13}},
        {"the long bound", padded, {ErrorCode::unexpected_end, 0, 12}},
        {"a kind of a named import", named, {ErrorCode::malformed_import_kind, 0, 15}},
        {"another reference", indexed, {ErrorCode::unsupported_feature, typed, 11}},
    };
    for (const auto& row : rows)
        EXPECT_EQ(known_reading(row.wasm, row.mine, ""), "") << row.name;
}

TEST_F(Readings, AnOwnGlobalMustBeConstant) {
    const Bytes wasm = module_of({6, 11, 2, 0x7f, 1, 0x41, 0, 0x0b, 0x7f, 0, 0x23, 0, 0x0b});
    const std::string refusal = refusal_of(wasm);
    EXPECT_NE(refusal.find("locally defined global"), std::string::npos) << refusal;
    EXPECT_FALSE(wrun_validates(wasm).ok());
    EXPECT_EQ(known_reading(wasm, {}, refusal), "");
}

TEST_F(Readings, TranscriptsAreSkippedForTheirReadings) {
    Transcript mine;
    mine.verdict = Verdict::refused;
    mine.events = {{.what = What::verdict, .bits = to_underlying(mine.verdict)}};
    Transcript second;
    second.events = {{.what = What::verdict}};
    using Kind = Comparison::Kind;
    EXPECT_EQ(
        compare_modules(module_of({4, 5, 1, 0x63, 0x70, 0, 1}), mine, second).kind, Kind::skipped);
    // wrun takes this one: that a compile refused it is a finding.
    EXPECT_EQ(
        compare_modules(module_of({4, 4, 1, 0x70, 0, 1}), mine, second).kind, Kind::different);
}

}  // namespace
}  // namespace wrun::differ
