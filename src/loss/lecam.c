// LeCam: what holds D1 and D2 back where data are few.

#include "dagan/loss.h"

static double weight(const config_t *conf)
{
    return conf->loss.weights.gan_s > 0 || conf->loss.weights.gan_t > 0 ? conf->loss.weights.lecam : 0;
}

static var_t build(tape_t *t, wires_t *w)
{
    var_t of[2];
    int n = 0;
    if (w->d1_t.score) of[n++] = lecam(w->d1_t.score, w->d1_fs.score, w->d1_t.averages);
    if (w->d2_t.score) of[n++] = lecam(w->d2_t.score, w->d2_ft.score, w->d2_t.averages);
    return weighted_sum(t, n, of, (float[]){ 1, 1 });
}

const loss_t loss_lecam = { "lecam", KIND_DAGAN | KIND_CYCLEGAN, STEP_D, weight, build };
