// The official scripts themselves, without an engine: every one is read, every module is assembled,
// and the numbers of commands are those of suite_counts.csv, so that no command is dropped on the
// way to a run.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>

#include "spec-tests/assemble.hpp"
#include "spec-tests/report.hpp"
#include "spec-tests/sets.hpp"
#include "tests/support/wat.hpp"

namespace wrun::spec {
namespace {

using CountsBySet = std::map<std::string, std::map<std::string, u64>>;

std::string read_file(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    EXPECT_TRUE(file) << path;
    return {std::istreambuf_iterator<char>{file}, {}};
}

struct Committed {
    std::string version;  // of the suite that the counts are of
    CountsBySet counts;   // the kind `files` counts scripts
};

Committed committed() {
    Committed result;
    std::istringstream rows{read_file(WRUN_SOURCE_DIR "/tests/spec-tests/suite_counts.csv")};
    std::string set;
    std::string kind;
    std::string count;
    while (std::getline(rows, set, ',') && std::getline(rows, kind, ',') &&
           std::getline(rows, count)) {
        if (kind == "version") {
            result.version = count;
        } else if (kind != "kind") {
            result.counts[set][kind] = std::stoull(count);
        }
    }
    return result;
}

bool has_module(CommandKind kind) {
    switch (kind) {
        case CommandKind::module:
        case CommandKind::module_definition:
        case CommandKind::assert_invalid:
        case CommandKind::assert_unlinkable:
        case CommandKind::assert_uninstantiable: return true;
        default: return false;
    }
}

/// Whether the scripts at hand are those of that version: the environment may name others.
bool is_version(const std::string& version) {
    std::ifstream manifest{data_folders()[0] + "/../Cargo.toml"};
    const std::string text{std::istreambuf_iterator<char>{manifest}, {}};
    return text.find("\nversion = \"" + version + "\"\n") != std::string::npos;
}

class Suite : public testing::Test {
protected:
    void SetUp() override {
        scripts_ = find_scripts({data_folders()[0]});
        if (scripts_.empty()) GTEST_SKIP() << "no official scripts here; tools/setup fetches them";
    }

    std::vector<Command> commands(const ScriptFile& script) {
        ScriptError error;
        std::optional<std::vector<Command>> parsed = parse_script(read_file(script.path), error);
        EXPECT_TRUE(parsed) << script.label << ':' << error.at.line << ": " << error.message;
        return parsed ? std::move(*parsed) : std::vector<Command>{};
    }

    std::vector<ScriptFile> scripts_;
};

TEST_F(Suite, NoCommandIsDropped) {
    const auto [version, expected] = committed();
    if (!is_version(version)) GTEST_SKIP() << "these scripts are not those of " << version;
    CountsBySet found;
    for (const ScriptFile& script : scripts_) {
        if (!expected.contains(script.set)) continue;
        ++found[script.set]["files"];
        for (const Command& command : commands(script))
            ++found[script.set][std::string{name(command.kind)}];
    }
    EXPECT_EQ(found, expected);
}

TEST_F(Suite, EveryModuleAssembles) {
    if (!wat::available()) GTEST_SKIP() << wat::unavailable_reason();
    for (const ScriptFile& script : scripts_) {
        for (const Command& command : commands(script)) {
            std::string error;
            if (has_module(command.kind) && !assemble(command.source, error))
                ADD_FAILURE() << script.label << ':' << command.at.line << ": " << error;
        }
    }
}

}  // namespace
}  // namespace wrun::spec
