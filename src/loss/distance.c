// The distances d: of instances in Eqs. 5 and 6, compared region by region, i against i; of labels in L_geo.

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

var_t label_distance(tape_t *t, const config_t *conf, const var_t logits[], const var_t label[])
{
    var_t entropy[CONF_LABELS_MAX];
    float share[CONF_LABELS_MAX];
    for (int i = 0; i < conf->n_labels; i++) {
        entropy[i] = cross_entropy(logits[i], label[i]);
        share[i] = 1.0f / (float)conf->n_labels;
    }
    return weighted_sum(t, conf->n_labels, entropy, share);
}
