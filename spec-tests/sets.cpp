// See sets.hpp.
#include "spec-tests/sets.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <system_error>

namespace wrun::spec {
namespace {

namespace fs = std::filesystem;

/// The set of a folder, `relative` to the data folder.
std::string set_name(const fs::path& root, const fs::path& relative) {
    if (relative.empty() || relative == ".") {
        const fs::path full = fs::weakly_canonical(root);
        return full.filename().string();
    }
    std::string name = relative.generic_string();
    constexpr std::string_view proposals = "proposals/";
    if (name.starts_with(proposals)) name.erase(0, proposals.size());
    return name;
}

ScriptFile script(const std::string& set, const fs::path& path) {
    return {set, path.string(), set + '/' + path.filename().string()};
}

}  // namespace

std::vector<std::string> data_folders() {
    std::vector<std::string> folders;
    const char* named = std::getenv("WRUN_SPEC_DIR");
    folders.emplace_back(named != nullptr && *named != 0 ? named : WRUN_SPEC_DEFAULT_DIR);
    const char* extra = std::getenv("WRUN_SPEC_EXTRA");
    if (extra != nullptr && *extra != 0) folders.emplace_back(extra);
    return folders;
}

std::vector<ScriptFile> find_scripts(const std::vector<std::string>& folders) {
    std::map<std::string, std::vector<ScriptFile>> sets;
    for (const std::string& folder : folders) {
        std::map<std::string, std::vector<ScriptFile>> found;
        std::error_code error;
        fs::recursive_directory_iterator at{folder, error};
        for (const fs::recursive_directory_iterator end; !error && at != end; at.increment(error)) {
            const fs::path& path = at->path();
            if (path.extension() != ".wast") continue;
            const std::string set = set_name(folder, path.parent_path().lexically_relative(folder));
            found[set].push_back(script(set, path));
        }
        for (auto& [set, files] : found)
            sets[set] = std::move(files);
    }
    std::vector<ScriptFile> all;
    for (auto& [set, files] : sets) {
        std::sort(files.begin(), files.end(),
            [](const ScriptFile& a, const ScriptFile& b) { return a.label < b.label; });
        all.insert(all.end(), files.begin(), files.end());
    }
    return all;
}

bool is_named(std::string_view set, std::string_view wanted) {
    if (set == wanted) return true;
    return set.size() > wanted.size() && set.ends_with(wanted) &&
           set[set.size() - wanted.size() - 1] == '/';
}

ScriptFile script_at(const std::string& path) {
    std::error_code error;
    const fs::path full = fs::absolute(path, error).lexically_normal();
    ScriptFile file = script(full.parent_path().filename().string(), full);
    file.path = path;
    return file;
}

}  // namespace wrun::spec
