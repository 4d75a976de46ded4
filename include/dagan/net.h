// net: the networks DAE, G, D1 and D2, written in ops.  Every function appends to a tape; none communicates.
#ifndef DAGAN_NET_H
#define DAGAN_NET_H

#include "dagan/op.h"

// How a tape sees one network: where its parameters live, what they are called and whether they are trained.
typedef struct {
    tape_t *tape;
    params_t *params;
    const config_t *conf;
    const char *norm;         // instance, group, layer or none
    bool frozen;              // gradients pass through, none are kept
    bool averaged;            // the EMA weights
    bool spectral;            // convolutions divide their weights by their spectral norm
    char path[VIEW_NAME_MAX]; // "dae.enc"
} scope_t;

scope_t scope_new(tape_t *t, params_t *p, const config_t *conf, const char *net, const char *norm);
// The same below "path.name"; `name` as printf has it.
scope_t scope_in(const scope_t *s, const char *name, ...) __attribute__((format(printf, 2, 3)));

// The layers all networks are made of; parameters are added under the scope's path on first use.  Stride
// UPSAMPLE: of x upsampled x2.
enum { UPSAMPLE = 0 };
var_t conv_layer(const scope_t *s, const char *name, var_t x, int out, int size, int stride, int pad,
                 bool bias, act_t act);
// Numbers (1, 1, 1, n) that no gradient trains (train/follow.c), among the network's parameters.
var_t untrained(const scope_t *s, const char *layer, const char *name, init_t init, int n);
var_t norm_layer(const scope_t *s, const char *name, var_t x, act_t act);
// conv without bias, then norm, then act: names "c1", "n1".  With norm `none`: conv with bias, then act.
var_t conv_norm(const scope_t *s, const char *conv_name, const char *norm_name, var_t x, int out, int size,
                int stride, int pad, act_t act);
// x + norm2(conv2(relu(norm1(conv1(x))))).
var_t residual(const scope_t *s, var_t x);

// ---- encoders and localisers: the folders encoder/ and localiser/ are the registries ---------------

// What G upsamples by, and data.size and WINDOW_STEP are multiples of.
enum { ENCODER_STRIDE = 4 };

enum { ENCODER_STAGES_MAX = 4 };

// Features of images (n, H, W, 3): (n, H / stride, W / stride, c), by stages, each of what the one before it
// gives; NULL after the last.  The first layer of a stage is its largest: width channels, or as many as it
// reads.
typedef struct {
    const char *name;
    int stride;
    var_t (*stage[ENCODER_STAGES_MAX + 1])(const scope_t *s, var_t x);
} encoder_t;

// Centres (n, 1, N', 2) in pixels of images of `size`, from features.
typedef struct {
    const char *name;
    var_t (*build)(const scope_t *s, var_t features, int regions, int size);
} localiser_t;

extern const encoder_t *const encoders[];     // ends with NULL
extern const localiser_t *const localisers[]; // ends with NULL
// Those of the configuration, NULL where net_check would say so.
const encoder_t *encoder_of(const config_t *conf);
const localiser_t *localiser_of(const config_t *conf);

// Features of x by `model.encoder`.
var_t encode(const scope_t *s, var_t x);
// Checks that the names in the configuration exist and their sizes fit.  0, or -1 after fail().
int net_check(const config_t *conf);
// The same of the classifier `net` of loss.distance classifier, in the windows of conf.
int net_check_loss_net(const config_t *conf, const config_t *net);

// ---- the networks ----------------------------------------------------------------------------------

enum { DAE_GROUPS_MAX = 16 }; // as many distances make a weighted_sum

// DAE(X): Eqs. 1 to 4.  Without regions (attention.regions 0) centres is NULL, the region is X and the
// instance E(X).
typedef struct {
    var_t features;  // E(X)                    (n, h, w, c)
    var_t centres;   // Eq. 1, then attention.settle: (n, 1, N', 2)
    var_t at;        // where the regions lie: there, or displaced from there by attention.jitter
    var_t instances; // Inst_i = E(R_i), Eq. 3  (n * N', h, w, c)
    // R_i = X o M_i, (n * N', H, W, 3); in crop mode the windows, neighbours of one size in one group.
    var_t regions[DAE_GROUPS_MAX];
    int n_groups;
} dae_t;

// `jitter` (n, 1, N', 2) displaces regions in pixels; NULL: it does not.  A part that must stay in view
// wherever its region is displaced to is in the middle of it.
dae_t dae(const scope_t *s, var_t x, var_t jitter);
// The images [first, first + n) of what dae() made of a batch.
dae_t dae_rows(const dae_t *z, int first, int n);

// G: an image (n, H, W, 3) in [-1, 1] from the instances.
var_t generator(const scope_t *s, const dae_t *z);
// A generator of CycleGAN: an image from an image, through E and the layers of G, without attention.
var_t mapping(const scope_t *s, var_t x);

typedef struct {
    var_t fine;     // after two strides
    var_t features; // before the last convolution
    var_t score;    // (n, h, w, 1), no sigmoid
    var_t averages; // (1, 1, 1, 2) of scores of real and of fake images, NULL without loss.weights.lecam
} disc_t;

disc_t discriminator(const scope_t *s, var_t x);
// D1's own attention, for labels: like dae(), displaced by `jitter` as there, but all regions share the map
// of their image.  A head on it tells a target's class, or class number `classes`, a fake.
dae_t discriminator_attention(const scope_t *s, const disc_t *d, var_t jitter);

// The classifier of whole images that figures rest on: features (n, 1, 1, CLASSIFIER_FEATURES) for its heads.
enum { CLASSIFIER_FEATURES = 128 };
var_t classifier(const scope_t *s, var_t x);

// What the frozen network of loss.distance classifier sees in images (n, H, W, 3), sides multiples of 4:
// (n, H / 4, W / 4, c).  Of a classifier, whose configuration is s->conf, the map that its heads average; of
// VGG16, s->conf NULL, block3_conv3.
var_t loss_net(const scope_t *s, var_t x);

// What a head reads of DAE(X), (n, 1, 1, features): the instance of a region averaged under its mask in each
// part of attention.grid, or of all regions (CONF_REGION_ALL), each averaged as a whole; without regions E(X)
// averaged.
var_t dae_pool(const scope_t *s, const dae_t *z, int region);
// The classifier of one label: logits (n, 1, 1, classes) from what it reads.
var_t head(const scope_t *s, var_t pooled, const char *label, int classes);

#endif
