// y = a + b, elementwise: the end of a residual block.

#include "dagan/op.h"

static void forward(node_t *y)
{
    const float *a = y->in[0]->x, *b = y->in[1]->x;
    for (size_t i = 0; i < numel(y->dim); i++) y->x[i] = a[i] + b[i];
}

static void backward(node_t *y)
{
    for (int k = 0; k < 2; k++) {
        float *g = y->in[k]->g;
        if (!g) continue;
        for (size_t i = 0; i < numel(y->dim); i++) g[i] += y->g[i];
    }
}

static var_t example(tape_t *t, int i)
{
    shape_t d = { 2, 3, 2, 4 };
    return i ? NULL : add(tape_variable(t, d), tape_variable(t, d));
}

const op_t op_add = { .name = "add", .forward = forward, .backward = backward, .example = example };

var_t add(var_t a, var_t b)
{
    CHECK(dim_equal(a->dim, b->dim), "add: shapes differ");
    return tape_node(a->tape, &op_add, a->dim, 2, (var_t[]){ a, b });
}
