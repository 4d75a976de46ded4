// Batches one after the other, as one batch.

#include <string.h>

#include "dagan/op.h"

static void forward(node_t *y)
{
    size_t image = numel(y->dim) / (size_t)y->dim.n;
    float *to = y->x;
    for (int k = 0; k < y->n_in; to += numel(y->in[k++]->dim))
#pragma omp parallel for
        for (int n = 0; n < y->in[k]->dim.n; n++)
            memcpy(to + (size_t)n * image, y->in[k]->x + (size_t)n * image, image * sizeof(float));
}

static void backward(node_t *y)
{
    size_t image = numel(y->dim) / (size_t)y->dim.n;
    const float *from = y->g;
    for (int k = 0; k < y->n_in; from += numel(y->in[k++]->dim)) {
        if (!y->in[k]->g) continue;
#pragma omp parallel for
        for (int n = 0; n < y->in[k]->dim.n; n++) {
            float *g = y->in[k]->g + (size_t)n * image;
            if (y->fresh[k])
                memcpy(g, from + (size_t)n * image, image * sizeof(float));
            else
                kernel->add_to(g, from + (size_t)n * image, image);
        }
    }
}

static var_t example(tape_t *t, int i)
{
    var_t a = i ? NULL : tape_variable(t, (shape_t){ 2, 3, 2, 4 });
    return i ? NULL : stack(3, (var_t[]){ a, tape_variable(t, (shape_t){ 1, 3, 2, 4 }), a });
}

const op_t op_stack = {
    .name = "stack", .forward = forward, .backward = backward, .example = example, .overwrites = ~0u
};

var_t stack(int n, const var_t x[])
{
    shape_t d = x[0]->dim;
    for (int k = 1; k < n; k++) {
        CHECK(dim_equal(d, (shape_t){ d.n, x[k]->dim.h, x[k]->dim.w, x[k]->dim.c }), "stack: shapes differ");
        d.n += x[k]->dim.n;
    }
    return n == 1 ? x[0] : tape_node(x[0]->tape, &op_stack, d, n, x);
}
