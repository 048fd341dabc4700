/* Sorting numbers: branches that depend on the data, recursion, swaps in memory. */
#include "bench/kernels/kernel.h"

enum { count = 100000 };
static uint32_t numbers[count];

static void sort(uint32_t* begin, uint32_t* end) {
    while (end - begin > 8) {
        const uint32_t pivot = begin[(end - begin) / 2];
        uint32_t* left = begin;
        uint32_t* right = end - 1;
        while (left <= right) {
            while (*left < pivot)
                ++left;
            while (*right > pivot)
                --right;
            if (left > right) break;
            const uint32_t kept = *left;
            *left++ = *right;
            *right-- = kept;
        }
        sort(begin, right + 1);
        begin = left;
    }
    for (uint32_t* at = begin + 1; at < end; ++at) {
        const uint32_t moved = *at;
        uint32_t* to = at;
        for (; to > begin && to[-1] > moved; --to)
            *to = to[-1];
        *to = moved;
    }
}

uint32_t run(uint32_t work) {
    uint32_t seed = 521288629u, sum = 0;
    for (uint32_t round = 0; round < work; ++round) {
        for (uint32_t i = 0; i < count; ++i)
            numbers[i] = next_random(&seed);
        sort(numbers, numbers + count);
        for (uint32_t i = 0; i < count; i += 97)
            sum = sum * 31 + numbers[i];
    }
    return sum;
}
