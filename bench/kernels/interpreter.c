/* A small machine of registers, its loop a switch: what a br_table costs that nobody can predict
 * well. */
#include "bench/kernels/kernel.h"

enum op { op_add, op_sub, op_mul, op_xor, op_shift, op_load, op_store, op_skip_if_odd, op_count };
struct instruction {
    uint8_t op, target, left, right;
};
enum { length = 256 };
static struct instruction program[length];
static uint32_t registers[16], memory[64];

static void make_program(void) {
    uint32_t seed = 362436069u;
    for (int i = 0; i < length; ++i) {
        program[i].op = (uint8_t)(next_random(&seed) % op_count);
        program[i].target = (uint8_t)(next_random(&seed) % 16);
        program[i].left = (uint8_t)(next_random(&seed) % 16);
        program[i].right = (uint8_t)(next_random(&seed) % 16);
    }
    for (int i = 0; i < 16; ++i)
        registers[i] = next_random(&seed);
}

static void execute(void) {
    for (int at = 0; at < length; ++at) {
        const struct instruction now = program[at];
        const uint32_t left = registers[now.left], right = registers[now.right];
        switch (now.op) {
            case op_add: registers[now.target] = left + right; break;
            case op_sub: registers[now.target] = left - right; break;
            case op_mul: registers[now.target] = left * (right | 1); break;
            case op_xor: registers[now.target] = left ^ right; break;
            case op_shift: registers[now.target] = left << (right & 7) | right >> 25; break;
            case op_load: registers[now.target] = memory[left % 64]; break;
            case op_store: memory[left % 64] = right + (uint32_t)at; break;
            case op_skip_if_odd: at += (int)(left & 1); break;
            default: break;
        }
    }
}

uint32_t run(uint32_t work) {
    make_program();
    for (int i = 0; i < 64; ++i)
        memory[i] = 0;
    for (uint32_t i = 0; i < work; ++i)
        execute();
    uint32_t sum = 0;
    for (int i = 0; i < 16; ++i)
        sum = sum * 31 + registers[i];
    for (int i = 0; i < 64; ++i)
        sum = sum * 31 + memory[i];
    return sum;
}
