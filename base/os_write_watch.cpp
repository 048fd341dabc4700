// userfaultfd(2), write protection of pages, announced by a signal.
#include "base/os_write_watch.hpp"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace wrun::os {

namespace {

/// Pages that were never touched can be refused too. Since 6.4; Debian 12's headers do not have it.
constexpr u64 feature_unpopulated = u64{1} << 13;
constexpr u64 features = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM |
                         UFFD_FEATURE_SIGBUS | feature_unpopulated;

[[nodiscard]] uffdio_range range_of(const u8* begin, u64 bytes) noexcept {
    return {reinterpret_cast<u64>(begin), bytes};
}

[[nodiscard]] bool set_refused(int file, const u8* begin, u64 bytes, bool is_refused) noexcept {
    uffdio_writeprotect request{};
    request.range = range_of(begin, bytes);
    request.mode = is_refused ? UFFDIO_WRITEPROTECT_MODE_WP : 0;
    return ioctl(file, UFFDIO_WRITEPROTECT, &request) == 0;
}

}  // namespace

std::optional<WriteWatch> WriteWatch::open() noexcept {
    WriteWatch watch;
    // Of accesses in user mode only: for others one needs rights.
    watch.file_ =
        static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY));
    if (watch.file_ < 0) return std::nullopt;
    uffdio_api api{};
    api.api = UFFD_API;
    api.features = features;
    // Refused when the system lacks one of them.
    if (ioctl(watch.file_, UFFDIO_API, &api) == 0) return watch;
    watch.close();
    return std::nullopt;
}

void WriteWatch::close() noexcept {
    if (file_ >= 0) ::close(file_);
    file_ = -1;
}

bool WriteWatch::add(const u8* begin, u64 bytes) const noexcept {
    uffdio_register request{};
    request.range = range_of(begin, bytes);
    request.mode = UFFDIO_REGISTER_MODE_WP;
    return ioctl(file_, UFFDIO_REGISTER, &request) == 0;
}

bool WriteWatch::remove(const u8* begin, u64 bytes) const noexcept {
    uffdio_range range = range_of(begin, bytes);
    return ioctl(file_, UFFDIO_UNREGISTER, &range) == 0;
}

bool WriteWatch::refuse(const u8* begin, u64 bytes) const noexcept {
    return set_refused(file_, begin, bytes, true);
}

bool WriteWatch::allow(const u8* begin, u64 bytes) const noexcept {
    return set_refused(file_, begin, bytes, false);
}

}  // namespace wrun::os
