// What a descriptor is, and which number it has.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wasi/areas/areas.hpp"
#include "wasi/stat.hpp"
#include "wasi/times.hpp"
#include "wasi/uninterrupted.hpp"

namespace wrun::wasi::areas {
namespace {

Answer<Descriptor*> preopen(Call& call, u32 fd) {
    Descriptor* const descriptor = WRUN_TRY(call.state.descriptors().get(fd));
    if (!descriptor->preopen) return Errno::badf;
    return descriptor;
}

/// `rofs` says more to a program than a missing right does, so it comes first.
Answer<Descriptor*> changeable(Call& call, u32 fd, Rights needed) {
    const Descriptor* const descriptor = WRUN_TRY(call.state.descriptors().get(fd));
    if (descriptor->read_only) return Errno::rofs;
    return call.state.descriptors().get(fd, needed);
}

}  // namespace

Errno fd_close(Call& call, u32 fd) {
    return call.state.descriptors().close(fd);
}

Errno fd_renumber(Call& call, u32 source, u32 target) {
    return call.state.descriptors().renumber(source, target);
}

Errno fd_fdstat_get(Call& call, u32 fd, u32 record) {
    const Descriptor* const descriptor = WRUN_TRY(call.state.descriptors().get(fd));
    return call.store(record, fdstat(*descriptor));
}

Errno fd_fdstat_set_flags(Call& call, u32 fd, u32 flags) {
    if ((flags & ~u32{fdflags::all}) != 0) return Errno::inval;
    Descriptor* const descriptor =
        WRUN_TRY(call.state.descriptors().get(fd, rights::fd_fdstat_set_flags));
    constexpr u16 host_can_change = fdflags::append | fdflags::nonblock;
    const u16 changeable_flags = descriptor->is_borrowed() ? fdflags::nonblock : host_can_change;
    const auto wanted = static_cast<u16>(flags);
    if (((wanted ^ descriptor->flags) & ~changeable_flags) != 0) return Errno::notsup;
    if (!descriptor->is_borrowed()) {
        const int never_blocks = call.state.waiter() != nullptr ? O_NONBLOCK : 0;
        const int host = never_blocks | ((wanted & fdflags::append) != 0 ? O_APPEND : 0) |
                         ((wanted & fdflags::nonblock) != 0 ? O_NONBLOCK : 0);
        if (::fcntl(descriptor->number(), F_SETFL, host) != 0) return last_errno();
    }
    descriptor->flags = wanted;
    return Errno::success;
}

Errno fd_fdstat_set_rights(Call& call, u32 fd, u64 base, u64 inheriting) {
    Descriptor* const descriptor = WRUN_TRY(call.state.descriptors().get(fd));
    if ((base & ~descriptor->rights_base) != 0 ||
        (inheriting & ~descriptor->rights_inheriting) != 0)
        return Errno::notcapable;
    descriptor->rights_base = base;
    descriptor->rights_inheriting = inheriting;
    return Errno::success;
}

Errno fd_filestat_get(Call& call, u32 fd, u32 record) {
    const Descriptor* const descriptor =
        WRUN_TRY(call.state.descriptors().get(fd, rights::fd_filestat_get));
    struct stat status {};  // of a stream there is nothing to say
    if (descriptor->stream == nullptr && ::fstat(descriptor->number(), &status) != 0)
        return last_errno();
    return store_filestat(call, record, status, descriptor->number());
}

Errno fd_filestat_set_size(Call& call, u32 fd, u64 size) {
    const Descriptor* const descriptor =
        WRUN_TRY(changeable(call, fd, rights::fd_filestat_set_size));
    if (size > static_cast<u64>(INT64_MAX)) return Errno::inval;
    return errno_of_call(
        uninterrupted([&] { return ::ftruncate(descriptor->number(), static_cast<off_t>(size)); }));
}

Errno fd_filestat_set_times(Call& call, u32 fd, u64 atim, u64 mtim, u32 fst_flags) {
    const auto times = WRUN_TRY(file_times(atim, mtim, fst_flags));
    const Descriptor* const descriptor =
        WRUN_TRY(changeable(call, fd, rights::fd_filestat_set_times));
    return errno_of_call(::futimens(descriptor->number(), times.data()));
}

Errno fd_prestat_get(Call& call, u32 fd, u32 record) {
    const Descriptor* const descriptor = WRUN_TRY(preopen(call, fd));
    Record<prestat_record::size> prestat;
    prestat.put<prestat_record::tag>(prestat_record::tag_dir)
        .put<prestat_record::name_len>(static_cast<u32>(descriptor->preopen->size()));
    return call.store(record, prestat);
}

Errno fd_prestat_dir_name(Call& call, u32 fd, u32 buffer, u32 length) {
    const Descriptor* const descriptor = WRUN_TRY(preopen(call, fd));
    const std::string& text = *descriptor->preopen;
    if (length < text.size()) return Errno::nametoolong;
    return call.memory.write(buffer, text.data(), text.size()) ? Errno::success : Errno::fault;
}

}  // namespace wrun::wasi::areas
