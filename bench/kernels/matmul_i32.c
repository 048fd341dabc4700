/* A product of two matrices, three nested loops over i32. */
#include <stdint.h>

typedef uint32_t element;
#include "bench/kernels/matmul.h"
