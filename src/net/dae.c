// The Deep Attention Encoder: DAE(X) = { Inst_i } with Inst_i = E(X o M_i), M_i the soft box at
// f_loc(E(X))_i.
//
// Without regions (attention.regions 0, a rival of the paper's ablation) the whole image is the one instance:
// E(X).

#include <math.h>
#include <string.h>

#include "dagan/net.h"

enum { PART_FLOATS = 1 << 18 }; // of the first layer of a stage

const encoder_t *encoder_of(const config_t *conf)
{
    for (int i = 0; encoders[i]; i++)
        if (strcmp(encoders[i]->name, conf->model.encoder) == 0) return encoders[i];
    return NULL;
}

var_t encode(const scope_t *s, var_t x)
{
    const encoder_t *e = encoder_of(s->conf);
    for (int i = 0; e->stage[i]; i++) x = e->stage[i](s, x);
    return x;
}

const localiser_t *localiser_of(const config_t *conf)
{
    for (int i = 0; localisers[i]; i++)
        if (strcmp(localisers[i]->name, conf->model.localiser) == 0) return localisers[i];
    return NULL;
}

// Along one axis.  At 2 / k pixels beyond its edge the mask has fallen to 12 %; half a step is lost to
// rounding on each side.
static int window_side(const config_t *conf, double half)
{
    if (conf->attention.window) return conf->attention.window;
    int side = (int)ceil(2 * half + 4 / conf->attention.sharpness + WINDOW_STEP);
    side = (side + WINDOW_STEP - 1) / WINDOW_STEP * WINDOW_STEP;
    return side < conf->data.size ? side : conf->data.size;
}

// The windows of crop mode.  Neighbours of one size are a group, which E takes as one batch.
static int windows_of(windows_t group[CONF_REGIONS_MAX], const config_t *conf)
{
    int n = 0;
    for (int r = 0; r < conf->attention.regions; r++) {
        const double *half = conf->attention.half.side[r];
        int w = window_side(conf, half[0]), h = window_side(conf, half[1]);
        if (!n || group[n - 1].w != w || group[n - 1].h != h) group[n++] = (windows_t){ r, 0, w, h };
        group[n - 1].n++;
    }
    return n;
}

// An instance norm over a single pixel makes it 0, whatever it was.
static int check_window(const config_t *conf, windows_t g)
{
    bool is_dae = strcmp(conf->model.norm_dae, "instance") == 0,
         is_d = strcmp(conf->model.norm_d, "instance") == 0 && conf->loss.distance == DISTANCE_DISCRIMINATOR;
    int w = g.w / ENCODER_STRIDE, h = g.h / ENCODER_STRIDE;
    if (is_dae && w * h == 1)
        return fail(
            "model.norm.dae: found instance in windows of %dx%d, of which E leaves one pixel; wanted another "
            "norm, or a larger attention.window",
            g.w, g.h);
    if (is_d && (w / 2) * (h / 2) <= 1)
        return fail(
            "model.norm.d: found instance in windows of %dx%d, of which D leaves one pixel; wanted another "
            "norm, a larger attention.window, or another loss.distance",
            g.w, g.h);
    return 0;
}

int net_check(const config_t *conf)
{
    char names[256] = "";
    const encoder_t *e = encoder_of(conf);
    windows_t group[CONF_REGIONS_MAX];
    for (int i = 0; !e && encoders[i]; i++) add_word(names, sizeof names, encoders[i]->name);
    if (!e) return fail("model.encoder: found %s, wanted one of%s", conf->model.encoder, names);
    bool has_localiser = localiser_of(conf) != NULL;
    for (int i = 0; !has_localiser && localisers[i]; i++) add_word(names, sizeof names, localisers[i]->name);
    if (!has_localiser)
        return fail("model.localiser: found %s, wanted one of%s", conf->model.localiser, names);
    if (e->stride != ENCODER_STRIDE)
        return fail("model.encoder: found %s of stride %d, wanted one of stride %d, which G undoes", e->name,
                    e->stride, ENCODER_STRIDE);
    int groups = conf->attention.mode == ATTENTION_CROP ? windows_of(group, conf) : 1;
    if (groups > DAE_GROUPS_MAX)
        return fail("attention.half: found %d runs of regions with windows of one size, wanted at most %d; "
                    "attention.window gives all one size",
                    groups, DAE_GROUPS_MAX);
    for (int g = 0; g < groups && conf->attention.mode == ATTENTION_CROP; g++)
        if (check_window(conf, group[g])) return -1;
    return 0;
}

