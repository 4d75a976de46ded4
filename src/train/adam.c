// Adam with bias correction, and the averaged weights, in one pass over memory.

#include <math.h>
#include <string.h>

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
    double t = (double)net->updates;
    // 1 - beta is taken in double: in float 1 - 0.99999 is off by 0.1 %.
    float c1 = (float)(1 - a->beta1), c2 = (float)(1 - a->beta2), scale = (float)a->scale;
    float step = (float)(a->rate / (1 - pow(a->beta1, t))), root = (float)(1 / sqrt(1 - pow(a->beta2, t)));
    // The average follows closely at first: its decay counts from the weights' own start.
    float decay = (float)fmin(a->ema, (1 + t) / (10 + t));
    float *w = p->w, *m = p->m, *v = p->v, *ema = p->ema;
    for (size_t i = net->first; i < net->end; i++) {
        float g = p->g[i] * scale;
        m[i] += c1 * (g - m[i]);
        v[i] += c2 * (g * g - v[i]);
        w[i] -= step * m[i] / (sqrtf(v[i]) * root + EPS);
        ema[i] = decay * ema[i] + (1 - decay) * w[i];
    }
}

void adam_update(params_t *p, const adam_t *a, unsigned nets)
{
    for (int i = 0; i < p->n_nets; i++) {
        if (!(nets >> i & 1)) continue;
        p->net[i].updates++;
        update(p, &p->net[i], a);
    }
    params_changed(p);
    memset(p->g, 0, (p->n + (size_t)p->n_sums) * sizeof(float));
}
