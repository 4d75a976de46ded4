// What the files of Winograd's convolution share, private to op/conv_winograd*.c.
#ifndef DAGAN_OP_CONV_WINOGRAD_H
#define DAGAN_OP_CONV_WINOGRAD_H

#include "conv.h"

enum {
    // Tiles, two images of 16x16: fewer pass by the weights oftener, more leave the cache.
    WINOGRAD_BLOCK = 32,
    WINOGRAD_OUTPUTS_MOST = WINOGRAD_UP_TILE * WINOGRAD_UP_TILE, // outputs of a tile
    WINOGRAD_PIXELS_MOST = WINOGRAD_S2_SIDE * WINOGRAD_S2_SIDE,  // pixels that it reads
    WINOGRAD_WEIGHTS_MOST = WINOGRAD_UP_WEIGHTS,
};

typedef enum { WINOGRAD_PLAIN, WINOGRAD_S2, WINOGRAD_UP } winograd_kind_t;

// The transform of a kind's kernels.
#define WINOGRAD(j, name)                                    \
    ((j)->kind == WINOGRAD_S2   ? kernel->winograd_s2_##name \
     : (j)->kind == WINOGRAD_UP ? kernel->winograd_up_##name \
                                : kernel->winograd_##name)

// One convolution, cut into tiles.
typedef struct {
    winograd_kind_t kind;
    int n, h, w;                     // images, and the pixels of x, before it is upsampled
    int oh, ow, across, down;        // outputs, and tiles of them
    int tiles;                       // of the whole batch
    int tile, side, points, weights; // as in dagan/kernel.h
    int reach;                       // pixels from one tile to the next
    size_t ci, co;
} winograd_t;

winograd_t winograd_of(const conv_t *k);
// Tiles of a block, at most `most`, so that all blocks are about as large.
int winograd_block(int tiles, int most);
// Floats from one point of a block to the next, a little more than there are.
size_t winograd_step(size_t channels, int tiles);
// Which of the weights a point meets: with stride 2 the even pixels, the last four on each axis, share one.
size_t winograd_weight(const winograd_t *j, int point);

// Addresses of the pixels that a tile reads of x, and of those that it makes of y; `outside` beyond the
// edges.
void winograd_input_pixels(const winograd_t *j, const float **at, const float *x, int tile,
                           const float *outside);
void winograd_output_pixels(const winograd_t *j, const float **at, const float *y, int tile,
                            const float *outside);
// Carries tiles [first, first + tiles) of the first `channels` of x to the points of v, (tiles, channels)
// each, which lie `step` floats apart.
void winograd_carry_inputs(const winograd_t *j, float *v, size_t step, const float *x, size_t channels,
                           int first, int tiles, const float *zeros);
// Likewise of the gradient of y; tiles lie `apart`, and vectors of channels `group` floats from one another.
void winograd_carry_gradients(const winograd_t *j, float *v, size_t apart, size_t step, size_t group,
                              const float *gy, int first, int tiles, const float *zeros);

// The gradient of the weights (conv_winograd_weights.c).  What it costs, direct products: 1.
double winograd_weights_cost(const winograd_t *j);
size_t winograd_weights_scratch(const winograd_t *j);
void winograd_backward_weights(const conv_t *k, float *gw, const float *x, const float *gy, float *scratch);

#endif
