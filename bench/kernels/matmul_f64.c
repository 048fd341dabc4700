/* A product of two matrices, three nested loops over f64. */
#include <stdint.h>

typedef double element;
#include "bench/kernels/matmul.h"
