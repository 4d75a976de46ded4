// The scalar that a GAN makes of a discriminator's output v: scale * mean f(v), f one of
// softplus(sign v), max(0, 1 + sign v), sign v, (v - target)^2.

#include <math.h>

#include "dagan/op.h"

enum { SIGN, SCALE }; // y->f; SIGN holds the target of SCORE_SQUARE

static double score(score_t f, double v, double s)
{
    switch (f) {
    // log(1 + e^v) without overflow, and without log(0) for large negative v.
    case SCORE_SOFTPLUS: return fmax(s * v, 0) + log1p(exp(-fabs(v)));
    case SCORE_HINGE: return fmax(0, 1 + s * v);
    case SCORE_LINEAR: return s * v;
    case SCORE_SQUARE: return (v - s) * (v - s);
    }
    return NAN;
}

static double slope(score_t f, double v, double s)
{
    switch (f) {
    case SCORE_SOFTPLUS: return s * v >= 0 ? s / (1 + exp(-s * v)) : s * exp(s * v) / (1 + exp(s * v));
    case SCORE_HINGE: return 1 + s * v > 0 ? s : 0;
    case SCORE_LINEAR: return s;
    case SCORE_SQUARE: return 2 * (v - s);
    }
    return NAN;
}

static void forward(node_t *y)
{
    const float *v = y->in[0]->x;
    size_t n = numel(y->in[0]->dim);
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += score((score_t)y->i[0], v[i], y->f[SIGN]);
    y->x[0] = (float)(y->f[SCALE] * sum / (double)n);
}

static void backward(node_t *y)
{
    const float *v = y->in[0]->x;
    float *gv = y->in[0]->g;
    size_t n = numel(y->in[0]->dim);
    double g = y->g[0] * y->f[SCALE] / (double)n;
    if (!gv) return;
    for (size_t i = 0; i < n; i++) gv[i] += (float)(g * slope((score_t)y->i[0], v[i], y->f[SIGN]));
}

static var_t example(tape_t *t, int i)
{
    static const score_t f[] = { SCORE_SOFTPLUS, SCORE_HINGE, SCORE_LINEAR, SCORE_SQUARE };
    if (i >= 8) return NULL;
    return mean_score(tape_variable(t, (shape_t){ 2, 3, 3, 1 }), f[i / 2], i % 2 ? 1 : -1, 0.7f);
}

const op_t op_mean_score = {
    .name = "mean_score", .forward = forward, .backward = backward, .example = example, .reads_inputs = true
};

var_t mean_score(var_t v, score_t f, float sign_or_target, float scale)
{
    var_t y = tape_node(v->tape, &op_mean_score, (shape_t){ 1, 1, 1, 1 }, 1, &v);
    y->i[0] = (int)f;
    y->f[SIGN] = sign_or_target;
    y->f[SCALE] = scale;
    return y;
}
