// Every code has words, and a described error says where and which feature.
#include "base/errors.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>

#include "base/features.hpp"
#include "tests/support/matchers.hpp"

namespace wrun {
namespace {

constexpr ErrorCode all_codes[] = {
#define WRUN_ERROR(name, kind, text) ErrorCode::name,
#include "base/errors.def"
#undef WRUN_ERROR
};

TEST(Errors, EachCodeHasWordsAndAClass) {
    for (const ErrorCode code : all_codes) {
        EXPECT_FALSE(message(code).empty());
        EXPECT_NE(message(code), "ok");
        EXPECT_NE(name(error_class(code)), "unknown");
    }
}

TEST(Errors, NoTwoCodesShareTheirWords) {
    std::set<std::string_view> seen;
    for (const ErrorCode code : all_codes) {
        EXPECT_TRUE(seen.insert(message(code)).second) << message(code);
    }
}

TEST(Errors, DescribesCodeAndOffset) {
    EXPECT_EQ(describe(Error{ErrorCode::type_mismatch, 0, 38}), "type mismatch (at byte 38)");
    EXPECT_EQ(describe(Error{ErrorCode::unknown_import}), "unknown import");
}

TEST(Errors, NamesTheFeatureThatIsMissing) {
    const Error error{ErrorCode::unsupported_feature, to_underlying(Feature::threads), 7};
    EXPECT_EQ(describe(error), "unsupported: threads (at byte 7)");
}

TEST(Errors, NamesTheSystemsErrorWhenThereIsOne) {
    EXPECT_EQ(describe(Error{ErrorCode::io, ENOENT}), "No such file or directory");
    EXPECT_EQ(describe(Error{ErrorCode::io}), "input/output error");
}

TEST(Results, GiveTheValueOrTheError) {
    const Result<u32> seven = u32{7};
    ASSERT_TRUE(seven.ok());
    EXPECT_EQ(seven.value(), 7u);
    const Result<u32> none = Error{ErrorCode::unexpected_end, 0, 3};
    EXPECT_THAT(none, build::fails(ErrorCode::unexpected_end, build::at_offset(3)));
}

Result<u32> add(Result<u32> a, Result<u32> b) {
    return WRUN_TRY(a)
    +WRUN_TRY(b);
}

TEST(Results, TryTakesTheValueOrReturnsTheFirstError) {
    EXPECT_EQ(add(u32{3}, u32{4}).take(), 7u);
    EXPECT_THAT(
        add(Error{ErrorCode::io}, Error{ErrorCode::type_mismatch}), build::fails(ErrorCode::io));
    EXPECT_THAT(
        add(u32{3}, Error{ErrorCode::type_mismatch}), build::fails(ErrorCode::type_mismatch));
}

TEST(Features, TheDefaultSetIsTwoPointZeroWithoutSimd) {
    const FeatureSet features = default_features();
    for (const Feature on : {Feature::mvp, Feature::mutable_globals, Feature::sign_extension,
             Feature::saturating_trunc, Feature::multi_value, Feature::bulk_memory,
             Feature::reference_types, Feature::extended_const}) {
        EXPECT_TRUE(features.has(on)) << name(on);
    }
    EXPECT_FALSE(features.has(Feature::threads));
    EXPECT_FALSE(features.has(Feature::gc));
}

TEST(Features, AreSetAndClearedOneByOne) {
    FeatureSet features;
    EXPECT_EQ(features.bits(), 0u);
    features.set(Feature::threads);
    EXPECT_TRUE(features.has(Feature::threads));
    EXPECT_FALSE(features.has(Feature::gc));
    features.set(Feature::threads, false);
    EXPECT_EQ(features, FeatureSet{});
}

}  // namespace
}  // namespace wrun
