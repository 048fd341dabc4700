// Requests passed on to real servers on loopback: ones that answer as they should, and others.
#include "http/upstream.hpp"

#include <gmock/gmock.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include <random>
#include <thread>

#include "http/response_parser.hpp"
#include "tests/http/client.hpp"

namespace wrun::http {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// Speaks by a script: takes a connection, reads up to a mark, says something; and so on.
class Backend {
public:
    struct Turn {
        std::string answer;
        std::string until = "\r\n\r\n";
        bool is_closing = true;
        bool is_silent = false;
    };
    explicit Backend(std::vector<Turn> turns) : turns_{std::move(turns)} {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
        EXPECT_EQ(::listen(listener_, 16), 0);
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
        port = ntohs(address.sin_port);
        thread_ = std::thread{[this] { run(); }};
    }
    ~Backend() { join(); }
    void join() {
        if (!thread_.joinable()) return;
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }
    u16 port = 0;
    std::vector<std::string> heard;  // after join()
    u32 connections = 0;

private:
    void run() {
        int client = -1;
        for (const Turn& turn : turns_) {
            if (client < 0) client = ::accept(listener_, nullptr, nullptr);
            if (client < 0) return;
            connections += is_new_ ? 1 : 0;
            const timeval patience{2, 0};
            ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
            is_new_ = false;
            std::string text;
            char piece[65536];
            while (text.find(turn.until) == text.npos) {
                const ssize_t count = ::recv(client, piece, sizeof piece, 0);
                if (count <= 0) break;
                text.append(piece, static_cast<std::size_t>(count));
            }
            heard.push_back(text);
            if (turn.is_silent) (void)::recv(client, piece, sizeof piece, 0);
            for (std::string_view rest = turn.answer; !rest.empty();) {
                const ssize_t count = ::send(client, rest.data(), rest.size(), MSG_NOSIGNAL);
                if (count <= 0) break;
                rest.remove_prefix(static_cast<std::size_t>(count));
            }
            if (!turn.is_closing) continue;
            ::shutdown(client, SHUT_WR);
            // What comes late must not reset the connection; who keeps it is not waited for.
            const timeval little{0, 30'000};
            ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &little, sizeof little);
            while (::recv(client, piece, sizeof piece, 0) > 0) {
            }
            ::close(client);
            client = -1;
            is_new_ = true;
        }
        if (client >= 0) ::close(client);
    }
    std::vector<Turn> turns_;
    int listener_ = -1;
    bool is_new_ = true;
    std::thread thread_;
};

/// A server that a test plays itself, one step after another.
class Listener {
public:
    explicit Listener(int family = AF_INET)
        : socket_{::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_addr = in6addr_loopback;
        const bool is_v4 = family == AF_INET;
        auto* const address = is_v4 ? reinterpret_cast<sockaddr*>(&v4)  //
                                    : reinterpret_cast<sockaddr*>(&v6);
        socklen_t size = is_v4 ? sizeof v4 : sizeof v6;
        if (::bind(socket_, address, size) != 0 || ::listen(socket_, 100) != 0) return;
        ::getsockname(socket_, address, &size);
        port = ntohs(is_v4 ? v4.sin_port : v6.sin6_port);
    }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    ~Listener() { ::close(socket_); }

