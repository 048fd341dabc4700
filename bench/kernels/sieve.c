/* Primes below a million: stores with a stride, counted by loads in order. */
#include "bench/kernels/kernel.h"

enum { limit = 1000000 };
static uint8_t composite[limit];

static uint32_t count_primes(void) {
    for (uint32_t i = 0; i < limit; ++i)
        composite[i] = 0;
    for (uint32_t i = 2; i * i < limit; ++i) {
        if (composite[i]) continue;
        for (uint32_t multiple = i * i; multiple < limit; multiple += i)
            composite[multiple] = 1;
    }
    uint32_t count = 0;
    for (uint32_t i = 2; i < limit; ++i)
        count += !composite[i];
    return count;
}

uint32_t run(uint32_t work) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < work; ++i)
        sum = sum * 31 + count_primes();
    return sum;
}
