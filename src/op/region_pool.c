// Means of a region's features weighted by its own mask (Eq. 4 at the feature cells' positions): what the
// label heads read.  y = sum_p M(p) f(p) / sum_p M(p), with gradients in features and centre.  The box is cut
// into columns x rows equal parts, each with a soft box and a mean of its own: heads then see what lies
// where. Without centres the region is wider than any image, and its mask 1 everywhere.

#include <string.h>

#include "dagan/op.h"

enum { FEATURES, CENTRES };
enum { SHARPNESS };                        // y->f
enum { IMAGE_SIZE, COLUMNS, ROWS, FIRST }; // y->i, FIRST of the regions

static const double EVERYWHERE[] = { 1e6, 1e6 }; // half-sides of a region that holds any image

// A region off the image would divide by nothing.
static const float WEIGHT_MIN = 1e-3f;

typedef struct {
    int parts, cells, c;
    float *my, *mx, *dmy, *dmx; // of one part along the axes, and their slopes in the centre
    float *weight;              // (parts, cells): y = weight * features
    float *slope;               // (cells, parts): g . f(p)
    float *gt;                  // (c, parts) in rows of gt_step: g transposed
    float *sum, *inside;        // (parts): of all weights of a part, at least WEIGHT_MIN; 0 where it was less
    size_t gt_step;
} pool_t;

static pool_t pool_of(const node_t *y)
{
    shape_t f = y->in[FEATURES]->dim;
    pool_t k = { .parts = y->i[COLUMNS] * y->i[ROWS], .cells = f.h * f.w, .c = f.c };
    size_t panel = (size_t)gemm_panel(), parts = (size_t)k.parts, table = parts * (size_t)k.cells;
    k.gt_step = (parts + panel - 1) / panel * panel;
    k.my = y->scratch;
    k.mx = k.my + f.h;
    k.dmy = k.mx + f.w;
    k.dmx = k.dmy + f.h;
    k.sum = k.dmx + f.w;
    k.inside = k.sum + parts;
    k.weight = k.inside + parts;
    k.slope = k.weight + table;
    k.gt = k.slope + table;
    return k;
}

static size_t scratch(const node_t *y)
{
    pool_t k = pool_of(y);
    shape_t f = y->in[FEATURES]->dim;
    size_t parts = (size_t)k.parts, cells = (size_t)k.cells;
    return 2 * (size_t)(f.h + f.w) + 2 * parts + 2 * parts * cells + (size_t)k.c * k.gt_step;
}

// The number among all regions of all images of the one that entry k of y is the mean of.
static int region_of(const node_t *y, int k)
{
    return y->n_in > CENTRES ? k / y->dim.w * y->in[CENTRES]->dim.w + y->i[FIRST] + k % y->dim.w : k;
}

// The axes' masks of part `part` of region `region`.
static void cut(const node_t *y, const pool_t *k, int region, int part)
{
    shape_t f = y->in[FEATURES]->dim;
    int columns = y->i[COLUMNS], rows = y->i[ROWS];
    bool has_centres = y->n_in > CENTRES;
    const float *c = has_centres ? y->in[CENTRES]->x + 2 * region : (const float[]){ 0, 0 };
    const double *half = has_centres ? y->half->side[region % y->in[CENTRES]->dim.w] : EVERYWHERE;
    double step_x = (double)y->i[IMAGE_SIZE] / f.w, step_y = (double)y->i[IMAGE_SIZE] / f.h;
    double x0 = c[0] + half[0] * ((2 * (part % columns) + 1.0) / columns - 1);
    double y0 = c[1] + half[1] * ((2 * (part / columns) + 1.0) / rows - 1);
    boxcar(k->mx, k->dmx, f.w, step_x / 2 - 0.5, step_x, x0, half[0] / columns, y->f[SHARPNESS]);
    boxcar(k->my, k->dmy, f.h, step_y / 2 - 0.5, step_y, y0, half[1] / rows, y->f[SHARPNESS]);
}

static void weigh(const node_t *y, const pool_t *k, int region)
{
    int w = y->in[FEATURES]->dim.w;
    for (int part = 0; part < k->parts; part++) {
        float sum_x = 0, sum_y = 0, *weight = k->weight + part * k->cells;
        cut(y, k, region, part);
        for (int i = 0; i < w; i++) sum_x += k->mx[i];
        for (int j = 0; j < k->cells / w; j++) sum_y += k->my[j];
        k->inside[part] = sum_x * sum_y > WEIGHT_MIN;
        k->sum[part] = sum_x * sum_y > WEIGHT_MIN ? sum_x * sum_y : WEIGHT_MIN;
        for (int p = 0; p < k->cells; p++) weight[p] = k->my[p / w] * k->mx[p % w] / k->sum[part];
    }
}

static int entries_of(const node_t *y)
{
    return y->dim.n * y->dim.w;
}

