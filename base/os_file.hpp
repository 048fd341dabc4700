// Files of the operating system, for parts that keep things in some: a descriptor that closes
// itself, and the few questions that are asked about one. Failures are `io` errors with the errno.
#pragma once

#include <span>
#include <string>

#include "base/result.hpp"

struct stat;

namespace wrun::os {

/// Owns a descriptor; -1 is none.
class File {
public:
    File() = default;
    explicit File(int number) noexcept : number_{number} {}
    File(File&& other) noexcept : number_{std::exchange(other.number_, -1)} {}
    File& operator=(File&& other) noexcept {
        if (this != &other) {
            close();
            number_ = std::exchange(other.number_, -1);
        }
        return *this;
    }
    ~File() { close(); }

    [[nodiscard]] int number() const noexcept { return number_; }
    [[nodiscard]] explicit operator bool() const noexcept { return number_ >= 0; }

    /// Another descriptor of the same open file; none when there is none to be had.
    [[nodiscard]] File copy() const noexcept;
    /// As openat(2), relative to a folder's descriptor; closed on exec.
    [[nodiscard]] static Result<File> open(
        int folder, const char* path, int flags, u32 permissions = 0) noexcept;
    [[nodiscard]] static Result<File> open_for_reading(const std::string& path) noexcept;

private:
    void close() noexcept;
    int number_ = -1;
};

struct FileStatus {
    u64 device = 0;
    u64 inode = 0;
    u64 bytes = 0;
    i64 modified_ns = 0;  // since 1970
    i64 changed_ns = 0;
    u32 owner = 0;
    u32 permissions = 0;  // the lowest twelve bits of its mode
    bool is_regular = false;
    bool is_folder = false;
    friend bool operator==(const FileStatus&, const FileStatus&) = default;
};

[[nodiscard]] FileStatus status_from(const struct stat& found) noexcept;
[[nodiscard]] Result<FileStatus> status_of(int file) noexcept;
/// All of `bytes`, however the system cuts them. Fails where a signal would be the answer, because
/// the file would become larger than the process may make one.
[[nodiscard]] Result<void> write_at(int file, u64 offset, std::span<const u8> bytes) noexcept;
/// Fails where the file ends before `bytes` do.
[[nodiscard]] Result<void> read_at(int file, u64 offset, std::span<u8> bytes) noexcept;

/// An errno that some callers look at.
inline constexpr u16 no_such_file = 2;

}  // namespace wrun::os
