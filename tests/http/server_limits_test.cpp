// What clients and handlers that misbehave may take, and how a server ends.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <atomic>
#include <random>

#include "base/sanitizers.hpp"
#include "tests/http/client.hpp"

namespace wrun::http {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class ServerLimits : public ServerTest {};

TEST_F(ServerLimits, SlowHeadsAndBodiesAndIdleConnectionsAreClosedAtTheirTime) {
    ServerOptions options;
    options.head_ns = 150 * ms;
    options.body_ns = 250 * ms;
    options.idle_ns = 350 * ms;
    start({}, options);
    const Client head = connect(), body = connect(), idle = connect(), used = connect();
    used.send(get("/"));
    head.send("GET / HTTP/1.1\r\nX: ");
    body.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n");
    const u64 begin = os::monotonic_ns();
    // Bytes that drip do not put the end of a head off.
    std::string answer;
    while (answer.empty() && os::monotonic_ns() - begin < 5000 * ms) {
        head.send("X");
        answer = head.receive(10);
    }
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 408 "));
    EXPECT_GE(os::monotonic_ns() - begin, 140 * ms);
    EXPECT_THAT(body.receive(), StartsWith("HTTP/1.1 408 "));
    EXPECT_GE(os::monotonic_ns() - begin, 240 * ms);
    EXPECT_TRUE(idle.is_closed_within(1000));
    EXPECT_TRUE(used.is_closed_within(1000));
    EXPECT_GE(os::monotonic_ns() - begin, 340 * ms);
    EXPECT_LE(os::monotonic_ns() - begin, 1500 * ms);
}

TEST_F(ServerLimits, AHandlerThatWaitsEndsAtItsDeadline) {
    ServerOptions options;
    options.timeout_ns = 100 * ms;
    start({{"/wait",
               [](Exchange& exchange) {
                   errno = 0;
                   EXPECT_EQ(exchange.wait({}, engine::CallLimits::never), -1);
                   EXPECT_EQ(errno, EINTR);
                   exchange.fail(Failure::deadline, "");
               }},
              {"/read",
                  [](Exchange& exchange) {
                      u8 bytes[10];
                      EXPECT_EQ(exchange.read_body(bytes).how, Transfer::timed_out);
                      exchange.fail(Failure::deadline, "");
                  }}},
        options);
    for (const std::string& text : {get("/wait"),
             std::string{"POST /read HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"}}) {
        const Client client = connect();
        const u64 begin = os::monotonic_ns();
        client.send(text);
        EXPECT_THAT(client.receive(), StartsWith("HTTP/1.1 504 "));
        EXPECT_GE(os::monotonic_ns() - begin, 99 * ms);
        EXPECT_LE(os::monotonic_ns() - begin, 400 * ms);
    }
}

TEST_F(ServerLimits, AClientThatGoesEndsItsHandler) {
    std::atomic<int> ended{0};
    const auto wait = [&ended](Exchange& exchange) {
        EXPECT_EQ(exchange.wait({}, engine::CallLimits::never), -1);
        EXPECT_TRUE(exchange.limits().cancel->is_cancelled());
        EXPECT_EQ(exchange.write(bytes_of("x")), Transfer::gone);
        ended++;
    };
    start({{"/wait", wait}});
    for (int i = 0; i < 2; i++) {
        Client client = connect();
        client.send(get("/wait"));
        ASSERT_TRUE(soon([&] { return counters().in_flight.get() == 1; }));
        i == 0 ? client.close() : client.reset();
        EXPECT_TRUE(soon([&] { return ended == i + 1; }));
    }
    // The canceller of one request is not the next one's.
    EXPECT_THAT(ask(get("/")), EndsWith("hello"));
    EXPECT_TRUE(soon([&] { return counters().connections.get() == 0; }));
}

TEST_F(ServerLimits, AHalfClosedClientMayBeServedToTheEnd) {
    ServerOptions options;
    options.is_half_close_gone = false;
    start({{"/slow",
              [](Exchange& exchange) {
                  sleep_in(exchange, 50 * ms);
                  answer(exchange, "late");
              }}},
        options);
    EXPECT_THAT(ask(get("/slow") + get("/")), EndsWith("hello"));
}

TEST_F(ServerLimits, AClientThatDoesNotReadHoldsItsHandlerUpAndNoMemory) {
    std::atomic<u64> written{0};
    ServerOptions options;
    options.write_ns = 500 * ms;
    start({{"/endless",
              [&written](Exchange& exchange) {
                  const std::string piece(100'000, 'x');
                  for (;;) {
                      if (exchange.write(bytes_of(piece)) != Transfer::ok) return;
                      written += piece.size();
                  }
              }}},
        options);
    const std::size_t before = resident_bytes();
    const Client client = connect();
    client.send(get("/endless"));
    ::usleep(200'000);
    const u64 then = written;
    ::usleep(100'000);
    EXPECT_EQ(written, then);
    EXPECT_LT(resident_bytes(), before + (std::size_t{8} << 20));
    (void)client.receive_until("x", 5'000'000);
    EXPECT_GT(written, then);
    // And when it never reads again, its time comes.
    EXPECT_TRUE(soon([&] { return counters().connections.get() == 0; }));
}

TEST_F(ServerLimits, AnAnswerThatNobodyReadsIsGivenUp) {
    ServerOptions options;
    options.write_ns = 300 * ms;
    std::atomic<bool> is_made{false};
    start({{"/large",
              [&is_made](Exchange& exchange) {
                  answer(exchange, std::string(std::size_t{16} << 20, 'x'));
                  is_made = true;
              }}},
        options);
    const Client client = connect();
    client.send(get("/large"));
    EXPECT_TRUE(soon([&] { return counters().accepted.get() == 1; }));
    EXPECT_TRUE(soon([&] { return counters().connections.get() == 0; }));
    EXPECT_TRUE(is_made);
    // Not the end that a whole answer of a connection may have.
    const std::string text = client.receive_all();
    EXPECT_LT(text.size(), std::size_t{16} << 20);
    EXPECT_EQ(client.error(), ECONNRESET);
}

TEST_F(ServerLimits, AnswersHaveTheirLimit) {
    ServerOptions options;
    options.response_bytes_max = 200'000;
    const auto of = [](std::size_t size) {
        return [size](Exchange& exchange) { answer(exchange, std::string(size, '#')); };
    };
    start({{"/fits", of(200'000)}, {"/large", of(200'001)}}, options);
    EXPECT_EQ(count_of(ask(get("/fits", "Connection: close\r\n")), "#"), 200'000u);
    // It has begun: its end must not look like one.
    const Client client = connect();
    client.send("GET /large HTTP/1.0\r\n\r\n");
    EXPECT_LE(count_of(client.receive_all(), "#"), 200'000u);
    EXPECT_EQ(client.error(), ECONNRESET);
}

TEST_F(ServerLimits, ManyAnswersThatNobodyReadsAreNotMade) {
    std::atomic<u32> made = 0;
    start({{"/big", [&made](Exchange& exchange) {
                made++;
                answer(exchange, std::string(60'000, 'x'));
            }}});
    std::string requests;
    for (int i = 0; i < 1000; i++)
        requests += get("/big");
    const Client client = connect();
    const std::size_t before = resident_bytes();
    ASSERT_TRUE(client.send(requests));
    ::usleep(200'000);
    EXPECT_LT(made.load(), 900u);
    EXPECT_LT(resident_bytes(), before + (std::size_t{8} << 20));
    EXPECT_EQ(count_of(client.receive_until("HTTP/1.1 200", 1000), "HTTP/1.1 200"), 1000u);
}

TEST_F(ServerLimits, RequestsWaitTheirTurnThenGet503ThenAllIsWell) {
    ServerOptions options;
    options.in_flight_max = 2;
    options.queue_max = 2;
    options.queue_ns = 300 * ms;
    start({{"/slow",
               [](Exchange& exchange) {
                   sleep_in(exchange, 100 * ms);
                   answer(exchange, "late");
               }},
              {"/stuck",
                  [](Exchange& exchange) {
                      sleep_in(exchange, 700 * ms);
                      answer(exchange, "late");
                  }}},
        options);
    std::vector<Client> clients;
    for (int i = 0; i < 6; i++) {
        clients.push_back(connect());
        clients.back().send(get("/slow"));
        ASSERT_TRUE(soon([&] {
            return counters().in_flight.get() + counters().queued.get() +
                       counters().refused.get() ==
                   static_cast<u64>(i) + 1;
        }));
    }
    for (std::size_t i = 0; i < 6; i++) {
        const std::string text = clients[i].receive_until("\r\n\r\n");
        EXPECT_THAT(text, StartsWith(i < 4 ? "HTTP/1.1 200 " : "HTTP/1.1 503 ")) << i;
        EXPECT_EQ(count_of(text, "retry-after: 1\r\n"), i < 4 ? 0u : 1u);
    }
    // Who waits longer than the queue's time is refused too, and one who goes leaves it.
    for (Client& client : clients)
        client.send(get("/stuck"));
    ASSERT_TRUE(soon([&] { return counters().queued.get() == 2; }));
    EXPECT_TRUE(soon([&] { return counters().queued.get() == 0; }));
    EXPECT_EQ(counters().refused.get(), 6u);
    EXPECT_TRUE(soon([&] { return counters().in_flight.get() == 0; }));
    EXPECT_THAT(ask(get("/")), EndsWith("hello"));
}

TEST_F(ServerLimits, AFloodedRouteKeepsOnlyItselfWaiting) {
    ServerOptions options;
    options.in_flight_max = 1;
    options.queue_max = 8;
    options.queue_ns = 5000 * ms;
    start({{"/flood",
              [](Exchange& exchange) {
                  sleep_in(exchange, 40 * ms);
                  answer(exchange, "late");
              }}},
        options);
    std::vector<Client> flood;
    for (int i = 0; i < 12; i++) {
        flood.push_back(connect());
        flood.back().send(get("/flood"));
    }
    ASSERT_TRUE(soon([&] { return counters().queued.get() == 8; }));
    const u64 begin = os::monotonic_ns();
    const Client other = connect();
    other.send(get("/"));
    EXPECT_THAT(other.receive_until("hello"), EndsWith("hello"));
    EXPECT_LT(os::monotonic_ns() - begin, 150 * ms);  // all of the flood takes 320
}

TEST_F(ServerLimits, AFloodedRouteLeavesTurnsToOthers) {
    ServerOptions options;
    options.in_flight_max = 16;
    start({{"/stuck",
              [](Exchange& exchange) { (void)exchange.wait({}, engine::CallLimits::never); }}},
        options);
    std::vector<Client> flood;
    for (int i = 0; i < 20; i++) {
        flood.push_back(connect());
        flood.back().send(get("/stuck"));
    }
    ASSERT_TRUE(soon([&] { return counters().queued.get() == 6; }));
    EXPECT_EQ(counters().in_flight.get(), 14u);
    EXPECT_THAT(ask(get("/")), EndsWith("hello"));
    EXPECT_EQ(counters().in_flight.get(), 14u);
    // Those who wait come in where one ends, no further.
    flood.front().reset();
    EXPECT_TRUE(soon([&] { return counters().queued.get() == 5; }));
    EXPECT_EQ(counters().in_flight.get(), 14u);
}

TEST_F(ServerLimits, ConnectionsBeyondTheirNumberWait) {
    ServerOptions options;
    options.connections_max = 2;
    start({}, options);
    Client first = connect();
    const Client second = connect(), third = connect();
    third.send(get("/"));
    EXPECT_THAT(third.receive(100), IsEmpty());
    first.close();
    EXPECT_THAT(third.receive_until("hello"), EndsWith("hello"));
}

TEST_F(ServerLimits, ClientsThatResetAnywhereLoseNothingOfOurs) {
    start({{"/slow", [](Exchange& exchange) {
                sleep_in(exchange, ms);
                answer(exchange, std::string(100'000, 'x'));
            }}});
    EXPECT_THAT(ask(get("/")), EndsWith("hello"));
    ASSERT_TRUE(soon([&] { return counters().connections.get() == 0; }));
    const std::size_t before = open_descriptors();
    std::mt19937 random{7};
    const std::string texts[] = {get("/") + get("/slow"), post("/echo", std::string(100'000, 'y')),
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
        "chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"};
    for (int i = 0; i < 1000; i++) {
        const std::string& text = texts[random() % 3];
        Client client = connect();
        ASSERT_TRUE(client.is_connected());
        client.send(std::string_view{text}.substr(0, random() % (text.size() + 1)));
        if (random() % 2 == 0) (void)client.receive(static_cast<int>(random() % 2));
        switch (random() % 3) {
            case 0: client.reset(); break;
            case 1: client.half_close(); break;
            default: break;
        }
    }
    // The last ones may still wait to be accepted.
    EXPECT_TRUE(
        soon([&] { return counters().connections.get() == 0 && open_descriptors() == before; }));
    EXPECT_EQ(counters().in_flight.get(), 0u);
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_THAT(ask(get("/")), EndsWith("hello"));
}

TEST_F(ServerLimits, TenThousandIdleConnectionsTakeLittleAndLeaveNothing) {
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    // Both ends are in this process.
    const std::size_t count = std::min<std::size_t>(10'000, (limit.rlim_cur - 100) / 2);
    start({});
    const std::size_t before = open_descriptors(), memory = resident_bytes();
    std::vector<Client> clients;
    for (std::size_t i = 0; i < count; i++) {
        clients.push_back(connect());
        ASSERT_TRUE(clients.back().is_connected()) << i;
        if (i % 10 == 0) {
            clients.back().send(get("/"));
            EXPECT_THAT(clients.back().receive_until("hello"), EndsWith("hello"));
        }
    }
    EXPECT_TRUE(soon([&] { return counters().connections.get() == count; }));
    EXPECT_THAT(ask(get("/")), EndsWith("hello"));
    // The sanitizer keeps memory of its own beside each piece, and what was freed.
    if (!has_address_sanitizer) {
        EXPECT_LT(resident_bytes(), memory + count * 2000);
    }
    clients.clear();
    EXPECT_TRUE(soon([&] { return counters().connections.get() == 0; }));
    EXPECT_EQ(open_descriptors(), before);
}

TEST_F(ServerLimits, AnotherRouterTakesOver) {
    start({});
    auto first = std::make_shared<FunctionRouter>(Functions{{"/slow", [](Exchange& exchange) {
                                                                 sleep_in(exchange, 100 * ms);
                                                                 answer(exchange, "old");
                                                             }}});
    const std::weak_ptr<FunctionRouter> with_users = first;
    server_->set_router(std::move(first));
    EXPECT_TRUE(soon([&] { return ask(get("/")).find(" 404 ") != std::string::npos; }));
    const Client slow = connect();
    slow.send(get("/slow"));
    ASSERT_TRUE(soon([&] { return counters().in_flight.get() == 1; }));
    const auto text = [](const char* what) {
        return [what](Exchange& exchange) { answer(exchange, what); };
    };
    auto router =
        std::make_shared<FunctionRouter>(Functions{{"/slow", text("new")}, {"/", text("two")}});
    const std::weak_ptr<FunctionRouter> old = router;
    server_->set_router(std::move(router));
    EXPECT_TRUE(soon([&] { return ask(get("/")).ends_with("two"); }));
    EXPECT_FALSE(with_users.expired());
    EXPECT_THAT(slow.receive_until("old"), EndsWith("old"));
    EXPECT_TRUE(soon([&] { return with_users.expired(); }));
    server_->set_router(std::make_shared<FunctionRouter>(Functions{{"/", text("three")}}));
    EXPECT_TRUE(soon([&] { return ask(get("/")).ends_with("three"); }));
    EXPECT_TRUE(old.expired());
}

}  // namespace
}  // namespace wrun::http
