// Requests and answers over real sockets.
#include <gmock/gmock.h>
#include <sys/un.h>

#include <algorithm>
#include <thread>

#include "tests/http/client.hpp"

namespace wrun::http {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

TEST_F(ServerTest, Answers) {
    start({});
    const std::string text = ask(get("/"));
    EXPECT_THAT(text, StartsWith("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ndate: "));
    EXPECT_THAT(text, EndsWith("GMT\r\ncontent-length: 5\r\n\r\nhello"));
    EXPECT_THAT(ask(get("/nowhere")), StartsWith("HTTP/1.1 404 Not Found\r\n"));
}

TEST_F(ServerTest, TellsHandlersTheRequest) {
    start({{"/r", [](Exchange& exchange) {
                const Request& request = exchange.request();
                answer(exchange, std::string{request.method} + " " + std::string{request.query} +
                                     " " + std::string{request.authority} + " " +
                                     std::string{request.client_address} + " " +
                                     std::string{request.server_address} + " " +
                                     std::to_string(request.id.size()) + " " +
                                     std::string{exchange.route().pattern});
            }}});
    EXPECT_THAT(ask(get("/r?a=b")), EndsWith("\r\n\r\nGET a=b h 127.0.0.1 127.0.0.1 16 /r"));
}

TEST_F(ServerTest, BelievesAProxyOnlyWhereToldTo) {
    const Functions functions{{"/r", [](Exchange& exchange) {
                                   const Request& request = exchange.request();
                                   answer(exchange, std::string{request.client_address} + " " +
                                                        std::string{request.scheme} + " " +
                                                        std::string{request.authority});
                               }}};
    const std::string text = get("/r",
        "X-Forwarded-For: 1.1.1.1, 2.2.2.2\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: x\r\n");
    start(functions);
    EXPECT_THAT(ask(text), EndsWith("\n127.0.0.1 http h"));
    ServerOptions options;
    options.is_proxy_trusted = true;
    start(functions, options);
    EXPECT_THAT(ask(text), EndsWith("\n2.2.2.2 https x"));
}

TEST_F(ServerTest, KeepsConnections) {
    start({});
    const Client client = connect();
    for (int i = 0; i < 3; i++) {
        ASSERT_TRUE(client.send(get("/")));
        EXPECT_THAT(client.receive_until("hello"), EndsWith("hello"));
    }
    ASSERT_TRUE(client.send(get("/", "Connection: close\r\n")));
    EXPECT_THAT(client.receive_all(), HasSubstr("connection: close\r\n"));
    EXPECT_EQ(counters().accepted.get(), 1u);
}

TEST_F(ServerTest, SpeaksHttp10) {
    start({});
    EXPECT_THAT(ask("GET / HTTP/1.0\r\n\r\n"), HasSubstr("connection: close\r\n"));
    const Client client = connect();
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_THAT(client.receive_until("hello"), HasSubstr("connection: keep-alive\r\n"));
    client.send("GET / HTTP/1.0\r\n\r\n");
    EXPECT_THAT(client.receive_all(), EndsWith("hello"));
}

TEST_F(ServerTest, AnswersWhatComesTogetherInOrder) {
    start({{"/n", [](Exchange& exchange) {
                if (exchange.request().query.ends_with("7")) sleep_in(exchange, ms / 10);
                answer(exchange, "<" + std::string{exchange.request().query} + ">");
            }}});
    std::string requests;
    for (int i = 0; i < 1000; i++)
        requests +=
            i % 3 == 0 ? post("/n?" + std::to_string(i), "body") : get("/n?" + std::to_string(i));
    const Client client = connect();
    ASSERT_TRUE(client.send(requests));
    const std::string text = client.receive_until("<999>");
    std::size_t at = 0;
    for (int i = 0; i < 1000; i++) {
        at = text.find("<" + std::to_string(i) + ">", at);
        ASSERT_NE(at, text.npos) << i;
    }
    EXPECT_EQ(count_of(text, "HTTP/1.1 200"), 1000u);
}

TEST_F(ServerTest, ReadsSlowClients) {
    start({});
    const Client client = connect();
    for (const char byte : post("/echo", "slowly")) {
        ASSERT_TRUE(client.send({&byte, 1}));
        ::usleep(100);
    }
    EXPECT_THAT(client.receive_until("slowly"), EndsWith("slowly"));
}

TEST_F(ServerTest, EchoesBodiesOfAllSizes) {
    start({});
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{65535},
             std::size_t{65536}, std::size_t{65537}, std::size_t{3'000'000}}) {
        std::string body(size, 'x');
        for (std::size_t i = 0; i < size; i += 7)
            body[i] = static_cast<char>('a' + i % 26);
        const Client client = connect();
        os::Thread thread;
        struct Job {
            const Client& client;
            std::string text;
        } job{client, post("/echo", body)};
        ASSERT_TRUE(thread.start(
            [](void* it) {
                const Job& self = *static_cast<Job*>(it);
                (void)self.client.send(self.text);
                self.client.half_close();
            },
            &job));
        std::string text = client.receive_all();
        thread.join();
        const auto end = text.find("\r\n\r\n");
        ASSERT_NE(end, text.npos) << size;
        const bool is_chunked = text.find("transfer-encoding: chunked") < end;
        EXPECT_EQ(is_chunked, size > 65536);
        text.erase(0, end + 4);
        if (!is_chunked) {
            EXPECT_EQ(text, body) << size;
            continue;
        }
        std::string joined;
        for (std::size_t at = 0;;) {
            const std::size_t length = std::stoul(text.substr(at), nullptr, 16);
            if (length == 0) break;
            at = text.find("\r\n", at) + 2;
            joined += text.substr(at, length);
            at += length + 2;
        }
        EXPECT_EQ(joined, body) << size;
    }
}

