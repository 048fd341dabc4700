// Error numbers, clocks and times, arguments, randomness: the areas that need no files.
#include <sys/random.h>

#include <algorithm>
#include <limits>

#include "tests/wasi/guest.hpp"
#include "wasi/times.hpp"

namespace wrun::wasi {
namespace {

using testing::Each;
using testing::HasSubstr;

Config nothing() {
    Config config;
    config.stdio = {-1, -1, -1};
    return config;
}

TEST(Errno, NumbersAreTheSpecifications) {
    EXPECT_EQ(to_underlying(Errno::acces), 2);
    EXPECT_EQ(to_underlying(Errno::badf), 8);
    EXPECT_EQ(to_underlying(Errno::inval), 28);
    EXPECT_EQ(to_underlying(Errno::noent), 44);
    EXPECT_EQ(to_underlying(Errno::nosys), 52);
    EXPECT_EQ(to_underlying(Errno::notdir), 54);
    EXPECT_EQ(to_underlying(Errno::xdev), 75);
    EXPECT_EQ(to_underlying(Errno::notcapable), 76);
}

TEST(Errno, TableIsCompleteAndInOrder) {
    u32 expected = 0;
#define WRUN_ERRNO(name, text, number, host) EXPECT_EQ(to_underlying(Errno::name), expected++);
#include "wasi/errno.def"
#undef WRUN_ERRNO
    EXPECT_EQ(expected, 77u);
}

TEST(Errno, OfHostNumbers) {
    EXPECT_EQ(errno_of_host(ENOENT), Errno::noent);
    EXPECT_EQ(errno_of_host(EWOULDBLOCK), Errno::again);
    EXPECT_EQ(errno_of_host(EOPNOTSUPP), Errno::notsup);
    EXPECT_EQ(errno_of_host(EUCLEAN), Errno::io);
    EXPECT_EQ(errno_of_host(0), Errno::io);
}

TEST(Args, AreLaidOutWithTheirZeros) {
    Config config = nothing();
    config.args = {"prog", "", "two words"};
    Guest guest{config};
    ASSERT_EQ(guest(areas::args_sizes_get, 64u, 68u), Errno::success);
    EXPECT_EQ(guest.get<u32>(64), 3u);
    EXPECT_EQ(guest.get<u32>(68), 16u);
    ASSERT_EQ(guest(areas::args_get, 128u, 256u), Errno::success);
    EXPECT_EQ(guest.get<u32>(128), 256u);
    EXPECT_EQ(guest.get<u32>(132), 261u);
    EXPECT_EQ(guest.get<u32>(136), 262u);
    EXPECT_EQ(guest.text(256, 16), std::string("prog\0\0two words\0", 16));
}

TEST(Args, NothingIsThereUnlessGranted) {
    ASSERT_EQ(::setenv("WRUN_TEST_SECRET", "yes", 1), 0);
    Guest guest{nothing()};
    ASSERT_EQ(guest(areas::environ_sizes_get, 64u, 68u), Errno::success);
    EXPECT_EQ(guest.get<u32>(64), 0u);
    EXPECT_EQ(guest.get<u32>(68), 0u);
    EXPECT_EQ(guest(areas::environ_get, 128u, 256u), Errno::success);
}

TEST(Args, PointersAtTheEdgeOfMemory) {
    Config config = nothing();
    config.env = {"A=1", "B=2"};
    Guest guest{config};
    constexpr u32 end = Guest::memory_bytes;
    EXPECT_EQ(guest(areas::environ_get, end - 8, end - 16), Errno::success);
    EXPECT_EQ(guest(areas::environ_get, end - 7, 256u), Errno::fault);
    EXPECT_EQ(guest(areas::environ_get, 128u, end - 7), Errno::fault);
    EXPECT_EQ(guest(areas::environ_get, 0xffff'fffcu, 256u), Errno::fault);
    EXPECT_EQ(guest(areas::environ_sizes_get, end - 4, end - 4), Errno::success);
    EXPECT_EQ(guest(areas::environ_sizes_get, 64u, end - 3), Errno::fault);
}

TEST(Args, ZeroBytesAreRefused) {
    Config config = nothing();
    config.args = {std::string("a\0b", 3)};
    EXPECT_THAT(State::make(config).error, HasSubstr("zero byte"));
    config.args = {};
    config.env = {std::string("a=\0", 3)};
    EXPECT_THAT(State::make(config).error, HasSubstr("zero byte"));
}

TEST(Clock, RealTimeIsTheHosts) {
    Guest guest{nothing()};
    const auto before = static_cast<u64>(::time(nullptr)) * 1'000'000'000;
    ASSERT_EQ(guest(areas::clock_time_get, 0u, u64{1}, 64u), Errno::success);
    EXPECT_GE(guest.get<u64>(64), before);
    EXPECT_LT(guest.get<u64>(64), before + 60'000'000'000);
}

TEST(Clock, EachHasTimeAndResolution) {
    Guest guest{nothing()};
    for (u32 clock = 0; clock < 4; ++clock) {
        ASSERT_EQ(guest(areas::clock_time_get, clock, u64{0}, 64u), Errno::success) << clock;
        const u64 first = guest.get<u64>(64);
        ASSERT_EQ(guest(areas::clock_time_get, clock, u64{0}, 64u), Errno::success);
        EXPECT_GE(guest.get<u64>(64), first);
        ASSERT_EQ(guest(areas::clock_res_get, clock, 64u), Errno::success);
        EXPECT_GT(guest.get<u64>(64), 0u);
    }
    EXPECT_EQ(guest(areas::clock_time_get, 4u, u64{0}, 64u), Errno::inval);
    EXPECT_EQ(guest(areas::clock_res_get, 0xffff'ffffu, 64u), Errno::inval);
    EXPECT_EQ(guest(areas::clock_time_get, 0u, u64{0}, Guest::memory_bytes - 7), Errno::fault);
}

TEST(Times, AreClamped) {
    EXPECT_EQ(nanoseconds({-1, 999'999'999}), 0u);
    EXPECT_EQ(nanoseconds({1, 5}), 1'000'000'005u);
    EXPECT_EQ(
        nanoseconds({std::numeric_limits<time_t>::max(), 0}), std::numeric_limits<u64>::max());
    EXPECT_EQ(timespec_of(std::numeric_limits<u64>::max()).tv_nsec, 709'551'615);
}

TEST(Times, FlagsThatExcludeEachOther) {
    EXPECT_TRUE(file_times(1, 2, fstflags::atim | fstflags::mtim_now).ok());
    EXPECT_EQ(file_times(1, 2, fstflags::atim | fstflags::atim_now).error(), Errno::inval);
    EXPECT_EQ(file_times(1, 2, fstflags::mtim | fstflags::mtim_now).error(), Errno::inval);
    EXPECT_EQ(file_times(1, 2, 16).error(), Errno::inval);
    EXPECT_EQ(file_times(0, 0, 0).take()[1].tv_nsec, UTIME_OMIT);
}

TEST(Random, FillsExactlyTheBuffer) {
    Guest guest{nothing()};
    ASSERT_EQ(guest(areas::random_get, 4096u, 3u << 16), Errno::success);
    const std::string bytes = guest.text(4096, 3u << 16);
    for (char wanted : {'\0', '\x7f', '\xff'})
        EXPECT_GT(std::count(bytes.begin(), bytes.end(), wanted), 500) << int{wanted};
    EXPECT_THAT(guest.text(0, 4096), Each('\0'));
    EXPECT_THAT(guest.text(4096 + (3u << 16), 64), Each('\0'));
}

TEST(Random, OutOfBounds) {
    Guest guest{nothing()};
    EXPECT_EQ(guest(areas::random_get, Guest::memory_bytes, 0u), Errno::success);
    EXPECT_EQ(guest(areas::random_get, Guest::memory_bytes - 4, 5u), Errno::fault);
    EXPECT_EQ(guest(areas::random_get, 16u, 0xffff'ffffu), Errno::fault);
}

TEST(Proc, ExitCarriesTheWholeCode) {
    Guest guest{nothing()};
    const engine::HostResult result = guest(areas::proc_exit, 0x1234u);
    EXPECT_EQ(result.kind, engine::HostResult::Kind::exit);
    EXPECT_EQ(result.exit_status, 0x1234u);
    EXPECT_EQ(guest(areas::sched_yield), Errno::success);
}

}  // namespace
}  // namespace wrun::wasi
