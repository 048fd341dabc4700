/* Five bodies that attract each other: floating point with square roots and divisions. */
#include "bench/kernels/kernel.h"

enum { count = 5 };
struct body {
    double place[3], speed[3], mass;
};
static struct body bodies[count];

static void begin(void) {
    uint32_t seed = 88172645u;
    for (int i = 0; i < count; ++i) {
        for (int axis = 0; axis < 3; ++axis) {
            bodies[i].place[axis] = (double)(next_random(&seed) % 2000) / 100.0 - 10.0;
            bodies[i].speed[axis] = (double)(next_random(&seed) % 200) / 1000.0 - 0.1;
        }
        bodies[i].mass = (double)(1 + next_random(&seed) % 50) / 25.0;
    }
}

static void advance(double step) {
    for (int i = 0; i < count; ++i) {
        struct body* const one = &bodies[i];
        for (int j = i + 1; j < count; ++j) {
            struct body* const other = &bodies[j];
            double apart[3], square = 0.01;
            for (int axis = 0; axis < 3; ++axis) {
                apart[axis] = one->place[axis] - other->place[axis];
                square += apart[axis] * apart[axis];
            }
            const double force = step / (square * __builtin_sqrt(square));
            for (int axis = 0; axis < 3; ++axis) {
                one->speed[axis] -= apart[axis] * other->mass * force;
                other->speed[axis] += apart[axis] * one->mass * force;
            }
        }
    }
    for (int i = 0; i < count; ++i)
        for (int axis = 0; axis < 3; ++axis)
            bodies[i].place[axis] += step * bodies[i].speed[axis];
}

uint32_t run(uint32_t work) {
    begin();
    for (uint32_t i = 0; i < work; ++i)
        advance(0.001);
    uint32_t sum = 0;
    for (int i = 0; i < count; ++i)
        for (int axis = 0; axis < 3; ++axis)
            sum = sum * 31 + (uint32_t)(int32_t)(bodies[i].place[axis] * 65536.0);
    return sum;
}
