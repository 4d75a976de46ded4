// The four GAN forms of Eqs. 7 and 8, of raw scores v (D = sig(v)).  log D is written as softplus: no log(0).

#include "dagan/loss.h"

static var_t sum(var_t a, var_t b)
{
    return weighted_sum(a->tape, 2, (var_t[]){ a, b }, (float[]){ 1, 1 });
}

var_t gan_discriminator(gan_t form, var_t real, var_t fake)
{
    switch (form) {
    case GAN_LSGAN: return sum(mean_score(real, SCORE_SQUARE, 1, 1), mean_score(fake, SCORE_SQUARE, 0, 1));
    case GAN_HINGE: return sum(mean_score(real, SCORE_HINGE, -1, 1), mean_score(fake, SCORE_HINGE, 1, 1));
    default: // -log D(real) - log(1 - D(fake))
        return sum(mean_score(real, SCORE_SOFTPLUS, -1, 1), mean_score(fake, SCORE_SOFTPLUS, 1, 1));
    }
}

var_t gan_generator(gan_t form, var_t fake)
{
    switch (form) {
    case GAN_MINIMAX: return mean_score(fake, SCORE_SOFTPLUS, 1, -1); // log(1 - D(fake))
    case GAN_LSGAN: return mean_score(fake, SCORE_SQUARE, 1, 1);
    case GAN_HINGE: return mean_score(fake, SCORE_LINEAR, -1, 1);
    default: return mean_score(fake, SCORE_SOFTPLUS, -1, 1); // -log D(fake)
    }
}
