// The command line of wrun-spec, and which scripts it asks for. Whatever is mistyped is an error: a
// run of nothing must never look like a run without failures.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.hpp"
#include "codegen/bounds.hpp"
#include "codegen/stress.hpp"
#include "engine/engine.hpp"
#include "spec-tests/sets.hpp"

namespace wrun::spec {

struct Options {
    std::vector<std::string> sets;
    std::vector<std::string> folders;  // of --dir
    std::vector<std::string> files;
    std::string csv;
    std::string known;  // another list of known failures
    bool all = false;
    bool list = false;
    bool verbose = false;
    bool help = false;
    u32 timeout_seconds = 120;  // of one script
    u32 homes_max = 16;         // of the code generator
    codegen::StressModes stress;
    runtime::Bounds bounds = runtime::Bounds::guard;
    engine::Compilation compilation = engine::Compilation::eager;
};

extern const std::string_view usage;

/// Nothing, and what is wrong in `error`, when the words are no command line of wrun-spec.
[[nodiscard]] std::optional<Options> parse_options(
    const std::vector<std::string>& words, std::string& error);

/// The scripts asked for. Data lies in `folders`, which --dir replaces. A set or a folder without
/// scripts is an error: a name mistyped must not pass as "nothing failed".
[[nodiscard]] std::optional<std::vector<ScriptFile>> select_scripts(
    const Options& options, std::vector<std::string> folders, std::string& error);

}  // namespace wrun::spec
