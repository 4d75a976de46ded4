// The mean of a region's features weighted by its own mask (Eq. 4 at the feature cells' positions): what the
// label heads read.  y = sum_p M(p) f(p) / sum_p M(p), with gradients in features and centre.  Without
// centres the region is wider than any image, and its mask 1 everywhere.

#include <string.h>

#include "dagan/op.h"

enum { FEATURES, CENTRES };
enum { HALF, SHARPNESS }; // y->f

static const float EVERYWHERE = 1e6f; // half-side of a region that holds any image

// A region off the image would divide by nothing.
static const float WEIGHT_MIN = 1e-3f;

typedef struct {
    float *my, *mx, *dmy, *dmx;
    float sum; // of all weights, at least WEIGHT_MIN
} weights_t;

static weights_t weights_of(const node_t *y, int k)
{
    shape_t f = y->in[FEATURES]->dim;
    const float *c = y->n_in > CENTRES ? y->in[CENTRES]->x + 2 * k : (const float[]){ 0, 0 };
    float *s = y->scratch, sum_x = 0, sum_y = 0;
    weights_t m = { s, s + f.h, s + f.h + f.w, s + 2 * f.h + f.w, 0 };
    double step_x = (double)y->i[0] / f.w, step_y = (double)y->i[0] / f.h;
    boxcar(m.mx, m.dmx, f.w, step_x / 2 - 0.5, step_x, c[0], y->f[HALF], y->f[SHARPNESS]);
    boxcar(m.my, m.dmy, f.h, step_y / 2 - 0.5, step_y, c[1], y->f[HALF], y->f[SHARPNESS]);
    for (int i = 0; i < f.w; i++) sum_x += m.mx[i];
    for (int j = 0; j < f.h; j++) sum_y += m.my[j];
    m.sum = sum_x * sum_y > WEIGHT_MIN ? sum_x * sum_y : WEIGHT_MIN;
    return m;
}

static void forward(node_t *y)
{
    shape_t f = y->in[FEATURES]->dim;
    size_t c = (size_t)f.c;
    memset(y->x, 0, numel(y->dim) * sizeof(float));
    for (int k = 0; k < f.n; k++) {
        weights_t m = weights_of(y, k);
        const float *x = y->in[FEATURES]->x + (size_t)k * (size_t)(f.h * f.w) * c;
        float *out = y->x + (size_t)k * c;
        for (int p = 0; p < f.h * f.w; p++, x += c) {
            float weight = m.my[p / f.w] * m.mx[p % f.w] / m.sum;
            for (size_t j = 0; j < c; j++) out[j] += weight * x[j];
        }
    }
}

// With e(p) = g . (f(p) - y): dL/dcentre = sum_p dM(p) e(p) / sum M.
static void backward(node_t *y)
{
    shape_t f = y->in[FEATURES]->dim;
    size_t c = (size_t)f.c;
    for (int k = 0; k < f.n; k++) {
        weights_t m = weights_of(y, k);
        const float *x = y->in[FEATURES]->x + (size_t)k * (size_t)(f.h * f.w) * c;
        const float *g = y->g + (size_t)k * c, *out = y->x + (size_t)k * c;
        float *gx = y->in[FEATURES]->g ? y->in[FEATURES]->g + (size_t)k * (size_t)(f.h * f.w) * c : NULL;
        double gcx = 0, gcy = 0;
        bool inside = m.sum > WEIGHT_MIN;
        for (int p = 0; p < f.h * f.w; p++, x += c) {
            int py = p / f.w, px = p % f.w;
            float weight = m.my[py] * m.mx[px] / m.sum, e = 0;
            for (size_t j = 0; j < c; j++) e += g[j] * (inside ? x[j] - out[j] : x[j]);
            gcx += m.my[py] * m.dmx[px] * e;
            gcy += m.dmy[py] * m.mx[px] * e;
            if (gx)
                for (size_t j = 0; j < c; j++) gx[(size_t)p * c + j] += weight * g[j];
        }
        if (y->n_in <= CENTRES || !y->in[CENTRES]->g) continue;
        y->in[CENTRES]->g[2 * k] += (float)(gcx / m.sum);
        y->in[CENTRES]->g[2 * k + 1] += (float)(gcy / m.sum);
    }
}

static size_t scratch(const node_t *y)
{
    return 2 * (size_t)(y->in[FEATURES]->dim.h + y->in[FEATURES]->dim.w);
}

static var_t example(tape_t *t, int i)
{
    if (i > 1) return NULL;
    var_t centres = i ? NULL : tape_variable(t, (shape_t){ 2, 1, 2, 2 });
    return region_pool(tape_variable(t, (shape_t){ 4, 4, 4, 3 }), centres, 3, 0.7, 16);
}

const op_t op_region_pool = { .name = "region_pool",
                              .forward = forward,
                              .backward = backward,
                              .example = example,
                              .reads_inputs = true,
                              .reads_output = true,
                              .scratch = scratch };

var_t region_pool(var_t features, var_t centres, double half, double sharpness, int image_size)
{
    shape_t d = centres ? (shape_t){ centres->dim.n, 1, centres->dim.w, features->dim.c }
                        : (shape_t){ features->dim.n, 1, 1, features->dim.c };
    var_t y = tape_node(features->tape, &op_region_pool, d, centres ? 2 : 1, (var_t[]){ features, centres });
    y->f[HALF] = centres ? (float)half : EVERYWHERE;
    y->f[SHARPNESS] = (float)sharpness;
    y->i[0] = image_size;
    return y;
}
