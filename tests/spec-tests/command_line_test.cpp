// The command line, the choice of scripts, and the list of known failures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "spec-tests/known_failures.hpp"
#include "spec-tests/options.hpp"

namespace wrun::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Options options(const std::vector<std::string>& words) {
    std::string error;
    std::optional<Options> parsed = parse_options(words, error);
    EXPECT_TRUE(parsed.has_value()) << error;
    return parsed ? *parsed : Options{};
}

TEST(Options, SetsAreWordsOrAList) {
    EXPECT_THAT(options({"--set", "a"}).sets, ElementsAre("a"));
    EXPECT_THAT(options({"--set", "a", "b", "--set", "c,d", "--all"}).sets,
        ElementsAre("a", "b", "c", "d"));
    const Options with_file = options({"--set", "a", "x.wast"});
    EXPECT_THAT(with_file.sets, ElementsAre("a"));
    EXPECT_THAT(with_file.files, ElementsAre("x.wast"));
}

TEST(Options, OthersAreTaken) {
    const Options taken = options({"--dir", "d", "e", "--csv", "f", "--list", "--verbose",
        "--timeout", "7", "--homes", "0", "--stress", "spill,check", "--bounds", "checked"});
    EXPECT_THAT(taken.folders, ElementsAre("d", "e"));
    EXPECT_EQ(taken.csv, "f");
    EXPECT_TRUE(taken.list);
    EXPECT_TRUE(taken.verbose);
    EXPECT_FALSE(taken.all);
    EXPECT_EQ(taken.timeout_seconds, 7U);
    EXPECT_EQ(taken.homes_max, 0U);
    EXPECT_EQ(taken.stress, (codegen::StressModes{true, false, true}));
    EXPECT_EQ(taken.bounds, runtime::Bounds::checked);
    EXPECT_EQ(options({"--all", "--bounds", "guard"}).bounds, runtime::Bounds::guard);
}

TEST(Options, MistakesAreRefused) {
    const std::vector<std::string> mistakes[] = {{}, {"--csv", "f"}, {"--set"}, {"--set", "--all"},
        {"--dir"}, {"--csv"}, {"--all", "--timeout", "0"}, {"--all", "--timeout", "x"},
        {"--all", "--homes", "-1"}, {"--all", "--homes"}, {"--all", "--stress"},
        {"--all", "--stress", "spill,x"}, {"--all", "--bounds"}, {"--all", "--bounds", "x"},
        {"--nothing"}, {"folder"}};
    for (const std::vector<std::string>& words : mistakes) {
        std::string error;
        EXPECT_FALSE(parse_options(words, error).has_value()) << testing::PrintToString(words);
        EXPECT_NE(error, "") << testing::PrintToString(words);
    }
}

/// A data folder like the official one, and one with a newer set of the same name.
class Folders : public testing::Test {
protected:
    void SetUp() override {
        root_ = std::filesystem::path{testing::TempDir()} / "wrun-spec-folders";
        std::filesystem::remove_all(root_);
        add("data/wasm-v1/b.wast");
        add("data/wasm-v1/a.wast");
        add("data/wasm-v1/README.md");
        add("data/proposals/gc/a.wast");
        add("data/proposals/memory64/old.wast");
        add("data/deep/core/simd/a.wast");
        add("extra/memory64/new.wast");
    }
    void TearDown() override { std::filesystem::remove_all(root_); }

    void add(const std::string& path) {
        std::filesystem::create_directories((root_ / path).parent_path());
        std::ofstream{root_ / path} << "(module)\n";
    }

    std::vector<std::string> select(const std::vector<std::string>& words) {
        error_.clear();
        const auto scripts = select_scripts(
            options(words), {(root_ / "data").string(), (root_ / "extra").string()}, error_);
        std::vector<std::string> labels;
        if (scripts)
            for (const ScriptFile& script : *scripts)
                labels.push_back(script.label);
        return labels;
    }

    std::filesystem::path root_;
    std::string error_;
};

TEST_F(Folders, SetsAreFoundByName) {
    EXPECT_THAT(select({"--set", "wasm-v1"}), ElementsAre("wasm-v1/a.wast", "wasm-v1/b.wast"));
    EXPECT_THAT(select({"--set", "gc", "wasm-v1"}),
        ElementsAre("gc/a.wast", "wasm-v1/a.wast", "wasm-v1/b.wast"));
    EXPECT_THAT(select({"--set", "simd"}), ElementsAre("deep/core/simd/a.wast"));
    EXPECT_THAT(select({"--set", "deep/core/simd"}), ElementsAre("deep/core/simd/a.wast"));
}

TEST_F(Folders, LaterFolderReplacesASet) {
    EXPECT_THAT(select({"--set", "memory64"}), ElementsAre("memory64/new.wast"));
}

TEST_F(Folders, AllIsAll) {
    EXPECT_THAT(select({"--all"}), ElementsAre("deep/core/simd/a.wast", "gc/a.wast",
                                       "memory64/new.wast", "wasm-v1/a.wast", "wasm-v1/b.wast"));
}

TEST_F(Folders, GivenFolderStandsForTheOthers) {
    EXPECT_THAT(select({"--dir", (root_ / "extra").string()}), ElementsAre("memory64/new.wast"));
    EXPECT_THAT(
        select({"--dir", (root_ / "extra/memory64").string()}), ElementsAre("memory64/new.wast"));
}

TEST_F(Folders, FilesNeedNoSet) {
    EXPECT_THAT(select({(root_ / "data/proposals/gc/a.wast").string()}), ElementsAre("gc/a.wast"));
}

TEST_F(Folders, NothingFoundIsAMistake) {
    EXPECT_THAT(select({"--set", "wasm-v1", "md64"}), ElementsAre());
    EXPECT_THAT(error_, HasSubstr("no set md64"));
    EXPECT_THAT(select({"--dir", (root_ / "nowhere").string()}), ElementsAre());
    EXPECT_THAT(error_, HasSubstr("no .wast files"));
}

TEST(KnownFailures, AreReadByScriptAndLine) {
    std::string error;
    const auto known = parse_known_failures(
        "# why\n\nwasm-v2/a.wast:12 issue 7 no tail calls\nwasm-v2/a.wast:3 issue 8 b\n", error);
    ASSERT_TRUE(known.has_value()) << error;
    ASSERT_EQ(known->size(), 1U);
    EXPECT_EQ(known->at("wasm-v2/a.wast").at(12), "7 no tail calls");
    EXPECT_EQ(known->at("wasm-v2/a.wast").at(3), "8 b");
}

TEST(KnownFailures, EachHasItsIssueAndReason) {
    const char* const mistakes[] = {"a.wast:12\n", "a.wast:12 issue 7\n", "a.wast:12 issue x y\n",
        "a.wast:12 because\n", "a.wast issue 7 b\n", "a.wast:0 issue 7 b\n", "a:1 issue 7 b\n",
        "a.wast:1 issue 7 b\na.wast:1 issue 7 c\n"};
    for (const char* text : mistakes) {
        std::string error;
        EXPECT_FALSE(parse_known_failures(text, error).has_value()) << text;
        EXPECT_THAT(error, HasSubstr("known failures, line ")) << text;
    }
}

}  // namespace
}  // namespace wrun::spec
