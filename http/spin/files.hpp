// The `files` of a component as folders that its guests find, read-only. When each entry is a whole
// folder, none lies within another and nothing is excluded, the folders themselves are granted.
// Otherwise all is copied into one private folder: WASI grants folders only, and there is none that
// holds just what a pattern names. Copied, not linked: a link would show later writes to the file,
// cannot cross file systems, and is refused for files of others.
//
// Nothing outside the manifest's folder is ever taken: each path is resolved by the kernel,
// beneath.
#pragma once

#include "base/os_file.hpp"
#include "http/spin/manifest.hpp"

namespace wrun::http::spin {

struct FileLimits {
    std::size_t files_max = 100'000;
    u64 bytes_max = u64{1} << 30;
};

/// Owns the open folders and the copies, which go with it.
class MountedFiles {
public:
    struct Mount {
        os::File folder;
        std::string guest_path;
    };

    MountedFiles() = default;
    MountedFiles(MountedFiles&& other) noexcept
        : mounts_{std::move(other.mounts_)}, copies_{std::exchange(other.copies_, {})} {}
    MountedFiles& operator=(MountedFiles&& other) noexcept {
        std::swap(mounts_, other.mounts_);
        std::swap(copies_, other.copies_);
        return *this;
    }
    ~MountedFiles();

    /// What goes wrong is in the report. `temporary` is where copies may go, such as "/tmp".
    [[nodiscard]] static MountedFiles make(const Component& component, const std::string& folder,
        const std::string& temporary, Report& report, FileLimits limits = {});

    [[nodiscard]] const std::vector<Mount>& mounts() const noexcept { return mounts_; }
    /// Where copies are; empty when there are none.
    [[nodiscard]] const std::string& copies() const noexcept { return copies_; }

private:
    std::vector<Mount> mounts_;
    std::string copies_;
};

/// Whether a text fits a pattern: "*" any characters, "?" one, "[a-z]" and "[!a-z]" one of these.
[[nodiscard]] bool fits_pattern(std::string_view pattern, std::string_view text) noexcept;

}  // namespace wrun::http::spin
