// Adam with bias correction, and the averaged weights, in one pass over memory.

#include <math.h>
#include <string.h>

#include "dagan/kernel.h"
#include "dagan/train.h"

static const float EPS = 1e-8f;

double gradient_norm(const params_t *p)
{
    double sum[8] = { 0 }; // eight chains: the order is fixed and the loop vectorises
    size_t i = 0;
    for (; i + 8 <= p->n; i += 8)
        for (int k = 0; k < 8; k++) sum[k] += (double)p->g[i + (size_t)k] * p->g[i + (size_t)k];
    for (; i < p->n; i++) sum[0] += (double)p->g[i] * p->g[i];
    for (int k = 1; k < 8; k++) sum[0] += sum[k];
    return sqrt(sum[0]);
}

static void update(params_t *p, const net_t *net, const adam_t *a)
{
    enum { CHUNK = 1 << 12 }; // floats that stay in the first cache between the two halves of the pass
    double t = (double)net->updates;
    adam_step_t s = {
        .scale = (float)a->scale,
        .c1 = (float)(1 - a->beta1), // taken in double: in float 1 - 0.99999 is off by 0.1 %
        .c2 = (float)(1 - a->beta2),
        .step = (float)(a->rate / (1 - pow(a->beta1, t))),
        .root = (float)(1 / sqrt(1 - pow(a->beta2, t))),
        .eps = EPS,
        .decay = (float)fmin(a->ema,
                             (1 + t) / (10 + t)), // closely at first: it counts from the weights' own start
    };
#pragma omp parallel for
    for (size_t i = net->first; i < net->end; i += CHUNK) {
        size_t n = net->end - i < CHUNK ? net->end - i : CHUNK;
        kernel->adam(p->w + i, p->m + i, p->v + i, p->g + i, p->ema == p->w ? NULL : p->ema + i, n, &s);
    }
}

void adam_update(params_t *p, const adam_t *a, unsigned nets)
{
    for (int i = 0; i < p->n_nets; i++) {
        const net_t *net = &p->net[i];
        if (nets >> i & 1) {
            p->net[i].updates++;
            update(p, net, a);
        } else {
            memset(p->g + net->first, 0, (net->end - net->first) * sizeof(float));
        }
    }
    memset(p->g + p->n, 0, (size_t)p->n_sums * sizeof(float));
    params_changed(p);
}
