// The distances d: of instances in Eqs. 5 and 6, compared region by region, i against i; of labels in L_geo.

#include "dagan/loss.h"

// Of the masked regions themselves, as D sees them; each region counts alike, however large its window.
static var_t seen_distance(const dae_t *a, const dae_t *b, const scope_t *d)
{
    var_t group[DAE_GROUPS_MAX];
    float share[DAE_GROUPS_MAX];
    for (int g = 0; g < a->n_groups; g++) {
        group[g] =
            mean_abs(discriminator(d, a->regions[g]).features, discriminator(d, b->regions[g]).features);
        share[g] = (float)a->regions[g]->dim.n / (float)a->instances->dim.n;
    }
    return weighted_sum(d->tape, a->n_groups, group, share);
}

var_t instance_distance(const wires_t *w, const dae_t *a, const dae_t *b, const scope_t *d)
{
    switch (w->conf->loss.distance) {
    case DISTANCE_L1: return mean_abs(a->instances, b->instances);
    case DISTANCE_L2: return mean_square(a->instances, b->instances);
    case DISTANCE_DISCRIMINATOR: return seen_distance(a, b, d);
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
