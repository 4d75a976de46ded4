// The in-house classifier: whole images to features, on which the labels' heads stand.  evaluate compares
// images by these features.
//
// Parts move about in an image, so E's features are averaged under soft boxes that find their own places
// (Eqs. 1 and 4, the keys of `attention`) instead of being read cell by cell: from 2,000 images a fully
// connected layer learns colours and no shapes.

#include "dagan/net.h"

var_t classifier(const scope_t *s, var_t x)
{
    const config_t *conf = s->conf;
    bool has_regions = conf->attention.regions > 0;
    int size = x->dim.w, columns = has_regions ? (int)conf->attention.grid.side[0][0] : 1,
        rows = has_regions ? (int)conf->attention.grid.side[0][1] : 1;
    scope_t enc = scope_in(s, "enc"), loc = scope_in(s, "loc"), res = scope_in(s, "res");
    x = encode(&enc, x);
    var_t centres = has_regions ? localiser_of(conf)->build(&loc, x, conf->attention.regions, size) : NULL;
    x = region_pool(residual(&res, x), centres, &conf->attention.half, conf->attention.sharpness, size,
                    CONF_REGION_ALL, columns, rows);
    x = reshape(x, (shape_t){ x->dim.n, 1, 1, x->dim.w * x->dim.c });
    return conv_layer(s, "features", x, CLASSIFIER_FEATURES, 1, 1, 0, true, ACT_RELU);
}
