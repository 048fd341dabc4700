// Requests passed on to real servers on loopback: ones that answer as they should, and others.
#include "http/upstream.hpp"

#include <gmock/gmock.h>
#include <sys/time.h>

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
        auto made =
            Upstream::make("http://127.0.0.1:" + std::to_string(port) + std::string{prefix});
        ASSERT_TRUE(made.handler) << made.error;
        ServerOptions options;
        options.timeout_ns = timeout_ns;
        start(
            {{"/up", [handler = made.handler](Exchange& exchange) { handler->handle(exchange); }}},
            options);
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

TEST_F(UpstreamTest, SendsWhatIsNotSafeOnceOverAConnectionOfItsOwn) {
    Backend backend{{{.answer = ok("a"), .is_closing = false}, {}, {.answer = ok("b")}}};
    pass_on(backend.port);
    EXPECT_THAT(talk(get("/up")), EndsWith("\r\n\r\na"));
    EXPECT_THAT(talk(post("/up", "")), EndsWith("\r\n\r\nb"));
    backend.join();
    ASSERT_EQ(backend.heard.size(), 3u);
    EXPECT_EQ(backend.heard[1], "");
    EXPECT_THAT(backend.heard[2], StartsWith("POST /up"));
}

TEST_F(UpstreamTest, AsksAgainWhereAKeptConnectionHasEnded) {
    // It ends with the request, so that it could not be seen before.
    Backend backend{{{.answer = ok("a"), .is_closing = false}, {}, {.answer = ok("b")}}};
    pass_on(backend.port);
    EXPECT_THAT(talk(get("/up")), EndsWith("\r\n\r\na"));
    EXPECT_THAT(talk(get("/up")), EndsWith("\r\n\r\nb"));
    backend.join();
    ASSERT_EQ(backend.heard.size(), 3u);
    EXPECT_EQ(backend.heard[1], backend.heard[2]);
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
