// d(Inst(a), Inst(b)) of Eqs. 5 and 6.  Instances of two images are compared region by region: i against i.

#include "dagan/loss.h"

var_t instance_distance(const wires_t *w, const dae_t *a, const dae_t *b, const scope_t *d)
{
    switch (w->conf->loss.distance) {
    case DISTANCE_L1: return mean_abs(a->instances, b->instances);
    case DISTANCE_L2: return mean_square(a->instances, b->instances);
    case DISTANCE_DISCRIMINATOR: // of the masked regions themselves, as D sees them
        return mean_abs(discriminator(d, a->regions).features, discriminator(d, b->regions).features);
    }
    return NULL;
}
