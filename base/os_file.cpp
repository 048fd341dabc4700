// Files by descriptor (Linux).
#include "base/os_file.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace wrun::os {

static_assert(no_such_file == ENOENT);

namespace {

[[nodiscard]] Error io_error() noexcept {
    return {ErrorCode::io, static_cast<u16>(errno)};
}

[[nodiscard]] i64 nanoseconds(const timespec& time) noexcept {
    return i64{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

void File::close() noexcept {
    // The number is free even when that fails, so there is nothing to do again.
    if (number_ >= 0) ::close(number_);
}

File File::copy() const noexcept {
    return File{::fcntl(number_, F_DUPFD_CLOEXEC, 0)};
}

Result<File> File::open(int folder, const char* path, int flags, u32 permissions) noexcept {
    int number = 0;
    do {
        number = ::openat(folder, path, flags | O_CLOEXEC, permissions);
    } while (number < 0 && errno == EINTR);
    if (number < 0) return io_error();
    return File{number};
}

Result<File> File::open_for_reading(const std::string& path) noexcept {
    return open(AT_FDCWD, path.c_str(), O_RDONLY);
}

FileStatus status_from(const struct stat& found) noexcept {
    FileStatus status;
    status.device = found.st_dev;
    status.inode = found.st_ino;
    status.bytes = static_cast<u64>(found.st_size);
    status.modified_ns = nanoseconds(found.st_mtim);
    status.changed_ns = nanoseconds(found.st_ctim);
    status.owner = found.st_uid;
    status.permissions = found.st_mode & 07777;
    status.is_regular = S_ISREG(found.st_mode);
    status.is_folder = S_ISDIR(found.st_mode);
    return status;
}

Result<FileStatus> status_of(int file) noexcept {
    struct stat found {};
    if (::fstat(file, &found) != 0) return io_error();
    return status_from(found);
}

Result<void> write_at(int file, u64 offset, std::span<const u8> bytes) noexcept {
    rlimit limit{};
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && offset + bytes.size() > limit.rlim_cur) {
        return Error{ErrorCode::io, EFBIG};
    }
    while (!bytes.empty()) {
        const ssize_t written =
            ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return io_error();
        if (written == 0) return Error{ErrorCode::io, ENOSPC};
        offset += static_cast<u64>(written);
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
}

Result<void> read_at(int file, u64 offset, std::span<u8> bytes) noexcept {
    while (!bytes.empty()) {
        const ssize_t got = ::pread(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return io_error();
        if (got == 0) return Error{ErrorCode::io, EIO};
        offset += static_cast<u64>(got);
        bytes = bytes.subspan(static_cast<std::size_t>(got));
    }
    return {};
}

}  // namespace wrun::os
