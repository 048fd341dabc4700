// Folders by descriptor (Linux).
#include "base/os_folder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>

namespace wrun::os {

namespace {

[[nodiscard]] Error io_error() noexcept {
    return {ErrorCode::io, static_cast<u16>(errno)};
}

[[nodiscard]] Result<void> done(int answer) noexcept {
    return answer == 0 ? Result<void>{} : io_error();
}

[[nodiscard]] i64 now_ns(clockid_t clock) noexcept {
    timespec now{};
    (void)clock_gettime(clock, &now);
    return i64{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

Result<Folder> Folder::open(const std::string& path) noexcept {
    return open(path, 0);
}

Result<Folder> Folder::open_itself(const std::string& path) noexcept {
    return open(path, O_NOFOLLOW);
}

Result<Folder> Folder::open(const std::string& path, int flags) noexcept {
    Folder folder;
    folder.descriptor_ =
        WRUN_TRY(File::open(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | flags));
    return folder;
}

Result<void> Folder::make(const std::string& path) noexcept {
    if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
    return io_error();
}

Result<FileStatus> Folder::status(const std::string& name) const noexcept {
    struct stat found {};
    if (::fstatat(descriptor_.number(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
        return io_error();
    }
    return status_from(found);
}

Result<File> Folder::open_file(const std::string& name) const noexcept {
    // A pipe of that name must not keep us waiting.
    return File::open(descriptor_.number(), name.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
}

Result<File> Folder::create(const std::string& name, u32 permissions) const noexcept {
    return File::open(
        descriptor_.number(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, permissions);
}

Result<void> Folder::rename(const std::string& from, const std::string& to) const noexcept {
    const int folder = descriptor_.number();
    return done(::renameat(folder, from.c_str(), folder, to.c_str()));
}

Result<void> Folder::remove(const std::string& name) const noexcept {
    return done(::unlinkat(descriptor_.number(), name.c_str(), 0));
}

Result<std::vector<std::string>> Folder::names() const {
    // Of its own, as reading moves the position that all copies of a descriptor share.
    const int number = ::openat(descriptor_.number(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (number < 0) return io_error();
    DIR* const folder = ::fdopendir(number);
    if (folder == nullptr) {
        const Error error = io_error();
        ::close(number);
        return error;
    }
    std::vector<std::string> names;
    while (const dirent* const entry = ::readdir(folder)) {
        std::string name = entry->d_name;
        if (name != "." && name != "..") names.push_back(std::move(name));
    }
    ::closedir(folder);
    return names;
}

Result<void> touch(int file) noexcept {
    return done(::futimens(file, nullptr));
}

Result<void> set_permissions(int file, u32 permissions) noexcept {
    return done(::fchmod(file, permissions));
}

i64 calendar_ns() noexcept {
    return now_ns(CLOCK_REALTIME);
}

i64 system_start_ns() noexcept {
    return now_ns(CLOCK_REALTIME) - now_ns(CLOCK_BOOTTIME);
}

u32 effective_user() noexcept {
    return ::geteuid();
}

u32 process_number() noexcept {
    return static_cast<u32>(::getpid());
}

}  // namespace wrun::os
