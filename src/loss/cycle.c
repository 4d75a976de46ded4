// CycleGAN's cycle: there and back again is where one was, mean |TS(ST(s)) - s| + mean |ST(TS(t)) - t|.

#include "dagan/loss.h"

static double weight(const config_t *conf)
{
    return conf->loss.weights.cycle;
}

static var_t build(tape_t *t, wires_t *w)
{
    var_t term[] = { mean_abs(w->cycle_s, w->s), mean_abs(w->cycle_t, w->t) };
    return weighted_sum(t, 2, term, (float[]){ 1, 1 });
}

const loss_t loss_cycle = { "cycle", KIND_CYCLEGAN, STEP_G, weight, build };
