// What a path names: the file is opened for nothing but its identity (O_PATH) and then asked
// itself.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "wasi/areas/areas.hpp"
#include "wasi/beneath.hpp"
#include "wasi/stat.hpp"
#include "wasi/times.hpp"

namespace wrun::wasi::areas {
namespace {

Answer<os::File> identify(
    Call& call, const Descriptor& directory, u32 path, u32 path_length, bool follow) {
    GuestPath guest_path;
    WRUN_TRY(guest_path.read(call.memory, path, path_length));
    return open_beneath(
        directory.number(), guest_path.c_str(), O_PATH | (follow ? 0u : u64{O_NOFOLLOW}));
}

Answer<bool> follows(u32 lookup) {
    if ((lookup & ~lookupflags::symlink_follow) != 0) return Errno::inval;
    return lookup != 0;
}

Errno set_times(int file, const timespec* times) {
    if (::utimensat(file, "", times, AT_EMPTY_PATH) == 0) return Errno::success;
    // Linux 5.6 and 5.7 have openat2 and not this; their way to an O_PATH file is its magic link,
    // which leads to the very file and follows nothing behind it.
    if (errno != EINVAL) return last_errno();
    std::array<char, 32> link{};
    static_cast<void>(std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", file));
    return errno_of_call(::utimensat(AT_FDCWD, link.data(), times, 0));
}

}  // namespace

Errno path_filestat_get(Call& call, u32 fd, u32 lookup, u32 path, u32 path_length, u32 record) {
    const bool follow = WRUN_TRY(follows(lookup));
    const Descriptor* const directory =
        WRUN_TRY(call.state.descriptors().directory(fd, rights::path_filestat_get));
    const os::File file = WRUN_TRY(identify(call, *directory, path, path_length, follow));
    struct stat status {};
    if (::fstat(file.number(), &status) != 0) return last_errno();
    return store_filestat(call, record, status);
}

Errno path_filestat_set_times(
    Call& call, u32 fd, u32 lookup, u32 path, u32 path_length, u64 atim, u64 mtim, u32 fst_flags) {
    const bool follow = WRUN_TRY(follows(lookup));
    const auto times = WRUN_TRY(file_times(atim, mtim, fst_flags));
    const Descriptor* const directory =
        WRUN_TRY(call.state.descriptors().directory(fd, rights::path_filestat_set_times));
    if (directory->read_only) return Errno::rofs;
    const os::File file = WRUN_TRY(identify(call, *directory, path, path_length, follow));
    return set_times(file.number(), times.data());
}

Errno path_readlink(
    Call& call, u32 fd, u32 path, u32 path_length, u32 buffer, u32 length, u32 used) {
    const Descriptor* const directory =
        WRUN_TRY(call.state.descriptors().directory(fd, rights::path_readlink));
    const auto view = call.memory.view_for_system(buffer, length);
    if (!view) return Errno::fault;
    WRUN_TRY(call.check(used, 4));
    const os::File file = WRUN_TRY(identify(call, *directory, path, path_length, false));
    struct stat status {};
    if (::fstat(file.number(), &status) != 0) return last_errno();
    if (!S_ISLNK(status.st_mode)) return Errno::inval;
    // The kernel refuses a buffer of nothing, which to a guest is a question like any other.
    if (length == 0) return call.store(used, u32{0});
    const ssize_t bytes =
        ::readlinkat(file.number(), "", reinterpret_cast<char*>(view->data()), view->size());
    if (bytes < 0) return last_errno();
    return call.store(used, static_cast<u32>(bytes));
}

}  // namespace wrun::wasi::areas
