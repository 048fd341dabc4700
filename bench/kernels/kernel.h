/* What every kernel shares: it defines `run`, which takes the amount of work and returns a number
   that depends on all of it. Freestanding, so that an engine needs nothing to run one. As a program
   (`_start`, for engines whose command runs programs only) it does WORK and traps unless the number
   is EXPECTED. */
#ifndef WRUN_BENCH_KERNEL_H
#define WRUN_BENCH_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __wasm__
#define WRUN_EXPORT(name) __attribute__((export_name(#name)))
#else
#define WRUN_EXPORT(name)
#endif

/* A small random sequence, the same everywhere. */
static inline uint32_t next_random(uint32_t* state) {
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

WRUN_EXPORT(run) uint32_t run(uint32_t work);

#ifdef __wasm__
WRUN_EXPORT(_start) void start(void) {
    if (run(WORK) != EXPECTED) __builtin_trap();
}
#endif

#endif
