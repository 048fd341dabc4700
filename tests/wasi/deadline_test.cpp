// Calls of preview 1 that wait, ended by a deadline and by another thread.
#include <sys/socket.h>
#include <sys/un.h>

#include <csignal>
#include <thread>

#include "base/os_thread.hpp"
#include "base/sanitizers.hpp"
#include "tests/support/wat.hpp"
#include "tests/wasi/guest.hpp"
#include "wasi/preview1.hpp"

namespace wrun::wasi {
namespace {

using engine::CallLimits;
using engine::Canceller;
using engine::Engine;
using engine::Store;
using engine::Trap;
using engine::Value;

constexpr u64 ms = 1'000'000;
constexpr u64 patience_ns = 5'000 * ms;

/// Descriptor 0 is a pipe that nobody writes to, 1 a pipe that is full, 2 a socket.
class WaitingTest : public testing::Test {
protected:
    WaitingTest() {
        EXPECT_EQ(::pipe2(empty_, O_CLOEXEC), 0);
        EXPECT_EQ(::pipe2(full_, O_CLOEXEC), 0);
        (void)!::fcntl(full_[1], F_SETFL, O_NONBLOCK);
        const std::vector<char> block(4096);
        while (::write(full_[1], block.data(), block.size()) > 0) {
        }
        (void)!::fcntl(full_[1], F_SETFL, 0);
    }
    ~WaitingTest() override {
        for (const int end : {empty_[0], empty_[1], full_[0], full_[1], socket_, peer_})
            if (end >= 0) ::close(end);
    }
    void SetUp() override {
        if (!wat::available()) GTEST_SKIP() << wat::unavailable_reason();
        engine::EngineOptions options;
        if (has_thread_sanitizer) options.interrupt_signal = SIGSYS;
        engine_ = Engine::make(options).take();
        ASSERT_TRUE(define_preview1(linker_).ok());
    }
    void connect_pair() {
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        socket_ = ends[0];
        peer_ = ends[1];
    }
    void listen() {
        socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;  // and no name: the kernel finds one
        ASSERT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)), 0);
        ASSERT_EQ(::listen(socket_, 1), 0);
    }
    /// Runs a body that waits for ever; what became of it.
    std::string run(const std::string& body, const CallLimits& limits) {
        const auto module = engine::Module::compile(*engine_, wat::assemble(R"((module
            (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "sock_recv"
                (func $sock_recv (param i32 i32 i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "sock_accept" (func $sock_accept (param i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
            (memory (export "memory") 10000)
            ;; one buffer of 100000 bytes at 1024
            (data (i32.const 0) "\00\04\00\00\a0\86\01\00")
            (func (export "run") (result i32))" + body + "))"))
                                .take();
        Config config;
        config.stdio = {empty_[0], full_[1], -1};
        const auto state = State::make(config).state;
        Descriptor socket;
        socket.borrowed = socket_;
        socket.type = Filetype::socket_stream;
        socket.rights_base = rights::of_socket;
        state->descriptors().place(2, std::move(socket));
        engine::StoreOptions options;
        options.host_data = state.get();
        const auto store = Store::make(*engine_, options).take();
        engine::Instance* const instance = store->instantiate(module, linker_).take().instance;
        std::vector<Value> results;
        const auto outcome = store->call(instance->find_export("run")->func, {}, results, limits);
        const auto* const trap = std::get_if<Trap>(&outcome.value());
        return trap != nullptr ? std::string{trap->message()} : "none";
    }
    void expect_stopped(const char* what, const std::string& body) {
        for (const u64 limit_ns : {2 * ms, 30 * ms}) {
            const u64 begin_ns = os::monotonic_ns();
            EXPECT_EQ(run(body, CallLimits::within(limit_ns)), "deadline exceeded") << what;
            const u64 took_ns = os::monotonic_ns() - begin_ns;
            EXPECT_GE(took_ns, limit_ns) << what;
            EXPECT_LT(took_ns, limit_ns + patience_ns) << what;
        }
        const Canceller canceller;
        std::thread other{[handle = canceller] {
            std::this_thread::sleep_for(std::chrono::milliseconds{20});
            handle.cancel();
        }};
        EXPECT_EQ(run(body, {CallLimits::never, &canceller}), "cancelled") << what;
        other.join();
    }

    int empty_[2] = {-1, -1};
    int full_[2] = {-1, -1};
    int socket_ = -1;
    int peer_ = -1;
    std::unique_ptr<Engine> engine_;
    engine::Linker linker_;
};

TEST_F(WaitingTest, OnPipes) {
    expect_stopped(
        "read", "(call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 512))");
    expect_stopped(
        "write", "(call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 512))");
}

TEST_F(WaitingTest, OnPipesThatDoNotBlock) {
    ASSERT_EQ(::fcntl(empty_[0], F_SETFL, O_NONBLOCK), 0);
    expect_stopped(
        "read", "(call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 512))");
}

TEST_F(WaitingTest, OnSockets) {
    connect_pair();
    expect_stopped("receive", R"((call $sock_recv (i32.const 2) (i32.const 0) (i32.const 1)
        (i32.const 0) (i32.const 512) (i32.const 520)))");
    ::close(std::exchange(socket_, -1));
    listen();
    expect_stopped("accept", "(call $sock_accept (i32.const 2) (i32.const 0) (i32.const 512))");
}

TEST_F(WaitingTest, OnClocksAndDescriptors) {
    // Subscriptions of 48 bytes at 2048: a clock of one hour, then the empty pipe.
    const std::string clock = R"(
        (i32.store (i32.const 2064) (i32.const 1)) (i64.store (i32.const 2072) (i64.const 3600000000000)))";
    const std::string pipe = "(i32.store8 (i32.const 2104) (i32.const 1))";
    expect_stopped("clock",
        clock + "(call $poll (i32.const 2048) (i32.const 4096) (i32.const 1) (i32.const 512))");
    expect_stopped("clock and pipe",
        clock + pipe +
            "(call $poll (i32.const 2048) (i32.const 4096) (i32.const 2) (i32.const 512))");
}

TEST_F(WaitingTest, OnlyAsLongAsTheWorkTakes) {
    expect_stopped("random bytes",
        "(loop $l (drop (call $random (i32.const 0) (i32.const 600000000))) (br $l)) (i32.const "
        "0)");
    expect_stopped("short waits", R"(
        (i32.store (i32.const 2064) (i32.const 1)) (i64.store (i32.const 2072) (i64.const 1000))
        (loop $l (drop (call $poll (i32.const 2048) (i32.const 4096) (i32.const 1) (i32.const 512)))
            (br $l)) (i32.const 0))");
}

}  // namespace
}  // namespace wrun::wasi
