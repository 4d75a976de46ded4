// Eq. 8, L_GAN^t, as D2 sees it: tell t from F(t).

#include "dagan/loss.h"

static double weight(const config_t *conf)
{
    return conf->loss.weights.gan_t > 0;
}

static var_t build(tape_t *t, wires_t *w)
{
    (void)t;
    return gan_discriminator(w->conf->loss.gan, w->d2_t.score, w->d2_ft.score);
}

const loss_t loss_d2 = { "d2", KIND_DAGAN | KIND_CYCLEGAN, STEP_D, weight, build };
