// The convolution's shape and its kernels, private to op/conv*.c.
#ifndef DAGAN_OP_CONV_H
#define DAGAN_OP_CONV_H

#include "dagan/op.h"

// x (n, h, w, ci), weight (kh, kw, ci, co), y (n, oh, ow, co), zero padding.
typedef struct {
    int n, h, w, ci, oh, ow, co, kh, kw, stride, pad;
} conv_t;

// One way to compute the three products.  forward overwrites y; the backward ones add.
typedef struct {
    const char *name;
    size_t (*scratch)(const conv_t *k); // floats
    void (*forward)(const conv_t *k, float *y, const float *x, const float *weight, float *scratch);
    void (*backward_data)(const conv_t *k, float *gx, const float *gy, const float *weight, float *scratch);
    void (*backward_weights)(const conv_t *k, float *gw, const float *x, const float *gy, float *scratch);
} conv_kernel_t;

extern const conv_kernel_t conv_plain; // seven loops: the reference
extern const conv_kernel_t conv_gemm;  // patches gathered, products by BLIS

#endif
