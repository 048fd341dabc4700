// poll_oneoff: clocks, descriptors, errors as events; that it sleeps and does not spin.
#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "tests/wasi/guest.hpp"

namespace wrun::wasi {
namespace {

constexpr u32 in = 1u << 16;
constexpr u32 out = 1u << 17;
constexpr u32 count_at = 64;
constexpr u64 ms = 1'000'000;

u64 cpu_us() {
    struct rusage usage {};
    EXPECT_EQ(::getrusage(RUSAGE_THREAD, &usage), 0);
    const auto us = [](const timeval& time) {
        return static_cast<u64>(time.tv_sec) * 1'000'000 + static_cast<u64>(time.tv_usec);
    };
    return us(usage.ru_utime) + us(usage.ru_stime);
}

class PollTest : public testing::Test {
protected:
    PollTest() {
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        Config config;
        config.stdio = {ends[0], ends[1], -1};
        guest.emplace(config);
    }
    ~PollTest() override {
        for (const int end : ends)
            if (end >= 0) ::close(end);
    }
    void clock(u32 index, u64 timeout, u32 id = 1, u16 flags = 0) {
        const u32 at = in + index * 48;
        guest->set(at, u64{100} + index);
        guest->set(at + 8, u8{0});
        guest->set(at + 16, id);
        guest->set(at + 24, timeout);
        guest->set(at + 40, flags);
    }
    void descriptor(u32 index, u8 type, u32 fd) {
        const u32 at = in + index * 48;
        guest->set(at, u64{100} + index);
        guest->set(at + 8, type);
        guest->set(at + 16, fd);
    }
    Errno poll(u32 count) { return (*guest)(areas::poll_oneoff, in, out, count, count_at); }
    u32 events() { return guest->get<u32>(count_at); }
    u64 userdata(u32 event) { return guest->get<u64>(out + event * 32); }
    Errno error(u32 event) { return static_cast<Errno>(guest->get<u16>(out + event * 32 + 8)); }
    u8 type(u32 event) { return guest->get<u8>(out + event * 32 + 10); }
    u64 nbytes(u32 event) { return guest->get<u64>(out + event * 32 + 16); }
    u16 flags(u32 event) { return guest->get<u16>(out + event * 32 + 24); }

