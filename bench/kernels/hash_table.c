/* A table of 64-bit keys with open addressing: 64-bit arithmetic, loads all over the place. */
#include "bench/kernels/kernel.h"

enum { places = 1 << 16 };
static uint64_t keys[places];
static uint32_t counts[places];

static uint32_t place_of(uint64_t key) {
    uint64_t mixed = key * 0x9e3779b97f4a7c15u;
    mixed ^= mixed >> 29;
    return (uint32_t)(mixed >> 20) % places;
}

static void count(uint64_t key) {
    uint32_t at = place_of(key);
    while (keys[at] != 0 && keys[at] != key)
        at = (at + 1) % places;
    keys[at] = key;
    ++counts[at];
}

uint32_t run(uint32_t work) {
    uint32_t seed = 1013904223u;
    for (uint32_t i = 0; i < places; ++i) {
        keys[i] = 0;
        counts[i] = 0;
    }
    for (uint32_t i = 0; i < work; ++i) {
        const uint64_t low = next_random(&seed) % 32768;
        count((low * low + 1) << 7 | 1);
    }
    uint32_t sum = 0;
    for (uint32_t i = 0; i < places; ++i)
        sum = sum * 31 + counts[i] + (uint32_t)(keys[i] >> 9);
    return sum;
}
