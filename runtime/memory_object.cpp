// See memory_object.hpp.
#include "runtime/memory_object.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace wrun::runtime {

namespace {

[[nodiscard]] Error system_error() noexcept {
    return {ErrorCode::out_of_memory, static_cast<u16>(errno)};
}

}  // namespace

int make_memory_object(const char* name, u64 size) noexcept {
    // Writing more than the process may have in a file is answered by a signal.
    rlimit limit{};
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur < size) return -1;
    // By number: newer wrappers are not in every header.
    const int file =
        static_cast<int>(syscall(SYS_memfd_create, name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (file >= 0 && ftruncate(file, static_cast<off_t>(size)) != 0) {
        close(file);
        return -1;
    }
    return file;
}

Result<void> write_memory_object(int file, u64 offset, std::span<const u8> bytes) noexcept {
    while (!bytes.empty()) {
        const ssize_t written =
            pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return system_error();
        offset += static_cast<u64>(written);
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
}

Result<void> seal_memory_object(int file) noexcept {
    constexpr int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    if (fcntl(file, F_ADD_SEALS, seals) != 0) return system_error();
    return {};
}

}  // namespace wrun::runtime
