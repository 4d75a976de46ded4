// The overlap penalty: how much two regions of an image cover each other, mean over images and pairs.  Along
// one axis, boxes of half-sides a >= b whose centres lie d apart share (a + b - |d|) / 2b of the smaller, at
// least none and at most all of it; the penalty of a pair is the product over both axes.

#include <math.h>

#include "dagan/op.h"

// Sets *slope to the share's derivative in d.
static float share(float d, double a, double b, float *slope)
{
    double smaller = 2 * fmin(a, b), s = (a + b - fabs((double)d)) / smaller;
    *slope = s <= 0 || s >= 1 ? 0 : (float)((d > 0 ? -1 : 1) / smaller);
    return (float)fmin(fmax(s, 0), 1);
}

// Where pair (a, b) of image n stands: its centres, the shares along x and y and their slopes.
typedef struct {
    size_t a, b;
    float share[2], slope[2];
} pair_t;

static pair_t pair_of(const node_t *y, int n, int a, int b)
{
    int regions = y->in[0]->dim.w;
    pair_t p = { 2 * (size_t)(n * regions + a), 2 * (size_t)(n * regions + b), { 0 }, { 0 } };
    const float *c = y->in[0]->x;
    for (int i = 0; i < 2; i++)
        p.share[i] = share(c[p.a + (size_t)i] - c[p.b + (size_t)i], y->half->side[a][i], y->half->side[b][i],
                           &p.slope[i]);
    return p;
}

static int pairs(shape_t d)
{
    return d.n * (d.w * (d.w - 1) / 2);
}

static void forward(node_t *y)
{
    shape_t d = y->in[0]->dim;
    double sum = 0;
    for (int n = 0; n < d.n; n++)
        for (int a = 0; a < d.w; a++)
            for (int b = 0; b < a; b++) {
                pair_t p = pair_of(y, n, a, b);
                sum += p.share[0] * p.share[1];
            }
    y->x[0] = d.w > 1 ? (float)(sum / pairs(d)) : 0;
}

static void backward(node_t *y)
{
    shape_t d = y->in[0]->dim;
    if (!y->in[0]->g || d.w < 2) return;
    float scale = y->g[0] / (float)pairs(d);
    for (int n = 0; n < d.n; n++)
        for (int a = 0; a < d.w; a++)
            for (int b = 0; b < a; b++) {
                pair_t p = pair_of(y, n, a, b);
                for (size_t i = 0; i < 2; i++) {
                    float g = scale * p.slope[i] * p.share[1 - i];
                    y->in[0]->g[p.a + i] += g;
                    y->in[0]->g[p.b + i] -= g;
                }
            }
}

static var_t example(tape_t *t, int i)
{
    static const sides_t same = { 1, { { 6, 6 }, { 6, 6 }, { 6, 6 }, { 6, 6 } } };
    static const sides_t each = { 4, { { 6, 4 }, { 2, 6 }, { 3, 3 }, { 7, 5 } } };
    return i > 1 ? NULL : overlap(tape_variable(t, (shape_t){ 2, 1, 4, 2 }), i ? &each : &same);
}

const op_t op_overlap = {
    .name = "overlap", .forward = forward, .backward = backward, .example = example, .reads_inputs = true
};

var_t overlap(var_t centres, const sides_t *half)
{
    var_t y = tape_node(centres->tape, &op_overlap, (shape_t){ 1, 1, 1, 1 }, 1, &centres);
    y->half = half;
    return y;
}
