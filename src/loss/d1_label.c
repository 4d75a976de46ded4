// label_d as D1 sees it: tell the labels of t, and F(s) from every class of them.

#include "dagan/loss.h"

static double weight(const config_t *conf)
{
    return conf->loss.weights.label_d > 0;
}

static var_t build(tape_t *t, wires_t *w)
{
    int n_labels = w->conf->n_labels, terms = 0;
    var_t entropy[2 * CONF_LABELS_MAX];
    float share[2 * CONF_LABELS_MAX];
    for (int i = 0; i < n_labels; i++) {
        var_t fake = w->d1_label_fs[i]; // none while D1 learns labels alone
        entropy[terms++] = cross_entropy(w->d1_label_t[i], rows(w->label[i], w->t->dim.n, w->t->dim.n));
        if (fake) entropy[terms++] = cross_entropy_class(fake, fake->dim.c - 1);
    }
    for (int i = 0; i < terms; i++) share[i] = 1.0f / (float)n_labels;
    return weighted_sum(t, terms, entropy, share);
}

const loss_t loss_d1_label = { "d1_label", KIND_DAGAN, STEPS_OF_D, weight, build };