    int ends[2] = {-1, -1};
    std::optional<Guest> guest;
};

u64 since(std::chrono::steady_clock::time_point start) {
    return static_cast<u64>(std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::steady_clock::now() - start)
                                .count());
}

TEST_F(PollTest, SleepsAsLongAsAskedAndWithoutWork) {
    const auto start = std::chrono::steady_clock::now();
    const u64 work = cpu_us();
    clock(0, 60 * ms);
    ASSERT_EQ(poll(1), Errno::success);
    EXPECT_GE(since(start), 60 * ms);
    EXPECT_LT(cpu_us() - work, 20'000u);
    EXPECT_EQ(events(), 1u);
    EXPECT_EQ(userdata(0), 100u);
    EXPECT_EQ(error(0), Errno::success);
    EXPECT_EQ(type(0), 0u);
}

TEST_F(PollTest, EarliestClockWins) {
    clock(0, 10'000'000 * ms);
    clock(1, 5 * ms, 0);
    ASSERT_EQ(poll(2), Errno::success);
    EXPECT_EQ(events(), 1u);
    EXPECT_EQ(userdata(0), 101u);
}

TEST_F(PollTest, AbsoluteTimes) {
    const auto start = std::chrono::steady_clock::now();
    for (const u32 id : {0u, 1u}) {
        ASSERT_EQ((*guest)(areas::clock_time_get, id, u64{0}, 64u), Errno::success);
        const u64 now = guest->get<u64>(64);
        clock(0, now - 1, id, 1);
        ASSERT_EQ(poll(1), Errno::success) << "a time gone by";
        clock(0, now + 15 * ms, id, 1);
        ASSERT_EQ(poll(1), Errno::success);
    }
    EXPECT_GE(since(start), 29 * ms);
    EXPECT_LT(since(start), 5'000 * ms);
}

TEST_F(PollTest, AbsoluteTimesOfAClockThatRunsAhead) {
    Config config;
    config.stdio = {-1, -1, -1};
    config.monotonic_from_ns = u64{1} << 60;
    guest.emplace(config);
    const auto start = std::chrono::steady_clock::now();
    ASSERT_EQ((*guest)(areas::clock_time_get, 1u, u64{0}, 64u), Errno::success);
    const auto now = guest->get<u64>(64);
    EXPECT_GE(now, config.monotonic_from_ns);
    for (const u64 time : {u64{5}, now - 1, now + 15 * ms}) {
        clock(0, time, 1, 1);
        ASSERT_EQ(poll(1), Errno::success) << time;
    }
    EXPECT_GE(since(start), 15 * ms);
    EXPECT_LT(since(start), 5'000 * ms);
}

TEST_F(PollTest, ATimeoutBeyondAllTimeDoesNotOverflow) {
    clock(0, ~u64{0});
    clock(1, 1 * ms);
    ASSERT_EQ(poll(2), Errno::success);
    EXPECT_EQ(events(), 1u);
    EXPECT_EQ(userdata(0), 101u);
}

TEST_F(PollTest, ReadableDescriptor) {
    ASSERT_EQ(::write(ends[1], "abc", 3), 3);
    clock(0, 10'000'000 * ms);
    descriptor(1, 1, 0);
    descriptor(2, 2, 1);
    ASSERT_EQ(poll(3), Errno::success);
    ASSERT_EQ(events(), 2u);
    EXPECT_EQ(userdata(0), 101u);
    EXPECT_EQ(type(0), 1u);
    EXPECT_EQ(nbytes(0), 3u);
    EXPECT_EQ(flags(0), 0u);
    EXPECT_EQ(userdata(1), 102u);
    EXPECT_EQ(type(1), 2u);
}

TEST_F(PollTest, WaitsForADescriptor) {
    std::thread later{[&] {
        ::usleep(20'000);
        ASSERT_EQ(::write(ends[1], "x", 1), 1);
    }};
    const u64 work = cpu_us();
    descriptor(0, 1, 0);
    ASSERT_EQ(poll(1), Errno::success);
    EXPECT_EQ(events(), 1u);
    EXPECT_LT(cpu_us() - work, 15'000u);
    later.join();
}

TEST_F(PollTest, NothingToReadUntilTheClock) {
    descriptor(0, 1, 0);
    clock(1, 5 * ms);
    ASSERT_EQ(poll(2), Errno::success);
    EXPECT_EQ(events(), 1u);
    EXPECT_EQ(userdata(0), 101u);
}

TEST_F(PollTest, AWriterThatIsGoneHangsUp) {
    ::close(std::exchange(ends[1], -1));
    descriptor(0, 1, 0);
    ASSERT_EQ(poll(1), Errno::success);
    EXPECT_EQ(error(0), Errno::success);
    EXPECT_EQ(nbytes(0), 0u);
    EXPECT_EQ(flags(0), eventflags::hangup);
}

TEST_F(PollTest, ErrorsAreEventsAtOnce) {
    clock(0, 10'000'000 * ms);
    descriptor(1, 1, 77);
    clock(2, 0, 2);
    clock(3, 0, 9);
    ASSERT_EQ(poll(4), Errno::success);
    ASSERT_EQ(events(), 3u);
    EXPECT_EQ(error(0), Errno::badf);
    EXPECT_EQ(error(1), Errno::notsup) << "the processor's clock stands still while one waits";
    EXPECT_EQ(error(2), Errno::inval);
}

TEST_F(PollTest, RegularFilesAreAlwaysReady) {
    Folder folder;
    folder.write("file", "12345");
    Guest other{folder};
    const u32 fd = other.open("file", {.base = rights::fd_read | rights::poll_fd_readwrite});
    other.set(in, u64{7});
    other.set(in + 8, u8{1});
    other.set(in + 16, fd);
    ASSERT_EQ(other(areas::poll_oneoff, in, out, 1u, count_at), Errno::success);
    EXPECT_EQ(other.get<u64>(out + 16), 5u);
    const u32 without = other.open("file");
    other.set(in + 16, without);
    ASSERT_EQ(other(areas::poll_oneoff, in, out, 1u, count_at), Errno::success);
    EXPECT_EQ(other.get<u16>(out + 8), to_underlying(Errno::notcapable));
}

TEST_F(PollTest, BadArguments) {
    EXPECT_EQ(poll(0), Errno::inval);
    EXPECT_EQ(poll(0xffff'ffff), Errno::inval);
    descriptor(0, 3, 0);
    EXPECT_EQ(poll(1), Errno::inval) << "no such kind of event";
    clock(0, 0, 1, 2);
    EXPECT_EQ(poll(1), Errno::inval) << "no such flag";
    clock(0, 0);
    constexpr u32 end = Guest::memory_bytes;
    EXPECT_EQ((*guest)(areas::poll_oneoff, end - 47, out, 1u, 64u), Errno::fault);
    EXPECT_EQ((*guest)(areas::poll_oneoff, in, end - 31, 1u, 64u), Errno::fault);
    EXPECT_EQ((*guest)(areas::poll_oneoff, in, out, 1u, end - 3), Errno::fault);
}

TEST_F(PollTest, ASignalDoesNotShortenASleep) {
    struct sigaction quiet {};
    struct sigaction before {};
    quiet.sa_handler = [](int) {};
    ASSERT_EQ(::sigaction(SIGUSR1, &quiet, &before), 0);
    const pthread_t self = ::pthread_self();
    std::thread disturber{[self] {
        for (int count = 0; count < 4; ++count) {
            ::usleep(5'000);
            ::pthread_kill(self, SIGUSR1);
        }
    }};
    const auto start = std::chrono::steady_clock::now();
    clock(0, 40 * ms);
    ASSERT_EQ(poll(1), Errno::success);
    EXPECT_GE(since(start), 40 * ms);
    disturber.join();
    ASSERT_EQ(::sigaction(SIGUSR1, &before, nullptr), 0);
}

}  // namespace
}  // namespace wrun::wasi
