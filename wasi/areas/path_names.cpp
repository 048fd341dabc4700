// Making, moving and removing names. Each works on the bare last component in its opened directory;
// the kernel follows nothing there. What POSIX says about trailing slashes is answered here.
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wasi/areas/areas.hpp"
#include "wasi/beneath.hpp"

namespace wrun::wasi::areas {
namespace {

struct Place {
    u32 fd;
    u32 path;
    u32 path_length;
};

/// A name that is to be made, moved or removed below a descriptor that allows it.
class Target {
public:
    [[nodiscard]] Answer<void> resolve(Call& call, Place place, Rights needed) {
        const Descriptor* const directory =
            WRUN_TRY(call.state.descriptors().directory(place.fd, needed));
        if (directory->read_only) return Errno::rofs;
        WRUN_TRY(path_.read(call.memory, place.path, place.path_length));
        return entry_.resolve(directory->number(), path_);
    }
    [[nodiscard]] int directory() const noexcept { return entry_.directory(); }
    [[nodiscard]] const char* name() const noexcept { return entry_.name(); }
    [[nodiscard]] bool is_plain() const noexcept { return entry_.kind() == EntryName::Kind::plain; }
    [[nodiscard]] bool is_dot() const noexcept { return entry_.kind() == EntryName::Kind::dot; }
    [[nodiscard]] bool trailing_slash() const noexcept { return entry_.trailing_slash(); }

    /// What is there now, a symlink as itself.
    [[nodiscard]] Answer<Filetype> filetype() const noexcept {
        struct stat status {};
        if (::fstatat(directory(), name(), &status, AT_SYMLINK_NOFOLLOW) != 0) return last_errno();
        return filetype_of(status);
    }
    /// Only a directory may be made or found under a name with a slash behind it.
    [[nodiscard]] Answer<void> refuse_slash_on_file() const noexcept {
        if (!trailing_slash()) return {};
        const Answer<Filetype> there = filetype();
        return there.ok() ? Errno::exist : there.error();
    }

private:
    GuestPath path_;
    EntryName entry_;
};

}  // namespace

Errno path_create_directory(Call& call, u32 fd, u32 path, u32 path_length) {
    Target target;
    WRUN_TRY(target.resolve(call, {fd, path, path_length}, rights::path_create_directory));
    if (!target.is_plain()) return Errno::exist;
    return errno_of_call(::mkdirat(target.directory(), target.name(), 0777));
}

Errno path_link(Call& call, u32 source_fd, u32 lookup, u32 source, u32 source_length, u32 target_fd,
    u32 target, u32 target_length) {
    if (lookup != 0) return Errno::inval;
    // A link made elsewhere to a file that may only be read would be a way to write it.
    Target from;
    WRUN_TRY(from.resolve(call, {source_fd, source, source_length}, rights::path_link_source));
    Target to;
    WRUN_TRY(to.resolve(call, {target_fd, target, target_length}, rights::path_link_target));
    if (!to.is_plain()) return Errno::exist;
    if (!from.is_plain()) return Errno::perm;
    if (from.trailing_slash()) {
        // With a slash it can only be a directory, and directories have one name.
        const Filetype there = WRUN_TRY(from.filetype());
        return there == Filetype::directory ? Errno::perm : Errno::notdir;
    }
    WRUN_TRY(to.refuse_slash_on_file());
    return errno_of_call(::linkat(from.directory(), from.name(), to.directory(), to.name(), 0));
}

Errno path_remove_directory(Call& call, u32 fd, u32 path, u32 path_length) {
    Target target;
    WRUN_TRY(target.resolve(call, {fd, path, path_length}, rights::path_remove_directory));
    if (!target.is_plain()) return target.is_dot() ? Errno::inval : Errno::notempty;
    return errno_of_call(::unlinkat(target.directory(), target.name(), AT_REMOVEDIR));
}

Errno path_rename(Call& call, u32 source_fd, u32 source, u32 source_length, u32 target_fd,
    u32 target, u32 target_length) {
    Target from;
    WRUN_TRY(from.resolve(call, {source_fd, source, source_length}, rights::path_rename_source));
    Target to;
    WRUN_TRY(to.resolve(call, {target_fd, target, target_length}, rights::path_rename_target));
    if (!from.is_plain() || !to.is_plain()) return Errno::busy;
    if (from.trailing_slash() || to.trailing_slash()) {
        const Filetype there = WRUN_TRY(from.filetype());
        if (there != Filetype::directory) return Errno::notdir;
    }
    return errno_of_call(::renameat(from.directory(), from.name(), to.directory(), to.name()));
}

Errno path_symlink(Call& call, u32 text, u32 text_length, u32 fd, u32 path, u32 path_length) {
    GuestPath content;  // relative, like any path of a guest's
    WRUN_TRY(content.read(call.memory, text, text_length));
    Target target;
    WRUN_TRY(target.resolve(call, {fd, path, path_length}, rights::path_symlink));
    if (!target.is_plain()) return Errno::exist;
    WRUN_TRY(target.refuse_slash_on_file());
    return errno_of_call(::symlinkat(content.c_str(), target.directory(), target.name()));
}

Errno path_unlink_file(Call& call, u32 fd, u32 path, u32 path_length) {
    Target target;
    WRUN_TRY(target.resolve(call, {fd, path, path_length}, rights::path_unlink_file));
    if (!target.is_plain()) return Errno::isdir;
    if (target.trailing_slash()) {
        const Filetype there = WRUN_TRY(target.filetype());
        return there == Filetype::directory ? Errno::isdir : Errno::notdir;
    }
    return errno_of_call(::unlinkat(target.directory(), target.name(), 0));
}

}  // namespace wrun::wasi::areas
