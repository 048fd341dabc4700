// Sockets that listen, and the names of both ends.
#include "http/server/listener.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "http/server/loop.hpp"

namespace wrun::http {

namespace {

[[nodiscard]] Error io_error(int number = errno) noexcept {
    return {ErrorCode::io, static_cast<u16>(number)};
}

union Address {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_un path;
};

/// IPv4 in IPv6 as IPv4.
void name(const Address& address, std::string& text, u16& port) {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    const void* bytes = nullptr;
    int family = address.any.sa_family;
    if (family == AF_INET) {
        bytes = &address.v4.sin_addr;
        port = ntohs(address.v4.sin_port);
    } else if (family == AF_INET6) {
        bytes = &address.v6.sin6_addr;
        port = ntohs(address.v6.sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&address.v6.sin6_addr)) {
            family = AF_INET;
            bytes = &address.v6.sin6_addr.s6_addr[12];
        }
    } else {
        return;
    }
    if (inet_ntop(family, bytes, buffer.data(), buffer.size()) != nullptr) text = buffer.data();
}

[[nodiscard]] os::File new_unix_socket() noexcept {
    return os::File{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
}

/// Whether nobody listens any more behind that name: then it may go. Everything else stays: a
/// server's socket, and what is no socket at all.
[[nodiscard]] bool is_abandoned(const Address& address) noexcept {
    struct stat found {};
    if (::lstat(address.path.sun_path, &found) != 0 || !S_ISSOCK(found.st_mode)) return false;
    const os::File probe = new_unix_socket();
    return probe && ::connect(probe.number(), &address.any, sizeof address.path) != 0 &&
           errno == ECONNREFUSED;
}

/// While it lives, no other server looks at a socket's name or takes it: what two find abandoned at
/// once, the later would take from the earlier, and a socket that is bound and does not listen yet
/// looks like an abandoned one. The lock is the folder's own, so that no file is left behind.
class FolderLock {
public:
    explicit FolderLock(const std::string& path) noexcept {
        const std::size_t slash = path.rfind('/');
        const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
        folder_ = os::File{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        // Whoever may read the folder may keep its lock, so there is an end to waiting.
        constexpr int tries_max = 100;
        const timespec pause{0, 10'000'000};
        for (int tries = 0; folder_ && !is_held_ && tries < tries_max; ++tries) {
            is_held_ = ::flock(folder_.number(), LOCK_EX | LOCK_NB) == 0;
            if (!is_held_) (void)::nanosleep(&pause, nullptr);
        }
    }
    [[nodiscard]] bool is_held() const noexcept { return is_held_; }

private:
    os::File folder_;  // closing it gives the lock back
    bool is_held_ = false;
};

}  // namespace

/// A name in the file system for as long as this lives, unless somebody else has taken it.
class Listener::UnixName {
public:
    explicit UnixName(const std::string& path) : path_{path} {
        struct stat found {};
        if (::lstat(path_.c_str(), &found) != 0) return;
        device_ = found.st_dev;
        inode_ = found.st_ino;
    }
    UnixName(const UnixName&) = delete;
    UnixName& operator=(const UnixName&) = delete;
    ~UnixName() {
        struct stat found {};
        if (::lstat(path_.c_str(), &found) != 0 || !S_ISSOCK(found.st_mode)) return;
        if (found.st_dev == device_ && found.st_ino == inode_) (void)::unlink(path_.c_str());
    }

private:
    std::string path_;
    dev_t device_ = 0;
    ino_t inode_ = 0;
};

void Listener::RemoveName::operator()(UnixName* name) const noexcept {
    delete name;
}

Result<Listener> Listener::make(const Endpoint& endpoint, u16 port, int shared, int backlog) {
    Listener listener;
    listener.is_given_ = endpoint.descriptor >= 0;
    const int given = endpoint.descriptor >= 0 ? endpoint.descriptor : shared;
    if (given >= 0) {
        listener.socket_ = os::File{::fcntl(given, F_DUPFD_CLOEXEC, 0)};
        if (!listener.socket_) return io_error();
        const int flags = ::fcntl(given, F_GETFL);
        if (flags < 0 || ::fcntl(given, F_SETFL, flags | O_NONBLOCK) < 0) return io_error();
    } else if (!endpoint.unix_path.empty()) {
        WRUN_TRY(listener.open_unix(endpoint.unix_path, backlog));
    } else {
        WRUN_TRY(listener.open_tcp(endpoint, port, backlog));
    }
    listener.learn_address();
    return listener;
}

Result<void> Listener::open_tcp(const Endpoint& endpoint, u16 port, int backlog) {
    Address address{};
    socklen_t size = sizeof address.v4;
    const u16 number = htons(endpoint.port != 0 ? endpoint.port : port);
    if (inet_pton(AF_INET, endpoint.address.c_str(), &address.v4.sin_addr) == 1) {
        address.v4.sin_family = AF_INET;
        address.v4.sin_port = number;
    } else if (inet_pton(AF_INET6, endpoint.address.c_str(), &address.v6.sin6_addr) == 1) {
        size = sizeof address.v6;
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_port = number;
    } else {
        return io_error(EINVAL);
    }
    socket_ =
        os::File{::socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    const int on = 1;
    if (!socket_ || ::setsockopt(socket(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        ::setsockopt(socket(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0 ||
        ::setsockopt(socket(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        ::bind(socket(), &address.any, size) != 0 || ::listen(socket(), backlog) != 0)
        return io_error();
    return {};
}

Result<void> Listener::open_unix(const std::string& path, int backlog) {
    Address address{};
    address.path.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.path.sun_path) return io_error(ENAMETOOLONG);
    std::memcpy(address.path.sun_path, path.c_str(), path.size() + 1);
    socket_ = new_unix_socket();
    if (!socket_) return io_error();
    const auto bind = [&] {
        return ::bind(socket(), &address.any, sizeof address.path) == 0 ? 0 : errno;
    };
    const FolderLock lock{path};
    int error = bind();
    if (error == EADDRINUSE && lock.is_held() && is_abandoned(address)) {
        (void)::unlink(path.c_str());
        error = bind();
    }
    if (error != 0) return io_error(error);
    name_.reset(new UnixName{path});
    if (::listen(socket(), backlog) != 0) return io_error();
    return {};
}

void Listener::learn_address() {
    Address address{};
    socklen_t size = sizeof address;
    if (::getsockname(socket(), &address.any, &size) != 0) return;
    is_tcp_ = address.any.sa_family == AF_INET || address.any.sa_family == AF_INET6;
    name(address, address_, port_);
    is_any_ = address_ == "0.0.0.0" || address_ == "::";
}

os::File Listener::accept(Connection::Ends& ends, int& error) const {
    Address address{};
    socklen_t size = sizeof address;
    os::File client{::accept4(socket(), &address.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    error = client ? 0 : errno;
    if (!client) return client;
    ends.server_address = address_;
    ends.server_port = port_;
    if (!is_tcp_) return client;
    name(address, ends.client_address, ends.client_port);
    size = sizeof address;
    if (is_any_ && ::getsockname(client.number(), &address.any, &size) == 0)
        name(address, ends.server_address, ends.server_port);
    return client;
}

void Listener::refuse_new() noexcept {
    if (is_given_) return;
    name_.reset();
    if (!is_tcp_) {
        (void)::shutdown(socket(), SHUT_RD);
        return;
    }
    // A filter that lets no packet through that would begin a connection. Whoever is amid the
    // system's handshake would be reset by a close, after having been told to be connected.
    constexpr u32 flags_at = 13, syn = 0x02;
    sock_filter instructions[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, flags_at),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, syn, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, ~u32{0})};
    const sock_fprog program{static_cast<u16>(std::size(instructions)), instructions};
    (void)::setsockopt(socket(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

void Listener::on_events(u32 /*events*/) {
    loop->accept_from(*this);
}

}  // namespace wrun::http
