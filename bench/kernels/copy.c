/* Memory copied by bytes, by words and reversed: loops of a load, a store and an index. */
#include "bench/kernels/kernel.h"

enum { bytes = 1 << 16 };
static uint8_t source[bytes], target[bytes];

/* A volatile step keeps the compiler from making one memory.copy of the loop. */
static volatile uint32_t one = 1;

static void by_bytes(void) {
    const uint32_t step = one;
    for (uint32_t i = 0; i < bytes; i += step)
        target[i] = source[i];
}

static void by_words(void) {
    const uint32_t step = one;
    const uint64_t* const from = (const uint64_t*)(const void*)source;
    uint64_t* const to = (uint64_t*)(void*)target;
    for (uint32_t i = 0; i < bytes / 8; i += step)
        to[i] = from[i] + 1;
}

static void reversed(void) {
    const uint32_t step = one;
    for (uint32_t i = 0; i < bytes; i += step)
        source[bytes - 1 - i] ^= target[i];
}

uint32_t run(uint32_t work) {
    uint32_t seed = 1234567u;
    for (uint32_t i = 0; i < bytes; ++i)
        source[i] = (uint8_t)next_random(&seed);
    for (uint32_t i = 0; i < work; ++i) {
        by_bytes();
        by_words();
        reversed();
    }
    uint32_t sum = 0;
    for (uint32_t i = 0; i < bytes; ++i)
        sum = sum * 31 + source[i] + target[i];
    return sum;
}
