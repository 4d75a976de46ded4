// E of the reference network: two strides, then a residual block; features at a quarter of the image's side.

#include "dagan/net.h"

static var_t shrink(const scope_t *s, var_t x)
{
    int w = s->conf->model.width;
    x = conv_norm(s, "c0", "n0", x, w, 3, 1, 1, ACT_RELU);
    x = conv_norm(s, "c1", "n1", x, 2 * w, 3, 2, 1, ACT_RELU);
    return conv_norm(s, "c2", "n2", x, 4 * w, 3, 2, 1, ACT_RELU);
}

static var_t refine(const scope_t *s, var_t x)
{
    scope_t res = scope_in(s, "res.0");
    return residual(&res, x);
}

const encoder_t encoder_resnet = { "resnet", 4, { shrink, refine } };
