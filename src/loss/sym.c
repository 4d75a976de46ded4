// Eq. 6, L_sym: t and its reconstruction F(t) must show the same instances.

#include "dagan/loss.h"

static double weight(const config_t *conf)
{
    return conf->loss.weights.sym;
}

static var_t build(tape_t *t, wires_t *w)
{
    (void)t;
    return instance_distance(w, &w->zt, &w->zft, &w->d2);
}

const loss_t loss_sym = { "sym", KIND_DAGAN, STEP_G, weight, build };
