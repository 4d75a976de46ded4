// Eq. 7, L_GAN^s, as D1 sees it: tell t from F(s).

#include "dagan/loss.h"

static double weight(const config_t *conf)
{
    return conf->loss.weights.gan_s > 0;
}

static var_t build(tape_t *t, wires_t *w)
{
    (void)t;
    return gan_discriminator(w->conf->loss.gan, w->d1_t.score, w->d1_fs.score);
}

const loss_t loss_d1 = { "d1", KIND_DAGAN | KIND_CYCLEGAN, STEP_D, weight, build };
