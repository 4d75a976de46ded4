// relu by itself; most activations are the tail of a convolution or norm.

#include "dagan/op.h"

static void forward(node_t *y)
{
    const float *x = y->in[0]->x;
    for (size_t i = 0; i < numel(y->dim); i++) y->x[i] = x[i] > 0 ? x[i] : 0;
}

static void backward(node_t *y)
{
    float *gx = y->in[0]->g;
    if (!gx) return;
    for (size_t i = 0; i < numel(y->dim); i++) gx[i] += y->x[i] > 0 ? y->g[i] : 0;
}

static var_t example(tape_t *t, int i)
{
    return i ? NULL : relu(tape_variable(t, (shape_t){ 2, 3, 3, 4 }));
}

const op_t op_relu = {
    .name = "relu", .forward = forward, .backward = backward, .example = example, .reads_output = true
};

var_t relu(var_t x)
{
    return tape_node(x->tape, &op_relu, x->dim, 1, &x);
}
