// CycleGAN's optional identity: a generator leaves alone what is in its target set already, mean |ST(t) - t|
// + mean |TS(s) - s|.

#include "dagan/loss.h"

static double weight(const config_t *conf)
{
    return conf->loss.weights.identity;
}

static var_t build(tape_t *t, wires_t *w)
{
    var_t term[] = { mean_abs(w->same_t, w->t), mean_abs(w->same_s, w->s) };
    return weighted_sum(t, 2, term, (float[]){ 1, 1 });
}

const loss_t loss_identity = { "identity", KIND_CYCLEGAN, STEP_G, weight, build };
