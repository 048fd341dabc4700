// One folder by descriptor, and the files right in it by name: never through a symbolic link, never
// outside. What a cache and a writer of files need to replace a file at once: make another, rename.
#pragma once

#include <string>
#include <vector>

#include "base/os_file.hpp"

namespace wrun::os {

class Folder {
public:
    Folder() = default;
    [[nodiscard]] static Result<Folder> open(const std::string& path) noexcept;
    /// Not where a symbolic link of this name leads.
    [[nodiscard]] static Result<Folder> open_itself(const std::string& path) noexcept;
    /// For its owner alone. It may be there already.
    [[nodiscard]] static Result<void> make(const std::string& path) noexcept;

    [[nodiscard]] explicit operator bool() const noexcept { return bool{descriptor_}; }
    [[nodiscard]] Result<FileStatus> status() const noexcept {
        return status_of(descriptor_.number());
    }
    [[nodiscard]] Result<FileStatus> status(const std::string& name) const noexcept;

    [[nodiscard]] Result<File> open_file(const std::string& name) const noexcept;
    /// For writing; fails when there is one.
    [[nodiscard]] Result<File> create(const std::string& name, u32 permissions) const noexcept;
    /// Replaces a file that has the name already.
    [[nodiscard]] Result<void> rename(
        const std::string& from, const std::string& to) const noexcept;
    [[nodiscard]] Result<void> remove(const std::string& name) const noexcept;
    /// All names but "." and "..".
    [[nodiscard]] Result<std::vector<std::string>> names() const;

private:
    [[nodiscard]] static Result<Folder> open(const std::string& path, int flags) noexcept;

    File descriptor_;
};

/// Its modification time is now.
[[nodiscard]] Result<void> touch(int file) noexcept;
[[nodiscard]] Result<void> set_permissions(int file, u32 permissions) noexcept;
/// Of the calendar, since 1970: now, and when the system started.
[[nodiscard]] i64 calendar_ns() noexcept;
[[nodiscard]] i64 system_start_ns() noexcept;
[[nodiscard]] u32 effective_user() noexcept;
[[nodiscard]] u32 process_number() noexcept;

}  // namespace wrun::os
