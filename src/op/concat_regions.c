// An image's features and those of its N' instances side by side: what G is given.

#include <string.h>

#include "dagan/op.h"

// Copies or adds the c channels of input k (0: the image, 1..N': its instances) of every pixel.
static float *part(float *x, float *instances, int n, int k, int regions, size_t map)
{
    return k == 0 ? x + (size_t)n * map : instances + ((size_t)n * (size_t)regions + (size_t)k - 1) * map;
}

static void forward(node_t *y)
{
    size_t c = (size_t)y->in[0]->dim.c, all = (size_t)y->dim.c, pixels = (size_t)y->dim.h * (size_t)y->dim.w;
    int regions = y->i[0];
#pragma omp parallel for
    for (int n = 0; n < y->dim.n; n++)
        for (int k = 0; k <= regions; k++) {
            const float *from = part(y->in[0]->x, y->in[1]->x, n, k, regions, pixels * c);
            float *to = y->x + (size_t)n * pixels * all + (size_t)k * c;
            for (size_t p = 0; p < pixels; p++) memcpy(to + p * all, from + p * c, c * sizeof(float));
        }
}

static void backward(node_t *y)
{
    size_t c = (size_t)y->in[0]->dim.c, all = (size_t)y->dim.c, pixels = (size_t)y->dim.h * (size_t)y->dim.w;
    int regions = y->i[0];
#pragma omp parallel for
    for (int n = 0; n < y->dim.n; n++)
        for (int k = 0; k <= regions; k++) {
            if (!y->in[k > 0]->g) continue;
            float *to = part(y->in[0]->g, y->in[1]->g, n, k, regions, pixels * c);
            const float *from = y->g + (size_t)n * pixels * all + (size_t)k * c;
            for (size_t p = 0; p < pixels; p++)
                for (size_t j = 0; j < c; j++) to[p * c + j] += from[p * all + j];
        }
}

static var_t example(tape_t *t, int i)
{
    if (i) return NULL;
    return concat_regions(tape_variable(t, (shape_t){ 2, 3, 2, 4 }),
                          tape_variable(t, (shape_t){ 6, 3, 2, 4 }));
}

const op_t op_concat_regions = {
    .name = "concat_regions", .forward = forward, .backward = backward, .example = example
};

var_t concat_regions(var_t x, var_t instances)
{
    int regions = instances->dim.n / x->dim.n;
    shape_t d = { x->dim.n, x->dim.h, x->dim.w, (1 + regions) * x->dim.c };
    var_t y = tape_node(x->tape, &op_concat_regions, d, 2, (var_t[]){ x, instances });
    y->i[0] = regions;
    return y;
}
