// The Deep Attention Encoder: DAE(X) = { Inst_i } with Inst_i = E(X o M_i), M_i the soft box at
// f_loc(E(X))_i.
//
// Without regions (attention.regions 0, a rival of the paper's ablation) the whole image is the one instance:
// E(X).

#include <math.h>
#include <string.h>

#include "dagan/net.h"

enum { PART_FLOATS = 1 << 18 }; // of a layer at full size

const encoder_t *encoder_of(const config_t *conf)
{
    for (int i = 0; encoders[i]; i++)
        if (strcmp(encoders[i]->name, conf->model.encoder) == 0) return encoders[i];
    return NULL;
}

var_t encode(const scope_t *s, var_t x)
{
    return encoder_of(s->conf)->build(s, x);
}

const localiser_t *localiser_of(const config_t *conf)
{
    for (int i = 0; localisers[i]; i++)
        if (strcmp(localisers[i]->name, conf->model.localiser) == 0) return localisers[i];
    return NULL;
}

int net_check(const config_t *conf)
{
    const encoder_t *e = encoder_of(conf);
    if (!e)
        return fail("model.encoder: found '%s', which src/net/encoder/ does not define", conf->model.encoder);
    if (!localiser_of(conf))
        return fail("model.localiser: found '%s', which src/net/localiser/ does not define",
                    conf->model.localiser);
    if (conf->data.size % e->stride)
        return fail("data.size: found %d, wanted a multiple of %d, the stride of model.encoder %s",
                    conf->data.size, e->stride, e->name);
    return 0;
}

int dae_window(const config_t *conf)
{
    if (conf->attention.window) return conf->attention.window;
    // At 4 / k pixels beyond its edge the mask has fallen to 2 %; half a step is lost to rounding on each
    // side.
    double half = 0;
    for (int i = 0; i < 2 * conf->attention.regions; i++)
        half = fmax(half, conf->attention.half.side[i / 2][i % 2]);
    int side = (int)ceil(2 * half + 4 / conf->attention.sharpness + WINDOW_STEP);
    side = (side + WINDOW_STEP - 1) / WINDOW_STEP * WINDOW_STEP;
    return side < conf->data.size ? side : conf->data.size;
}

// E of the instances, some images at a time: what one layer writes is still in the cache when the next one
// reads it.  Images do not meet in E, so this is the same mathematics; a function of the shapes alone, so the
// same bits everywhere.
static var_t encode_parts(const scope_t *enc, var_t x)
{
    size_t image = (size_t)x->dim.h * (size_t)x->dim.w * (size_t)enc->conf->model.width;
    int n = x->dim.n, most = (int)(PART_FLOATS / image), least = (n + NODE_INPUTS_MAX - 1) / NODE_INPUTS_MAX;
    int part = most > least ? most : least, parts = 0;
    var_t y[NODE_INPUTS_MAX];
    for (int first = 0; first < n; first += part)
        y[parts++] = encode(enc, rows(x, first, n - first < part ? n - first : part));
    return stack(parts, y);
}

dae_t dae(const scope_t *s, var_t x, var_t jitter)
{
    const config_t *conf = s->conf;
    const sides_t *half = &conf->attention.half;
    double k = conf->attention.sharpness;
    int size = x->dim.w;
    scope_t enc = scope_in(s, "enc"), loc = scope_in(s, "loc");
    dae_t z = { .regions = x };
    z.features = z.instances = encode(&enc, x);
    if (!conf->attention.regions) return z;
    z.centres = localiser_of(conf)->build(&loc, z.features, conf->attention.regions, size);
    z.at = jitter ? add(z.centres, jitter) : z.centres;
    if (conf->attention.mode == ATTENTION_MASK) {
        z.regions = mask(x, z.at, half, k);
        z.instances = encode_parts(&enc, z.regions);
    } else {
        int side = dae_window(conf);
        z.regions = window(x, z.at, half, k, side);
        z.instances = paste(encode_parts(&enc, z.regions), z.at, side, size);
    }
    return z;
}

dae_t dae_rows(const dae_t *z, int first, int n)
{
    int N = z->centres ? z->centres->dim.w : 1;
    return (dae_t){ .features = rows(z->features, first, n),
                    .centres = z->centres ? rows(z->centres, first, n) : NULL,
                    .at = z->at ? rows(z->at, first, n) : NULL,
                    .regions = rows(z->regions, first * N, n * N),
                    .instances = rows(z->instances, first * N, n * N) };
}

var_t dae_pool(const scope_t *s, const dae_t *z, int region)
{
    const config_t *conf = s->conf;
    int columns = 1, rows = 1;
    if (region != CONF_REGION_ALL) {
        columns = (int)conf->attention.grid.side[region][0];
        rows = (int)conf->attention.grid.side[region][1];
    }
    var_t x = region_pool(z->instances, z->at, &conf->attention.half, conf->attention.sharpness,
                          conf->data.size, columns, rows);
    return region == CONF_REGION_ALL ? reshape(x, (shape_t){ x->dim.n, 1, 1, x->dim.w * x->dim.c })
                                     : pick(x, region);
}

var_t head(const scope_t *s, var_t pooled, const char *label, int classes)
{
    scope_t heads = scope_in(s, "head");
    return conv_layer(&heads, label, pooled, classes, 1, 1, 0, true, ACT_NONE);
}
