// loss: the terms of the objective, each a scalar made of the objective's named quantities.
#ifndef DAGAN_LOSS_H
#define DAGAN_LOSS_H

#include "dagan/net.h"

// The kinds of model a loss belongs to, and the steps it takes part in.
enum { KIND_DAGAN = 1, KIND_CYCLEGAN = 2, KIND_CLASSIFIER = 4 };
enum { STEP_G = 1, STEP_D = 2, STEP_LABEL = 4, STEP_LABEL_D = 8 };
enum { STEPS_OF_D = STEP_D | STEP_LABEL_D }; // those that train D1 and D2

// The named quantities of one leaf of n pairs, as train/objective.c makes them.  What a step does not need is
// NULL.
typedef struct {
    const config_t *conf;
    scope_t dae, g, d1, d2; // how this tape sees each network
    scope_t loss_net;       // of loss.distance classifier
    var_t s, t, fs, ft;     // s, t, F(s) = s', F(t) = t'    (n, H, W, 3)
    dae_t zs, zt, zfs, zft; // DAE of each
    disc_t d1_t, d1_fs;     // D1 tells t from F(s)
    disc_t d2_t, d2_ft;     // D2 tells t from F(t)
    scope_t st, ts;         // CycleGAN's generators: s to t, t to s; ft is then TS(t), which D2 tells from s
    var_t cycle_s, cycle_t; // TS(ST(s)), ST(TS(t))
    var_t same_s, same_t;   // TS(s), ST(t)
    dae_t z;                // DAE of s and t in one batch of 2n
    var_t logits[CONF_LABELS_MAX];    // the labels that DAE tells, (2n, 1, 1, classes)
    var_t label[CONF_LABELS_MAX];     // (2n, 1, 1, 1) class numbers of s, then t
    var_t logits_fs[CONF_LABELS_MAX]; // the labels that a fixed DAE tells of F(s), (n, 1, 1, classes)
    var_t d1_label_t[CONF_LABELS_MAX], d1_label_fs[CONF_LABELS_MAX]; // the labels, or a fake, that D1 tells
    var_t right[CONF_LABELS_MAX]; // set by loss/label.c: accuracy() of each label
} wires_t;

typedef struct {
    const char *name; // loss_NAME in metrics.csv, /loss/NAME of a dump, loss.weights.NAME where it has a key:
                      // d1, d2 and d1_label come with gan_s, gan_t and label_d
    int kinds, steps; // KIND_* and STEP_* bits
    double (*weight)(const config_t *conf); // 0: the term is not built
    var_t (*build)(tape_t *t, wires_t *w);
} loss_t;

extern const loss_t *const losses[]; // one for each file of src/loss/ that defines loss_NAME; ends with NULL

// d of Eqs. 5 and 6 between the instances of two images, by `loss.distance`; `d` is the discriminator whose
// features of the regions are compared where the distance is `discriminator`; `classifier` compares those of
// w->loss_net.
var_t instance_distance(const wires_t *w, const dae_t *a, const dae_t *b, const scope_t *d);

// d of L_geo: the mean over the labels of the cross-entropies between what was told, `logits`, and what is
// true.
var_t label_distance(tape_t *t, const config_t *conf, const var_t logits[], const var_t label[]);

// Eqs. 7 and 8 in the form `loss.gan`: what the discriminator minimises on real and fake, and what F
// minimises.
var_t gan_discriminator(gan_t form, var_t real, var_t fake);
var_t gan_generator(gan_t form, var_t fake);

#endif
