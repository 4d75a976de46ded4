// D1 and D2: three strides and a score for each patch of the image, with spectral norms if asked for; for
// labels, D1 looks where their parts are, by layers that have none and centres that do not settle.

#include "dagan/net.h"

disc_t discriminator(const scope_t *d, var_t x)
{
    scope_t inner = *d, *s = &inner;
    s->spectral = d->conf->model.spectral;
    int w = s->conf->model.width_d ? s->conf->model.width_d : s->conf->model.width;
    x = conv_layer(s, "c0", x, w, 4, 2, 1, true, ACT_LEAKY);
    var_t fine = x = conv_norm(s, "c1", "n1", x, 2 * w, 4, 2, 1, ACT_LEAKY);
    x = conv_norm(s, "c2", "n2", x, 4 * w, 4, 2, 1, ACT_LEAKY);
    var_t score = conv_layer(s, "out", x, 1, 3, 1, 1, true, ACT_NONE);
    return (disc_t){ fine, x, score,
                     s->conf->loss.weights.lecam > 0 ? untrained(s, "lecam", "average", INIT_ZERO, 2)
                                                     : NULL };
}

dae_t discriminator_attention(const scope_t *s, const disc_t *d, var_t jitter)
{
    const config_t *conf = s->conf;
    scope_t res = scope_in(s, "res"), loc = scope_in(s, "loc");
    dae_t z = { .features = residual(&res, d->fine) };
    z.instances = z.features;
    if (!conf->attention.regions) return z;
    z.centres = localiser_of(conf)->build(&loc, z.features, conf->attention.regions, conf->data.size);
    z.at = jitter ? add(z.centres, jitter) : z.centres;
    return z;
}
