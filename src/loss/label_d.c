// L_geo of the translation as D1 sees it: D1 should tell the labels of s from F(s), as it tells those of t
// from t. It learns from F(s), too, as a class of its own, so G cannot please it with signs that no target
// has, as it pleases a DAE that never saw F(s) (label_fake).

#include "dagan/loss.h"

static double weight(const config_t *conf)
{
    return conf->loss.weights.label_d;
}

static var_t build(tape_t *t, wires_t *w)
{
    var_t label[CONF_LABELS_MAX]; // of s, which come before those of t
    for (int i = 0; i < w->conf->n_labels; i++) label[i] = rows(w->label[i], 0, w->fs->dim.n);
    return label_distance(t, w->conf, w->d1_label_fs, label);
}

const loss_t loss_label_d = { "label_d", KIND_DAGAN, STEP_G, weight, build };
