// The paper on one page: F = G o DAE, its two adversaries and the terms that hold instances together.
//
//   min over DAE, G, max over D1, D2 of  L_GAN^s + L_GAN^t + a L_cst + b L_sym + c L_geo (+ pixel, overlap)
//
// s and t go through DAE and G as one batch: every op treats images one by one, so this is the same
// mathematics.

#include <stdio.h>

#include "dagan/train.h"

// `more` are classes that the labels do not have.
static void tell_labels(const scope_t *s, const dae_t *z, const model_t *m, int more, var_t logits[])
{
    for (int i = 0; i < s->conf->n_labels; i++) {
        const label_t *label = &s->conf->labels[i];
        logits[i] = head(s, dae_pool(s, z, label->region), label->name, m->n_classes[i] + more);
    }
}

static void tell_labels_d(const scope_t *d1, const disc_t *d, var_t jitter, const model_t *m, var_t logits[])
{
    if (d1->conf->loss.weights.label_d == 0) return;
    dae_t z = discriminator_attention(d1, d, jitter);
    tell_labels(d1, &z, m, 1, logits); // "a fake"
}

static void make_jitter(objective_t *o)
{
    const config_t *conf = o->wires.conf;
    bool has_regions = conf->attention.regions && (!(o->step & STEPS_OF_D) || conf->loss.weights.label_d > 0);
    if (has_regions && conf->attention.jitter > 0)
        o->jitter = tape_input(&o->tape, "jitter", (shape_t){ 2 * o->n, 1, conf->attention.regions, 2 });
}

// Of n images from `first` on: of s, or of t.
static var_t jitter_of(const objective_t *o, int first)
{
    return o->jitter ? rows(o->jitter, first, o->n) : NULL;
}

// DAE of s and t in one batch, and the labels it tells.
static void build_dae(objective_t *o, wires_t *w, const model_t *m)
{
    const config_t *conf = w->conf;
    w->z = dae(&w->dae, o->x, o->jitter);                       // Eqs. 1 to 4
    if (w->z.centres) tape_name(w->z.centres, "centres", true); // checkpoints hold them
    if (conf->loss.weights.label > 0 && conf->n_labels) tell_labels(&w->dae, &w->z, m, 0, w->logits);
}

// F(s), F(t), their instances, and what the fixed D1, D2 say of them.
static void build_generator(objective_t *o, wires_t *w, const model_t *m, int n)
{
    const config_t *conf = w->conf;
    var_t fx = generator(&w->g, &w->z); // F = G o DAE
    w->zs = dae_rows(&w->z, 0, n);
    w->zt = dae_rows(&w->z, n, n);
    w->fs = tape_name(rows(fx, 0, n), "s_fake", true);
    w->ft = tape_name(rows(fx, n, n), "t_fake", true);
    var_t jitter_s = jitter_of(o, 0), jitter_t = jitter_of(o, n);
    bool has_cst = conf->loss.weights.cst > 0, has_sym = conf->loss.weights.sym > 0;
    if (has_cst && has_sym) {
        dae_t zf = dae(&w->dae, fx, o->jitter); // Eqs. 5 and 6 compare with these
        w->zfs = dae_rows(&zf, 0, n);
        w->zft = dae_rows(&zf, n, n);
    } else if (has_cst) {
        w->zfs = dae(&w->dae, w->fs, jitter_s);
    } else if (has_sym) {
        w->zft = dae(&w->dae, w->ft, jitter_t);
    }
    if (conf->loss.weights.label_fake > 0 && conf->n_labels) {
        scope_t fixed = w->dae;
        fixed.frozen = true;
        dae_t zfs = dae(&fixed, w->fs, jitter_s);
        tell_labels(&fixed, &zfs, m, 0, w->logits_fs);
    }
    if (conf->loss.weights.gan_s > 0) {
        w->d1_fs = discriminator(&w->d1, objective_seen(o, w->fs, "augment_s_fake"));
        tell_labels_d(&w->d1, &w->d1_fs, jitter_s, m, w->d1_label_fs);
    }
    if (conf->loss.weights.gan_t > 0)
        w->d2_ft = discriminator(&w->d2, objective_seen(o, w->ft, "augment_t_fake"));
}

