// What a sink hears: only reachable operations, and the same from both walks.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/validator/harness.hpp"
#include "tests/validator/random_body.hpp"
#include "tests/validator/recording.hpp"

namespace wrun {
namespace {

using namespace build;
using testing::ElementsAre;

/// The names of what is announced of a valid body, after both walks were compared line by line.
std::vector<std::string> announced(const Bytes& code) {
    EXPECT_THAT(validate_body(code), succeeds());
    const Body made = make_body(code);
    const auto checked = heard_checked(made.module, made.func, default_features());
    EXPECT_EQ(checked, heard_trusted(made.module, made.func));
    return names(checked);
}

TEST(Walk, AnnouncesOffsetsNextBytesAndImmediates) {
    const Bytes code = body(i32_const(-5), i64_load(300, 2), local_set(1));
    const Body made = make_body(code);
    const auto at = [&](u32 offset) { return std::to_string(made.code_begin + offset); };
    EXPECT_THAT(lines(heard_trusted(made.module, made.func)),
        ElementsAre(at(0) + '+' + at(2) + " i32_const -5 0 0 0",
            at(2) + '+' + at(6) + " i64_load 0 300 2 0", at(6) + '+' + at(8) + " local_set 1 0 0 0",
            at(8) + '+' + at(9) + " end 0 0 0 0"));
}

TEST(Walk, AnnouncesEachKindOfImmediate) {
    announced(body(i32_const(1), i64_const(-1), f32_const(1.5), f64_const(2.5), drop(), drop(),
        drop(), drop(), block(type_i32), i32_const(1), end(), drop(), block(TypeIndex{0}), end(),
        i32_const(0), br_if(0), call(0), local_get(3), drop(), global_get(6), drop(), i32_const(0),
        table_get(1), drop(), memory_size(), drop(), data_drop(0), elem_drop(0), i32_const(0),
        call_indirect(0, 0), i32_const(0), i32_const(0), i32_const(0), memory_init(0), i32_const(0),
        i32_const(0), i32_const(0), memory_copy(), i32_const(0), i32_const(0), i32_const(0),
        table_init(0, 0), i32_const(0), i32_const(0), i32_const(0), table_copy(1, 1),
        ref_null(type_externref), ref_null(type_externref), i32_const(0), select_t(type_externref),
        drop(), ref_func(0), drop(), i32_const(0), br_table(0, 0)));
}

TEST(Walk, StopsAtWhatEndsABlockAndGoesOnBehindIt) {
    EXPECT_THAT(announced(body(block(), br(0), nop(), i32_add(), drop(), end(), nop())),
        ElementsAre("block", "br", "end", "nop", "end"));
}

TEST(Walk, PassesOverDeadBlocksWhole) {
    EXPECT_THAT(announced(body(block(), return_(), block(), loop(), nop(), end(), i32_const(1),
                    if_(), nop(), else_(), nop(), end(), end(), nop(), end())),
        ElementsAre("block", "return_", "end", "end"));
}

TEST(Walk, AnnouncesElseBehindADeadThen) {
    EXPECT_THAT(
        announced(body(i32_const(1), if_(), build::unreachable(), nop(), else_(), nop(), end())),
        ElementsAre("i32_const", "if_", "unreachable", "else_", "nop", "end", "end"));
}

TEST(Walk, AnnouncesTheEndOfADeadElse) {
    EXPECT_THAT(
        announced(body(i32_const(1), if_(), nop(), else_(), return_(), nop(), end(), nop())),
        ElementsAre("i32_const", "if_", "nop", "else_", "return_", "end", "nop", "end"));
}

TEST(Walk, AnnouncesTheFunctionsEndBehindDeadCode) {
    EXPECT_THAT(announced(body(build::unreachable(), i32_add(), drop())),
        ElementsAre("unreachable", "end"));
    EXPECT_THAT(announced(body()), ElementsAre("end"));
}

TEST(Walk, AnnouncesTheSameInBothModesForRandomBodies) {
    std::size_t lines = 0;
    for (u32 seed = 0; seed < 400; ++seed) {
        const Bytes code = RandomBody{seed}.make(12, 6);
        ASSERT_THAT(validate_body(code), succeeds()) << seed;
        const Body made = make_body(code);
        const auto checked = heard_checked(made.module, made.func, default_features());
        ASSERT_EQ(checked, heard_trusted(made.module, made.func)) << seed;
        lines += checked.size();
    }
    EXPECT_GT(lines, 10'000u);
}

TEST(Walk, AnnouncesTheSameInBothModesForRealPrograms) {
    const char* const folder = std::getenv("WRUN_GUESTS");
    if (folder == nullptr) GTEST_SKIP() << "WRUN_GUESTS names no folder of programs";
    u32 programs = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{folder}) {
        if (entry.path().extension() != ".wasm") continue;
        SCOPED_TRACE(entry.path());
        std::ifstream file{entry.path(), std::ios::binary};
        const Bytes bytes{std::istreambuf_iterator<char>{file}, {}};
        Result<Module> module = decode(bytes, default_features());
        if (!module.ok() && module.error().code == ErrorCode::unsupported_feature) continue;
        ASSERT_THAT(module, succeeds());
        ASSERT_THAT(validate_module(module.value(), default_features()), succeeds());
        for (u32 i = module.value().imported_function_count; i < module.value().functions.size();
             ++i) {
            const FuncIndex func{i};
            const auto checked = heard_checked(module.value(), func, default_features());
            ASSERT_FALSE(checked.empty());
            ASSERT_EQ(checked, heard_trusted(module.value(), func))
                << module.value().function_name(func);
        }
        ++programs;
    }
    EXPECT_GT(programs, 0u);
}

TEST(Walk, SkipsTypedLocalsOfATrustedBody) {
    FeatureSet features = default_features();
    features.set(Feature::function_references);
    ModuleBuilder builder;
    builder.function(
        {}, {}, body(nop()), {{1, ValType::reference(TypeIndex{0}, true)}, {200, type_i64}});
    const Bytes bytes = builder.bytes();
    Result<Module> module = decode(bytes, features);
    ASSERT_THAT(module, succeeds());
    ASSERT_THAT(build::validate(bytes, features), succeeds());
    EXPECT_EQ(heard_trusted(module.value(), FuncIndex{0}),
        heard_checked(module.value(), FuncIndex{0}, features));
}

}  // namespace
}  // namespace wrun
