// Eq. 5, L_cst: s and its translation F(s) must show the same instances.

#include "dagan/loss.h"

static double weight(const config_t *conf)
{
    return conf->loss.weights.cst;
}

static var_t build(tape_t *t, wires_t *w)
{
    (void)t;
    return instance_distance(w, &w->zs, &w->zfs, &w->d1);
}

const loss_t loss_cst = { "cst", KIND_DAGAN, STEP_G, weight, build };
