// Sockets that a guest was given. Nothing here makes a connection.
#include <poll.h>
#include <sys/socket.h>

#include "wasi/areas/areas.hpp"
#include "wasi/uninterrupted.hpp"
#include "wasi/waiting.hpp"

namespace wrun::wasi::areas {
namespace {

constexpr u32 recv_peek = 1;
constexpr u32 recv_waitall = 2;
constexpr u16 recv_data_truncated = 1;
constexpr u32 shut_read = 1;
constexpr u32 shut_write = 2;

Answer<Descriptor*> socket(Call& call, u32 fd, Rights needed) {
    const Descriptor* const descriptor = WRUN_TRY(call.state.descriptors().get(fd));
    if (descriptor->type != Filetype::socket_stream && descriptor->type != Filetype::socket_dgram)
        return Errno::notsock;
    return call.state.descriptors().get(fd, needed);
}

}  // namespace

Errno sock_accept(Call& call, u32 fd, u32 fd_flags, u32 accepted) {
    if ((fd_flags & ~u32{fdflags::nonblock}) != 0) return Errno::inval;
    DescriptorTable& table = call.state.descriptors();
    const Descriptor* const listener = WRUN_TRY(socket(call, fd, rights::sock_accept));
    WRUN_TRY(call.check(accepted, 4));
    WRUN_TRY(table.room());
    WRUN_TRY(wait_before(call.state, *listener, POLLIN));
    const bool never_blocks = call.state.waiter() != nullptr;
    const int host_flags = SOCK_CLOEXEC | (fd_flags != 0 || never_blocks ? SOCK_NONBLOCK : 0);
    os::File connection{
        uninterrupted([&] { return ::accept4(listener->number(), nullptr, nullptr, host_flags); })};
    if (!connection) return last_errno();

    Descriptor descriptor;
    descriptor.type = listener->type;
    descriptor.flags = static_cast<u16>(fd_flags);
    descriptor.rights_base = rights::of_socket & ~rights::sock_accept;
    descriptor.owned = std::move(connection);
    return call.store(accepted, WRUN_TRY(table.insert(std::move(descriptor))));
}

Errno sock_recv(
    Call& call, u32 fd, u32 buffers, u32 count, u32 ri_flags, u32 transferred, u32 ro_flags) {
    if ((ri_flags & ~(recv_peek | recv_waitall)) != 0) return Errno::inval;
    const Descriptor* const descriptor = WRUN_TRY(socket(call, fd, rights::fd_read));
    Buffers list;
    WRUN_TRY(list.read(call.memory, buffers, count, Buffers::Use::writes));
    WRUN_TRY(call.check(transferred, 4));
    WRUN_TRY(call.check(ro_flags, 2));
    WRUN_TRY(wait_before(call.state, *descriptor, POLLIN));
    msghdr message{};
    message.msg_iov = list.data();
    message.msg_iovlen = static_cast<std::size_t>(list.count());
    const int flags =
        ((ri_flags & recv_peek) != 0 ? MSG_PEEK : 0) |
        // Some of it is an answer too.
        ((ri_flags & recv_waitall) != 0 && call.state.waiter() == nullptr ? MSG_WAITALL : 0);
    const ssize_t bytes =
        uninterrupted([&] { return ::recvmsg(descriptor->number(), &message, flags); });
    if (bytes < 0) return last_errno();
    const bool truncated = (message.msg_flags & MSG_TRUNC) != 0;
    WRUN_TRY(Answer<void>{call.store(ro_flags, truncated ? recv_data_truncated : u16{0})});
    return call.store(transferred, static_cast<u32>(bytes));
}

Errno sock_send(Call& call, u32 fd, u32 buffers, u32 count, u32 si_flags, u32 transferred) {
    if (si_flags != 0) return Errno::inval;
    const Descriptor* const descriptor = WRUN_TRY(socket(call, fd, rights::fd_write));
    Buffers list;
    WRUN_TRY(list.read(call.memory, buffers, count, Buffers::Use::reads));
    WRUN_TRY(call.check(transferred, 4));
    WRUN_TRY(wait_before(call.state, *descriptor, POLLOUT));
    msghdr message{};
    message.msg_iov = list.data();
    message.msg_iovlen = static_cast<std::size_t>(list.count());
    const ssize_t bytes =
        uninterrupted([&] { return ::sendmsg(descriptor->number(), &message, MSG_NOSIGNAL); });
    if (bytes < 0) return last_errno();
    return call.store(transferred, static_cast<u32>(bytes));
}

Errno sock_shutdown(Call& call, u32 fd, u32 how) {
    if (how == 0 || (how & ~(shut_read | shut_write)) != 0) return Errno::inval;
    const Descriptor* const descriptor = WRUN_TRY(socket(call, fd, rights::sock_shutdown));
    const int host_how = how == shut_read ? SHUT_RD : how == shut_write ? SHUT_WR : SHUT_RDWR;
    return errno_of_call(::shutdown(descriptor->number(), host_how));
}

}  // namespace wrun::wasi::areas
