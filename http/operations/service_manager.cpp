// One datagram, and a few variables: less than what a library of it would bring along.
#include "http/operations/service_manager.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/os_file.hpp"

namespace wrun::http {

namespace {

constexpr int first_descriptor = 3;
constexpr int descriptors_max = 1024;

[[nodiscard]] std::optional<int> number_in(const char* variable) noexcept {
    const char* const text = std::getenv(variable);
    if (text == nullptr) return std::nullopt;
    const char* const end = text + std::strlen(text);
    int number = 0;
    const auto [rest, error] = std::from_chars(text, end, number);
    if (error != std::errc{} || rest != end) return std::nullopt;
    return number;
}

[[nodiscard]] bool listens(int descriptor) noexcept {
    int value = 0;
    socklen_t bytes = sizeof value;
    return ::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &value, &bytes) == 0 && value != 0;
}

}  // namespace

void notify_service_manager(std::string_view state) noexcept {
    const char* const path = std::getenv("NOTIFY_SOCKET");
    if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::size_t length = std::strlen(path);
    if (length >= sizeof address.sun_path) return;
    std::memcpy(address.sun_path, path, length);
    if (path[0] == '@') address.sun_path[0] = 0;  // an abstract name
    const os::File socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    (void)::sendto(socket.number(), state.data(), state.size(), MSG_NOSIGNAL,
        reinterpret_cast<const sockaddr*>(&address),
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
}

std::vector<int> take_listening_sockets() {
    std::vector<int> sockets;
    // They may be meant for the process that has started us.
    if (number_in("LISTEN_PID") != ::getpid()) return sockets;
    const int count = std::min(number_in("LISTEN_FDS").value_or(0), descriptors_max);
    for (int i = 0; i < count; ++i) {
        const int descriptor = first_descriptor + i;
        if (!listens(descriptor)) continue;
        (void)::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
        (void)::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
        sockets.push_back(descriptor);
    }
    (void)::unsetenv("LISTEN_PID");
    (void)::unsetenv("LISTEN_FDS");
    (void)::unsetenv("LISTEN_FDNAMES");
    return sockets;
}

}  // namespace wrun::http
