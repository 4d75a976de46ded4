// Eqs. 2 to 4: R_i = X o M_i, the image seen through the soft box around centre i, with gradients in X and in
// the centre.  `mask` keeps the whole image, as the paper; `window` keeps only the pixels around some of the
// regions.

#include <string.h>

#include "dagan/op.h"

enum { X, CENTRES };
enum { SHARPNESS }; // y->f
enum { FIRST };     // y->i, of the regions

// One region of one image: where its output starts in the image, and the two factors of its mask.
typedef struct {
    int top, left;
    float *my, *mx, *dmy, *dmx;
} box_t;

static int factors_size(const node_t *y) // each image has room for those of one region
{
    return 2 * (y->dim.h + y->dim.w);
}

static int regions_of(const node_t *y) // of each image
{
    return y->dim.n / y->in[X]->dim.n;
}

static size_t centre_of(const node_t *y, int n, int r)
{
    return 2 * (size_t)(n * y->in[CENTRES]->dim.w + y->i[FIRST] + r);
}

static box_t box_of(const node_t *y, int n, int r)
{
    const float *c = y->in[CENTRES]->x + centre_of(y, n, r);
    const double *half = y->half->side[y->i[FIRST] + r];
    shape_t d = y->dim, image = y->in[X]->dim;
    float *factors = y->scratch + n * factors_size(y);
    box_t b = { 0, 0, factors, factors + d.h, factors + d.h + d.w, factors + 2 * d.h + d.w };
    if (d.w < image.w) b.left = window_first(c[0], d.w, image.w);
    if (d.h < image.h) b.top = window_first(c[1], d.h, image.h);
    boxcar(b.mx, b.dmx, d.w, b.left, 1, c[0], half[0], y->f[SHARPNESS]);
    boxcar(b.my, b.dmy, d.h, b.top, 1, c[1], half[1], y->f[SHARPNESS]);
    return b;
}

static size_t image_row(const node_t *y, int n, const box_t *b, int j)
{
    shape_t image = y->in[X]->dim;
    return (((size_t)n * (size_t)image.h + (size_t)(b->top + j)) * (size_t)image.w + (size_t)b->left) *
           (size_t)image.c;
}

static void forward(node_t *y)
{
    shape_t d = y->dim;
    int regions = regions_of(y);
#pragma omp parallel for
    for (int n = 0; n < y->in[X]->dim.n; n++) {
        float *to = y->x + (size_t)n * numel(d) / (size_t)y->in[X]->dim.n;
        for (int r = 0; r < regions; r++) {
            box_t b = box_of(y, n, r);
            for (int j = 0; j < d.h; j++, to += d.w * d.c) {
                const float *from = y->in[X]->x + image_row(y, n, &b, j);
                for (int i = 0; i < d.w; i++)
                    for (int c = 0; c < d.c; c++) to[i * d.c + c] = from[i * d.c + c] * b.my[j] * b.mx[i];
            }
        }
    }
}

static void backward(node_t *y)
{
    shape_t d = y->dim;
    int regions = regions_of(y);
    float *gx_all = y->in[X]->g, *gc_all = y->in[CENTRES]->g;
#pragma omp parallel for
    for (int n = 0; n < y->in[X]->dim.n; n++) {
        const float *g = y->g + (size_t)n * numel(d) / (size_t)y->in[X]->dim.n;
        for (int r = 0; r < regions; r++) {
            box_t b = box_of(y, n, r);
            double gcx = 0, gcy = 0;
            for (int j = 0; j < d.h; j++, g += d.w * d.c) {
                size_t row = image_row(y, n, &b, j);
                const float *x = y->in[X]->x + row;
                float *gx = gx_all ? gx_all + row : NULL;
                float along_x = 0, along_y = 0;
                for (int i = 0; i < d.w; i++) {
                    float dot = 0;
                    for (int c = 0; c < d.c; c++) dot += g[i * d.c + c] * x[i * d.c + c];
                    along_x += dot * b.dmx[i];
                    along_y += dot * b.mx[i];
                }
                gcx += along_x * b.my[j];
                gcy += along_y * b.dmy[j];
                if (!gx) continue;
                for (int i = 0; i < d.w; i++)
                    for (int c = 0; c < d.c; c++) gx[i * d.c + c] += g[i * d.c + c] * b.my[j] * b.mx[i];
            }
            if (!gc_all) continue;
            gc_all[centre_of(y, n, r)] += (float)gcx;
            gc_all[centre_of(y, n, r) + 1] += (float)gcy;
        }
    }
}

static size_t scratch(const node_t *y)
{
    return (size_t)y->in[X]->dim.n * (size_t)factors_size(y);
}

static var_t example(tape_t *t, int i)
{
    static const sides_t same = { 1, { { 3, 3 }, { 3, 3 } } }, each = { 2, { { 2, 2 }, { 3, 1.5 } } };
    if (i > 3) return NULL;
    var_t x = tape_variable(t, (shape_t){ 2, 12, 12, 3 }), c = tape_variable(t, (shape_t){ 2, 1, 2, 2 });
    if (i > 1) return window(x, c, &each, 1, i == 2 ? (windows_t){ 0, 2, 8, 8 } : (windows_t){ 1, 1, 12, 8 });
    return mask(x, c, i ? &each : &same, 1);
}

const op_t op_mask = { .name = "mask",
                       .forward = forward,
                       .backward = backward,
                       .example = example,
                       .reads_inputs = true,
                       .scratch = scratch };

var_t window(var_t x, var_t centres, const sides_t *half, double sharpness, windows_t g)
{
    CHECK(g.h <= x->dim.h && g.w <= x->dim.w, "a window of %dx%d pixels in %dx%d", g.h, g.w, x->dim.h,
          x->dim.w);
    var_t y = tape_node(x->tape, &op_mask, (shape_t){ x->dim.n * g.n, g.h, g.w, x->dim.c }, 2,
                        (var_t[]){ x, centres });
    y->half = half;
    y->f[SHARPNESS] = (float)sharpness;
    y->i[FIRST] = g.first;
    return y;
}

var_t mask(var_t x, var_t centres, const sides_t *half, double sharpness)
{
    return window(x, centres, half, sharpness, (windows_t){ 0, centres->dim.w, x->dim.w, x->dim.h });
}
