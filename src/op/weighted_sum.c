// The objective: weighted sum of scalar losses.

#include "dagan/op.h"

static void forward(node_t *y)
{
    double sum = 0;
    for (int i = 0; i < y->n_in; i++) sum += (double)y->f[i] * y->in[i]->x[0];
    y->x[0] = (float)sum;
}

static void backward(node_t *y)
{
    for (int i = 0; i < y->n_in; i++)
        if (y->in[i]->g) y->in[i]->g[0] += y->f[i] * y->g[0];
}

static var_t example(tape_t *t, int i)
{
    shape_t one = { 1, 1, 1, 1 };
    if (i) return NULL;
    return weighted_sum(t, 3,
                        (var_t[]){ tape_variable(t, one), tape_variable(t, one), tape_variable(t, one) },
                        (float[]){ 0.5f, -2, 3 });
}

const op_t op_weighted_sum = {
    .name = "weighted_sum", .forward = forward, .backward = backward, .example = example
};

var_t weighted_sum(tape_t *t, int n, const var_t x[], const float weight[])
{
    var_t y = tape_node(t, &op_weighted_sum, (shape_t){ 1, 1, 1, 1 }, n, x);
    for (int i = 0; i < n; i++) y->f[i] = weight[i];
    return y;
}