int net_check_loss_net(const config_t *conf, const config_t *net)
{
    windows_t group[CONF_REGIONS_MAX];
    bool is_instance = strcmp(net->model.norm_dae, "instance") == 0;
    int groups = conf->attention.mode == ATTENTION_CROP ? windows_of(group, conf) : 0;
    for (int g = 0; g < groups && is_instance; g++)
        if (group[g].w / ENCODER_STRIDE * (group[g].h / ENCODER_STRIDE) == 1)
            return fail(
                "%s: found norm instance for windows of %dx%d, of which E leaves one pixel; wanted another "
                "norm, or a larger attention.window",
                conf->loss.classifier, group[g].w, group[g].h);
    return 0;
}

// A stage of E, so many images at a time that what one layer writes is still in the cache when the next one
// reads it, and so many that the weights are read seldom.
static var_t stage_in_parts(const scope_t *enc, var_t (*stage)(const scope_t *s, var_t x), var_t x)
{
    int c = x->dim.c > enc->conf->model.width ? x->dim.c : enc->conf->model.width, n = x->dim.n;
    int most = PART_FLOATS / (x->dim.h * x->dim.w * c), least = (n + NODE_INPUTS_MAX - 1) / NODE_INPUTS_MAX;
    int part = most > least ? most : least, parts = 0;
    var_t y[NODE_INPUTS_MAX];
    for (int first = 0; first < n; first += part) {
        int count = n - first < part ? n - first : part;
        y[parts++] = stage(enc, count < n ? rows(x, first, count) : x);
    }
    return stack(parts, y);
}

// E of the instances.  Images do not meet in E, so this is the same mathematics; a function of the shapes
// alone, so the same bits everywhere.
static var_t encode_parts(const scope_t *enc, var_t x)
{
    const encoder_t *e = encoder_of(enc->conf);
    for (int i = 0; e->stage[i]; i++) x = stage_in_parts(enc, e->stage[i], x);
    return x;
}

// A box softer than that would let the neighbours' contrast in.
enum { SETTLE_EDGE = 2 }; // times k

static var_t centres_of(const scope_t *loc, var_t features, var_t x)
{
    const config_t *conf = loc->conf;
    int regions = conf->attention.regions;
    const sides_t *half = &conf->attention.half, *steps = &conf->attention.settle;
    double k = SETTLE_EDGE * conf->attention.sharpness, most = 0;
    var_t c = localiser_of(conf)->build(loc, features, regions, x->dim.w);
    for (int i = 0; i < 2 * regions; i++) most = fmax(most, steps->side[i / 2][i % 2]);
    for (int step = 0; step < most; step++) c = settle(x, c, half, k, steps, step);
    return c;
}

dae_t dae(const scope_t *s, var_t x, var_t jitter)
{
    const config_t *conf = s->conf;
    const sides_t *half = &conf->attention.half;
    double k = conf->attention.sharpness;
    int size = x->dim.w;
    scope_t enc = scope_in(s, "enc"), loc = scope_in(s, "loc");
    dae_t z = { .regions = { x }, .n_groups = 1 };
    z.features = z.instances = encode(&enc, x);
    if (!conf->attention.regions) return z;
    z.centres = centres_of(&loc, z.features, x);
    z.at = jitter ? add(z.centres, jitter) : z.centres;
    if (conf->attention.mode == ATTENTION_MASK) {
        z.regions[0] = mask(x, z.at, half, k);
        z.instances = encode_parts(&enc, z.regions[0]);
    } else {
        windows_t group[CONF_REGIONS_MAX];
        var_t inside[DAE_GROUPS_MAX];
        z.n_groups = windows_of(group, conf);
        for (int g = 0; g < z.n_groups; g++) {
            z.regions[g] = window(x, z.at, half, k, group[g]);
            inside[g] = encode_parts(&enc, z.regions[g]);
        }
        z.instances = paste(z.n_groups, inside, z.at, size, encoder_of(conf)->stride);
    }
    return z;
}

dae_t dae_rows(const dae_t *z, int first, int n)
{
    int N = z->centres ? z->centres->dim.w : 1;
    dae_t some = { .features = rows(z->features, first, n),
                   .centres = z->centres ? rows(z->centres, first, n) : NULL,
                   .at = z->at ? rows(z->at, first, n) : NULL,
                   .instances = rows(z->instances, first * N, n * N),
                   .n_groups = z->n_groups };
    for (int g = 0; g < z->n_groups; g++) {
        int each = z->regions[g]->dim.n / z->features->dim.n;
        some.regions[g] = rows(z->regions[g], first * each, n * each);
    }
    return some;
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
                          conf->data.size, region, columns, rows);
    return reshape(x, (shape_t){ x->dim.n, 1, 1, x->dim.w * x->dim.c });
}

var_t head(const scope_t *s, var_t pooled, const char *label, int classes)
{
    scope_t heads = scope_in(s, "head");
    return conv_layer(&heads, label, pooled, classes, 1, 1, 0, true, ACT_NONE);
}
