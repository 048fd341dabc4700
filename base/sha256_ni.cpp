// SHA-256 by the CPU's own instructions. They keep the state as {A, B, E, F} and {C, D, G, H}, from
// the highest word down, and do two rounds each.
#include <immintrin.h>

#include "base/os_cpu.hpp"
#include "base/sha256_compress.hpp"

namespace wrun {

namespace {

using FourWords = u32 __attribute__((vector_size(16)));

[[nodiscard]] __m128i added(__m128i left, __m128i right) noexcept {
    return reinterpret_cast<__m128i>(
        reinterpret_cast<FourWords>(left) + reinterpret_cast<FourWords>(right));
}

}  // namespace

bool sha256_ni_is_there() noexcept {
    const Cpu& cpu = Cpu::host();
    return cpu.sha && cpu.sse4_1 && cpu.ssse3;
}

[[gnu::target("sha,sse4.1,ssse3")]] void sha256_compress_ni(
    Sha256::Words& state, const u8* blocks, std::size_t count) noexcept {
    const auto load = [](const void* from) __attribute__((always_inline)) {
        return _mm_loadu_si128(static_cast<const __m128i*>(from));
    };
    // Bytes of each word the other way round.
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    const __m128i cdab = _mm_shuffle_epi32(load(state.data()), 0xb1);
    const __m128i efgh = _mm_shuffle_epi32(load(state.data() + 4), 0x1b);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
    __m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
    for (; count != 0; --count, blocks += Sha256::block_bytes) {
        const __m128i abef_before = abef;
        const __m128i cdgh_before = cdgh;
        __m128i words[4];  // of the last sixteen rounds
#pragma GCC unroll 16
        for (u32 group = 0; group < 16; ++group) {
            __m128i& four = words[group % 4];
            if (group < 4) {
                four = _mm_shuffle_epi8(load(blocks + 16 * group), big_endian);
            } else {
                const __m128i newest = words[(group + 3) % 4];
                const __m128i seven_back = _mm_alignr_epi8(newest, words[(group + 2) % 4], 4);
                four = _mm_sha256msg1_epu32(four, words[(group + 1) % 4]);
                four = _mm_sha256msg2_epu32(added(four, seven_back), newest);
            }
            const __m128i sum = added(four, load(&sha256_constants[4 * group]));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
        }
        abef = added(abef, abef_before);
        cdgh = added(cdgh, cdgh_before);
    }
    const __m128i feba = _mm_shuffle_epi32(abef, 0x1b);
    const __m128i dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    auto* const to = reinterpret_cast<__m128i*>(state.data());
    _mm_storeu_si128(to, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128(to + 1, _mm_alignr_epi8(dchg, feba, 8));
}

}  // namespace wrun
