// Norms of one image at a time: y = act(weight * (x - mean) * rstd + bias), with mean and rstd taken over the
// pixels and channels of each channel group.  groups = c is instance norm, 1 is layer norm.

#include <math.h>
#include <string.h>

#include "dagan/op.h"

enum { X, WEIGHT, BIAS };
static const float EPS = 1e-5f;
enum { SAVED = 4, SUMS = 6 }; // floats kept, and doubles of scratch, for each channel of an image

typedef struct {
    int n, c, groups, per_group;
    size_t pixels;
} norm_t;

static norm_t norm_of(const node_t *y)
{
    norm_t k = { y->dim.n, y->dim.c, y->i[0], 0, (size_t)y->dim.h * (size_t)y->dim.w };
    k.per_group = k.c / k.groups;
    return k;
}

// The mean of sum[] over each group, spread to its channels; mean may be sum.
static void group_means(const norm_t *k, const double *sum, double *mean)
{
    for (int g = 0; g < k->groups; g++) {
        double s = 0;
        for (int j = 0; j < k->per_group; j++) s += sum[g * k->per_group + j];
        for (int j = 0; j < k->per_group; j++)
            mean[g * k->per_group + j] = s / ((double)k->pixels * k->per_group);
    }
}

// Sums are taken around the first pixel, so that a large mean does not hide a small variance.
static void statistics(const norm_t *k, const float *x, float *mean, float *rstd, double *sum)
{
    size_t c = (size_t)k->c;
    double *s1 = sum, *s2 = s1 + c, *group = s2 + c, n = (double)k->pixels;
    memset(sum, 0, 2 * c * sizeof *sum);
    kernel->norm_sums(x, k->pixels, c, x, s1, s2);
    for (size_t j = 0; j < c; j++) { // sums of x, and of (x - its channel's mean)^2
        s2[j] = fmax(s2[j] - s1[j] * s1[j] / n, 0);
        s1[j] += n * x[j];
    }
    group_means(k, s1, group);
    for (size_t j = 0; j < c; j++) {
        double apart = s1[j] / n - group[j];
        s2[j] += n * apart * apart;
        mean[j] = (float)group[j];
    }
    group_means(k, s2, group);
    for (size_t j = 0; j < c; j++) rstd[j] = 1 / sqrtf((float)group[j] + EPS);
}

// saved: per image rows of c numbers: scale, offset, mean, rstd.
static void forward(node_t *y)
{
    norm_t k = norm_of(y);
    size_t c = (size_t)k.c;
    const float *w = y->in[WEIGHT]->x, *b = y->in[BIAS]->x;
#pragma omp parallel for
    for (int n = 0; n < k.n; n++) {
        const float *x = y->in[X]->x + (size_t)n * k.pixels * c;
        float *out = y->x + (size_t)n * k.pixels * c;
        float *scale = y->saved + (size_t)n * SAVED * c, *offset = scale + c, *mean = offset + c,
              *rstd = mean + c;
        statistics(&k, x, mean, rstd, (double *)y->scratch + (size_t)n * SUMS * c);
        for (size_t j = 0; j < c; j++) {
            scale[j] = w[j] * rstd[j];
            offset[j] = b[j] - mean[j] * scale[j];
        }
        kernel->norm_apply(out, x, k.pixels, c, scale, offset, (act_t)y->i[1]);
    }
}

// gx = rstd * (w g - mean(w g) - xhat * mean(w g xhat)), means over the group; written as g * scale + x * q +
// r. `sums` are those of g and of g xhat, and have room for the means.
static void gradient_factors(const norm_t *k, float *factor, const float *w, const float *saved, double *sums)
{
    size_t c = (size_t)k->c;
    const float *mean = saved + 2 * c, *rstd = mean + c;
    const double *a = sums, *b = a + c;
    double *mean_g = sums + 2 * c, *mean_gx = mean_g + c;
    float *q = factor + 2 * c, *r = q + c;
    memcpy(factor, saved, 2 * c * sizeof *factor);
    for (size_t j = 0; j < c; j++) {
        mean_g[j] = a[j] * w[j];
        mean_gx[j] = b[j] * w[j];
    }
    group_means(k, mean_g, mean_g);
    group_means(k, mean_gx, mean_gx);
    for (size_t j = 0; j < c; j++) {
        q[j] = -rstd[j] * rstd[j] * (float)mean_gx[j];
        r[j] = -rstd[j] * (float)mean_g[j] - q[j] * mean[j];
    }
}

// An image's sums, then its gradient while it is in the cache; the sums of all stand side by side in scratch.
static void backward(node_t *y)
{
    norm_t k = norm_of(y);
    size_t c = (size_t)k.c, image = k.pixels * c;
    float *gw = y->in[WEIGHT]->g, *gb = y->in[BIAS]->g, *gx = y->in[X]->g;
    double *sums = (double *)y->scratch;
    act_t act = (act_t)y->i[1];
#pragma omp parallel for
    for (int i = 0; i < k.n; i++) {
        size_t n = (size_t)i;
        const float *x = y->in[X]->x + n * image, *g = y->g + n * image, *saved = y->saved + n * SAVED * c;
        double *a = sums + n * SUMS * c, *b = a + c;
        float *factor = (float *)(a + 4 * c);
        memset(a, 0, 2 * c * sizeof *a);
        kernel->norm_gradient_sums(g, x, k.pixels, c, saved, a, b, act);
        for (size_t j = 0; j < c; j++) b[j] *= saved[3 * c + j];
        if (!gx) continue;
        gradient_factors(&k, factor, y->in[WEIGHT]->x, saved, a);
        kernel->norm_gradient(gx + n * image, g, x, k.pixels, c, factor, act, !y->fresh[X]);
    }
    for (size_t n = 0; n < (size_t)k.n; n++) {
        const double *a = sums + n * SUMS * c, *b = a + c;
        for (size_t j = 0; gb && j < c; j++) gb[j] += (float)a[j];
        for (size_t j = 0; gw && j < c; j++) gw[j] += (float)b[j];
    }
}

static size_t scratch(const node_t *y)
{
    return 2 * SUMS * (size_t)y->dim.c * (size_t)y->dim.n;
}

static size_t saved(const node_t *y)
{
    return SAVED * (size_t)y->dim.n * (size_t)y->dim.c;
}

static var_t example(tape_t *t, int i)
{
    static const struct {
        int groups;
        act_t act;
    } e[] = { { 6, ACT_NONE }, { 3, ACT_RELU }, { 1, ACT_LEAKY } };
    if (i >= (int)(sizeof e / sizeof *e)) return NULL;
    var_t x = tape_variable(t, (shape_t){ 2, 9, 8, 6 });
    return norm(x, tape_variable(t, (shape_t){ 1, 1, 1, 6 }), tape_variable(t, (shape_t){ 1, 1, 1, 6 }),
                e[i].groups, e[i].act);
}

const op_t op_norm = { .name = "norm",
                       .forward = forward,
                       .backward = backward,
                       .example = example,
                       .reads_inputs = true,
                       .overwrites = 1 << X,
                       .scratch = scratch,
                       .saved = saved };

var_t norm(var_t x, var_t weight, var_t bias, int groups, act_t act)
{
    CHECK(groups > 0 && x->dim.c % groups == 0, "%d channels in %d groups", x->dim.c, groups);
    var_t y = tape_node(x->tape, &op_norm, x->dim, 3, (var_t[]){ x, weight, bias });
    y->i[0] = groups;
    y->i[1] = (int)act;
    return y;
}
