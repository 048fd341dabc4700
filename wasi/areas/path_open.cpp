// Opening files and directories by path.
#include <fcntl.h>
#include <sys/stat.h>

#include "wasi/areas/areas.hpp"
#include "wasi/beneath.hpp"

namespace wrun::wasi::areas {
namespace {

constexpr u64 created_mode = 0666;  // less the host's umask

u64 host_flags(u32 fd_flags) {
    return ((fd_flags & fdflags::append) != 0 ? O_APPEND : 0) |
           ((fd_flags & fdflags::dsync) != 0 ? O_DSYNC : 0) |
           ((fd_flags & fdflags::nonblock) != 0 ? O_NONBLOCK : 0) |
           ((fd_flags & (fdflags::sync | fdflags::rsync)) != 0 ? O_SYNC : 0);
}

u64 host_access(Rights base) {
    if ((base & rights::fd_write) == 0) return O_RDONLY;
    return (base & (rights::fd_read | rights::fd_readdir)) != 0 ? O_RDWR : O_WRONLY;
}

struct Request {
    u64 flags = 0;
    bool creates = false;
};

/// Without O_CREAT first: what is there may be opened, and what is not cannot be made.
Answer<os::File> open_read_only(int directory, const GuestPath& path, const Request& request) {
    if ((request.flags & (O_ACCMODE | O_TRUNC)) != O_RDONLY) return Errno::rofs;
    const u64 flags = request.flags & ~u64{O_CREAT | O_EXCL};
    Answer<os::File> opened = open_beneath(directory, path.c_str(), flags);
    if (!request.creates) return opened;
    if (!opened.ok()) return opened.error() == Errno::noent ? Errno::rofs : opened.error();
    if ((request.flags & O_EXCL) != 0) return Errno::exist;
    return opened;
}

Answer<Descriptor> describe(
    os::File file, const Descriptor& parent, Rights base, Rights inheriting, u64 access) {
    struct stat status {};
    if (::fstat(file.number(), &status) != 0) return last_errno();
    Descriptor result;
    result.type = filetype_of(status, file.number());
    Rights granted = base & rights_for(result.type, file.number());
    if (access == O_RDONLY) granted &= ~rights::of_writer;
    if (access == O_WRONLY) granted &= ~rights::fd_read;
    result.rights_base = granted;
    result.rights_inheriting = result.type == Filetype::directory ? inheriting : 0;
    result.read_only = parent.read_only;
    result.owned = std::move(file);
    return result;
}

}  // namespace

Errno path_open(Call& call, u32 fd, u32 lookup, u32 path, u32 path_length, u32 o_flags, u64 base,
    u64 inheriting, u32 fd_flags, u32 opened) {
    if ((o_flags & ~oflags::all) != 0 || (fd_flags & ~u32{fdflags::all}) != 0 ||
        (lookup & ~lookupflags::symlink_follow) != 0)
        return Errno::inval;
    const bool creates = (o_flags & oflags::creat) != 0;
    const bool truncates = (o_flags & oflags::trunc) != 0;
    const bool wants_directory = (o_flags & oflags::directory) != 0;
    if (creates && wants_directory) return Errno::inval;

    DescriptorTable& table = call.state.descriptors();
    Rights needed = rights::path_open;
    if (creates) needed |= rights::path_create_file;
    if (truncates) needed |= rights::path_filestat_set_size;
    const Descriptor* const parent = WRUN_TRY(table.directory(fd, needed));
    base &= rights::all;
    inheriting &= rights::all;
    if (((base | inheriting) & ~parent->rights_inheriting) != 0) return Errno::notcapable;

    GuestPath guest_path;
    WRUN_TRY(guest_path.read(call.memory, path, path_length));
    WRUN_TRY(call.check(opened, 4));
    WRUN_TRY(table.room());

    const u64 access = host_access(base);
    // Where somebody waits for the guest nothing may block, not even opening a named pipe.
    const u64 never_blocks = call.state.waiter() != nullptr ? O_NONBLOCK : 0;
    const Request request{.flags = access | never_blocks | host_flags(fd_flags) |
                                   (creates ? O_CREAT : 0) | (truncates ? O_TRUNC : 0) |
                                   (wants_directory ? O_DIRECTORY : 0) |
                                   ((o_flags & oflags::excl) != 0 && creates ? O_EXCL : 0) |
                                   ((lookup & lookupflags::symlink_follow) != 0 ? 0 : O_NOFOLLOW),
        .creates = creates};
    os::File file =
        WRUN_TRY(parent->read_only ? open_read_only(parent->number(), guest_path, request)
                                   : open_beneath(parent->number(), guest_path.c_str(),
                                         request.flags, creates ? created_mode : 0));
    Descriptor descriptor = WRUN_TRY(describe(std::move(file), *parent, base, inheriting, access));
    descriptor.flags = static_cast<u16>(fd_flags);
    return call.store(opened, WRUN_TRY(table.insert(std::move(descriptor))));
}

}  // namespace wrun::wasi::areas
