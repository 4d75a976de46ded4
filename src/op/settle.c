// A step of mean shift: the centre of a region moves to where its box holds most contrast, the centroid of
// a(p) = sum over colours |x(p) - mu|, mu the box's mean colour, both weighted by M, the mask of Eq. 4 at a
// sharpness of its own:
//
//     c' = sum M(p) a(p) p / sum M(p) a(p)
//
// The gradient is that in c; x is taken as given: with a gradient in F(s), G could please losses by contrast
// that moves centres, drawn for nothing else.  In a box of one colour the centre stays.

#include <math.h>
#include <string.h>

#include "dagan/op.h"

enum { X, CENTRES };
enum { SHARPNESS };               // y->f
enum { COLOURS = 3, MOVES = 32 }; // y->i: bits of the numbers, x and y of each region, that move

static const double STAYS = 1e-3;     // contrast at c, which decides where there is no other
static const double OFF_IMAGE = 1e-3; // least sum of a mask
static const double REACH = 16;       // in 1 / k: beyond it the mask is below 1e-7

// One region of one image.
typedef struct {
    int left, top, w, h; // the pixels where its mask is more than nothing
    float *mx, *dmx, *my, *dmy;
    double weight, contrast, mean[COLOURS], at[2], to[2];
} shift_t;

// `number`: 2 r for x of region r, 2 r + 1 for y.
static bool moves(const node_t *y, int number)
{
    return (unsigned)y->i[number / MOVES] >> number % MOVES & 1;
}

static void span(int *first, int *count, double centre, double half, int size)
{
    double from = fmin(fmax(floor(centre - half), 0), size),
           to = fmin(fmax(ceil(centre + half) + 1, from), size);
    *first = (int)from;
    *count = (int)(to - from);
}

static double contrast(const shift_t *b, const float *pixel)
{
    double a = 0;
    for (int c = 0; c < COLOURS; c++) a += fabs(pixel[c] - b->mean[c]);
    return a;
}

static const float *pixel_of(const node_t *y, const shift_t *b, int n, int j, int i)
{
    shape_t d = y->in[X]->dim;
    return y->in[X]->x +
           (((size_t)n * (size_t)d.h + (size_t)(b->top + j)) * (size_t)d.w + (size_t)(b->left + i)) * COLOURS;
}

static shift_t shift_of(const node_t *y, int n, int r)
{
    shape_t d = y->in[X]->dim;
    const float *c = y->in[CENTRES]->x + 2 * (n * y->dim.w + r);
    const double *half = y->half->side[r], reach = REACH / y->f[SHARPNESS];
    float *factors = y->scratch + (size_t)n * 2 * (size_t)(d.h + d.w);
    shift_t b = { .mx = factors,
                  .dmx = factors + d.w,
                  .my = factors + 2 * d.w,
                  .dmy = factors + 2 * d.w + d.h,
                  .at = { c[0], c[1] } };
    span(&b.left, &b.w, c[0], half[0] + reach, d.w);
    span(&b.top, &b.h, c[1], half[1] + reach, d.h);
    boxcar(b.mx, b.dmx, b.w, b.left, 1, c[0], half[0], y->f[SHARPNESS]);
    boxcar(b.my, b.dmy, b.h, b.top, 1, c[1], half[1], y->f[SHARPNESS]);
    for (int j = 0; j < b.h; j++)
        for (int i = 0; i < b.w; i++) {
            double m = (double)b.my[j] * b.mx[i];
            b.weight += m;
            for (int k = 0; k < COLOURS; k++) b.mean[k] += m * pixel_of(y, &b, n, j, i)[k];
        }
    b.weight = fmax(b.weight, OFF_IMAGE);
    for (int k = 0; k < COLOURS; k++) b.mean[k] /= b.weight;
    b.contrast = STAYS;
    for (int k = 0; k < 2; k++) b.to[k] = STAYS * b.at[k];
    for (int j = 0; j < b.h; j++)
        for (int i = 0; i < b.w; i++) {
            double ma = (double)b.my[j] * b.mx[i] * contrast(&b, pixel_of(y, &b, n, j, i));
            b.contrast += ma;
            b.to[0] += ma * (b.left + i);
            b.to[1] += ma * (b.top + j);
        }
    for (int k = 0; k < 2; k++) b.to[k] /= b.contrast;
    return b;
}

