// Sends requests at even distances, whether or not those before are answered, and tells how long
// answers took from the moment at which their request was due: a server that stands still is not
// asked less. Spins on its CPU, so that waiting for the clock and the kernel's timers add nothing.
//   http_rate PORT CONNECTIONS REQUESTS_PER_SECOND SECONDS
#include <arpa/inet.h>
#include <llhttp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "bench/percentile.hpp"

namespace {

using wrun::bench::percentile;
using Clock = std::chrono::steady_clock;

constexpr std::string_view request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
constexpr int drain_seconds = 10;  // answers that come later are a failure

struct Client {
    llhttp_t parser{};
    int socket = -1;
    Clock::time_point due;
    bool is_answered = false;
};

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "http_rate: %s\n", what);
    std::exit(1);
}

int on_complete(llhttp_t* parser) {
    if (parser->status_code != 200) fail("an answer that is not 200");
    static_cast<Client*>(parser->data)->is_answered = true;
    return 0;
}

int connect_to(int port) {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        fail("cannot connect");
    return socket;
}

void send_request(Client& client, Clock::time_point due) {
    client.due = due;
    client.is_answered = false;
    if (::send(client.socket, request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size()))
        fail("cannot send");
}

/// True: its answer is complete.
bool receive(Client& client) {
    static std::array<char, 65536> memory;
    const ssize_t count = ::recv(client.socket, memory.data(), memory.size(), 0);
    if (count <= 0) fail("a connection ended");
    if (llhttp_execute(&client.parser, memory.data(), static_cast<std::size_t>(count)) != HPE_OK)
        fail("an answer that is no HTTP");
    return client.is_answered;
}

void print(std::vector<double>& took_us) {
    std::sort(took_us.begin(), took_us.end());
    std::printf(
        "{\"requests\": %zu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, "
        "\"max_us\": %.1f}\n",
        took_us.size(), percentile(took_us, 0.5), percentile(took_us, 0.99),
        percentile(took_us, 0.999), took_us.back());
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) return 2;
    const int connections = std::atoi(argv[2]), rate = std::atoi(argv[3]),
              seconds = std::atoi(argv[4]);
    if (connections < 1 || rate < 1 || seconds < 1) return 2;
    const int epoll = ::epoll_create1(0);
    llhttp_settings_t settings{};
    settings.on_message_complete = on_complete;
    std::vector<std::unique_ptr<Client>> clients;
    std::vector<Client*> idle;
    for (int i = 0; i < connections; i++) {
        clients.push_back(std::make_unique<Client>());
        Client& client = *clients.back();
        client.socket = connect_to(std::atoi(argv[1]));
        llhttp_init(&client.parser, HTTP_RESPONSE, &settings);
        client.parser.data = &client;
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.ptr = &client;
        if (::epoll_ctl(epoll, EPOLL_CTL_ADD, client.socket, &event) != 0) fail("epoll");
        idle.push_back(&client);
    }
    const std::size_t total = static_cast<std::size_t>(rate) * static_cast<std::size_t>(seconds);
    std::vector<double> took_us;
    took_us.reserve(total);
    const Clock::time_point begin = Clock::now();
    const Clock::time_point end = begin + std::chrono::seconds(seconds + drain_seconds);
    const auto due_at = [&](std::size_t index) {
        return begin +
               std::chrono::nanoseconds(index * 1'000'000'000ULL / static_cast<std::size_t>(rate));
    };
    std::size_t sent = 0;
    std::array<epoll_event, 64> events;
    while (took_us.size() < total) {
        const Clock::time_point now = Clock::now();
        if (now > end) fail("answers are missing");
        while (sent < total && !idle.empty() && due_at(sent) <= now) {
            send_request(*idle.back(), due_at(sent++));
            idle.pop_back();
        }
        const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 0);
        for (int i = 0; i < count; i++) {
            auto* client = static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr);
            if (!receive(*client)) continue;
            const std::chrono::duration<double, std::micro> took = Clock::now() - client->due;
            took_us.push_back(took.count());
            idle.push_back(client);
        }
    }
    print(took_us);
}
