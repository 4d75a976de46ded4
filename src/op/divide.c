// y = act(x / sigma + bias): the end of a convolution whose weight is divided by sigma, which is linear in
// it.

#include "dagan/op.h"

enum { X, SIGMA, BIAS };

static void forward(node_t *y)
{
    size_t c = (size_t)y->dim.c, n = numel(y->dim);
    float scale = 1 / y->in[SIGMA]->x[0];
    for (size_t i = 0; i < n; i++) y->x[i] = scale * y->in[X]->x[i];
    kernel->act_forward(y->x, n / c, c, y->in[BIAS]->x, (act_t)y->i[0]);
}

static void backward(node_t *y)
{
    size_t c = (size_t)y->dim.c, n = numel(y->dim);
    float scale = 1 / y->in[SIGMA]->x[0], *gx = y->in[X]->g, *gb = y->in[BIAS]->g;
    double sum = 0;
    if (y->i[0] != ACT_NONE) kernel->act_backward(y->g, y->x, n, (act_t)y->i[0]);
    for (size_t p = 0; gb && p < n; p += c) kernel->add_to(gb, y->g + p, c);
    for (size_t i = 0; i < n; i++) {
        sum += (double)y->g[i] * y->in[X]->x[i];
        if (gx) gx[i] += scale * y->g[i];
    }
    if (y->in[SIGMA]->g) y->in[SIGMA]->g[0] -= (float)(sum * scale * scale);
}

static var_t example(tape_t *t, int i)
{
    static const act_t act[] = { ACT_NONE, ACT_LEAKY };
    if (i > 1) return NULL;
    var_t x = tape_variable(t, (shape_t){ 2, 3, 2, 4 }), s = tape_variable(t, (shape_t){ 1, 1, 1, 1 });
    return divide(x, s, tape_variable(t, (shape_t){ 1, 1, 1, 4 }), act[i]);
}

const op_t op_divide = { .name = "divide",
                         .forward = forward,
                         .backward = backward,
                         .example = example,
                         .reads_inputs = true,
                         .reads_output = true };

var_t divide(var_t x, var_t sigma, var_t bias, act_t act)
{
    var_t y = tape_node(x->tape, &op_divide, x->dim, 3, (var_t[]){ x, sigma, bias });
    y->i[0] = (int)act;
    return y;
}