TEST_F(ServerTest, StreamsAnswersOfOldClientsUntilTheEnd) {
    start({{"/big", [](Exchange& exchange) { answer(exchange, std::string(200'000, 'x')); }}});
    const std::string text = ask("GET /big HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_THAT(text, HasSubstr("connection: close\r\n"));
    EXPECT_EQ(text.size() - text.find("\r\n\r\n") - 4, 200'000u);
}

TEST_F(ServerTest, LeavesOutBodiesThatNobodyMaySend) {
    start({{"/204", [](Exchange& exchange) { answer(exchange, "x", 204); }},
        {"/304", [](Exchange& exchange) { answer(exchange, "x", 304); }}});
    EXPECT_THAT(ask("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"), EndsWith("content-length: 5\r\n\r\n"));
    EXPECT_THAT(ask(get("/204")), EndsWith("GMT\r\n\r\n"));
    EXPECT_THAT(ask(get("/304")), EndsWith("GMT\r\n\r\n"));
}

TEST_F(ServerTest, TellsClientsToGoOn) {
    start({});
    const Client client = connect();
    client.send(
        "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    EXPECT_EQ(client.receive(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body");
    EXPECT_THAT(client.receive_until("body"), StartsWith("HTTP/1.1 200 OK\r\n"));
    // Not when the body is there already, and not when it is too large.
    client.send(
        "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab");
    EXPECT_THAT(client.receive_until("ab"), Not(HasSubstr("100 Continue")));
    EXPECT_THAT(ask("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: "
                    "99999999\r\n\r\n"),
        StartsWith("HTTP/1.1 413 "));
}

TEST_F(ServerTest, RefusesAndCloses) {
    start({});
    EXPECT_THAT(ask(get("/") + "GET / HTTP/2.0\r\n\r\n" + get("/")), HasSubstr("HTTP/1.1 505 "));
    EXPECT_EQ(count_of(ask(get("/") + "rubbish\r\n\r\n" + get("/")), "HTTP/1.1 "), 2u);
    const Client client = connect();
    // More than is read before it is refused: its rest must not reset the connection.
    EXPECT_TRUE(client.send("GET / HTTP/1.1\r\n" + std::string(1'000'000, 'x')));
    const std::string text = client.receive_all();
    EXPECT_EQ(client.error(), 0);
    EXPECT_THAT(text, StartsWith("HTTP/1.1 431 "));
    EXPECT_THAT(text, HasSubstr("connection: close\r\n"));
}

TEST_F(ServerTest, SendsWhatThereIsWhenTheHandlerWaits) {
    start({{"/events", [](Exchange& exchange) {
                const Field fields[] = {{"content-type", "text/event-stream"}};
                ASSERT_TRUE(exchange.begin(200, fields));
                for (int i = 0; i < 3; i++) {
                    (void)exchange.write(bytes_of("data: " + std::to_string(i) + "\n\n"));
                    sleep_in(exchange, 100 * ms);
                }
                exchange.finish();
            }}});
    const Client client = connect();
    client.send(get("/events"));
    const u64 begin = os::monotonic_ns();
    EXPECT_THAT(client.receive_until("data: 0"), HasSubstr("transfer-encoding: chunked"));
    EXPECT_LT(os::monotonic_ns() - begin, 90 * ms);
    EXPECT_THAT(client.receive_until("0\r\n\r\n"), HasSubstr("data: 2"));
    EXPECT_GE(os::monotonic_ns() - begin, 300 * ms);
    client.send(get("/"));
    EXPECT_THAT(client.receive_until("hello"), EndsWith("hello"));
}

TEST_F(ServerTest, ServesOthersWhileAHandlerWaits) {
    start({{"/slow", [](Exchange& exchange) {
                sleep_in(exchange, 200 * ms);
                answer(exchange, "late");
            }}});
    const Client slow = connect();
    slow.send(get("/slow"));
    const u64 begin = os::monotonic_ns();
    EXPECT_THAT(ask(get("/")), EndsWith("hello"));
    EXPECT_LT(os::monotonic_ns() - begin, 150 * ms);
    EXPECT_THAT(slow.receive_until("late"), EndsWith("late"));
}

TEST_F(ServerTest, WaitsForTheBodyBesideDescriptors) {
    constexpr std::size_t size = 200'000;
    start({{"/body", [](Exchange& exchange) {
                int ends[2];
                ASSERT_EQ(::pipe(ends), 0);
                pollfd waits[] = {{Exchange::body_descriptor, POLLIN, 0}, {ends[0], POLLIN, 0}};
                // Nothing of it is there yet.
                EXPECT_EQ(exchange.wait(waits, os::monotonic_ns() + 20 * ms), 0);
                std::size_t bytes = 0;
                u8 piece[4096];
                while (exchange.wait(waits, engine::CallLimits::never) == 1) {
                    EXPECT_EQ(waits[0].revents, POLLIN);
                    const auto read = exchange.read_body(piece);
                    bytes += read.bytes;
                    if (read.bytes == 0) break;
                }
                // Behind its end there is nothing that would have to be waited for.
                EXPECT_EQ(exchange.wait(std::span{waits}.first(1), engine::CallLimits::never), 1);
                ::close(ends[0]);
                ::close(ends[1]);
                answer(exchange, std::to_string(bytes));
            }}});
    const Client client = connect();
    const std::string text = post("/body", std::string(size, 'x'));
    const std::size_t head = text.size() - size;
    ASSERT_TRUE(client.send(std::string_view{text}.substr(0, head)));
    ::usleep(100'000);
    for (std::size_t at = head; at < text.size(); at += 50'000) {
        ASSERT_TRUE(client.send(std::string_view{text}.substr(at, 50'000)));
        ::usleep(2000);
    }
    EXPECT_THAT(client.receive_until("200000"), EndsWith("200000"));
}

TEST_F(ServerTest, TellsTheClientToGoOnWhenItWaitsForTheBody) {
    start({{"/body", [](Exchange& exchange) {
                pollfd body{Exchange::body_descriptor, POLLIN, 0};
                EXPECT_EQ(exchange.wait(std::span{&body, 1}, os::monotonic_ns() + 2000 * ms), 1);
                answer(exchange, std::to_string(exchange.readable_bytes() != 0));
            }}});
    const Client client = connect();
    client.send(
        "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\nExpect: "
        "100-continue\r\n\r\n");
    EXPECT_THAT(client.receive_until("\r\n\r\n"), StartsWith("HTTP/1.1 100 Continue"));
    client.send("x");
    EXPECT_THAT(client.receive_until("\r\n\r\n1"), EndsWith("\r\n\r\n1"));
}

TEST_F(ServerTest, WaitsForDescriptors) {
    start({{"/pipe", [](Exchange& exchange) {
                int ends[2];
                ASSERT_EQ(::pipe(ends), 0);
                pollfd waits[] = {{ends[0], POLLIN, 0}, {ends[0], POLLIN, 0}, {-1, 0, 0}};
                EXPECT_EQ(exchange.wait(waits, os::monotonic_ns() + 20 * ms), 0);
                ASSERT_EQ(::write(ends[1], "x", 1), 1);
                EXPECT_EQ(exchange.wait(waits, engine::CallLimits::never), 2);
                EXPECT_EQ(waits[0].revents, POLLIN);
                ::close(ends[1]);
                ::close(ends[0]);
                answer(exchange, "done");
            }}});
    const Client client = connect();
    client.send(get("/"));
    EXPECT_THAT(client.receive_until("hello"), EndsWith("hello"));
    const std::size_t before = open_descriptors();
    client.send(get("/pipe"));
    EXPECT_THAT(client.receive_until("done"), EndsWith("done"));
    EXPECT_EQ(open_descriptors(), before);
}

TEST_F(ServerTest, TurnsFailuresIntoAnswers) {
    start({{"/trap", [](Exchange& exchange) { exchange.fail(Failure::trap, "t"); }},
        {"/none", [](Exchange&) {}},
        {"/bad",
            [](Exchange& exchange) {
                const Field fields[] = {{"x", "a\r\nset-cookie: b"}};
                EXPECT_FALSE(exchange.begin(200, fields));
            }},
        {"/short",
            [](Exchange& exchange) {
                const Field fields[] = {{"content-length", "5"}};
                EXPECT_TRUE(exchange.begin(200, fields));
                (void)exchange.write(bytes_of("abc"));
                exchange.finish();
            }},
        {"/long",
            [](Exchange& exchange) {
                const Field fields[] = {{"content-length", "1"}};
                EXPECT_TRUE(exchange.begin(200, fields));
                EXPECT_EQ(exchange.write(bytes_of("abc")), Transfer::gone);
            }},
        {"/half", [](Exchange& exchange) {
             EXPECT_TRUE(exchange.begin(200, {}));
             (void)exchange.write(bytes_of(std::string(100'000, 'x')));
             exchange.fail(Failure::trap, "in the middle");
         }}});
    const Client client = connect();
    const std::pair<const char*, const char*> rows[] = {{"/trap", "500"}, {"/none", "500"},
        {"/bad", "502"}, {"/short", "502"}, {"/long", "502"}, {"/", "200"}};
    for (const auto& [path, status] : rows) {
        client.send(get(path));
        EXPECT_THAT(client.receive(), StartsWith("HTTP/1.1 " + std::string{status})) << path;
    }
    client.send(get("/half"));
    EXPECT_THAT(client.receive_all(), Not(HasSubstr("\r\n0\r\n\r\n")));
}

TEST_F(ServerTest, LeavesFramingToNobodyElse) {
    start({{"/f", [](Exchange& exchange) {
                const Field fields[] = {{"Transfer-Encoding", "gzip"}, {"connection", "x"},
                    {"Keep-Alive", "y"}, {"X", "z"}, {"X", "zz"}, {"Date", "now"}};
                EXPECT_TRUE(exchange.begin(299, fields));
                exchange.finish();
            }}});
    EXPECT_THAT(ask(get("/f")),
        EndsWith("HTTP/1.1 299 \r\nX: z\r\nX: zz\r\nDate: now\r\ncontent-length: 0\r\n\r\n"));
}

TEST_F(ServerTest, ListensAtAPath) {
    const std::string path = testing::TempDir() + "wrun-http-" + std::to_string(::getpid());
    ServerOptions options;
    options.threads = 2;
    options.endpoints.push_back({"127.0.0.1", 0, {}, -1});
    options.endpoints.push_back({{}, 0, path, -1});
    start({}, options);
    EXPECT_THAT(ask(get("/")), EndsWith("hello"));
    EXPECT_EQ(::access(path.c_str(), F_OK), 0);
    ::unlink(path.c_str());
}

TEST_F(ServerTest, OfSeveralAtOnceOneTakesAnAbandonedPath) {
    const std::string path = testing::TempDir() + "wrun-http-race-" + std::to_string(::getpid());
    const auto listen_as_one_that_dies = [&] {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        ::close(socket);
    };
    for (int round = 0; round < 50; round++) {
        listen_as_one_that_dies();
        std::vector<std::unique_ptr<Server>> servers(4);
        std::vector<std::thread> threads;
        for (auto& server : servers)
            threads.emplace_back([&] {
                ServerOptions options;
                options.endpoints.push_back({{}, 0, path, -1});
                auto made =
                    Server::make(std::move(options), std::make_shared<FunctionRouter>(Functions{}));
                if (made.ok()) server = std::move(made).take();
            });
        for (std::thread& thread : threads)
            thread.join();
        EXPECT_EQ(std::count(servers.begin(), servers.end(), nullptr), 3) << round;
        servers.clear();
        ASSERT_NE(::access(path.c_str(), F_OK), 0);
    }
}

}  // namespace
}  // namespace wrun::http
