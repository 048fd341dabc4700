/* A product of two matrices of the type `element`, three nested loops. */
#include "bench/kernels/kernel.h"

enum { size = 160 };
static element left[size][size], right[size][size], product[size][size];

static void multiply(void) {
    for (int row = 0; row < size; ++row) {
        for (int column = 0; column < size; ++column) {
            element sum = 0;
            for (int i = 0; i < size; ++i)
                sum += left[row][i] * right[i][column];
            product[row][column] = sum;
        }
    }
}

uint32_t run(uint32_t work) {
    uint32_t sum = 0;
    for (uint32_t round = 0; round < work; ++round) {
        for (int row = 0; row < size; ++row) {
            for (int column = 0; column < size; ++column) {
                left[row][column] = (element)(((uint32_t)row * 7 + (uint32_t)column + round) % 19);
                right[row][column] = (element)(((uint32_t)row + (uint32_t)column * 5 + round) % 23);
            }
        }
        multiply();
        for (int i = 0; i < size; ++i)
            sum = sum * 33 + (uint32_t)product[i][(i * 7) % size];
    }
    return sum;
}
