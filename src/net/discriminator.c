// D1 and D2: three strides and a score for each patch of the image.

#include "dagan/net.h"

disc_t discriminator(const scope_t *s, var_t x)
{
    int w = s->conf->model.width_d ? s->conf->model.width_d : s->conf->model.width;
    x = conv_layer(s, "c0", x, w, 4, 2, 1, true, ACT_LEAKY);
    x = conv_norm(s, "c1", "n1", x, 2 * w, 4, 2, 1, ACT_LEAKY);
    x = conv_norm(s, "c2", "n2", x, 4 * w, 4, 2, 1, ACT_LEAKY);
    return (disc_t){ x, conv_layer(s, "out", x, 1, 3, 1, 1, true, ACT_NONE) };
}
