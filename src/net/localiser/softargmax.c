// f_loc of Eq. 1 as a heat map for each region and its expected position: translation-equivariant, never
// saturates.

#include "dagan/net.h"

static var_t build(const scope_t *s, var_t features, int regions, int size)
{
    var_t x = conv_layer(s, "conv", features, features->dim.c, 3, 1, 1, true, ACT_RELU);
    return softargmax(conv_layer(s, "out", x, regions, 1, 1, 0, true, ACT_NONE), size);
}

const localiser_t localiser_softargmax = { "softargmax", build };
