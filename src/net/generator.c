// G: the features of the image and of its instances side by side, fused, refined and brought back to full
// size.  CycleGAN's generators refine E(X) alone.

#include "dagan/net.h"

static var_t decode(const scope_t *s, var_t x)
{
    int w = s->conf->model.width;
    for (int i = 0; i < s->conf->model.residuals; i++) {
        scope_t res = scope_in(s, "res.%d", i);
        x = residual(&res, x);
    }
    x = conv_norm(s, "u1", "m1", x, 2 * w, 3, UPSAMPLE, 1, ACT_RELU);
    x = conv_norm(s, "u2", "m2", x, w, 3, UPSAMPLE, 1, ACT_RELU);
    return soft_clamp(conv_layer(s, "out", x, 3, 7, 1, 3, true, ACT_NONE), s->conf->model.range);
}

var_t generator(const scope_t *s, const dae_t *z)
{
    var_t x = z->centres ? concat_regions(z->features, z->instances) : z->features;
    return decode(s, conv_norm(s, "fuse", "nf", x, 4 * s->conf->model.width, 1, 1, 0, ACT_RELU));
}

var_t mapping(const scope_t *s, var_t x)
{
    scope_t enc = scope_in(s, "enc");
    return decode(s, encode(&enc, x));
}