    /// Waits for it; not connected when none comes.
    [[nodiscard]] Client accept() const {
        return Client::of(is_asked(5000) ? ::accept(socket_, nullptr, nullptr) : -1);
    }
    [[nodiscard]] bool is_asked(int timeout_ms = 0) const {
        pollfd one{socket_, POLLIN, 0};
        return ::poll(&one, 1, timeout_ms) == 1;
    }
    u16 port = 0;  // 0: this machine has no such addresses

private:
    int socket_;
};

std::string ok(std::string_view body, std::string_view fields = {}) {
    return "HTTP/1.1 200 OK\r\n" + std::string{fields} +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string{body};
}

/// Of a whole answer to GET, however it is framed.
std::string body_of(std::string_view answer) {
    ResponseParser parser{false};
    std::vector<u8> body;
    const auto* bytes = reinterpret_cast<const u8*>(answer.data());
    EXPECT_EQ(parser.feed({bytes, answer.size()}, body), answer.size());
    EXPECT_EQ(parser.state(), ResponseParser::State::done) << answer;
    return {body.begin(), body.end()};
}

class UpstreamTest : public ServerTest {
protected:
    void pass_on(u16 port, std::string_view prefix = "", u64 timeout_ns = 5000 * ms) {
        pass_on_to("127.0.0.1:" + std::to_string(port) + std::string{prefix}, timeout_ns);
    }
    void pass_on_to(const std::string& where, u64 timeout_ns = 5000 * ms) {
        auto made = Upstream::make("http://" + where);
        ASSERT_TRUE(made.handler) << made.error;
        ServerOptions options;
        options.timeout_ns = timeout_ns;
        start(
            {{"/up", [handler = made.handler](Exchange& exchange) { handler->handle(exchange); }}},
            options);
    }
    /// Sends a request to be passed on, and says a short answer on that connection, or a new one.
    void ask_over(const Client& client, std::string_view request, const Listener& upstream,
        Client& connection, std::string_view body) const {
        client.send(request);
        if (!connection.is_connected()) connection = upstream.accept();
        const std::string_view target = request.substr(0, request.find("HTTP"));
        EXPECT_THAT(
            connection.receive_until(request.substr(request.find("\r\n\r\n"))), StartsWith(target));
        connection.send(ok(body));
        const std::string text = client.receive_until("\r\n\r\n" + std::string{body});
        EXPECT_THAT(text, StartsWith("HTTP/1.1 200 OK\r\n")) << target;
        EXPECT_THAT(text, EndsWith("\r\n\r\n" + std::string{body})) << target;
    }
    /// The whole answer to one request while the backend says this.
    [[nodiscard]] std::string ask_one(
        std::string_view said, std::string_view request = get("/up")) {
        Backend backend{{{std::string{said}}}};
        pass_on(backend.port);
        std::string text = talk(request);
        server_.reset();
        return text;
    }
    [[nodiscard]] std::string talk(std::string_view request) const {
        const Client client = connect();
        client.send(request);
        std::string text;
        while (text.find("\r\n\r\n") == text.npos) {
            const std::string more = client.receive();
            if (more.empty()) return text;
            text += more;
        }
        return text + client.receive_all(200);
    }
};

TEST_F(UpstreamTest, PassesOnARequestAndItsAnswer) {
    Backend backend{{{ok("fine", "X-A: 1\r\nConnection: x-b\r\nX-B: 2\r\nKeep-Alive: 3\r\n")}}};
    pass_on(backend.port, "/prefix/");
    const std::string text = talk(get("/up?a=b",
        "X-C: 1\r\nConnection: x-d\r\nX-D: 2\r\nTE: trailers\r\nX-Forwarded-For: 6.6.6.6\r\n"));
    EXPECT_THAT(text, StartsWith("HTTP/1.1 200 OK\r\nX-A: 1\r\ndate: "));
    EXPECT_THAT(text, Not(HasSubstr("X-B")));
    EXPECT_THAT(text, Not(HasSubstr("Keep-Alive")));
    EXPECT_THAT(text, EndsWith("content-length: 4\r\n\r\nfine"));
    backend.join();
    ASSERT_EQ(backend.heard.size(), 1u);
    EXPECT_EQ(backend.heard[0],
        "GET /prefix/up?a=b HTTP/1.1\r\nhost: 127.0.0.1:" + std::to_string(backend.port) +
            "\r\nX-C: 1\r\nx-forwarded-for: 127.0.0.1\r\nx-forwarded-proto: http\r\n"
            "x-forwarded-host: h\r\nvia: 1.1 wrun\r\n\r\n");
}

TEST_F(UpstreamTest, FramesAnswersAnew) {
    constexpr std::string_view chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    EXPECT_THAT(ask_one(std::string{chunked} + "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n"),
        EndsWith("\r\n\r\nabcde"));
    // In one piece with a length if the end was there with the head, in chunks if it came later.
    EXPECT_EQ(body_of(ask_one("HTTP/1.0 200 OK\r\n\r\nup to the end")), "up to the end");
    EXPECT_THAT(
        ask_one("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\n" + ok("x")),
        StartsWith("HTTP/1.1 200 OK\r\ndate"));
    EXPECT_THAT(ask_one("HTTP/1.1 204 No Content\r\n\r\n"), EndsWith("GMT\r\n\r\n"));
    EXPECT_THAT(ask_one("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nETag: e\r\n\r\n"),
        StartsWith("HTTP/1.1 304 Not Modified\r\nETag: e\r\n"));
    EXPECT_THAT(ask_one("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
                    "HEAD /up HTTP/1.1\r\nHost: h\r\n\r\n"),
        EndsWith("content-length: 9\r\n\r\n"));
}

TEST_F(UpstreamTest, RefusesNonsense) {
    const std::pair<const char*, std::string> rows[] = {
        {"not HTTP", "hello\r\n\r\n"},
        {"nothing", ""},
        {"half a head", "HTTP/1.1 200 OK\r\nA"},
        {"two framings",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {"two framings, turned",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"},
        {"two framings of no body",
            "HTTP/1.1 204 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"},
        {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"},
        {"no length", "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\nx"},
        {"another coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx"},
        {"chunks in 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {"another version", "HTTP/2.0 200 OK\r\n\r\n"},
        {"another protocol", "ICE/1.1 200 OK\r\n\r\n"},
        {"switched", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"},
        {"folded", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n"},
        {"bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"},
        {"short body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"},
        {"bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
        {"half a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"},
        {"endless head", "HTTP/1.1 200 OK\r\nA: " + std::string(70'000, 'x') + "\r\n\r\n"},
    };
    for (const auto& [name, said] : rows)
        EXPECT_THAT(ask_one(said), StartsWith("HTTP/1.1 502 ")) << name;
    std::string interim;
    for (int i = 0; i < 20; i++)
        interim += "HTTP/1.1 103 Early\r\n\r\n";
    EXPECT_THAT(ask_one(interim + ok("x")), StartsWith("HTTP/1.1 502 "));
}

TEST_F(UpstreamTest, BreaksOffWhatIsHalfOut) {
    const std::string said = "HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n";
    const std::string text = ask_one(said + std::string(300'000, 'x'));
    EXPECT_THAT(text, StartsWith("HTTP/1.1 200 OK"));
    EXPECT_THAT(text, HasSubstr("content-length: 900000"));
    EXPECT_LT(text.size(), 400'000u);
}

TEST_F(UpstreamTest, SaysWhenThereIsNobody) {
    u16 port = 0;
    {
        const Backend gone{{}};
        port = gone.port;
    }
    pass_on(port);
    EXPECT_THAT(talk(get("/up")), StartsWith("HTTP/1.1 502 "));
}

TEST_F(UpstreamTest, WaitsUntilTheDeadlineWithoutHoldingTheThread) {
    Backend backend{{{.answer = "", .is_silent = true}}};
    pass_on(backend.port, "", 300 * ms);
    const Client waiting = connect();
    const u64 begin = os::monotonic_ns();
    waiting.send(get("/up"));
    EXPECT_THAT(talk(get("/")), EndsWith("hello"));
    EXPECT_THAT(waiting.receive_until("\r\n\r\n"), StartsWith("HTTP/1.1 504 "));
    EXPECT_GE(os::monotonic_ns() - begin, 290 * ms);
    EXPECT_LT(os::monotonic_ns() - begin, 2000 * ms);
}

TEST_F(UpstreamTest, KeepsConnections) {
    Backend backend{
        {{.answer = ok("a"), .is_closing = false}, {.answer = ok("b"), .is_closing = false},
            {.answer = ok("c", "Connection: close\r\n")}, {.answer = ok("d")}}};
    pass_on(backend.port);
    for (const char* const body : {"a", "b", "c", "d"})
        EXPECT_THAT(talk(get("/up")), EndsWith(std::string{"\r\n\r\n"} + body));
    backend.join();
    EXPECT_EQ(backend.connections, 2u);
}

TEST_F(UpstreamTest, DoesNotKeepOneThatSaysMore) {
    // The second turn is what the first connection hears yet: nothing.
    Backend backend{
        {{.answer = ok("a") + ok("evil"), .is_closing = false}, {}, {.answer = ok("b")}}};
    pass_on(backend.port);
    EXPECT_THAT(talk(get("/up")), EndsWith("\r\n\r\na"));
    EXPECT_THAT(talk(get("/up")), EndsWith("\r\n\r\nb"));
    backend.join();
    ASSERT_EQ(backend.heard.size(), 3u);
    EXPECT_EQ(backend.heard[1], "");
}

TEST_F(UpstreamTest, ASafeRequestIsSentAgainWhenItsKeptConnectionIsClosed) {
    for (const char* const method : {"GET", "HEAD", "OPTIONS"}) {
        for (const char* const how : {"before", "when it was asked", "reset"}) {
            SCOPED_TRACE(std::string{method} + ", " + how);
            const Listener upstream;
            pass_on(upstream.port);
            Client first = Client::of(-1);
            ask_over(connect(), get("/up?first"), upstream, first, "a");
            if (how == std::string_view{"before"}) first.close();
            const std::string request =
                std::string{method} + " /up?second HTTP/1.1\r\nHost: h\r\nX-A: b\r\n\r\n";
            const Client client = connect();
            client.send(request);
            std::string said;
            if (first.is_connected()) {
                said = first.receive_until("\r\n\r\n");
                EXPECT_THAT(said, HasSubstr("/up?second"));
                how == std::string_view{"reset"} ? first.reset() : first.close();
            }
            const Client second = upstream.accept();
            const std::string again = second.receive_until("\r\n\r\n");
            EXPECT_THAT(again, StartsWith(std::string{method} + " /up?second"));
            EXPECT_THAT(again, HasSubstr("X-A: b\r\n"));
            if (!said.empty()) {
                EXPECT_EQ(again, said);
            }
            second.send("HTTP/1.1 200 OK\r\nX-C: d\r\nContent-Length: 0\r\n\r\n");
            EXPECT_THAT(client.receive_until("\r\n\r\n"), HasSubstr("X-C: d\r\n"));
            server_.reset();
        }
    }
}

TEST_F(UpstreamTest, WhatAKeptConnectionSaysUnaskedIsNobodysAnswer) {
    const Listener upstream;
    pass_on(upstream.port);
    Client first = Client::of(-1), second = Client::of(-1);
    ask_over(connect(), get("/up?first"), upstream, first, "a");
    first.send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\n\r\nevil");
    // Until the other side has it.
    ASSERT_TRUE(soon([&] {
        int unsent = 0;
        return ::ioctl(first.socket(), SIOCOUTQ, &unsent) == 0 && unsent == 0;
    }));
    ask_over(connect(), get("/up?second"), upstream, second, "b");
    EXPECT_TRUE(first.is_closed_within(5000));
}

TEST_F(UpstreamTest, ARequestIsSentAgainOnlyWhileNothingWasAnswered) {
    const Listener upstream;
    pass_on(upstream.port);
    Client first = Client::of(-1), second = Client::of(-1);
    ask_over(connect(), get("/up?first"), upstream, first, "a");
    const Client client = connect();
    client.send(get("/up?second"));
    EXPECT_THAT(first.receive_until("\r\n\r\n"), HasSubstr("/up?second"));
    first.send("HTTP/1.1 200 O");
    first.close();
    EXPECT_THAT(client.receive(), StartsWith("HTTP/1.1 502 "));
    // A new connection that breaks is not tried again either.
    const Client other = connect();
    other.send(get("/up?third"));
    EXPECT_THAT(upstream.accept().receive_until("\r\n\r\n"), HasSubstr("/up?third"));
    EXPECT_THAT(other.receive(), StartsWith("HTTP/1.1 502 "));
    EXPECT_FALSE(upstream.is_asked());
    ask_over(connect(), get("/up?fourth"), upstream, second, "b");
}

TEST_F(UpstreamTest, OnlyASafeRequestGoesOverAKeptConnection) {
    const std::string length = " /up HTTP/1.1\r\nHost: h\r\nContent-Length: ";
    for (const std::string& request :
        {"POST" + length + "0\r\n\r\n", "POST" + length + "1\r\n\r\nx",
            "PUT" + length + "1\r\n\r\nx", "PATCH" + length + "1\r\n\r\nx",
            "DELETE" + length + "0\r\n\r\n", "GET" + length + "1\r\n\r\nx"}) {
        SCOPED_TRACE(request);
        const Listener upstream;
        pass_on(upstream.port);
        Client first = Client::of(-1), second = Client::of(-1);
        ask_over(connect(), get("/up?first"), upstream, first, "a");
        ask_over(connect(), request, upstream, second, "b");
        // Nor is it sent again when its connection closes: who knows what it has done.
        const Client client = connect();
        client.send(request);
        EXPECT_THAT(upstream.accept().receive_until(request.substr(request.find("\r\n\r\n"))),
            HasSubstr(" /up "));
        EXPECT_THAT(client.receive(), StartsWith("HTTP/1.1 502 "));
        EXPECT_FALSE(upstream.is_asked());
        // What it came over is kept all the same, and is the newest.
        ask_over(connect(), get("/up?second"), upstream, second, "c");
        EXPECT_FALSE(upstream.is_asked());
        server_.reset();
    }
}

TEST_F(UpstreamTest, SoManyConnectionsAreKeptAndNoMore) {
    constexpr std::size_t more = 8, all = Upstream::kept_max + more;
    const Listener upstream;
    pass_on(upstream.port);
    std::vector<Client> clients, connections;
    for (std::size_t i = 0; i < all; i++) {
        clients.push_back(connect());
        clients.back().send(get("/up"));
        connections.push_back(upstream.accept());
        EXPECT_THAT(connections.back().receive_until("\r\n\r\n"), StartsWith("GET /up "));
    }
    // All are busy at once; those that become free first give way to the others.
    for (std::size_t i = 0; i < all; i++) {
        connections[i].send(ok("a"));
        EXPECT_THAT(clients[i].receive_until("\r\n\r\na"), EndsWith("\r\n\r\na")) << i;
    }
    for (std::size_t i = 0; i < more; i++)
        EXPECT_TRUE(connections[i].is_closed_within(5000)) << i;
    for (std::size_t i = all; i-- > more;) {
        clients[i].send(get("/up"));
        EXPECT_THAT(connections[i].receive_until("\r\n\r\n"), StartsWith("GET /up ")) << i;
    }
    EXPECT_FALSE(upstream.is_asked());
    Client last = Client::of(-1);
    ask_over(connect(), get("/up"), upstream, last, "b");
}

TEST_F(UpstreamTest, AClientThatReadsSlowlyHoldsTheUpstreamUpAndNoMemory) {
    constexpr std::size_t total = std::size_t{64} << 20, some = std::size_t{8} << 20;
    constexpr std::size_t period = 65'521;  // a prime: no buffer's size divides it
    std::string text(period, '\0');
    std::minstd_rand random{1};
    for (char& byte : text)
        byte = static_cast<char>(random());
    text += text;
    const Listener upstream;
    pass_on(upstream.port, "", 120'000 * ms);
    const Client client = connect();
    client.send(get("/up"));
    const Client connection = upstream.accept();
    (void)connection.receive_until("\r\n\r\n");
    const std::size_t before = resident_bytes();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(total) + "\r\n\r\n");
    std::size_t sent = 0, received = 0;
    const auto send_what_fits = [&] {
        while (sent < total) {
            const std::size_t bytes = std::min(period, total - sent);
            const ssize_t count = ::send(
                connection.socket(), &text[sent % period], bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (count <= 0) return;
            sent += static_cast<std::size_t>(count);
        }
    };
    // Until nothing is taken any more: then it is in what the system keeps for four sockets.
    pollfd out{connection.socket(), POLLOUT, 0};
    do
        send_what_fits();
    while (sent < total && ::poll(&out, 1, 200) == 1);
    EXPECT_LT(sent, total / 2);
    EXPECT_LT(resident_bytes(), before + some);

    ResponseParser parser{false};
    std::vector<u8> piece(60'000), body;
    while (parser.state() != ResponseParser::State::done) {
        send_what_fits();
        pollfd both[] = {{client.socket(), POLLIN, 0}, {connection.socket(), POLLOUT, 0}};
        if (sent == total) both[1].fd = -1;
        ASSERT_GT(::poll(both, 2, 30'000), 0) << received;
        if (both[0].revents == 0) continue;
        const ssize_t count = ::recv(client.socket(), piece.data(), piece.size(), 0);
        ASSERT_GT(count, 0) << received;
        body.clear();
        const std::span<const u8> bytes{piece.data(), static_cast<std::size_t>(count)};
        ASSERT_EQ(parser.feed(bytes, body), bytes.size());
        const std::string_view got{reinterpret_cast<const char*>(body.data()), body.size()};
        ASSERT_TRUE(std::string_view{text}.substr(received % period).starts_with(got)) << received;
        received += got.size();
        ASSERT_LT(resident_bytes(), before + some) << received;
    }
    EXPECT_EQ(received, total);
}

TEST_F(UpstreamTest, SpeaksIpv6) {
    const Listener upstream{AF_INET6};
    if (upstream.port == 0) GTEST_SKIP() << "no IPv6 here: [::1] cannot be listened at";
    const std::string where = "[::1]:" + std::to_string(upstream.port);
    pass_on_to(where + "/prefix");
    Client connection = Client::of(-1);
    const Client client = connect();
    client.send(get("/up"));
    connection = upstream.accept();
    const std::string text = connection.receive_until("\r\n\r\n");
    EXPECT_THAT(text, StartsWith("GET /prefix/up HTTP/1.1\r\nhost: " + where + "\r\n"));
    connection.send(ok("six"));
    EXPECT_THAT(client.receive_until("six"), EndsWith("\r\n\r\nsix"));
}

TEST_F(UpstreamTest, StreamsBodies) {
    std::string body(1'000'000, 'x');
    body += "<end>";
    Backend backend{
        {{.answer = ok("thanks"), .until = "<end>"}, {.answer = ok(body), .until = "0\r\n\r\n"}}};
    pass_on(backend.port);
    EXPECT_THAT(talk(post("/up", body)), EndsWith("thanks"));
    const std::string text = talk(
        "POST /up HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    EXPECT_THAT(text, EndsWith("xx<end>"));
    EXPECT_GT(text.size(), body.size());
    backend.join();
    ASSERT_EQ(backend.heard.size(), 2u);
    EXPECT_THAT(backend.heard[0], HasSubstr("content-length: 1000005\r\n"));
    EXPECT_THAT(backend.heard[0], EndsWith(body));
    EXPECT_THAT(backend.heard[1], EndsWith("\r\n\r\n3\r\nabc\r\n0\r\n\r\n"));
}

TEST_F(UpstreamTest, PassesOnAnAnswerThatComesBeforeTheBody) {
    Backend backend{{{"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"}}};
    pass_on(backend.port);
    const Client client = connect();
    client.send("POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\nonly this");
    EXPECT_THAT(client.receive_until("\r\n\r\nno"), StartsWith("HTTP/1.1 403 "));
}

TEST(UpstreamUrl, IsPlain) {
    for (const char* const url :
        {"http://127.0.0.1:80", "HTTP://127.0.0.1", "http://[::1]:8080/a/b/"})
        EXPECT_TRUE(Upstream::make(url).handler) << url;
    for (const char* const url : {"", "127.0.0.1:80", "ftp://127.0.0.1", "http://", "http://:80",
             "http://::1", "http://[::1", "http://127.0.0.1:0", "http://127.0.0.1:65536",
             "http://127.0.0.1:x", "http://u@127.0.0.1", "http://127.0.0.1/a?b",
             "http://127.0.0.1/a b", "http://127.0.0.1\r\nx: y"})
        EXPECT_THAT(Upstream::make(url).error, HasSubstr("such as http://")) << url;
    EXPECT_THAT(Upstream::make("https://127.0.0.1").error, HasSubstr("https is not there yet"));
}

}  // namespace
}  // namespace wrun::http
