// How a server ends: what has been accepted is answered, by it or by whoever has its socket next.
#include <gmock/gmock.h>
#include <linux/filter.h>

#include <atomic>
#include <ctime>

#include "base/os_file.hpp"
#include "tests/http/client.hpp"

namespace wrun::http {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

class ServerDrain : public ServerTest {};

TEST_F(ServerDrain, AnswersWhatCameAndEnds) {
    start({{"/slow", [](Exchange& exchange) {
                sleep_in(exchange, 150 * ms);
                answer(exchange, "late");
            }}});
    const Client slow = connect(), idle = connect(), used = connect();
    slow.send(get("/slow") + get("/"));
    used.send(get("/"));
    EXPECT_THAT(used.receive_until("hello"), EndsWith("hello"));
    ASSERT_TRUE(soon([&] { return counters().in_flight.get() == 1; }));
    server_->drain(os::monotonic_ns() + 5000 * ms);
    // A request that was on its way to an idle connection.
    ::usleep(50'000);
    used.send(get("/"));
    EXPECT_THAT(used.receive_all(), HasSubstr("connection: close\r\n"));
    const std::string both = slow.receive_all();
    EXPECT_THAT(both, HasSubstr("late"));
    EXPECT_THAT(both, EndsWith("hello"));
    EXPECT_TRUE(idle.is_closed_within(1000));
    server_->join();
    EXPECT_FALSE(connect().is_connected());
}

TEST_F(ServerDrain, HasAnEnd) {
    start({{"/wait",
        [](Exchange& exchange) { (void)exchange.wait({}, engine::CallLimits::never); }}});
    const Client client = connect();
    client.send(get("/wait"));
    ASSERT_TRUE(soon([&] { return counters().in_flight.get() == 1; }));
    const u64 begin = os::monotonic_ns();
    server_->drain(begin + 5000 * ms);
    ::usleep(20'000);
    server_->drain(1);
    server_->join();
    EXPECT_LT(os::monotonic_ns() - begin, 1000 * ms);
}

TEST_F(ServerDrain, UnderLoadLosesNoRequest) {
    ServerOptions options;
    options.threads = 2;
    options.drain_grace_ns = 2000 * ms;  // a busy machine may hold a client up for long
    start({}, options);
    struct Load {
        u16 port;
        std::atomic<int> sent{0}, answered{0};
    } load{server_->port(), {}, {}};
    os::Thread threads[4];
    for (os::Thread& thread : threads) {
        ASSERT_TRUE(thread.start(
            [](void* it) {
                Load& self = *static_cast<Load*>(it);
                for (;;) {
                    const Client client{self.port};
                    if (!client.is_connected()) return;
                    for (bool is_kept = true; is_kept;) {
                        if (!client.send(get("/"))) return;
                        self.sent++;
                        const std::string text = client.receive_until("hello");
                        if (text.ends_with("hello")) self.answered++;
                        is_kept = text.find("connection: close") == text.npos && !text.empty();
                    }
                }
            },
            &load));
    }
    ::usleep(200'000);
    server_->drain(os::monotonic_ns() + 5000 * ms);
    server_->join();
    for (os::Thread& thread : threads)
        thread.join();
    EXPECT_GT(load.answered, 100);
    EXPECT_EQ(load.sent, load.answered);
}

/// A client that hears nothing from the server's side, so that its handshake stays half done.
class DeafClient {
public:
    explicit DeafClient(u16 port)
        : socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)} {
        sock_filter nothing{BPF_RET | BPF_K, 0, 0, 0};
        const sock_fprog program{1, &nothing};
        EXPECT_EQ(
            ::setsockopt(socket(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::connect(socket(), reinterpret_cast<sockaddr*>(&address), sizeof address), -1);
        EXPECT_EQ(errno, EINPROGRESS);
    }
    [[nodiscard]] int socket() const noexcept { return socket_.number(); }
    /// From here on it hears: the server says its part again after a second.
    [[nodiscard]] bool is_connected_now() const {
        const int unused = 0;
        (void)::setsockopt(socket(), SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused);
        pollfd one{socket(), POLLOUT, 0};
        int error = 0;
        socklen_t size = sizeof error;
        return ::poll(&one, 1, 3000) == 1 &&
               ::getsockopt(socket(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
    }

private:
    os::File socket_;
};

TEST_F(ServerDrain, LetsClientsInThatHaveBegunToConnect) {
    ServerOptions options;
    options.handshake_grace_ns = 3000 * ms;
    start({}, options);
    const DeafClient begun{server_->port()};
    server_->drain(os::monotonic_ns() + 10'000 * ms);
    ::usleep(50'000);
    const DeafClient late{server_->port()};
    ASSERT_TRUE(begun.is_connected_now());
    const std::string text = get("/");
    ASSERT_EQ(::send(begun.socket(), text.data(), text.size(), MSG_NOSIGNAL),
        static_cast<ssize_t>(text.size()));
    pollfd one{begun.socket(), POLLIN, 0};
    ASSERT_EQ(::poll(&one, 1, 2000), 1);
    char answer[1000];
    const ssize_t bytes = ::recv(begun.socket(), answer, sizeof answer, 0);
    ASSERT_GT(bytes, 0);
    EXPECT_THAT((std::string{answer, static_cast<std::size_t>(bytes)}), EndsWith("hello"));
    server_->join();
    EXPECT_FALSE(late.is_connected_now());
}

TEST_F(ServerDrain, LeavesASocketOfOthersToThem) {
    const os::File given{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::bind(given.number(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(given.number(), 10), 0);
    ServerOptions options;
    options.threads = 2;
    options.endpoints.emplace_back().descriptor = given.number();
    start({{"/slow",
              [](Exchange& exchange) {
                  sleep_in(exchange, 300 * ms);
                  answer(exchange, "late");
              }}},
        options);
    const Client slow = connect();
    const u16 port = server_->port();
    slow.send(get("/slow"));
    ASSERT_TRUE(soon([&] {
        return server_->counters(0).in_flight.get() + server_->counters(1).in_flight.get() == 1;
    }));
    server_->drain(os::monotonic_ns() + 5000 * ms);
    ::usleep(100'000);
    const Client waiting{port};  // for the next server
    waiting.send(get("/"));
    const std::clock_t begin = std::clock();
    EXPECT_THAT(slow.receive_all(), EndsWith("late"));
    server_->join();
    EXPECT_LT(std::clock() - begin, CLOCKS_PER_SEC / 10);  // nobody looks at who waits there
    ASSERT_TRUE(waiting.is_connected());
    start({}, options);
    EXPECT_THAT(waiting.receive_until("hello"), EndsWith("hello"));
    EXPECT_THAT(ask(get("/")), EndsWith("hello"));
}

}  // namespace
}  // namespace wrun::http
