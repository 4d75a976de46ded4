// The convolution's shape and its kernels, private to op/conv*.c.
#ifndef DAGAN_OP_CONV_H
#define DAGAN_OP_CONV_H

#include "dagan/op.h"

// x (n, h / up, w / up, ci), taken as if each pixel were up x up; weight (kh, kw, ci, co), y (n, oh, ow, co),
// zero padding.
typedef struct {
    int n, h, w, ci, oh, ow, co, kh, kw, stride, pad, up;
} conv_t;

typedef enum { CONV_FORWARD, CONV_BACKWARD_DATA, CONV_BACKWARD_WEIGHTS, CONV_PASSES } conv_pass_t;

// One way to compute the three products.  forward overwrites y, backward_data writes gx or adds to it, and
// backward_weights adds.  `form` is what the kernel makes of the weights for forward and for backward_data.
typedef struct {
    const char *name;
    bool (*fits)(const conv_t *k, conv_pass_t pass);
    double (*products)(const conv_t *k); // multiplications, as a share of those of the definition
    size_t (*scratch)(const conv_t *k);  // floats
    size_t (*form_size)(const conv_t *k, conv_pass_t which);
    void (*make_form)(const conv_t *k, conv_pass_t which, float *form, const float *weight);
    void (*forward)(const conv_t *k, float *y, const float *x, const float *form, const float *bias,
                    act_t act, float *scratch);
    void (*backward_data)(const conv_t *k, float *gx, const float *gy, const float *form, bool adds,
                          float *scratch);
    void (*backward_weights)(const conv_t *k, float *gw, const float *x, const float *gy, float *scratch);
} conv_kernel_t;

extern const conv_kernel_t conv_plain;    // seven loops: the reference
extern const conv_kernel_t conv_direct;   // products read the patches where they lie
extern const conv_kernel_t conv_winograd; // 3x3: a quarter of the products, 81 of 144 at stride 2

// Why it is taken or not: what its passes would cost where direct products cost 1, or what forbids it.
void conv_winograd_why(char *text, size_t size, const conv_t *k);

// Passes with few channels of output (conv_spread.c), which conv_direct leaves to these.
enum { SPREAD_MOST = 4, CONV_TAPS_MOST = 16 };
bool conv_spreads(const conv_t *k, conv_pass_t which);
size_t conv_spread_scratch(const conv_t *k, conv_pass_t which);
size_t conv_spread_form_size(const conv_t *k, conv_pass_t which);
void conv_spread_form(const conv_t *k, conv_pass_t which, float *form, const float *weight);
void conv_spread(const conv_t *k, conv_pass_t which, float *y, const float *x, const float *form,
                 const float *bias, act_t act, bool adds, float *scratch);

// The gradient of the weights, conv_direct's (conv_weights.c).  With few output channels it is that of the
// turned convolution, from gy to x.
bool conv_turns(const conv_t *k);
size_t conv_weights_scratch(const conv_t *k);
void conv_weights(const conv_t *k, float *gw, const float *x, const float *gy, float *scratch);

#endif
