// The in-house classifier: whole images to features, on which the labels' heads stand.  evaluate compares
// images by these features.  Four strides and a fully connected layer: where something stands in a face tells
// what it is.

#include "dagan/net.h"

var_t classifier(const scope_t *s, var_t x)
{
    int w = s->conf->model.width;
    x = conv_norm(s, "c0", "n0", x, w, 3, 1, 1, ACT_RELU);
    for (int i = 1; i <= 4; i++) {
        scope_t deep = scope_in(s, "deep.%d", i);
        x = conv_norm(&deep, "c", "n", x, (i < 3 ? 1 << i : 8) * w, 3, 2, 1, ACT_RELU);
    }
    return conv_layer(s, "features", x, CLASSIFIER_FEATURES, x->dim.h, 1, 0, true, ACT_RELU);
}