static void forward(node_t *y)
{
    memcpy(y->x, y->in[CENTRES]->x, numel(y->dim) * sizeof(float));
#pragma omp parallel for
    for (int n = 0; n < y->dim.n; n++)
        for (int r = 0; r < y->dim.w; r++) {
            if (!moves(y, 2 * r) && !moves(y, 2 * r + 1)) continue;
            shift_t b = shift_of(y, n, r);
            for (int k = 0; k < 2; k++)
                if (moves(y, 2 * r + k)) y->x[2 * (n * y->dim.w + r) + k] = (float)b.to[k];
        }
}

// With q(p) = g . (p - c') / sum M a and the signs s(p) of x - mu:  dL/da = M q, dL/dmu = -sum M q s = -T,
// dL/dM = a q - T . (x - mu) / sum M.
static void backward_region(const node_t *y, int n, int r)
{
    shift_t b = shift_of(y, n, r);
    const float *gy = y->g + 2 * (n * y->dim.w + r);
    float g[] = { moves(y, 2 * r) ? gy[0] : 0, moves(y, 2 * r + 1) ? gy[1] : 0 };
    float *gc = y->in[CENTRES]->g + 2 * (n * y->dim.w + r);
    double t[COLOURS] = { 0 }, sum[2] = { STAYS * g[0] / b.contrast, STAYS * g[1] / b.contrast };
    for (int pass = 0; pass < 2; pass++)
        for (int j = 0; j < b.h; j++)
            for (int i = 0; i < b.w; i++) {
                const float *pixel = pixel_of(y, &b, n, j, i);
                double q = (g[0] * (b.left + i - b.to[0]) + g[1] * (b.top + j - b.to[1])) / b.contrast;
                double m = (double)b.my[j] * b.mx[i], along_m = q * contrast(&b, pixel);
                for (int k = 0; k < COLOURS; k++) {
                    double apart = pixel[k] - b.mean[k], sign = (apart > 0) - (apart < 0);
                    if (pass == 0) t[k] += m * q * sign;
                    along_m -= t[k] * apart / b.weight;
                }
                if (pass == 0) continue;
                sum[0] += along_m * b.dmx[i] * b.my[j];
                sum[1] += along_m * b.mx[i] * b.dmy[j];
            }
    for (int k = 0; k < 2; k++) gc[k] += (float)sum[k] + gy[k] - g[k]; // where it stayed, as it is
}

static void backward(node_t *y)
{
    if (!y->in[CENTRES]->g) return;
#pragma omp parallel for
    for (int n = 0; n < y->dim.n; n++)
        for (int r = 0; r < y->dim.w; r++) {
            const float *g = y->g + 2 * (n * y->dim.w + r);
            float *gc = y->in[CENTRES]->g + 2 * (n * y->dim.w + r);
            if (moves(y, 2 * r) || moves(y, 2 * r + 1))
                backward_region(y, n, r);
            else
                for (int k = 0; k < 2; k++) gc[k] += g[k];
        }
}

static size_t scratch(const node_t *y)
{
    shape_t d = y->in[X]->dim;
    return (size_t)d.n * 2 * (size_t)(d.h + d.w);
}

static var_t example(tape_t *t, int i)
{
    static const sides_t half = { 2, { { 3, 2 }, { 2, 2.5 } } }, both = { 1, { { 1, 1 }, { 1, 1 } } },
                         second = { 2, { { 0, 0 }, { 2, 2 } } }, apart = { 2, { { 1, 0 }, { 0, 1 } } };
    if (i > 2) return NULL;
    var_t x = tape_input(t, "x", (shape_t){ 2, 12, 12, COLOURS }),
          c = tape_variable(t, (shape_t){ 2, 1, 2, 2 });
    return settle(x, c, &half, 1.5, i == 0 ? &both : i == 1 ? &second : &apart, i == 1);
}

const op_t op_settle = { .name = "settle",
                         .forward = forward,
                         .backward = backward,
                         .example = example,
                         .reads_inputs = true,
                         .scratch = scratch };

var_t settle(var_t x, var_t centres, const sides_t *half, double sharpness, const sides_t *steps, int step)
{
    CHECK(x->dim.c == COLOURS, "settle: %d colours, wanted %d", x->dim.c, COLOURS);
    var_t y = tape_node(x->tape, &op_settle, centres->dim, 2, (var_t[]){ x, centres });
    y->half = half;
    y->f[SHARPNESS] = (float)sharpness;
    for (int k = 0; k < 2 * centres->dim.w; k++)
        if (steps->side[k / 2][k % 2] > step) y->i[k / MOVES] |= (int)(1u << k % MOVES);
    return y;
}
