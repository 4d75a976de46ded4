// L_geo = E d(Y, DAE(X)): each label must be told from the instance of the region it is bound to, in both
// domains.

#include "dagan/loss.h"

static double weight(const config_t *conf)
{
    return conf->n_labels ? conf->loss.weights.label : 0;
}

static var_t build(tape_t *t, wires_t *w)
{
    var_t right[CONF_LABELS_MAX];
    float share[CONF_LABELS_MAX];
    int n = w->conf->n_labels;
    for (int i = 0; i < n; i++) {
        right[i] = accuracy(w->logits[i], w->label[i]);
        share[i] = 1.0f / (float)n;
    }
    w->label_accuracy = tape_name(weighted_sum(t, n, right, share), "label_accuracy", true);
    return label_distance(t, w->conf, w->logits, w->label);
}

const loss_t loss_label = { "label", KIND_DAGAN | KIND_CLASSIFIER, STEP_G | STEP_LABEL, weight, build };
