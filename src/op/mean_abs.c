// d = l1: the mean of |a - b| over all elements.

#include <math.h>

#include "dagan/op.h"

static void forward(node_t *y)
{
    shape_t d = y->in[0]->dim;
    size_t image = numel(d) / (size_t)d.n;
    double *sums = (double *)y->scratch, sum = 0;
#pragma omp parallel for
    for (int n = 0; n < d.n; n++) {
        const float *a = y->in[0]->x + (size_t)n * image, *b = y->in[1]->x + (size_t)n * image;
        double s = 0;
        for (size_t i = 0; i < image; i++) s += fabsf(a[i] - b[i]);
        sums[n] = s;
    }
    for (int n = 0; n < d.n; n++) sum += sums[n]; // in one order on any number of threads
    y->x[0] = (float)(sum / (double)numel(d));
}

static void backward(node_t *y)
{
    const float *a = y->in[0]->x, *b = y->in[1]->x;
    float *ga = y->in[0]->g, *gb = y->in[1]->g;
    size_t n = numel(y->in[0]->dim);
    float g = y->g[0] / (float)n;
#pragma omp parallel for
    for (size_t i = 0; i < n; i++) {
        float s = a[i] > b[i] ? g : a[i] < b[i] ? -g : 0;
        if (ga) ga[i] += s;
        if (gb) gb[i] -= s;
    }
}

static size_t scratch(const node_t *y)
{
    return 2 * (size_t)y->in[0]->dim.n; // a double for each image
}

static var_t example(tape_t *t, int i)
{
    shape_t d = { 2, 3, 2, 4 };
    return i ? NULL : mean_abs(tape_variable(t, d), tape_variable(t, d));
}

const op_t op_mean_abs = { .name = "mean_abs",
                           .forward = forward,
                           .backward = backward,
                           .example = example,
                           .reads_inputs = true,
                           .scratch = scratch };

var_t mean_abs(var_t a, var_t b)
{
    CHECK(dim_equal(a->dim, b->dim), "mean_abs: shapes differ");
    return tape_node(a->tape, &op_mean_abs, (shape_t){ 1, 1, 1, 1 }, 2, (var_t[]){ a, b });
}
