// Nearest neighbour, x2: each pixel becomes four.

#include <string.h>

#include "dagan/op.h"

static void forward(node_t *y)
{
    size_t c = (size_t)y->dim.c, w = (size_t)y->dim.w, rows_in = (size_t)y->dim.n * (size_t)y->dim.h / 2;
    for (size_t r = 0; r < rows_in; r++) {
        const float *x = y->in[0]->x + r * (w / 2) * c;
        float *to = y->x + 2 * r * w * c;
        for (size_t j = 0; j < w; j++) memcpy(to + j * c, x + j / 2 * c, c * sizeof(float));
        memcpy(to + w * c, to, w * c * sizeof(float));
    }
}

static void backward(node_t *y)
{
    float *gx = y->in[0]->g;
    size_t c = (size_t)y->dim.c, w = (size_t)y->dim.w, rows_in = (size_t)y->dim.n * (size_t)y->dim.h / 2;
    if (!gx) return;
    for (size_t r = 0; r < rows_in; r++)
        for (size_t j = 0; j < w / 2; j++) {
            const float *g = y->g + (2 * r * w + 2 * j) * c;
            float *to = gx + (r * (w / 2) + j) * c;
            for (size_t k = 0; k < c; k++) to[k] += (g[k] + g[c + k]) + (g[w * c + k] + g[(w + 1) * c + k]);
        }
}

static var_t example(tape_t *t, int i)
{
    return i ? NULL : upsample(tape_variable(t, (shape_t){ 2, 3, 2, 5 }));
}

const op_t op_upsample = { .name = "upsample", .forward = forward, .backward = backward, .example = example };

var_t upsample(var_t x)
{
    return tape_node(x->tape, &op_upsample, (shape_t){ x->dim.n, 2 * x->dim.h, 2 * x->dim.w, x->dim.c }, 1,
                     &x);
}
