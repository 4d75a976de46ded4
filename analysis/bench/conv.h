// One convolution, and those who compute it: what the programs of this folder's conv*.c share.
#ifndef BENCH_CONV_H
#define BENCH_CONV_H

#include "dagan/base.h"

enum { FORWARD, BACKWARD_DATA, BACKWARD_WEIGHTS, PASSES };

// x (n, h, w, ci), w (k, k, ci, co), y (n, oh, ow, co), zero padding.
typedef struct {
    int n, h, w, ci, oh, ow, co, k, stride, pad;
} case_t;

typedef struct {
    case_t c;
    size_t nx, nw, ny, patch; // floats of x, w, y; k k ci
    double flops;
    float *x, *w, *gy;
} problem_t;

// One way to compute a pass of a problem, which outlives it.
typedef struct {
    const char *name;
    bool (*open)(void **self, const problem_t *p, int pass); // false: not to be had here
    void (*prepare)(void *self);                             // before each run, not timed; may be NULL
    void (*run)(void *self);
    void (*result)(void *self, float *out); // laid out as x, w, y; NULL: computes something else
    void (*close)(void *self);
    double flops; // of a run; 0: the problem's
} rival_t;

extern const rival_t rival_tape, rival_im2col, rival_sgemm, rival_fma, rival_onednn;

// GFLOP/s of BLIS on a large square product.
double large_product(void);

#endif
