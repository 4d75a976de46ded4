// y = r tanh(x / r), the end of G: r = 1 is tanh, a large r hardly bends what lies in -1..1.

#include <math.h>

#include "dagan/op.h"

static void forward(node_t *y)
{
    const float *x = y->in[0]->x;
    float r = y->f[0];
#pragma omp parallel for
    for (size_t i = 0; i < numel(y->dim); i++) y->x[i] = r * tanhf(x[i] / r);
}

static void backward(node_t *y)
{
    float *gx = y->in[0]->g, r = y->f[0];
    if (!gx) return;
#pragma omp parallel for
    for (size_t i = 0; i < numel(y->dim); i++) {
        float t = y->x[i] / r;
        gx[i] += y->g[i] * (1 - t * t);
    }
}

static var_t example(tape_t *t, int i)
{
    static const double range[] = { 1, 1.75 };
    return i < 2 ? soft_clamp(tape_variable(t, (shape_t){ 2, 3, 3, 3 }), range[i]) : NULL;
}

const op_t op_soft_clamp = {
    .name = "soft_clamp", .forward = forward, .backward = backward, .example = example, .reads_output = true
};

var_t soft_clamp(var_t x, double range)
{
    var_t y = tape_node(x->tape, &op_soft_clamp, x->dim, 1, &x);
    y->f[0] = (float)range;
    return y;
}
