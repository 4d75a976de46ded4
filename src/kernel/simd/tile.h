// What all of Winograd's transforms share.
#ifndef DAGAN_KERNEL_TILE_H
#define DAGAN_KERNEL_TILE_H

#include "isa.h"

#define EACH_VECTOR(i, c) for (size_t i = 0; i < (c); i += LANES)

// What is read next lies in no order that the processor foresees.
INLINE void fetch(const float *at)
{
    __builtin_prefetch(at, 0, 2);
}

// To a row of c weights, of which the next one lies behind it.
INLINE void add_weights(float *to, vec_t gradient, size_t c)
{
    __builtin_prefetch(to + c, 1, 2);
    store(to, load(to) + gradient);
}

// Channels [i, i + LANES) of a tile of outputs.
INLINE void store_tile(float *const y[], size_t i, vec_t out[4][4], const float *bias)
{
    for (int p = 0; p < 16; p++) {
        if (!y[p]) continue;
        vec_t v = out[p / 4][p % 4];
        store(y[p] + i, bias ? v + load(bias + i) : v);
    }
}

INLINE void finish_pixels(float *const y[], int pixels, size_t c, act_t act)
{
    if (act == ACT_NONE) return;
    for (int p = 0; p < pixels; p++)
        if (y[p]) ISA_NAME(act_forward)(y[p], 1, c, NULL, act);
}

#endif
