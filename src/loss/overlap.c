// Keeps regions apart: without labels all N' of them like the same spot.

#include "dagan/loss.h"

static double weight(const config_t *conf)
{
    return conf->attention.regions > 1 ? conf->loss.weights.overlap : 0;
}

static var_t build(tape_t *t, wires_t *w)
{
    (void)t;
    return overlap(w->z.centres, &w->conf->attention.half);
}

const loss_t loss_overlap = { "overlap", KIND_DAGAN, STEP_G | STEP_LABEL, weight, build };
