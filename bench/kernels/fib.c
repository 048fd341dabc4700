/* Calls and nothing else: what a direct call, its frame and its return cost. */
#include "bench/kernels/kernel.h"

__attribute__((noinline)) static uint32_t fib(uint32_t n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

uint32_t run(uint32_t work) {
    return fib(work);
}
