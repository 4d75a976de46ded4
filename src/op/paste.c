// Puts the features of windows at their place in a map that is zero elsewhere (attention.mode: crop).
// Windows start at multiples of WINDOW_STEP pixels, so that features of stride 4 fall on whole cells.

#include <string.h>

#include "dagan/op.h"

enum { FEATURES, CENTRES };

// Offset in floats of the window's first row inside image-region k's map.
static size_t place(const node_t *y, int k)
{
    const float *c = y->in[CENTRES]->x + 2 * k;
    int step = y->i[1] / y->dim.w; // pixels per cell
    int left = window_first(c[0], y->i[0], y->i[1]) / step, top = window_first(c[1], y->i[0], y->i[1]) / step;
    return (((size_t)k * (size_t)y->dim.h + (size_t)top) * (size_t)y->dim.w + (size_t)left) *
           (size_t)y->dim.c;
}

static void forward(node_t *y)
{
    shape_t f = y->in[FEATURES]->dim;
    size_t row = (size_t)f.w * (size_t)f.c, map_row = (size_t)y->dim.w * (size_t)f.c;
    memset(y->x, 0, numel(y->dim) * sizeof(float));
    for (int k = 0; k < f.n; k++)
        for (int j = 0; j < f.h; j++)
            memcpy(y->x + place(y, k) + (size_t)j * map_row,
                   y->in[FEATURES]->x + ((size_t)k * (size_t)f.h + (size_t)j) * row, row * sizeof(float));
}

static void backward(node_t *y)
{
    shape_t f = y->in[FEATURES]->dim;
    size_t row = (size_t)f.w * (size_t)f.c, map_row = (size_t)y->dim.w * (size_t)f.c;
    if (!y->in[FEATURES]->g) return;
    for (int k = 0; k < f.n; k++)
        for (int j = 0; j < f.h; j++) {
            const float *g = y->g + place(y, k) + (size_t)j * map_row;
            float *to = y->in[FEATURES]->g + ((size_t)k * (size_t)f.h + (size_t)j) * row;
            for (size_t i = 0; i < row; i++) to[i] += g[i];
        }
}

static var_t example(tape_t *t, int i)
{
    if (i) return NULL;
    var_t c = tape_input(t, "centres", (shape_t){ 2, 1, 2, 2 }); // the place is rounded: no gradient
    return paste(tape_variable(t, (shape_t){ 4, 2, 2, 3 }), c, 8, 16);
}

const op_t op_paste = {
    .name = "paste", .forward = forward, .backward = backward, .example = example, .reads_inputs = true
};

var_t paste(var_t features, var_t centres, int window_size, int image_size)
{
    shape_t f = features->dim;
    int cells = f.w * image_size / window_size;
    CHECK(window_size % f.w == 0 && WINDOW_STEP % (window_size / f.w) == 0,
          "windows of %d pixels give %d cells", window_size, f.w);
    var_t y = tape_node(features->tape, &op_paste, (shape_t){ f.n, cells, cells, f.c }, 2,
                        (var_t[]){ features, centres });
    y->i[0] = window_size;
    y->i[1] = image_size;
    return y;
}