// D1 and D2 on t and on the detached fakes, which the caller hands in as `x`.
static void build_discriminators(objective_t *o, wires_t *w, const model_t *m)
{
    const config_t *conf = w->conf;
    w->t = tape_input(&o->tape, "t", w->fs->dim);
    if (conf->loss.weights.gan_s > 0) {
        var_t t = objective_seen(o, w->t, "augment_t1"), fs = objective_seen(o, w->fs, "augment_s_fake");
        objective_tell(&w->d1, t, fs, &w->d1_t, &w->d1_fs); // Eq. 7
        tell_labels_d(&w->d1, &w->d1_t, jitter_of(o, o->n), m, w->d1_label_t);
        tell_labels_d(&w->d1, &w->d1_fs, jitter_of(o, 0), m, w->d1_label_fs);
    }
    if (conf->loss.weights.gan_t > 0) {
        var_t t = objective_seen(o, w->t, "augment_t2"), ft = objective_seen(o, w->ft, "augment_t_fake");
        objective_tell(&w->d2, t, ft, &w->d2_t, &w->d2_ft); // Eq. 8
    }
}

// D1 learns labels while DAE does, of t alone: there are no fakes yet.
static void build_label_d(objective_t *o, wires_t *w, const model_t *m)
{
    w->t = rows(o->x, o->n, o->n);
    w->d1_t = discriminator(&w->d1, objective_seen(o, w->t, "augment_t1"));
    tell_labels_d(&w->d1, &w->d1_t, jitter_of(o, o->n), m, w->d1_label_t);
}

static void name_instances(dae_t *z, const char *of)
{
    char name[NODE_NAME_MAX];
    if (!z->instances) return;
    snprintf(name, sizeof name, "%s_centres", of);
    if (z->centres) tape_name(z->centres, name, true);
    snprintf(name, sizeof name, "%s_instances", of);
    tape_name(z->instances, name, false);
}

static void name_wires(wires_t *w)
{
    name_instances(&w->zs, "s");
    name_instances(&w->zt, "t");
    name_instances(&w->zfs, "sf");
    name_instances(&w->zft, "tf");
    objective_name_scores(w);
}

static void build(objective_t *o, model_t *m)
{
    wires_t *w = &o->wires;
    tape_t *t = &o->tape;
    const config_t *conf = w->conf;
    int n = o->n;
    w->dae = scope_new(t, &m->f, conf, "dae", conf->model.norm_dae);
    w->g = scope_new(t, &m->f, conf, "g", conf->model.norm_g);
    w->d1 = scope_new(t, &m->d, conf, "d1", conf->model.norm_d);
    w->d2 = scope_new(t, &m->d, conf, "d2", conf->model.norm_d);
    w->loss_net = loss_net_scope(t, m);
    w->d1.frozen = w->d2.frozen = !(o->step & STEPS_OF_D);
    make_jitter(o);
    if (o->step == STEP_LABEL_D) {
        build_label_d(o, w, m);
    } else if (o->step == STEP_D) {
        w->fs = rows(o->x, 0, n);
        w->ft = rows(o->x, n, n);
        build_discriminators(o, w, m);
    } else {
        w->s = rows(o->x, 0, n);
        w->t = rows(o->x, n, n);
        build_dae(o, w, m);
        if (o->step == STEP_G) build_generator(o, w, m, n);
    }
    name_wires(w);
}

static void build_translator(translator_t *tr, model_t *m)
{
    const config_t *conf = m->conf;
    scope_t enc = scope_new(&tr->tape, &m->f, conf, "dae", conf->model.norm_dae);
    scope_t gen = scope_new(&tr->tape, &m->f, conf, "g", conf->model.norm_g);
    enc.frozen = gen.frozen = enc.averaged = gen.averaged = true;
    tr->z = dae(&enc, tr->x, NULL);
    if (tr->z.centres) tape_name(tr->z.centres, "centres", true);
    if (conf->loss.weights.label > 0 && m->n_classes[0]) tell_labels(&enc, &tr->z, m, 0, tr->logits);
    for (int i = 0; i < conf->n_labels && tr->logits[i]; i++)
        tape_name(tr->logits[i], conf->labels[i].name, true);
    tr->fx = tape_name(generator(&gen, &tr->z), "fx", true);
}

const kind_t kind_dagan = { "dagan", KIND_DAGAN, STEP_G | STEP_D | STEP_LABEL | STEP_LABEL_D, build,
                            build_translator };
