// The optional pixel term: F must leave targets as they are, mean |F(t) - t|.

#include "dagan/loss.h"

static double weight(const config_t *conf)
{
    return conf->loss.weights.pixel;
}

static var_t build(tape_t *t, wires_t *w)
{
    (void)t;
    return mean_abs(w->ft, w->t);
}

const loss_t loss_pixel = { "pixel", KIND_DAGAN, STEP_G, weight, build };
