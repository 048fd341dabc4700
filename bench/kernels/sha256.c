/* A hash in the shape of SHA-256 (not the real one: its constants are drawn): a message schedule
   and 64 rounds of rotations, additions and choices over eight live values. */
#include "bench/kernels/kernel.h"

static uint32_t constants[64];
static uint32_t state[8];

static inline uint32_t rotate(uint32_t value, int by) {
    return value >> by | value << (32 - by);
}

static void mix(const uint32_t* block) {
    uint32_t schedule[64];
    for (int i = 0; i < 16; ++i)
        schedule[i] = block[i];
    for (int i = 16; i < 64; ++i) {
        const uint32_t early = schedule[i - 15], late = schedule[i - 2];
        schedule[i] = schedule[i - 16] + schedule[i - 7] +
                      (rotate(early, 7) ^ rotate(early, 18) ^ early >> 3) +
                      (rotate(late, 17) ^ rotate(late, 19) ^ late >> 10);
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; ++i) {
        const uint32_t one = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                             ((e & f) ^ (~e & g)) + constants[i] + schedule[i];
        const uint32_t two =
            (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + one;
        d = c, c = b, b = a, a = one + two;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

uint32_t run(uint32_t work) {
    uint32_t seed = 2463534242u;
    uint32_t block[16];
    for (int i = 0; i < 64; ++i)
        constants[i] = next_random(&seed);
    for (int i = 0; i < 8; ++i)
        state[i] = next_random(&seed);
    for (uint32_t round = 0; round < work; ++round) {
        for (int i = 0; i < 16; ++i)
            block[i] = state[i & 7] + (uint32_t)i * round;
        mix(block);
    }
    return state[0] ^ state[3] ^ state[7];
}
