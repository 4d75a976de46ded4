// Adam and the averaged weights, in one pass over memory.

#include <math.h>

#include "isa.h"

void ISA_NAME(adam)(float *w, float *m, float *v, float *g, float *ema, size_t n, const adam_step_t *s)
{
    adam_step_t k = *s;
    for (size_t i = 0; i < n; i++) {
        float d = g[i] * k.scale;
        m[i] += k.c1 * (d - m[i]);
        v[i] += k.c2 * (d * d - v[i]);
        w[i] -= k.step * m[i] / (sqrtf(v[i]) * k.root + k.eps);
        g[i] = 0;
    }
    for (size_t i = 0; ema && i < n; i++) ema[i] = k.decay * ema[i] + (1 - k.decay) * w[i];
}
