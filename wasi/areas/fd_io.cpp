// Bytes in and out of descriptors, straight between the kernel and views of the guest's memory.
#include <fcntl.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <limits>

#include "wasi/areas/areas.hpp"
#include "wasi/uninterrupted.hpp"
#include "wasi/waiting.hpp"

namespace wrun::wasi::areas {
namespace {

constexpr u64 offset_max = std::numeric_limits<i64>::max();

/// Runs a transfer with the blocking the *guest* asked for. A borrowed file's O_NONBLOCK belongs to
/// other processes too, so it is neither set nor trusted.
template <class Transfer>
Errno transfer(const Call& call, const Descriptor& descriptor, short events, u32 transferred,
    Transfer&& once) {
    const bool nonblocking = (descriptor.flags & fdflags::nonblock) != 0;
    if (nonblocking && descriptor.is_borrowed())
        WRUN_TRY(wait_for(call.state, descriptor.number(), events, 0));
    WRUN_TRY(wait_before(call.state, descriptor, events));
    for (;;) {
        const ssize_t bytes = uninterrupted(once);
        if (bytes >= 0) return call.store(transferred, static_cast<u32>(bytes));
        if (errno != EAGAIN || nonblocking) return last_errno();
        WRUN_TRY(wait_for(call.state, descriptor.number(), events, -1));
    }
}

/// A stream of the host's, with the blocking the guest asked for.
template <class Transfer>
Errno transfer_stream(
    const Call& call, const Descriptor& descriptor, Buffers& list, u32 transferred, Transfer way) {
    const bool waits = (descriptor.flags & fdflags::nonblock) == 0;
    const auto buffers = list.for_one_transfer();
    if (buffers.empty()) return call.store(transferred, u32{0});
    const u32 bytes = WRUN_TRY((descriptor.stream->*way)(buffers, waits));
    return call.store(transferred, bytes);
}

Answer<i64> file_offset(u64 offset) {
    if (offset > offset_max) return Errno::inval;
    return static_cast<i64>(offset);
}

/// What cannot seek says so, whatever its rights: programs ask pipes and terminals for their
/// position.
Answer<Descriptor*> seekable(Call& call, u32 fd, Rights needed) {
    const Descriptor* const descriptor = WRUN_TRY(call.state.descriptors().get(fd));
    if (descriptor->type != Filetype::directory &&
        (rights_for(descriptor->type, descriptor->number()) & rights::fd_seek) == 0)
        return Errno::spipe;
    return call.state.descriptors().get(fd, needed);
}

Errno seek(Call& call, u32 fd, u64 offset, int host_whence, u32 position) {
    // Asking where one is takes the lesser right.
    const bool asks = host_whence == SEEK_CUR && offset == 0;
    const Descriptor* descriptor = WRUN_TRY(seekable(call, fd, 0));
    const Rights enough = asks ? rights::fd_seek | rights::fd_tell : rights::fd_seek;
    if ((descriptor->rights_base & enough) == 0) return Errno::notcapable;
    WRUN_TRY(call.check(position, 8));
    const off_t at = ::lseek(descriptor->number(), static_cast<i64>(offset), host_whence);
    if (at < 0) return last_errno();
    return call.store(position, static_cast<u64>(at));
}

}  // namespace

Errno fd_read(Call& call, u32 fd, u32 buffers, u32 count, u32 transferred) {
    const Descriptor* const descriptor =
        WRUN_TRY(call.state.descriptors().get(fd, rights::fd_read));
    Buffers list;
    WRUN_TRY(list.read(call.memory, buffers, count, Buffers::Use::writes));
    WRUN_TRY(call.check(transferred, 4));
    if (descriptor->stream != nullptr)
        return transfer_stream(call, *descriptor, list, transferred, &Stream::read);
    return transfer(call, *descriptor, POLLIN, transferred,
        [&] { return ::readv(descriptor->number(), list.data(), list.count()); });
}

Errno fd_pread(Call& call, u32 fd, u32 buffers, u32 count, u64 offset, u32 transferred) {
    const Descriptor* const descriptor =
        WRUN_TRY(seekable(call, fd, rights::fd_read | rights::fd_seek));
    Buffers list;
    WRUN_TRY(list.read(call.memory, buffers, count, Buffers::Use::writes));
    WRUN_TRY(call.check(transferred, 4));
    const i64 from = WRUN_TRY(file_offset(offset));
    return transfer(call, *descriptor, POLLIN, transferred,
        [&] { return ::preadv(descriptor->number(), list.data(), list.count(), from); });
}

Errno fd_write(Call& call, u32 fd, u32 buffers, u32 count, u32 transferred) {
    const Descriptor* const descriptor =
        WRUN_TRY(call.state.descriptors().get(fd, rights::fd_write));
    Buffers list;
    WRUN_TRY(list.read(call.memory, buffers, count, Buffers::Use::reads));
    WRUN_TRY(call.check(transferred, 4));
    if (descriptor->stream != nullptr)
        return transfer_stream(call, *descriptor, list, transferred, &Stream::write);
    return transfer(call, *descriptor, POLLOUT, transferred,
        [&] { return ::writev(descriptor->number(), list.data(), list.count()); });
}

Errno fd_pwrite(Call& call, u32 fd, u32 buffers, u32 count, u64 offset, u32 transferred) {
    const Descriptor* const descriptor =
        WRUN_TRY(seekable(call, fd, rights::fd_write | rights::fd_seek));
    Buffers list;
    WRUN_TRY(list.read(call.memory, buffers, count, Buffers::Use::reads));
    WRUN_TRY(call.check(transferred, 4));
    const i64 to = WRUN_TRY(file_offset(offset));
    return transfer(call, *descriptor, POLLOUT, transferred,
        [&] { return ::pwritev(descriptor->number(), list.data(), list.count(), to); });
}

Errno fd_seek(Call& call, u32 fd, u64 offset, u32 whence, u32 position) {
    constexpr int host[] = {SEEK_SET, SEEK_CUR, SEEK_END};
    constexpr int host_of_unstable[] = {SEEK_CUR, SEEK_END, SEEK_SET};
    if (whence >= std::size(host)) return Errno::inval;
    const bool is_unstable = call.preview == Preview::unstable;
    return seek(call, fd, offset, (is_unstable ? host_of_unstable : host)[whence], position);
}

Errno fd_tell(Call& call, u32 fd, u32 position) {
    return seek(call, fd, 0, SEEK_CUR, position);
}

Errno fd_sync(Call& call, u32 fd) {
    const Descriptor* const descriptor =
        WRUN_TRY(call.state.descriptors().get(fd, rights::fd_sync));
    if (descriptor->stream != nullptr) return Errno::inval;  // as of a pipe
    return errno_of_call(uninterrupted([&] { return ::fsync(descriptor->number()); }));
}

Errno fd_datasync(Call& call, u32 fd) {
    const Descriptor* const descriptor =
        WRUN_TRY(call.state.descriptors().get(fd, rights::fd_datasync));
    if (descriptor->stream != nullptr) return Errno::inval;  // as of a pipe
    return errno_of_call(uninterrupted([&] { return ::fdatasync(descriptor->number()); }));
}

Errno fd_advise(Call& call, u32 fd, u64 offset, u64 length, u32 advice) {
    static constexpr int host_advice[] = {POSIX_FADV_NORMAL, POSIX_FADV_SEQUENTIAL,
        POSIX_FADV_RANDOM, POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED, POSIX_FADV_NOREUSE};
    if (advice >= std::size(host_advice)) return Errno::inval;
    const Descriptor* const descriptor = WRUN_TRY(seekable(call, fd, rights::fd_advise));
    const i64 from = WRUN_TRY(file_offset(offset));
    const i64 bytes = WRUN_TRY(file_offset(length));
    return errno_of_host_or_success(
        ::posix_fadvise(descriptor->number(), from, bytes, host_advice[advice]));
}

Errno fd_allocate(Call& call, u32 fd, u64 offset, u64 length) {
    const Descriptor* const descriptor = WRUN_TRY(seekable(call, fd, 0));
    if (descriptor->read_only) return Errno::rofs;
    if ((descriptor->rights_base & rights::fd_allocate) == 0) return Errno::notcapable;
    const i64 from = WRUN_TRY(file_offset(offset));
    const i64 bytes = WRUN_TRY(file_offset(length));
    return errno_of_call(
        uninterrupted([&] { return ::fallocate(descriptor->number(), 0, from, bytes); }));
}

}  // namespace wrun::wasi::areas
