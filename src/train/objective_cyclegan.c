// CycleGAN (Zhu, Park, Isola, Efros: ICCV 2017), the rival: two generators without attention, ST from s to t
// and TS from t to s, tied by the way there and back.
//
//   min over ST, TS, max over D1, D2 of  L_GAN(ST, D1) + L_GAN(TS, D2)
//       + a (|TS(ST(s)) - s| + |ST(TS(t)) - t|)  (+ b (|ST(t) - t| + |TS(s) - s|))
//
// Generators and discriminators are made of the layers of DA-GAN's, and losses gan_s, gan_t, d1 and d2 are
// shared: F(s) is ST(s); in place of F(t) stands TS(t), and D2 tells s from it.

#include "dagan/train.h"

// ST(s), TS(t), the ways back, and what the fixed D1, D2 say of the fakes.
static void build_generators(objective_t *o, wires_t *w, int n)
{
    const config_t *conf = w->conf;
    w->s = rows(o->x, 0, n);
    w->t = rows(o->x, n, n);
    if (conf->loss.weights.identity > 0) { // each of them maps both sets, in one batch
        var_t st = mapping(&w->st, o->x), ts = mapping(&w->ts, o->x);
        w->fs = rows(st, 0, n);
        w->ft = rows(ts, n, n);
        w->same_s = rows(ts, 0, n);
        w->same_t = rows(st, n, n);
    } else {
        w->fs = mapping(&w->st, w->s);
        w->ft = mapping(&w->ts, w->t);
    }
    tape_name(w->fs, "s_fake", true);
    tape_name(w->ft, "t_fake", true);
    if (conf->loss.weights.cycle > 0) {
        w->cycle_s = tape_name(mapping(&w->ts, w->fs), "s_cycle", false);
        w->cycle_t = tape_name(mapping(&w->st, w->ft), "t_cycle", false);
    }
    if (conf->loss.weights.gan_s > 0)
        w->d1_fs = discriminator(&w->d1, objective_seen(o, w->fs, "augment_s_fake"));
    if (conf->loss.weights.gan_t > 0)
        w->d2_ft = discriminator(&w->d2, objective_seen(o, w->ft, "augment_t_fake"));
}

// D1 on t and the detached ST(s), D2 on s and the detached TS(t).
static void build_discriminators(objective_t *o, wires_t *w, int n)
{
    const config_t *conf = w->conf;
    w->fs = rows(o->x, 0, n);
    w->ft = rows(o->x, n, n);
    w->s = tape_input(&o->tape, "s", w->fs->dim);
    w->t = tape_input(&o->tape, "t", w->fs->dim);
    if (conf->loss.weights.gan_s > 0) {
        var_t t = objective_seen(o, w->t, "augment_t"), fs = objective_seen(o, w->fs, "augment_s_fake");
        objective_tell(&w->d1, t, fs, &w->d1_t, &w->d1_fs);
    }
    if (conf->loss.weights.gan_t > 0) {
        var_t s = objective_seen(o, w->s, "augment_s"), ft = objective_seen(o, w->ft, "augment_t_fake");
        objective_tell(&w->d2, s, ft, &w->d2_t, &w->d2_ft);
    }
}

static void build(objective_t *o, model_t *m)
{
    const config_t *conf = m->conf;
    wires_t *w = &o->wires;
    w->st = scope_new(&o->tape, &m->f, conf, "st", conf->model.norm_g);
    w->ts = scope_new(&o->tape, &m->f, conf, "ts", conf->model.norm_g);
    w->d1 = scope_new(&o->tape, &m->d, conf, "d1", conf->model.norm_d);
    w->d2 = scope_new(&o->tape, &m->d, conf, "d2", conf->model.norm_d);
    w->d1.frozen = w->d2.frozen = o->step != STEP_D;
    if (o->step == STEP_D)
        build_discriminators(o, w, o->n);
    else
        build_generators(o, w, o->n);
    objective_name_scores(w);
}

static void build_translator(translator_t *tr, model_t *m)
{
    scope_t st = scope_new(&tr->tape, &m->f, m->conf, "st", m->conf->model.norm_g);
    st.frozen = st.averaged = true;
    tr->fx = tape_name(mapping(&st, tr->x), "fx", true);
}

const kind_t kind_cyclegan = { "cyclegan", KIND_CYCLEGAN, STEP_G | STEP_D, build, build_translator };
