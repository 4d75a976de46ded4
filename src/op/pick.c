// Entry r of a list of vectors: (n, 1, N', c) -> (n, 1, 1, c).

#include <string.h>

#include "dagan/op.h"

static size_t place(const node_t *y, int n)
{
    return ((size_t)n * (size_t)y->in[0]->dim.w + (size_t)y->i[0]) * (size_t)y->dim.c;
}

static void forward(node_t *y)
{
    size_t c = (size_t)y->dim.c;
    for (int n = 0; n < y->dim.n; n++)
        memcpy(y->x + (size_t)n * c, y->in[0]->x + place(y, n), c * sizeof(float));
}

static void backward(node_t *y)
{
    size_t c = (size_t)y->dim.c;
    if (!y->in[0]->g) return;
    for (int n = 0; n < y->dim.n; n++)
        for (size_t j = 0; j < c; j++) y->in[0]->g[place(y, n) + j] += y->g[(size_t)n * c + j];
}

static var_t example(tape_t *t, int i)
{
    return i ? NULL : pick(tape_variable(t, (shape_t){ 2, 1, 4, 3 }), 2);
}

const op_t op_pick = { .name = "pick", .forward = forward, .backward = backward, .example = example };

var_t pick(var_t x, int r)
{
    CHECK(r < x->dim.w, "entry %d of %d", r, x->dim.w);
    var_t y = tape_node(x->tape, &op_pick, (shape_t){ x->dim.n, 1, 1, x->dim.c }, 1, &x);
    y->i[0] = r;
    return y;
}
