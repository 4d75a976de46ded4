// The network that only looks, the "loss network" of perceptual losses: images that look alike to it are near
// each other.

#include <stdio.h>

#include "dagan/net.h"

// VGG16 (Simonyan, Zisserman: ICLR 2015) up to block3_conv3, in Keras' names.  It was trained on 0..255 in
// the order BGR, less the means of its images, which "input" makes of ours.
static var_t vgg16(const scope_t *s, var_t x)
{
    static const struct {
        int convs, channels;
    } block[] = { { 2, 64 }, { 2, 128 }, { 3, 256 } };
    enum { BLOCKS = sizeof block / sizeof *block };
    char name[VIEW_NAME_MAX];
    x = conv_layer(s, "input", x, 3, 1, 1, 0, true, ACT_NONE);
    for (int b = 0; b < BLOCKS; b++) {
        if (b) x = max_pool(x);
        for (int i = 0; i < block[b].convs; i++) {
            snprintf(name, sizeof name, "block%d_conv%d", b + 1, i + 1);
            x = conv_layer(s, name, x, block[b].channels, 3, 1, 1, true, ACT_RELU);
        }
    }
    return x;
}

var_t loss_net(const scope_t *s, var_t x)
{
    if (!s->conf) return vgg16(s, x);
    scope_t enc = scope_in(s, "enc"), res = scope_in(s, "res");
    return residual(&res, encode(&enc, x));
}
