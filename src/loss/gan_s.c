// Eq. 7, L_GAN^s, as F sees it: D1 should take F(s) for a target.

#include "dagan/loss.h"

static double weight(const config_t *conf)
{
    return conf->loss.weights.gan_s;
}

static var_t build(tape_t *t, wires_t *w)
{
    (void)t;
    return gan_generator(w->conf->loss.gan, w->d1_fs.score);
}

const loss_t loss_gan_s = { "gan_s", KIND_DAGAN | KIND_CYCLEGAN, STEP_G, weight, build };
