// Means of a region's features weighted by its own mask (Eq. 4 at the feature cells' positions): what the
// label heads read.  y = sum_p M(p) f(p) / sum_p M(p), with gradients in features and centre.  The box is cut
// into columns x rows equal parts, each with a soft box and a mean of its own: heads then see what lies
// where. Without centres the region is wider than any image, and its mask 1 everywhere.

#include <string.h>

#include "dagan/op.h"

enum { FEATURES, CENTRES };
enum { SHARPNESS };                 // y->f
enum { IMAGE_SIZE, COLUMNS, ROWS }; // y->i

static const double EVERYWHERE[] = { 1e6, 1e6 }; // half-sides of a region that holds any image

// A region off the image would divide by nothing.
static const float WEIGHT_MIN = 1e-3f;

typedef struct {
    float *my, *mx, *dmy, *dmx;
    float sum; // of all weights, at least WEIGHT_MIN
} weights_t;

// Of part `part` of region k.
static weights_t weights_of(const node_t *y, int k, int part)
{
    shape_t f = y->in[FEATURES]->dim;
    int columns = y->i[COLUMNS], rows = y->i[ROWS];
    bool has_centres = y->n_in > CENTRES;
    const float *c = has_centres ? y->in[CENTRES]->x + 2 * k : (const float[]){ 0, 0 };
    const double *half = has_centres ? y->half->side[k % y->in[CENTRES]->dim.w] : EVERYWHERE;
    float *s = y->scratch, sum_x = 0, sum_y = 0;
    weights_t m = { s, s + f.h, s + f.h + f.w, s + 2 * f.h + f.w, 0 };
    double step_x = (double)y->i[IMAGE_SIZE] / f.w, step_y = (double)y->i[IMAGE_SIZE] / f.h;
    double x = c[0] + half[0] * ((2 * (part % columns) + 1.0) / columns - 1);
    double y0 = c[1] + half[1] * ((2 * (part / columns) + 1.0) / rows - 1);
    boxcar(m.mx, m.dmx, f.w, step_x / 2 - 0.5, step_x, x, half[0] / columns, y->f[SHARPNESS]);
    boxcar(m.my, m.dmy, f.h, step_y / 2 - 0.5, step_y, y0, half[1] / rows, y->f[SHARPNESS]);
    for (int i = 0; i < f.w; i++) sum_x += m.mx[i];
    for (int j = 0; j < f.h; j++) sum_y += m.my[j];
    m.sum = sum_x * sum_y > WEIGHT_MIN ? sum_x * sum_y : WEIGHT_MIN;
    return m;
}

static int regions_of(const node_t *y) // of all images
{
    return y->dim.n * y->dim.w;
}

// Where the features that region k reads begin: it has a map of its own, or shares its image's.
static size_t map_of(const node_t *y, int k)
{
    shape_t f = y->in[FEATURES]->dim;
    return (size_t)(k / (regions_of(y) / f.n)) * (size_t)(f.h * f.w * f.c);
}

static void forward(node_t *y)
{
    shape_t f = y->in[FEATURES]->dim;
    size_t c = (size_t)f.c;
    int parts = y->i[COLUMNS] * y->i[ROWS];
    memset(y->x, 0, numel(y->dim) * sizeof(float));
    for (int i = 0; i < regions_of(y) * parts; i++) {
        weights_t m = weights_of(y, i / parts, i % parts);
        const float *x = y->in[FEATURES]->x + map_of(y, i / parts);
        float *out = y->x + (size_t)i * c;
        for (int p = 0; p < f.h * f.w; p++, x += c) {
            float weight = m.my[p / f.w] * m.mx[p % f.w] / m.sum;
            for (size_t j = 0; j < c; j++) out[j] += weight * x[j];
        }
    }
}

// With e(p) = g . (f(p) - y): dL/dcentre = sum_p dM(p) e(p) / sum M.
static void backward_part(node_t *y, int k, int part)
{
    shape_t f = y->in[FEATURES]->dim;
    size_t c = (size_t)f.c, features = map_of(y, k);
    size_t means = (size_t)(k * y->i[COLUMNS] * y->i[ROWS] + part) * c;
    weights_t m = weights_of(y, k, part);
    const float *x = y->in[FEATURES]->x + features, *g = y->g + means, *out = y->x + means;
    float *gx = y->in[FEATURES]->g ? y->in[FEATURES]->g + features : NULL;
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
    if (y->n_in <= CENTRES || !y->in[CENTRES]->g) return;
    y->in[CENTRES]->g[2 * k] += (float)(gcx / m.sum);
    y->in[CENTRES]->g[2 * k + 1] += (float)(gcy / m.sum);
}

static void backward(node_t *y)
{
    int parts = y->i[COLUMNS] * y->i[ROWS];
    for (int k = 0; k < regions_of(y); k++)
        for (int part = 0; part < parts; part++) backward_part(y, k, part);
}

static size_t scratch(const node_t *y)
{
    return 2 * (size_t)(y->in[FEATURES]->dim.h + y->in[FEATURES]->dim.w);
}

static var_t example(tape_t *t, int i)
{
    static const sides_t same = { 1, { { 3, 3 }, { 3, 3 } } }, each = { 2, { { 4, 3 }, { 6, 5 } } };
    if (i > 3) return NULL;
    var_t features = tape_variable(t, (shape_t){ i == 3 ? 2 : 4, 4, 4, 3 });
    if (i == 2) return region_pool(features, NULL, NULL, 0.7, 16, 1, 1);
    return region_pool(features, tape_variable(t, (shape_t){ 2, 1, 2, 2 }), i ? &each : &same, 0.7, 16,
                       1 + 2 * (i == 1), 1 + (i == 1));
}

const op_t op_region_pool = { .name = "region_pool",
                              .forward = forward,
                              .backward = backward,
                              .example = example,
                              .reads_inputs = true,
                              .reads_output = true,
                              .scratch = scratch };

var_t region_pool(var_t features, var_t centres, const sides_t *half, double sharpness, int image_size,
                  int columns, int rows)
{
    shape_t d = { features->dim.n, 1, 1, columns * rows * features->dim.c };
    if (centres) {
        d.n = centres->dim.n;
        d.w = centres->dim.w;
    }
    var_t y = tape_node(features->tape, &op_region_pool, d, centres ? 2 : 1, (var_t[]){ features, centres });
    y->half = half;
    y->f[SHARPNESS] = (float)sharpness;
    y->i[IMAGE_SIZE] = image_size;
    y->i[COLUMNS] = columns;
    y->i[ROWS] = rows;
    return y;
}
