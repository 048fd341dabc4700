// Memory, threads and clocks of the operating system.
#include <gtest/gtest.h>

#include <atomic>

#include "base/os_memory.hpp"
#include "base/os_thread.hpp"

namespace wrun::test {
namespace {

using os::MappedRegion;

TEST(MappedRegion, IsReservedFirstAndUsableByPieces) {
    auto region = MappedRegion::reserve(u64{1} << 40).take();
    EXPECT_EQ(region.size(), u64{1} << 40);
    ASSERT_TRUE(region.make_writable(u64{1} << 39, os::page_bytes).ok());
    region.data()[u64{1} << 39] = 7;
    EXPECT_EQ(region.data()[(u64{1} << 39) + os::page_bytes - 1], 0);
}

TEST(MappedRegion, RefusesMoreThanThereIs) {
    for (const u64 bytes : {u64{1} << 50, ~u64{0}, ~u64{0} - os::page_bytes}) {
        EXPECT_EQ(MappedRegion::reserve(bytes).error().code, ErrorCode::address_space) << bytes;
    }
}

TEST(MappedRegion, RoundsUpAndMayBeEmpty) {
    EXPECT_EQ(MappedRegion::allocate(1).take().size(), os::page_bytes);
    EXPECT_EQ(MappedRegion::reserve(0).take().data(), nullptr);
}

TEST(MappedRegion, MovesItsRange) {
    auto first = MappedRegion::allocate(1).take();
    u8* const data = first.data();
    MappedRegion second{std::move(first)};
    EXPECT_EQ(second.data(), data);
    first = std::move(second);
    EXPECT_EQ(first.data(), data);
    first.data()[0] = 1;
}

TEST(Thread, RunsItsBodyAndIsJoined) {
    std::atomic<int> sum = 0;
    const auto body = [](void* argument) { *static_cast<std::atomic<int>*>(argument) += 1; };
    {
        os::Thread threads[4];
        for (os::Thread& thread : threads)
            ASSERT_TRUE(thread.start(body, &sum));
    }
    EXPECT_EQ(sum, 4);
}

TEST(Clock, NeverGoesBack) {
    u64 before = os::monotonic_ns();
    for (int i = 0; i < 1000; ++i) {
        const u64 now = os::monotonic_ns();
        ASSERT_GE(now, before);
        before = now;
    }
    EXPECT_GE(os::usable_cpu_count(), 1u);
}

}  // namespace
}  // namespace wrun::test
