// Damage is seen: any bit, any word, any length.
#include "base/checksum.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace wrun {
namespace {

std::vector<u8> message(std::size_t bytes) {
    std::mt19937 random{5};
    std::vector<u8> result(bytes);
    for (u8& byte : result)
        byte = static_cast<u8>(random());
    return result;
}

TEST(Checksum, SeesEveryBit) {
    for (const std::size_t bytes : {1u, 7u, 8u, 31u, 32u, 33u, 100u, 1024u}) {
        std::vector<u8> damaged = message(bytes);
        const u64 sum = checksum(damaged);
        for (u8& byte : damaged) {
            for (u32 bit = 0; bit < 8; ++bit) {
                byte = static_cast<u8>(byte ^ (1u << bit));
                EXPECT_NE(checksum(damaged), sum);
                byte = static_cast<u8>(byte ^ (1u << bit));
            }
        }
        EXPECT_EQ(checksum(damaged), sum);
    }
}

TEST(Checksum, SeesWhatIsMissingOrElsewhere) {
    std::set<u64> sums;
    for (std::size_t bytes = 0; bytes < 200; ++bytes)
        sums.insert(checksum(std::vector<u8>(bytes)));
    EXPECT_EQ(sums.size(), 200u) << "zeros of different lengths";
    std::vector<u8> moved = message(256);
    sums = {checksum(moved)};
    for (std::size_t i = 0; i < moved.size() / 8 - 1; ++i) {
        std::swap_ranges(moved.begin() + static_cast<std::ptrdiff_t>(8 * i),
            moved.begin() + static_cast<std::ptrdiff_t>(8 * i + 8),
            moved.begin() + static_cast<std::ptrdiff_t>(8 * i + 8));
        sums.insert(checksum(moved));
    }
    EXPECT_EQ(sums.size(), moved.size() / 8);
}

}  // namespace
}  // namespace wrun
