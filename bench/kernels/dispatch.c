/* Calls through a table in changing order: the check of the type and the call of call_indirect. */
#include "bench/kernels/kernel.h"

static uint32_t plus(uint32_t value) {
    return value + 0x9e3779b9u;
}
static uint32_t times(uint32_t value) {
    return value * 0x85ebca6bu;
}
static uint32_t turned(uint32_t value) {
    return value << 5 | value >> 27;
}
static uint32_t folded(uint32_t value) {
    return value ^ value >> 15;
}

/* Volatile, or the compiler would know which functions these are. */
static uint32_t (*volatile table[4])(uint32_t) = {plus, times, turned, folded};

uint32_t run(uint32_t work) {
    uint32_t value = 1;
    for (uint32_t i = 0; i < work; ++i)
        value = table[(i ^ i >> 3) & 3](value);
    return value;
}
