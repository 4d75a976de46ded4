// The distances d: of instances in Eqs. 5 and 6, compared region by region, i against i; of labels in L_geo.

#include "dagan/loss.h"

static var_t seen_by_d(const scope_t *d, var_t x)
{
    return discriminator(d, x).features;
}

// Of the masked regions themselves, as another network sees them; each region counts alike, however large its
// window.
static var_t seen_distance(const dae_t *a, const dae_t *b, var_t (*see)(const scope_t *, var_t),
                           const scope_t *by)
{
    var_t group[DAE_GROUPS_MAX];
    float share[DAE_GROUPS_MAX];
    for (int g = 0; g < a->n_groups; g++) {
        var_t of_a = see(by, a->regions[g]), of_b = see(by, b->regions[g]);
        group[g] = mean_abs(of_a, of_b);
        share[g] = (float)a->regions[g]->dim.n / (float)a->instances->dim.n;
    }
    return weighted_sum(by->tape, a->n_groups, group, share);
}

var_t instance_distance(const wires_t *w, const dae_t *a, const dae_t *b, const scope_t *d)
{
    switch (w->conf->loss.distance) {
    case DISTANCE_L1: return mean_abs(a->instances, b->instances);
    case DISTANCE_L2: return mean_square(a->instances, b->instances);
    case DISTANCE_DISCRIMINATOR: return seen_distance(a, b, seen_by_d, d);
    case DISTANCE_CLASSIFIER: return seen_distance(a, b, loss_net, &w->loss_net);
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
