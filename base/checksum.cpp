// Eight sums side by side, as a multiplication takes longer than it keeps the CPU busy.
#include "base/checksum.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace wrun {

namespace {

constexpr u64 factor = 0x9fb2'1c65'1e98'df25;  // odd, so that multiplying can be undone
constexpr std::size_t lane_count = 8;
constexpr std::size_t block_bytes = lane_count * sizeof(u64);

[[nodiscard]] u64 taken(u64 sum, u64 word) noexcept {
    return std::rotl((sum ^ word) * factor, 31);
}

void take_block(std::array<u64, lane_count>& lanes, const u8* block) noexcept {
    std::array<u64, lane_count> words;
    std::memcpy(words.data(), block, block_bytes);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < lane_count; ++i)
        lanes[i] = taken(lanes[i], words[i]);
}

}  // namespace

u64 checksum(std::span<const u8> bytes) noexcept {
    std::array<u64, lane_count> lanes = {1, 2, 3, 4, 5, 6, 7, 8};
    const u64 size = bytes.size();
    while (bytes.size() >= block_bytes) {
        take_block(lanes, bytes.data());
        bytes = bytes.subspan(block_bytes);
    }
    if (!bytes.empty()) {
        std::array<u8, block_bytes> last{};
        std::memcpy(last.data(), bytes.data(), bytes.size());
        take_block(lanes, last.data());
    }
    u64 sum = size;
    for (const u64 lane : lanes)
        sum = taken(sum, lane);
    return sum;
}

}  // namespace wrun
