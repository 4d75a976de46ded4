// f_loc of Eq. 1 as fully connected layers and a sigmoid over the image's extent.
// It starts around the middle, far from where the sigmoid saturates, with the regions in different places.

#include "dagan/net.h"

static var_t build(const scope_t *s, var_t features, int regions, int size)
{
    shape_t d = features->dim;
    var_t x = reshape(features, (shape_t){ d.n, 1, 1, d.h * d.w * d.c });
    x = conv_layer(s, "hidden", x, d.c, 1, 1, 0, true, ACT_RELU);
    return squash(conv_layer(s, "out", x, 2 * regions, 1, 1, 0, true, ACT_NONE), size);
}

const localiser_t localiser_fc = { "fc", build };
