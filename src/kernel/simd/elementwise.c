// Activations and sums over whole arrays; the compiler vectorises these loops.

#include <math.h>

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
    case ACT_TANH:
        for (size_t i = 0; i < n; i++) y[i] = tanhf(y[i]);
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
    case ACT_TANH:
        for (size_t i = 0; i < n; i++) g[i] *= 1 - y[i] * y[i];
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
