// The overlap penalty: how much two regions of an image cover each other, mean over images and pairs.  Two
// boxes of half-side h whose centres lie (dx, dy) apart share (1 - |dx| / 2h)+ (1 - |dy| / 2h)+ of their
// area.

#include <math.h>

#include "dagan/op.h"

static float side(const node_t *y)
{
    return 2 * y->f[0];
}

static void forward(node_t *y)
{
    shape_t d = y->in[0]->dim;
    double sum = 0;
    for (int n = 0; n < d.n; n++)
        for (int a = 0; a < d.w; a++)
            for (int b = 0; b < a; b++) {
                const float *p = y->in[0]->x + 2 * (n * d.w + a), *q = y->in[0]->x + 2 * (n * d.w + b);
                sum += fmax(0, 1 - fabsf(p[0] - q[0]) / side(y)) * fmax(0, 1 - fabsf(p[1] - q[1]) / side(y));
            }
    y->x[0] = d.w > 1 ? (float)(sum / (d.n * (d.w * (d.w - 1) / 2))) : 0;
}

static void backward(node_t *y)
{
    shape_t d = y->in[0]->dim;
    if (!y->in[0]->g || d.w < 2) return;
    float g = y->g[0] / (float)(d.n * (d.w * (d.w - 1) / 2)) / side(y);
    for (int n = 0; n < d.n; n++)
        for (int a = 0; a < d.w; a++)
            for (int b = 0; b < a; b++) {
                size_t ia = 2 * (size_t)(n * d.w + a), ib = 2 * (size_t)(n * d.w + b);
                const float *p = y->in[0]->x + ia, *q = y->in[0]->x + ib;
                float dx = p[0] - q[0], dy = p[1] - q[1];
                float fx = 1 - fabsf(dx) / side(y), fy = 1 - fabsf(dy) / side(y);
                if (fx <= 0 || fy <= 0) continue;
                float gx = (dx > 0 ? -g : g) * fy, gy = (dy > 0 ? -g : g) * fx;
                y->in[0]->g[ia] += gx;
                y->in[0]->g[ib] -= gx;
                y->in[0]->g[ia + 1] += gy;
                y->in[0]->g[ib + 1] -= gy;
            }
}

static var_t example(tape_t *t, int i)
{
    return i ? NULL : overlap(tape_variable(t, (shape_t){ 2, 1, 4, 2 }), 6);
}

const op_t op_overlap = {
    .name = "overlap", .forward = forward, .backward = backward, .example = example, .reads_inputs = true
};

var_t overlap(var_t centres, double half)
{
    var_t y = tape_node(centres->tape, &op_overlap, (shape_t){ 1, 1, 1, 1 }, 1, &centres);
    y->f[0] = (float)half;
    return y;
}
