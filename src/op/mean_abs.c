// d = l1: the mean of |a - b| over all elements.

#include <math.h>

#include "dagan/op.h"

static void forward(node_t *y)
{
    const float *a = y->in[0]->x, *b = y->in[1]->x;
    size_t n = numel(y->in[0]->dim);
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += fabsf(a[i] - b[i]);
    y->x[0] = (float)(sum / (double)n);
}

static void backward(node_t *y)
{
    const float *a = y->in[0]->x, *b = y->in[1]->x;
    float *ga = y->in[0]->g, *gb = y->in[1]->g;
    size_t n = numel(y->in[0]->dim);
    float g = y->g[0] / (float)n;
    for (size_t i = 0; i < n; i++) {
        float s = a[i] > b[i] ? g : a[i] < b[i] ? -g : 0;
        if (ga) ga[i] += s;
        if (gb) gb[i] -= s;
    }
}

static var_t example(tape_t *t, int i)
{
    shape_t d = { 2, 3, 2, 4 };
    return i ? NULL : mean_abs(tape_variable(t, d), tape_variable(t, d));
}

const op_t op_mean_abs = {
    .name = "mean_abs", .forward = forward, .backward = backward, .example = example, .reads_inputs = true
};

var_t mean_abs(var_t a, var_t b)
{
    CHECK(dim_equal(a->dim, b->dim), "mean_abs: shapes differ");
    return tape_node(a->tape, &op_mean_abs, (shape_t){ 1, 1, 1, 1 }, 2, (var_t[]){ a, b });
}
