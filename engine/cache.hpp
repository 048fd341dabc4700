// Compiled modules that this user's processes keep for each other in one folder. An entry's name is
// a digest of the module, the build, the CPU's features and the configuration, and the entry says
// the same inside; so the worst that a wrong or missing file does is a compilation. Beside the
// entries lie notes of which file held which module, so that a start need not read the module: a
// note is only made of a file that had not been touched for a while, as times are coarse.
//
// Nothing is locked. Entries are written under another name and renamed, removed at any time, and
// never changed; who has one mapped keeps it. Whatever is damaged, somebody else's or a link counts
// as missing. Owns the folder's descriptor.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/os_folder.hpp"
#include "base/sha256.hpp"
#include "engine/engine.hpp"

namespace wrun::engine {

class Cache {
public:
    Cache() = default;
    /// Makes the folder where it is missing, but not the one that it is in. Fails (`io` with the
    /// errno, or `cache_not_own`) when it cannot be used. What was written before
    /// `trusted_since_ns` is checked whole at its first use: the system's end may have cut it off
    /// anywhere.
    [[nodiscard]] static Result<Cache> open(
        const std::string& path, u64 bytes_max, i64 trusted_since_ns = os::system_start_ns());

    /// The module that the file of this status held when it was last read, if that was compiled as
    /// is asked for here. Nothing when in doubt.
    [[nodiscard]] std::shared_ptr<const Module> find(
        Engine& engine, const ModuleOptions& options, const os::FileStatus& file) const;
    [[nodiscard]] std::shared_ptr<const Module> find(
        Engine& engine, const ModuleOptions& options, const Sha256Digest& wasm) const;

    /// Which module a file holds or, if it is an artifact that was found whole, is of.
    [[nodiscard]] std::optional<Sha256Digest> noted(const os::FileStatus& file) const;

    /// Keeps what was compiled, then evicts what was longest not used if there is too much. What is
    /// left of a lazy module is compiled before.
    [[nodiscard]] Result<void> keep(const Module& module, const Sha256Digest& wasm) const;
    /// That the file held this module; `file` is its status before and after it was read.
    [[nodiscard]] Result<void> note(const os::FileStatus& file, const Sha256Digest& wasm) const;

    struct Contents {
        u64 modules = 0;
        u64 bytes = 0;  // of modules and notes, in whole pages
    };
    [[nodiscard]] Result<Contents> contents() const;
    /// Removes what was longest not used until there is no more than this, and what writers that
    /// were killed have left.
    [[nodiscard]] Result<void> prune(u64 bytes_max) const;

    /// A file that was touched later than this before a note was made could have been changed since
    /// without another time.
    static constexpr i64 settled_ns = 2'000'000'000;

private:
    struct Entry {
        std::string name;
        u64 bytes = 0;
        i64 used_ns = 0;
        bool is_module = false;
    };
    [[nodiscard]] Result<std::vector<Entry>> entries() const;
    struct Opened {
        os::File file;
        os::FileStatus status;
    };
    [[nodiscard]] Result<Opened> open_entry(const std::string& name) const;
    [[nodiscard]] Result<void> publish(const std::string& name, const auto& write) const;

    os::Folder folder_;
    u64 bytes_max_ = 0;
    i64 trusted_since_ns_ = 0;
};

}  // namespace wrun::engine
