// Norms of one image at a time: y = act(weight * (x - mean) * rstd + bias), with mean and rstd taken over the
// pixels and channels of each channel group.  groups = c is instance norm, 1 is layer norm; 0 leaves only the
// affine part.

#include <math.h>
#include <string.h>

#include "dagan/op.h"

enum { X, WEIGHT, BIAS };
static const float EPS = 1e-5f;

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

// Per channel: sum[c] += (x[c] - shift[c])^power.  Rows of pixels are summed in float and rows in double,
// which keeps the error of a 256x256 mean below 1e-6 of its terms.
static void channel_sums(const norm_t *k, const float *x, const float *shift, int power, float *row,
                         double *sum)
{
    size_t c = (size_t)k->c;
    memset(sum, 0, c * sizeof *sum);
    for (size_t p0 = 0; p0 < k->pixels; p0 += 64) {
        size_t end = p0 + 64 < k->pixels ? p0 + 64 : k->pixels;
        memset(row, 0, c * sizeof *row);
        for (size_t p = p0; p < end; p++) {
            const float *v = x + p * c;
            if (power == 1)
                for (size_t j = 0; j < c; j++) row[j] += v[j];
            else
                for (size_t j = 0; j < c; j++) row[j] += (v[j] - shift[j]) * (v[j] - shift[j]);
        }
        for (size_t j = 0; j < c; j++) sum[j] += row[j];
    }
}

// The mean of sum[] over each group, spread to its channels.
static void group_means(const norm_t *k, const double *sum, float *mean)
{
    for (int g = 0; g < k->groups; g++) {
        double s = 0;
        for (int j = 0; j < k->per_group; j++) s += sum[g * k->per_group + j];
        for (int j = 0; j < k->per_group; j++)
            mean[g * k->per_group + j] = (float)(s / ((double)k->pixels * k->per_group));
    }
}

// saved: per image mean (c) and rstd (c), spread to channels.
static void forward(node_t *y)
{
    norm_t k = norm_of(y);
    size_t c = (size_t)k.c;
    const float *w = y->in[WEIGHT]->x, *b = y->in[BIAS]->x;
    double *sum = (double *)y->scratch;
    float *row = (float *)(sum + c), *scale = row + c, *offset = scale + c;
    for (int n = 0; n < k.n; n++) {
        const float *x = y->in[X]->x + (size_t)n * k.pixels * c;
        float *out = y->x + (size_t)n * k.pixels * c, *mean = y->saved + 2 * (size_t)n * c, *rstd = mean + c;
        channel_sums(&k, x, NULL, 1, row, sum);
        group_means(&k, sum, mean);
        channel_sums(&k, x, mean, 2, row, sum);
        group_means(&k, sum, rstd);
        for (size_t j = 0; j < c; j++) rstd[j] = 1 / sqrtf(rstd[j] + EPS);
        for (size_t j = 0; j < c; j++) {
            scale[j] = w[j] * rstd[j];
            offset[j] = b[j] - mean[j] * scale[j];
        }
        for (size_t p = 0; p < k.pixels; p++)
            for (size_t j = 0; j < c; j++) out[p * c + j] = x[p * c + j] * scale[j] + offset[j];
        act_forward(out, k.pixels * c, (act_t)y->i[1]);
    }
}

// Per channel: a = sum g, b = sum g * xhat.
static void gradient_sums(const norm_t *k, const float *x, const float *g, const float *mean,
                          const float *rstd, float *row, double *a, double *b)
{
    size_t c = (size_t)k->c;
    float *row_b = row + c;
    memset(a, 0, 2 * c * sizeof *a);
    for (size_t p0 = 0; p0 < k->pixels; p0 += 64) {
        size_t end = p0 + 64 < k->pixels ? p0 + 64 : k->pixels;
        memset(row, 0, 2 * c * sizeof *row);
        for (size_t p = p0; p < end; p++)
            for (size_t j = 0; j < c; j++) {
                row[j] += g[p * c + j];
                row_b[j] += g[p * c + j] * (x[p * c + j] - mean[j]);
            }
        for (size_t j = 0; j < c; j++) {
            a[j] += row[j];
            b[j] += row_b[j];
        }
    }
    for (size_t j = 0; j < c; j++) b[j] *= rstd[j];
}

// gx = rstd * (w g - mean(w g) - xhat * mean(w g xhat)), means over the group; written as g * p + x * q + r.
static void backward(node_t *y)
{
    norm_t k = norm_of(y);
    size_t c = (size_t)k.c;
    const float *w = y->in[WEIGHT]->x;
    float *gw = y->in[WEIGHT]->g, *gb = y->in[BIAS]->g, *gx_all = y->in[X]->g;
    double *a = (double *)y->scratch, *b = a + c;
    float *row = (float *)(b + c), *p_ = row + 2 * c, *q_ = p_ + c, *r_ = q_ + c;
    act_backward(y->g, y->x, numel(y->dim), (act_t)y->i[1]);
    for (int n = 0; n < k.n; n++) {
        const float *x = y->in[X]->x + (size_t)n * k.pixels * c, *g = y->g + (size_t)n * k.pixels * c;
        const float *mean = y->saved + 2 * (size_t)n * c, *rstd = mean + c;
        gradient_sums(&k, x, g, mean, rstd, row, a, b);
        for (size_t j = 0; j < c; j++) {
            if (gb) gb[j] += (float)a[j];
            if (gw) gw[j] += (float)b[j];
        }
        if (!gx_all) continue;
        for (size_t j = 0; j < c; j++) {
            a[j] *= w[j];
            b[j] *= w[j];
        }
        group_means(&k, a, r_);
        group_means(&k, b, q_);
        for (size_t j = 0; j < c; j++) {
            float mean_g = r_[j], mean_gx = q_[j];
            p_[j] = w[j] * rstd[j];
            q_[j] = -rstd[j] * rstd[j] * mean_gx;
            r_[j] = -rstd[j] * mean_g - q_[j] * mean[j];
        }
        float *gx = gx_all + (size_t)n * k.pixels * c;
        for (size_t p = 0; p < k.pixels; p++)
            for (size_t j = 0; j < c; j++)
                gx[p * c + j] += g[p * c + j] * p_[j] + x[p * c + j] * q_[j] + r_[j];
    }
}

static size_t scratch(const node_t *y)
{
    return 12 * (size_t)y->dim.c;
}

static size_t saved(const node_t *y)
{
    return 2 * (size_t)y->dim.n * (size_t)y->dim.c;
}

static var_t example(tape_t *t, int i)
{
    static const struct {
        int groups;
        act_t act;
    } e[] = { { 6, ACT_NONE }, { 3, ACT_RELU }, { 1, ACT_LEAKY }, { 2, ACT_TANH } };
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
                       .reads_output = true,
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
