// A client of the tests: blocking sockets on loopback, every wait with an end. And a server with
// handlers that are functions.
#pragma once

#include <arpa/inet.h>
#include <dirent.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/os_thread.hpp"
#include "engine/engine.hpp"
#include "http/server/server.hpp"

namespace wrun::http {

inline constexpr u64 ms = 1'000'000;

[[nodiscard]] inline std::size_t open_descriptors() {
    std::size_t count = 0;
    DIR* const folder = ::opendir("/proc/self/fd");
    while (::readdir(folder) != nullptr)
        count++;
    ::closedir(folder);
    return count;
}

[[nodiscard]] inline std::size_t resident_bytes() {
    long pages = 0;
    if (std::FILE* const file = std::fopen("/proc/self/statm", "r")) {
        EXPECT_EQ(std::fscanf(file, "%*d %ld", &pages), 1);
        std::fclose(file);
    }
    return static_cast<std::size_t>(pages) * 4096;
}

class Client {
public:
    explicit Client(u16 port) : socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) close();
    }
    /// The other end of a connection: one that a listening socket has given, or none.
    [[nodiscard]] static Client of(int socket) { return Client{Socket{socket}}; }
    Client(Client&& other) noexcept : socket_{std::exchange(other.socket_, -1)} {}
    Client& operator=(Client&& other) noexcept {
        std::swap(socket_, other.socket_);
        return *this;
    }
    ~Client() { close(); }

    [[nodiscard]] bool is_connected() const { return socket_ >= 0; }
    [[nodiscard]] int socket() const { return socket_; }

    bool send(std::string_view text) const {
        while (!text.empty()) {
            const ssize_t sent = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    /// Some bytes; empty: the end, or nothing within the time.
    [[nodiscard]] std::string receive(int timeout_ms = 5000) const {
        pollfd one{socket_, POLLIN, 0};
        if (::poll(&one, 1, timeout_ms) != 1) return {};
        std::string text(65536, '\0');
        const ssize_t count = ::recv(socket_, text.data(), text.size(), 0);
        if (count < 0) error_ = errno;
        text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
        return text;
    }
    /// Up to the end, or what there is when nothing comes for that long.
    [[nodiscard]] std::string receive_all(int timeout_ms = 5000) const {
        std::string text;
        for (std::string more = receive(timeout_ms); !more.empty(); more = receive(timeout_ms))
            text += more;
        return text;
    }
    [[nodiscard]] std::string receive_until(std::string_view mark, std::size_t times = 1) const {
        std::string text;
        std::size_t at = 0;
        while (times > 0) {
            const std::string more = receive();
            if (more.empty()) break;
            text += more;
            for (; times > 0; times--) {
                const auto found = text.find(mark, at);
                if (found == text.npos) break;
                at = found + mark.size();
            }
        }
        return text;
    }
    /// Whether the server closes, without or after more bytes.
    [[nodiscard]] bool is_closed_within(int timeout_ms) const {
        const u64 until = os::monotonic_ns() + static_cast<u64>(timeout_ms) * ms;
        for (u64 now = os::monotonic_ns(); now < until; now = os::monotonic_ns()) {
            pollfd one{socket_, POLLIN, 0};
            if (::poll(&one, 1, static_cast<int>((until - now) / ms) + 1) != 1) return false;
            std::string text(65536, '\0');
            if (::recv(socket_, text.data(), text.size(), 0) <= 0) return true;
        }
        return false;
    }
    /// Of the last time that something could not be received.
    [[nodiscard]] int error() const { return error_; }
    void half_close() const { ::shutdown(socket_, SHUT_WR); }
    void reset() {
        const linger now{1, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close();
    }
    void close() {
        if (socket_ >= 0) ::close(socket_);
        socket_ = -1;
    }

private:
    struct Socket {
        int number;
    };
    explicit Client(Socket socket) : socket_{socket.number} {}

    int socket_;
    mutable int error_ = 0;
};

class FunctionHandler final : public Handler {
public:
    using Function = std::function<void(Exchange&)>;
    explicit FunctionHandler(Function function) : function_{std::move(function)} {}
    void handle(Exchange& exchange) const override { function_(exchange); }

private:
    Function function_;
};

/// Paths to functions; each has a number of its own.
class FunctionRouter final : public Router {
public:
    explicit FunctionRouter(
        std::map<std::string, FunctionHandler::Function, std::less<>> functions) {
        for (auto& [path, function] : functions)
            handlers_.emplace(path, FunctionHandler{std::move(function)});
    }
    [[nodiscard]] Route find(
        const Request& request, std::span<Field, segments_max>) const override {
        const auto found = handlers_.find(request.path);
        if (found == handlers_.end()) return {};
        Route route;
        route.handler = &found->second;
        route.match.pattern = found->first;
        route.number = static_cast<u32>(std::distance(handlers_.begin(), found));
        return route;
    }
    [[nodiscard]] u32 count() const noexcept override { return static_cast<u32>(handlers_.size()); }

private:
    std::map<std::string, FunctionHandler, std::less<>> handlers_;
};

[[nodiscard]] inline std::span<const u8> bytes_of(std::string_view text) {
    return {reinterpret_cast<const u8*>(text.data()), text.size()};
}

inline void answer(Exchange& exchange, std::string_view text, u32 status = 200) {
    const Field fields[] = {{"content-type", "text/plain"}};
    if (!exchange.begin(status, fields)) return;
    if (exchange.write(bytes_of(text)) == Transfer::ok) exchange.finish();
}

[[nodiscard]] inline std::string read_all(Exchange& exchange) {
    std::string text;
    u8 piece[1000];
    for (;;) {
        const auto read = exchange.read_body(piece);
        if (read.how != Transfer::ok || read.bytes == 0) return text;
        text.append(reinterpret_cast<const char*>(piece), read.bytes);
    }
}

inline void sleep_in(Exchange& exchange, u64 ns) {
    (void)exchange.wait({}, os::monotonic_ns() + ns);
}

class ServerTest : public testing::Test {
protected:
    using Functions = std::map<std::string, FunctionHandler::Function, std::less<>>;

    void start(Functions functions, ServerOptions options = {}) {
        functions.emplace("/", [](Exchange& exchange) { answer(exchange, "hello"); });
        functions.emplace(
            "/echo", [](Exchange& exchange) { answer(exchange, read_all(exchange)); });
        if (options.endpoints.empty()) options.endpoints.emplace_back();
        auto made = Server::make(
            std::move(options), std::make_shared<FunctionRouter>(std::move(functions)));
        ASSERT_TRUE(made.ok());
        server_ = std::move(made).take();
    }
    [[nodiscard]] Client connect() const { return Client{server_->port()}; }
    [[nodiscard]] std::string ask(std::string_view request) const {
        const Client client = connect();
        client.send(request);
        client.half_close();
        return client.receive_all();
    }
    [[nodiscard]] const Counters& counters() const { return server_->counters(0); }
    /// Whether it comes true within two seconds.
    template <class Condition>
    [[nodiscard]] static bool soon(Condition condition) {
        for (int i = 0; i < 2000; i++) {
            if (condition()) return true;
            ::usleep(1000);
        }
        return false;
    }

    std::unique_ptr<Server> server_;
};

[[nodiscard]] inline std::string get(std::string_view path, std::string_view fields = {}) {
    return "GET " + std::string{path} + " HTTP/1.1\r\nHost: h\r\n" + std::string{fields} + "\r\n";
}

[[nodiscard]] inline std::string post(std::string_view path, std::string_view body) {
    return "POST " + std::string{path} +
           " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           std::string{body};
}

[[nodiscard]] inline std::size_t count_of(std::string_view text, std::string_view what) {
    std::size_t count = 0;
    for (auto at = text.find(what); at != text.npos; at = text.find(what, at + what.size()))
        count++;
    return count;
}

}  // namespace wrun::http
