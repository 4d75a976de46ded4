// f_loc of Eq. 1 as fully connected layers and a sigmoid over the image's extent.
// It starts around the middle, far from where the sigmoid saturates, with the regions in different places.

#include "dagan/net.h"

static var_t build(const scope_t *s, var_t features, int regions, int size)
{
    var_t x = conv_layer(s, "hidden", features, features->dim.c, features->dim.h, 1, 0, true, ACT_RELU);
    return squash(conv_layer(s, "out", x, 2 * regions, 1, 1, 0, true, ACT_NONE), size);
}

const localiser_t localiser_fc = { "fc", build };
