// Eq. 8, L_GAN^t, as F sees it: D2 should take F(t) for a target.  This is what penalises missing modes.

#include "dagan/loss.h"

static double weight(const config_t *conf)
{
    return conf->loss.weights.gan_t;
}

static var_t build(tape_t *t, wires_t *w)
{
    (void)t;
    return gan_generator(w->conf->loss.gan, w->d2_ft.score);
}

const loss_t loss_gan_t = { "gan_t", KIND_DAGAN | KIND_CYCLEGAN, STEP_G, weight, build };
