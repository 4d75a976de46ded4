// Eq. 1: region centres as the expected position under a softmax over all cells of each region's map.
// Cell j of w stands at (j + 0.5) * size / w - 0.5 pixels; centres are x first, then y.

#include <math.h>

#include "dagan/op.h"

static double cell(const node_t *y, int j, int cells)
{
    return (j + 0.5) * y->i[0] / cells - 0.5;
}

// saved: the probabilities, laid out as the logits.
static void forward(node_t *y)
{
    shape_t d = y->in[0]->dim;
    for (int n = 0; n < d.n; n++)
        for (int r = 0; r < d.c; r++) {
            size_t first = ((size_t)n * (size_t)d.h * (size_t)d.w) * (size_t)d.c + (size_t)r;
            const float *logit = y->in[0]->x + first;
            float *p = y->saved + first, max = logit[0];
            double sum = 0, cx = 0, cy = 0;
            // Subtract the maximum first: logits grow with training, expf overflows at 89.
            for (int j = 0; j < d.h * d.w; j++) max = fmaxf(max, logit[j * d.c]);
            for (int j = 0; j < d.h * d.w; j++) sum += p[j * d.c] = expf(logit[j * d.c] - max);
            for (int j = 0; j < d.h * d.w; j++) {
                p[j * d.c] = (float)(p[j * d.c] / sum);
                cx += p[j * d.c] * cell(y, j % d.w, d.w);
                cy += p[j * d.c] * cell(y, j / d.w, d.h);
            }
            y->x[2 * (n * d.c + r)] = (float)cx;
            y->x[2 * (n * d.c + r) + 1] = (float)cy;
        }
}

// d centre / d logit_j = p_j (position_j - centre).
static void backward(node_t *y)
{
    shape_t d = y->in[0]->dim;
    if (!y->in[0]->g) return;
    for (int n = 0; n < d.n; n++)
        for (int r = 0; r < d.c; r++) {
            size_t first = ((size_t)n * (size_t)d.h * (size_t)d.w) * (size_t)d.c + (size_t)r;
            const float *p = y->saved + first, *c = y->x + 2 * (n * d.c + r), *g = y->g + 2 * (n * d.c + r);
            float *gl = y->in[0]->g + first;
            for (int j = 0; j < d.h * d.w; j++)
                gl[j * d.c] += p[j * d.c] * (float)(g[0] * (cell(y, j % d.w, d.w) - c[0]) +
                                                    g[1] * (cell(y, j / d.w, d.h) - c[1]));
        }
}

static size_t saved(const node_t *y)
{
    return numel(y->in[0]->dim);
}

static var_t example(tape_t *t, int i)
{
    return i ? NULL : softargmax(tape_variable(t, (shape_t){ 2, 3, 4, 3 }), 16);
}

const op_t op_softargmax = { .name = "softargmax",
                             .forward = forward,
                             .backward = backward,
                             .example = example,
                             .reads_output = true,
                             .saved = saved };

var_t softargmax(var_t logits, int size)
{
    var_t y =
        tape_node(logits->tape, &op_softargmax, (shape_t){ logits->dim.n, 1, logits->dim.c, 2 }, 1, &logits);
    y->i[0] = size;
    return y;
}