// Where the features that a region reads begin: it has a map of its own, or shares its image's.
static size_t map_of(const node_t *y, int region)
{
    shape_t f = y->in[FEATURES]->dim;
    int regions = y->n_in > CENTRES ? y->in[CENTRES]->dim.n * y->in[CENTRES]->dim.w : y->dim.n;
    return (size_t)(region / (regions / f.n)) * (size_t)(f.h * f.w * f.c);
}

static void forward(node_t *y)
{
    pool_t k = pool_of(y);
    size_t c = (size_t)k.c, cells = (size_t)k.cells;
    for (int i = 0; i < entries_of(y); i++) {
        int region = region_of(y, i);
        weigh(y, &k, region);
        gemm_rows(k.parts, k.c, k.cells, k.weight, cells, 1, y->in[FEATURES]->x + map_of(y, region), c, 0,
                  y->x + (size_t)i * (size_t)k.parts * c, c);
    }
}

// With e(p) = g . (f(p) - y): dL/dcentre = sum_p dM(p) e(p) / sum M.
static void backward_centre(const node_t *y, const pool_t *k, int region, const float *g, const float *out)
{
    int w = y->in[FEATURES]->dim.w;
    double gx = 0, gy = 0;
    for (int part = 0; part < k->parts; part++) {
        double mean = 0, part_x = 0, part_y = 0;
        for (int j = 0; j < k->c && k->inside[part] > 0; j++)
            mean += (double)g[part * k->c + j] * out[part * k->c + j];
        cut(y, k, region, part);
        for (int p = 0; p < k->cells; p++) {
            double e = k->slope[p * k->parts + part] - mean;
            part_x += k->my[p / w] * k->dmx[p % w] * e;
            part_y += k->dmy[p / w] * k->mx[p % w] * e;
        }
        gx += part_x / k->sum[part];
        gy += part_y / k->sum[part];
    }
    y->in[CENTRES]->g[2 * region] += (float)gx;
    y->in[CENTRES]->g[2 * region + 1] += (float)gy;
}

static void backward(node_t *y)
{
    pool_t k = pool_of(y);
    size_t c = (size_t)k.c, cells = (size_t)k.cells, parts = (size_t)k.parts;
    memset(k.gt, 0, c * k.gt_step * sizeof(float));
    for (int i = 0; i < entries_of(y); i++) {
        int region = region_of(y, i);
        const float *x = y->in[FEATURES]->x + map_of(y, region), *g = y->g + (size_t)i * parts * c;
        float *gx = y->in[FEATURES]->g ? y->in[FEATURES]->g + map_of(y, region) : NULL;
        weigh(y, &k, region);
        if (gx) gemm_rows(k.cells, k.c, k.parts, k.weight, 1, cells, g, c, 1, gx, c);
        if (y->n_in <= CENTRES || !y->in[CENTRES]->g) continue;
        for (size_t part = 0; part < parts; part++)
            for (size_t j = 0; j < c; j++) k.gt[j * k.gt_step + part] = g[part * c + j];
        gemm_rows(k.cells, k.parts, k.c, x, c, 1, k.gt, k.gt_step, 0, k.slope, parts);
        backward_centre(y, &k, region, g, y->x + (size_t)i * parts * c);
    }
}

static var_t example(tape_t *t, int i)
{
    static const sides_t same = { 1, { { 3, 3 }, { 3, 3 } } }, each = { 2, { { 4, 3 }, { 6, 5 } } };
    if (i > 4) return NULL;
    var_t features = tape_variable(t, (shape_t){ i > 2 ? 2 : 4, 4, 4, 3 });
    if (i == 2) return region_pool(features, NULL, NULL, 0.7, 16, CONF_REGION_ALL, 1, 1);
    return region_pool(features, tape_variable(t, (shape_t){ 2, 1, 2, 2 }), i ? &each : &same, 0.7, 16,
                       i == 4 ? 1 : CONF_REGION_ALL, 1 + 2 * (i == 1), 1 + (i == 1));
}

const op_t op_region_pool = { .name = "region_pool",
                              .forward = forward,
                              .backward = backward,
                              .example = example,
                              .reads_inputs = true,
                              .reads_output = true,
                              .scratch = scratch };

var_t region_pool(var_t features, var_t centres, const sides_t *half, double sharpness, int image_size,
                  int region, int columns, int rows)
{
    shape_t d = { features->dim.n, 1, 1, columns * rows * features->dim.c };
    if (centres) {
        d.n = centres->dim.n;
        d.w = region == CONF_REGION_ALL ? centres->dim.w : 1;
    }
    var_t y = tape_node(features->tape, &op_region_pool, d, centres ? 2 : 1, (var_t[]){ features, centres });
    y->half = half;
    y->f[SHARPNESS] = (float)sharpness;
    y->i[IMAGE_SIZE] = image_size;
    y->i[COLUMNS] = columns;
    y->i[ROWS] = rows;
    y->i[FIRST] = region == CONF_REGION_ALL ? 0 : region;
    return y;
}
