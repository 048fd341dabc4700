// SHA-256: padding and pieces, and the portable way of a block (FIPS 180-4, §5 and §6.2).
#include "base/sha256.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/sha256_compress.hpp"

namespace wrun {

namespace {

[[nodiscard]] u32 load_big_endian(const u8* bytes) noexcept {
    return u32{bytes[0]} << 24 | u32{bytes[1]} << 16 | u32{bytes[2]} << 8 | u32{bytes[3]};
}

void compress_block(Sha256::Words& state, const u8* block) noexcept {
    using std::rotr;
    std::array<u32, 64> words;
    for (u32 i = 0; i < 16; ++i)
        words[i] = load_big_endian(block + 4 * i);
    for (u32 i = 16; i < 64; ++i) {
        const u32 low = words[i - 15];
        const u32 high = words[i - 2];
        words[i] = words[i - 16] + (rotr(low, 7) ^ rotr(low, 18) ^ (low >> 3)) + words[i - 7] +
                   (rotr(high, 17) ^ rotr(high, 19) ^ (high >> 10));
    }
    auto [a, b, c, d, e, f, g, h] = state;
    for (u32 i = 0; i < 64; ++i) {
        const u32 first = h + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ((e & f) ^ (~e & g)) +
                          sha256_constants[i] + words[i];
        const u32 second = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + first;
        d = c;
        c = b;
        b = a;
        a = first + second;
    }
    const Sha256::Words added = {a, b, c, d, e, f, g, h};
    for (u32 i = 0; i < state.size(); ++i)
        state[i] += added[i];
}

}  // namespace

void sha256_compress_portable(Sha256::Words& state, const u8* blocks, std::size_t count) noexcept {
    for (; count != 0; --count, blocks += Sha256::block_bytes)
        compress_block(state, blocks);
}

Sha256::Way Sha256::best_way() noexcept {
    return sha256_ni_is_there() ? Way::sha_ni : Way::portable;
}

Sha256::Sha256(Way way) noexcept
    : state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
          0x5be0cd19},
      compress_{way == Way::sha_ni ? sha256_compress_ni : sha256_compress_portable} {}

void Sha256::update(std::span<const u8> bytes) noexcept {
    const std::size_t used = size_ % block_bytes;
    size_ += bytes.size();
    if (used != 0) {
        const auto begin = bytes.first(std::min(bytes.size(), block_bytes - used));
        std::copy(begin.begin(), begin.end(), rest_.begin() + used);
        bytes = bytes.subspan(begin.size());
        if (used + begin.size() < block_bytes) return;
        compress_(state_, rest_.data(), 1);
    }
    const std::size_t blocks = bytes.size() / block_bytes;
    compress_(state_, bytes.data(), blocks);
    bytes = bytes.subspan(blocks * block_bytes);
    std::copy(bytes.begin(), bytes.end(), rest_.begin());
}

Sha256Digest Sha256::finish() noexcept {
    const u64 bits = size_ * 8;
    constexpr std::array<u8, block_bytes> padding = {0x80};
    constexpr std::size_t length_bytes = 8;
    const std::size_t used = size_ % block_bytes;
    const std::size_t end = block_bytes - length_bytes;
    update(std::span{padding}.first((used < end ? end : end + block_bytes) - used));
    std::array<u8, length_bytes> length;
    for (u32 i = 0; i < length_bytes; ++i)
        length[i] = static_cast<u8>(bits >> (56 - 8 * i));
    update(length);
    Sha256Digest digest;
    for (u32 i = 0; i < digest.size(); ++i)
        digest[i] = static_cast<u8>(state_[i / 4] >> (24 - 8 * (i % 4)));
    return digest;
}

}  // namespace wrun
