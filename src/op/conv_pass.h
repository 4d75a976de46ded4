// The geometry of a pass of a convolution over a zero-padded copy of its input, private to op/conv*.c.
#ifndef DAGAN_OP_CONV_PASS_H
#define DAGAN_OP_CONV_PASS_H

#include "conv.h"

enum {
    SHORT = 32,    // fewer floats under a row of weights are treated specially
    SEGMENTS = 16, // if not more rows of weights; and rows of outputs that meet a gradient at a time
};

// One direction of one pixel class: an image of (h, w, ci) padded by (top, left), met by a kernel of (kh,
// kw).
typedef struct {
    int h, w, up;               // of the input
    int top, left, rows, cols;  // padded: `cols` pixels a row, rows / stride rows in each class
    int stride, kh, kw, oh, ow; // the outputs
    size_t ci, co;
    size_t y_row, y_pixel; // floats between rows and between pixels of the output
    bool is_short;
} pass_t;

pass_t pass_forward(const conv_t *k);
// Of the gradients of the pixels (ry + i * stride, rx + j * stride) of x.
pass_t pass_backward(const conv_t *k, int ry, int rx);
// Rows of the matrix of weights.
size_t pass_depth(const pass_t *p);

// Floats of the padded image; its row y; its making, shared by the threads of a parallel region.
size_t padded_size(const pass_t *p);
float *padded_row(const pass_t *p, const float *padded, int y);
void pad_image(const pass_t *p, float *padded, const float *x);

#endif
