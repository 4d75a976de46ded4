// Numbers of D1 and D2 that no gradient trains, which follow their weights and scores: u of spectral norms,
// and LeCam's averages.  They are views among D's parameters, so checkpoints, rollbacks and comparisons of
// ranks hold them; every rank has the same weights and sums to make them of.

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "side.h"

enum { OUTPUTS_MAX = 4096 };      // of a convolution of D, at the largest width
static const double DECAY = 0.99; // of LeCam's averages, the authors'

static const view_t *view_of(const params_t *p, const char *name)
{
    for (int i = 0; i < p->n_views; i++)
        if (strcmp(p->view[i].name, name) == 0) return &p->view[i];
    return NULL;
}

// One power iteration: u = W W^T u / |W W^T u|.
static void iterate(params_t *p, const view_t *u, const view_t *weight)
{
    size_t out = u->n, rows = weight->n / out;
    const float *w = p->w + weight->offset;
    float *to = p->w + u->offset;
    double next[OUTPUTS_MAX] = { 0 }, length = 0;
    CHECK(out <= OUTPUTS_MAX, "%s: %zu numbers, at most %d", u->name, out, OUTPUTS_MAX);
    for (size_t k = 0; k < rows; k++, w += out) {
        double v = 0;
        for (size_t o = 0; o < out; o++) v += (double)w[o] * to[o];
        for (size_t o = 0; o < out; o++) next[o] += w[o] * v;
    }
    for (size_t o = 0; o < out; o++) length += next[o] * next[o];
    for (size_t o = 0; o < out && length > 0; o++) to[o] = (float)(next[o] / sqrt(length));
}

void follow_weights(params_t *d, int times)
{
    char name[VIEW_NAME_MAX + 8];
    for (int i = 0; i < d->n_views; i++) {
        const view_t *u = &d->view[i];
        size_t length = strlen(u->name);
        if (length < 2 || strcmp(u->name + length - 2, ".u") != 0) continue;
        snprintf(name, sizeof name, "%.*s.weight", (int)length - 2, u->name);
        for (int k = 0; k < times; k++) iterate(d, u, view_of(d, name));
    }
}

void follow_scores(params_t *d, const double score[SCORES])
{
    for (int i = 0; i < SCORES; i++) {
        const view_t *v = view_of(d, i < 2 ? "d1.lecam.average" : "d2.lecam.average");
        float *average = v ? d->w + v->offset + i % 2 : NULL;
        if (average) *average = (float)(DECAY * *average + (1 - DECAY) * score[i]);
    }
}
