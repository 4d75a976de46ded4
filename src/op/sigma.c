// Spectral norm (Miyato, Kataoka, Koyama, Yoshida: ICLR 2018): what a weight, as a matrix of its outputs by
// all else, at most stretches a vector by.  One half of a power iteration from u, the output that stretches
// it most as far as is known: v = W^T u / |W^T u|, sigma = u^T W v.  u and v count as constants.

#include <math.h>

#include "dagan/op.h"

static const double MIN = 1e-12; // of lengths: a weight may be 0

static size_t rows_of(const node_t *y)
{
    return numel(y->in[0]->dim) / (size_t)y->in[0]->dim.c;
}

static double length(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * x[i];
    return fmax(sqrt(sum), MIN);
}

// saved: v.
static void forward(node_t *y)
{
    size_t out = (size_t)y->in[0]->dim.c;
    const float *w = y->in[0]->x, *u = y->in[1]->x;
    for (size_t k = 0; k < rows_of(y); k++, w += out) {
        double sum = 0;
        for (size_t o = 0; o < out; o++) sum += (double)w[o] * u[o];
        y->saved[k] = (float)sum;
    }
    double all = length(y->saved, rows_of(y));
    for (size_t k = 0; k < rows_of(y); k++) y->saved[k] = (float)(y->saved[k] / all);
    y->x[0] = (float)(all / length(u, out));
}

// d sigma / dW = v u^T, u of length 1.
static void backward(node_t *y)
{
    size_t out = (size_t)y->in[0]->dim.c;
    const float *u = y->in[1]->x;
    float *gw = y->in[0]->g, g = y->g[0] / (float)length(u, out);
    if (!gw) return;
    for (size_t k = 0; k < rows_of(y); k++, gw += out)
        for (size_t o = 0; o < out; o++) gw[o] += g * y->saved[k] * u[o];
}

static size_t saved(const node_t *y)
{
    return rows_of(y);
}

static var_t example(tape_t *t, int i)
{
    if (i) return NULL;
    var_t w = tape_variable(t, (shape_t){ 2, 2, 3, 5 });
    return sigma(w, tape_input(t, "u", (shape_t){ 1, 1, 1, 5 }));
}

const op_t op_sigma = { .name = "sigma",
                        .forward = forward,
                        .backward = backward,
                        .example = example,
                        .reads_inputs = true,
                        .saved = saved };

var_t sigma(var_t weight, var_t u)
{
    CHECK(u->dim.c == weight->dim.c, "sigma: %d numbers for %d outputs", u->dim.c, weight->dim.c);
    return tape_node(weight->tape, &op_sigma, (shape_t){ 1, 1, 1, 1 }, 2, (var_t[]){ weight, u });
}
