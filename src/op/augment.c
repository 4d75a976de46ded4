// DiffAugment of what D sees: brightness, saturation, contrast, then a shift with zero padding and a cutout
// square. Linear in the image, so its gradient is its transpose.

#include <string.h>

#include "dagan/op.h"

enum { BRIGHTNESS, SATURATION, CONTRAST, SHIFT_X, SHIFT_Y, CUT_X, CUT_Y, CUT_SIZE }; // one image's numbers

void augment_draw(float how[AUGMENT_NUMBERS], rng_t *r, int size, bool colour, bool shift, bool cutout)
{
    float u[AUGMENT_NUMBERS];
    for (int i = 0; i < AUGMENT_NUMBERS; i++) u[i] = rng_uniform(r);
    int reach = size / 8, cut = size / 2;
    how[BRIGHTNESS] = colour ? u[0] - 0.5f : 0;
    how[SATURATION] = colour ? 2 * u[1] : 1;
    how[CONTRAST] = colour ? 0.5f + u[2] : 1;
    how[SHIFT_X] = shift ? (float)((int)(u[3] * (float)(2 * reach + 1)) - reach) : 0;
    how[SHIFT_Y] = shift ? (float)((int)(u[4] * (float)(2 * reach + 1)) - reach) : 0;
    how[CUT_X] = (float)((int)(u[5] * (float)size) - cut / 2);
    how[CUT_Y] = (float)((int)(u[6] * (float)size) - cut / 2);
    how[CUT_SIZE] = cutout ? (float)cut : 0;
}

static bool is_cut(const float *how, int x, int y)
{
    float dx = (float)x - how[CUT_X], dy = (float)y - how[CUT_Y];
    return dx >= 0 && dx < how[CUT_SIZE] && dy >= 0 && dy < how[CUT_SIZE];
}

// v = contrast * (saturation * (x - m) + m - M) + M + brightness, m the pixel's mean over colours, M the
// image's.
static float image_mean(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    return (float)(sum / (double)n);
}

static void forward(node_t *y)
{
    int h = y->dim.h, w = y->dim.w, c = y->dim.c;
    size_t image = (size_t)h * (size_t)w * (size_t)c;
    memset(y->x, 0, numel(y->dim) * sizeof(float));
    for (int n = 0; n < y->dim.n; n++) {
        const float *x = y->in[0]->x + (size_t)n * image, *how = y->in[1]->x + n * AUGMENT_NUMBERS;
        float *out = y->x + (size_t)n * image, mean = image_mean(x, image);
        int sx = (int)how[SHIFT_X], sy = (int)how[SHIFT_Y];
        for (int j = 0; j < h; j++)
            for (int i = 0; i < w; i++) {
                if (j - sy < 0 || j - sy >= h || i - sx < 0 || i - sx >= w || is_cut(how, i, j)) continue;
                const float *p = x + ((j - sy) * w + i - sx) * c;
                float grey = image_mean(p, (size_t)c);
                for (int k = 0; k < c; k++)
                    out[(j * w + i) * c + k] =
                        how[CONTRAST] * (how[SATURATION] * (p[k] - grey) + grey - mean) + mean +
                        how[BRIGHTNESS];
            }
    }
}

static void backward(node_t *y)
{
    int h = y->dim.h, w = y->dim.w, c = y->dim.c;
    size_t image = (size_t)h * (size_t)w * (size_t)c;
    if (!y->in[0]->g) return;
    for (int n = 0; n < y->dim.n; n++) {
        const float *g = y->g + (size_t)n * image, *how = y->in[1]->x + n * AUGMENT_NUMBERS;
        float *gx = y->in[0]->g + (size_t)n * image;
        int sx = (int)how[SHIFT_X], sy = (int)how[SHIFT_Y];
        double seen = 0;
        for (int j = 0; j < h; j++)
            for (int i = 0; i < w; i++) {
                if (j - sy < 0 || j - sy >= h || i - sx < 0 || i - sx >= w || is_cut(how, i, j)) continue;
                const float *q = g + (j * w + i) * c;
                float *to = gx + ((j - sy) * w + i - sx) * c, grey = image_mean(q, (size_t)c);
                seen += grey * (float)c;
                for (int k = 0; k < c; k++) to[k] += how[CONTRAST] * (how[SATURATION] * (q[k] - grey) + grey);
            }
        float mean = (float)((1 - how[CONTRAST]) * seen / (double)image);
        for (size_t i = 0; i < image; i++) gx[i] += mean;
    }
}

static var_t example(tape_t *t, int i)
{
    if (i) return NULL;
    var_t how = tape_input(t, "how", (shape_t){ 2, 1, 1, AUGMENT_NUMBERS });
    return augment(tape_variable(t, (shape_t){ 2, 16, 16, 3 }), how);
}

const op_t op_augment = {
    .name = "augment", .forward = forward, .backward = backward, .example = example, .reads_inputs = true
};

var_t augment(var_t x, var_t how)
{
    return tape_node(x->tape, &op_augment, x->dim, 2, (var_t[]){ x, how });
}
