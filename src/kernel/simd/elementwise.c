// Activations, sums and copies; the compiler vectorises these loops.

#include "isa.h"

static const float LEAK = 0.2f;

void ISA_NAME(act_forward)(float *y, size_t pixels, size_t c, const float *bias, act_t act)
{
    size_t n = pixels * c;
    for (size_t p = 0; bias && p < pixels; p++)
        for (size_t i = 0; i < c; i++) y[p * c + i] += bias[i];
    switch (act) {
    case ACT_NONE: break;
    case ACT_RELU:
        for (size_t i = 0; i < n; i++) y[i] = y[i] > 0 ? y[i] : 0;
        break;
    case ACT_LEAKY:
        for (size_t i = 0; i < n; i++) y[i] = y[i] > 0 ? y[i] : LEAK * y[i];
        break;
    }
}

// All three can be told from the output, so the input of the activation is never kept.
void ISA_NAME(act_backward)(float *g, const float *y, size_t n, act_t act)
{
    switch (act) {
    case ACT_NONE: break;
    case ACT_RELU:
        for (size_t i = 0; i < n; i++) g[i] = y[i] > 0 ? g[i] : 0;
        break;
    case ACT_LEAKY:
        for (size_t i = 0; i < n; i++) g[i] = y[i] > 0 ? g[i] : LEAK * g[i];
        break;
    }
}

void ISA_NAME(add_to)(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] += x[i];
}

void ISA_NAME(sum)(float *y, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}

typedef float four_t __attribute__((vector_size(16), aligned(4), may_alias));

// `n` outputs next to each other, so that no sum waits for another.
INLINE void gather_some(size_t n, float *y, size_t y_step, size_t c, const float *const row[], size_t rows,
                        size_t first, size_t step, size_t taps, size_t back, bool adds)
{
    four_t sum[4] = { { 0 } };
    for (size_t r = 0; r < rows; r++) {
        const float *from = row[r] + first;
        for (size_t t = 0; t < taps; t++, from -= back)
            for (size_t q = 0; q < n; q++) sum[q] += *(const four_t *)(from + q * step);
    }
    for (size_t q = 0; q < n; q++, y += y_step)
        for (size_t i = 0; i < c; i++) y[i] = adds ? y[i] + sum[q][i] : sum[q][i];
}

void ISA_NAME(gather)(float *y, size_t y_step, size_t c, const float *const row[], size_t rows, size_t pixels,
                      size_t step, size_t taps, size_t back, bool adds)
{
    size_t x = 0;
    for (; x + 4 <= pixels; x += 4)
        gather_some(4, y + x * y_step, y_step, c, row, rows, x * step, step, taps, back, adds);
    for (; x < pixels; x++)
        gather_some(1, y + x * y_step, y_step, c, row, rows, x * step, step, taps, back, adds);
}
