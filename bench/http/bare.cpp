// The floor that the server is measured by: one epoll loop, llhttp, one recv and one send, the same
// few bytes for every request. No limits, no timers, no bodies, no errors. Pipelined requests are
// answered together.
//   http_bare PORT
#include <arpa/inet.h>
#include <llhttp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view answer =
    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    "content-length: 12\r\n\r\nhello, world";

struct Client {
    llhttp_t parser{};
    int socket = -1;
    std::string output;
};

int on_complete(llhttp_t* parser) {
    static_cast<Client*>(parser->data)->output += answer;
    return 0;
}

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::exit(1);
}

int listen_at(int port) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("bind");
    if (::listen(socket, 4096) != 0) fail("listen");
    return socket;
}

/// False: it is gone.
bool serve(Client& client) {
    static std::array<char, 65536> memory;
    const ssize_t count = ::recv(client.socket, memory.data(), memory.size(), 0);
    if (count <= 0) return count < 0;
    if (llhttp_execute(&client.parser, memory.data(), static_cast<std::size_t>(count)) != HPE_OK)
        return false;
    const ssize_t sent =
        ::send(client.socket, client.output.data(), client.output.size(), MSG_NOSIGNAL);
    client.output.clear();
    return sent >= 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const int listener = listen_at(std::atoi(argv[1]));
    const int epoll = ::epoll_create1(0);
    epoll_event event{};
    event.events = EPOLLIN;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    llhttp_settings_t settings{};
    settings.on_message_complete = on_complete;
    std::array<epoll_event, 256> events;
    for (;;) {
        const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < count; i++) {
            auto* client = static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr);
            if (client == nullptr) {
                auto added = std::make_unique<Client>();
                added->socket = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
                if (added->socket < 0) continue;
                llhttp_init(&added->parser, HTTP_REQUEST, &settings);
                added->parser.data = added.get();
                event.events = EPOLLIN | EPOLLET;
                event.data.ptr = added.get();
                ::epoll_ctl(epoll, EPOLL_CTL_ADD, added->socket, &event);
                (void)added.release();
            } else if (!serve(*client)) {
                ::close(client->socket);
                delete client;
            }
        }
    }
}
