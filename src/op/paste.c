// Puts the features of windows at their places in maps that are zero elsewhere (attention.mode: crop).
// Windows start at multiples of WINDOW_STEP pixels, so that features of stride 4 fall on whole cells.

#include <string.h>

#include "dagan/op.h"

enum { CENTRES, FEATURES }; // and more of them, the windows of one size each
enum { CELL };              // y->i, pixels

static size_t row(shape_t d)
{
    return (size_t)d.w * (size_t)d.c;
}

// The features of one region of one image: of which input, and their first row there and in y, in floats.
typedef struct {
    int in;
    size_t from, to;
} place_t;

static place_t place(const node_t *y, int k)
{
    shape_t centres = y->in[CENTRES]->dim, d = y->dim;
    const float *c = y->in[CENTRES]->x + 2 * k;
    int in = FEATURES, r = k % centres.w, cell = y->i[CELL];
    while (r >= y->in[in]->dim.n / centres.n) r -= y->in[in++]->dim.n / centres.n;
    shape_t f = y->in[in]->dim;
    int window = k / centres.w * (f.n / centres.n) + r;
    int left = window_first(c[0], f.w * cell, d.w * cell) / cell;
    int top = window_first(c[1], f.h * cell, d.h * cell) / cell;
    return (place_t){ in, (size_t)(window * f.h) * row(f),
                      (size_t)(k * d.h + top) * row(d) + (size_t)(left * d.c) };
}

static void forward(node_t *y)
{
    memset(y->x, 0, numel(y->dim) * sizeof(float));
    for (int k = 0; k < y->dim.n; k++) {
        place_t p = place(y, k);
        shape_t f = y->in[p.in]->dim;
        for (size_t j = 0; j < (size_t)f.h; j++)
            memcpy(y->x + p.to + j * row(y->dim), y->in[p.in]->x + p.from + j * row(f),
                   row(f) * sizeof(float));
    }
}

static void backward(node_t *y)
{
    for (int k = 0; k < y->dim.n; k++) {
        place_t p = place(y, k);
        shape_t f = y->in[p.in]->dim;
        for (size_t j = 0; y->in[p.in]->g && j < (size_t)f.h; j++) {
            const float *g = y->g + p.to + j * row(y->dim);
            float *to = y->in[p.in]->g + p.from + j * row(f);
            for (size_t i = 0; i < row(f); i++) to[i] += g[i];
        }
    }
}

static var_t example(tape_t *t, int i)
{
    if (i) return NULL;
    var_t c = tape_input(t, "centres", (shape_t){ 2, 1, 3, 2 }); // the place is rounded: no gradient
    var_t f[] = { tape_variable(t, (shape_t){ 4, 2, 3, 2 }), tape_variable(t, (shape_t){ 2, 3, 1, 2 }) };
    return paste(2, f, c, 16, 4);
}

const op_t op_paste = {
    .name = "paste", .forward = forward, .backward = backward, .example = example, .reads_inputs = true
};

var_t paste(int n, const var_t features[], var_t centres, int image_size, int cell)
{
    shape_t c = centres->dim;
    int cells = image_size / cell, regions = 0;
    var_t in[NODE_INPUTS_MAX] = { centres };
    CHECK(n < NODE_INPUTS_MAX, "paste: %d groups of windows, at most %d", n, NODE_INPUTS_MAX - 1);
    for (int k = 0; k < n; k++) {
        in[FEATURES + k] = features[k];
        regions += features[k]->dim.n / c.n;
    }
    CHECK(regions == c.w && WINDOW_STEP % cell == 0,
          "paste: windows of %d regions of %d, %d pixels to a cell", regions, c.w, cell);
    var_t y = tape_node(centres->tape, &op_paste, (shape_t){ c.n * c.w, cells, cells, features[0]->dim.c },
                        1 + n, in);
    y->i[CELL] = cell;
    return y;
}
