// L_geo of the translation: the labels of s must be told from F(s).  Both domains share their labels, so this
// is known without pairs.  The DAE that tells them is fixed here and learns from real images alone: it would
// otherwise agree with G on signs of its own.

#include "dagan/loss.h"

static double weight(const config_t *conf)
{
    return conf->n_labels ? conf->loss.weights.label_fake : 0;
}

static var_t build(tape_t *t, wires_t *w)
{
    var_t label[CONF_LABELS_MAX]; // of s, which come before those of t
    for (int i = 0; i < w->conf->n_labels; i++) label[i] = rows(w->label[i], 0, w->fs->dim.n);
    return label_distance(t, w->conf, w->logits_fs, label);
}

const loss_t loss_label_fake = { "label_fake", KIND_DAGAN, STEP_G, weight, build };
