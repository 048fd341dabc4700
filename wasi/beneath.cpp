// See beneath.hpp.
#include "wasi/beneath.hpp"
#include "wasi/uninterrupted.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <string_view>

namespace wrun::wasi {
namespace {

/// With ".." in the path the kernel answers EAGAIN when a rename anywhere could have moved a
/// directory meanwhile. Renames that never end are somebody's attack, so there is an end to our
/// patience.
constexpr int attempts_max = 256;

int openat2(int directory, const char* path, u64 flags, u64 mode) noexcept {
    open_how how{};
    how.flags = flags | O_CLOEXEC | O_NOCTTY;
    how.mode = mode;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    // O_PATH allows three other flags and nothing else.
    if ((flags & O_PATH) != 0) how.flags = flags | O_CLOEXEC;
    int result = -1;
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
        result = static_cast<int>(uninterrupted(
            [&] { return ::syscall(SYS_openat2, directory, path, &how, sizeof how); }));
        if (result >= 0 || errno != EAGAIN) break;
    }
    return result;
}

}  // namespace

Answer<void> GuestPath::read(const engine::GuestMemory& memory, u32 address, u32 length) {
    const auto view = memory.view(address, length);
    if (!view) return Errno::fault;
    if (length == 0) return Errno::noent;
    if (length >= bytes_max) return Errno::nametoolong;
    std::memcpy(bytes_.data(), view->data(), length);
    if (std::memchr(bytes_.data(), 0, length) != nullptr) return Errno::inval;
    if (bytes_[0] == '/') return Errno::notcapable;
    bytes_[length] = 0;
    length_ = length;
    return {};
}

Answer<os::File> open_beneath(int directory, const char* path, u64 flags, u64 mode) {
    const int number = openat2(directory, path, flags, mode);
    if (number >= 0) return os::File{number};
    return errno == EXDEV ? Errno::notcapable : last_errno();
}

int try_open_beneath(int directory) noexcept {
    const os::File opened{openat2(directory, ".", O_PATH | O_DIRECTORY, 0)};
    return opened ? 0 : errno;
}

Answer<void> EntryName::resolve(int directory, GuestPath& path) {
    char* const begin = path.bytes_.data();
    u32 end = path.length_;
    while (begin[end - 1] == '/')
        --end;  // a path is relative, so something is left
    trailing_slash_ = end != path.length_;
    u32 start = end;
    while (start > 0 && begin[start - 1] != '/')
        --start;

    const std::string_view last{begin + start, end - start};
    if (last == "." || last == "..") {
        // Whether the whole path stays beneath is the kernel's to say, as for any other.
        kind_ = last == "." ? Kind::dot : Kind::dot_dot;
        opened_ = WRUN_TRY(open_beneath(directory, begin, O_PATH | O_DIRECTORY));
        return {};
    }

    begin[end] = 0;
    name_ = begin + start;
    given_ = directory;
    if (start > 0) {
        begin[start - 1] = 0;
        opened_ = WRUN_TRY(open_beneath(directory, begin, O_PATH | O_DIRECTORY));
    }
    return {};
}

}  // namespace wrun::wasi
