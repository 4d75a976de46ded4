// L_geo = E d(Y, DAE(X)): each label must be told from the instance of the region it is bound to, in both
// domains.

#include "dagan/loss.h"

static double weight(const config_t *conf)
{
    return conf->n_labels ? conf->loss.weights.label : 0;
}

static var_t build(tape_t *t, wires_t *w)
{
    for (int i = 0; i < w->conf->n_labels; i++)
        w->right[i] = tape_name(accuracy(w->logits[i], w->label[i]), "right", true);
    return label_distance(t, w->conf, w->logits, w->label);
}

const loss_t loss_label = { "label", KIND_DAGAN | KIND_CLASSIFIER, STEP_G | STEP_LABEL, weight, build };
