// D1 and D2: three strides and a score for each patch of the image; one more stride for labels of the whole
// image.

#include "dagan/net.h"

disc_t discriminator(const scope_t *s, var_t x)
{
    int w = s->conf->model.width_d ? s->conf->model.width_d : s->conf->model.width;
    x = conv_layer(s, "c0", x, w, 4, 2, 1, true, ACT_LEAKY);
    x = conv_norm(s, "c1", "n1", x, 2 * w, 4, 2, 1, ACT_LEAKY);
    x = conv_norm(s, "c2", "n2", x, 4 * w, 4, 2, 1, ACT_LEAKY);
    return (disc_t){ x, conv_layer(s, "out", x, 1, 3, 1, 1, true, ACT_NONE) };
}

var_t discriminator_whole(const scope_t *s, var_t features)
{
    return conv_norm(s, "c3", "n3", features, features->dim.c, 4, 2, 1, ACT_LEAKY);
}

var_t discriminator_head(const scope_t *s, var_t whole, const char *label, int classes)
{
    scope_t heads = scope_in(s, "head");
    return conv_layer(&heads, label, whole, classes + 1, whole->dim.h, 1, 0, true, ACT_NONE);
}
