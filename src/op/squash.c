// Eq. 1 of the fully connected localiser: a sigmoid maps each number to [-0.5, size - 0.5], the image's
// extent.

#include <math.h>

#include "dagan/op.h"

static void forward(node_t *y)
{
    const float *x = y->in[0]->x;
    for (size_t i = 0; i < numel(y->dim); i++) y->x[i] = (float)y->i[0] / (1 + expf(-x[i])) - 0.5f;
}

static void backward(node_t *y)
{
    float *gx = y->in[0]->g;
    if (!gx) return;
    for (size_t i = 0; i < numel(y->dim); i++) {
        float s = (y->x[i] + 0.5f) / (float)y->i[0];
        gx[i] += y->g[i] * (float)y->i[0] * s * (1 - s);
    }
}

static var_t example(tape_t *t, int i)
{
    return i ? NULL : squash(tape_variable(t, (shape_t){ 2, 1, 1, 6 }), 16);
}

const op_t op_squash = {
    .name = "squash", .forward = forward, .backward = backward, .example = example, .reads_output = true
};

var_t squash(var_t x, int size)
{
    var_t y = tape_node(x->tape, &op_squash, (shape_t){ x->dim.n, 1, x->dim.c / 2, 2 }, 1, &x);
    y->i[0] = size;
    return y;
}
