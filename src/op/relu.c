// Activations: relu as an op, and all of them as the tail of a convolution or norm.

#include <math.h>

#include "dagan/op.h"

static const float LEAK = 0.2f;

void act_forward(float *y, size_t n, act_t act)
{
    switch (act) {
    case ACT_NONE: break;
    case ACT_RELU:
        for (size_t i = 0; i < n; i++) y[i] = y[i] > 0 ? y[i] : 0;
        break;
    case ACT_LEAKY:
        for (size_t i = 0; i < n; i++) y[i] = y[i] > 0 ? y[i] : LEAK * y[i];
        break;
    case ACT_TANH:
        for (size_t i = 0; i < n; i++) y[i] = tanhf(y[i]);
        break;
    }
}

// All three can be told from the output, so the input of the activation is never kept.
void act_backward(float *g, const float *y, size_t n, act_t act)
{
    switch (act) {
    case ACT_NONE: break;
    case ACT_RELU:
        for (size_t i = 0; i < n; i++) g[i] = y[i] > 0 ? g[i] : 0;
        break;
    case ACT_LEAKY:
        for (size_t i = 0; i < n; i++) g[i] = y[i] > 0 ? g[i] : LEAK * g[i];
        break;
    case ACT_TANH:
        for (size_t i = 0; i < n; i++) g[i] *= 1 - y[i] * y[i];
        break;
    }
}

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
