// L_geo = E d(Y, DAE(X)): each label must be told from the instance of the region it is bound to, in both
// domains. The mean over labels of their cross-entropies.

#include "dagan/loss.h"

static double weight(const config_t *conf)
{
    return conf->n_labels ? conf->loss.weights.label : 0;
}

static var_t build(tape_t *t, wires_t *w)
{
    var_t entropy[CONF_LABELS_MAX], right[CONF_LABELS_MAX];
    float share[CONF_LABELS_MAX];
    int n = w->conf->n_labels;
    for (int i = 0; i < n; i++) {
        entropy[i] = cross_entropy(w->logits[i], w->label[i]);
        right[i] = accuracy(w->logits[i], w->label[i]);
        share[i] = 1.0f / (float)n;
    }
    w->label_accuracy = tape_name(weighted_sum(t, n, right, share), "label_accuracy", true);
    return weighted_sum(t, n, entropy, share);
}

const loss_t loss_label = { "label", KIND_DAGAN | KIND_CLASSIFIER, STEP_G | STEP_LABEL, weight, build };
