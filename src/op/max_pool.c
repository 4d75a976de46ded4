// The largest of each 2x2 pixels, channel by channel.

#include "dagan/op.h"

static size_t row_of(shape_t d)
{
    return (size_t)d.w * (size_t)d.c;
}

static void forward(node_t *y)
{
    size_t c = (size_t)y->dim.c, row = row_of(y->in[0]->dim);
#pragma omp parallel for
    for (int i = 0; i < y->dim.n * y->dim.h; i++)
        for (int j = 0; j < y->dim.w; j++) {
            const float *x = y->in[0]->x + 2 * ((size_t)i * row + (size_t)j * c);
            float *to = y->x + (size_t)i * row_of(y->dim) + (size_t)j * c;
            for (size_t k = 0; k < c; k++) {
                float top = x[k] > x[c + k] ? x[k] : x[c + k];
                float bottom = x[row + k] > x[row + c + k] ? x[row + k] : x[row + c + k];
                to[k] = top > bottom ? top : bottom;
            }
        }
}

// Of equal pixels the first has the gradient.
static void backward(node_t *y)
{
    size_t c = (size_t)y->dim.c, row = row_of(y->in[0]->dim);
    if (!y->in[0]->g) return;
#pragma omp parallel for
    for (int i = 0; i < y->dim.n * y->dim.h; i++)
        for (int j = 0; j < y->dim.w; j++) {
            size_t from = (size_t)i * row_of(y->dim) + (size_t)j * c,
                   at = 2 * ((size_t)i * row + (size_t)j * c);
            const float *x = y->in[0]->x + at;
            for (size_t k = 0; k < c; k++) {
                float most = y->x[from + k];
                size_t place = x[k] == most ? 0 : x[c + k] == most ? c : x[row + k] == most ? row : row + c;
                y->in[0]->g[at + place + k] += y->g[from + k];
            }
        }
}

static var_t example(tape_t *t, int i)
{
    return i ? NULL : max_pool(tape_variable(t, (shape_t){ 2, 2, 6, 4 }));
}

const op_t op_max_pool = { .name = "max_pool",
                           .forward = forward,
                           .backward = backward,
                           .example = example,
                           .reads_inputs = true,
                           .reads_output = true };

var_t max_pool(var_t x)
{
    shape_t d = { x->dim.n, x->dim.h / 2, x->dim.w / 2, x->dim.c };
    CHECK(x->dim.h % 2 == 0 && x->dim.w % 2 == 0, "max_pool: %dx%d pixels, wanted even sides", x->dim.w,
          x->dim.h);
    return tape_node(x->tape, &op_max_pool, d, 1, &x);
}
