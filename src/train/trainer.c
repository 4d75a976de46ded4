// The training step.
//
//   forward F(s), F(t), update DAE and G against the current D1, D2     (sum of its gradients hides behind
//   the next line) update D1, D2 on t and the detached fakes of the same forward pass  (its sum hides behind
//   the next step's forward)
//
// The second sum is waited for just before the next step first uses D: exact, not stale.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "best.h"
#include "pool.h"
#include "side.h"

volatile int stop_requested;

// ---- set up ----------------------------------------------------------------------------------------

static void between(void *arg)
{
    trainer_t *tr = arg;
    if (tr->f_side.under_way) reduce_poll(tr->f_side.reduce);
    if (tr->d_side.under_way) reduce_poll(tr->d_side.reduce);
    loader_poll(tr->loader);
}

static int open_data(trainer_t *tr)
{
    const config_t *conf = tr->conf;
    const comm_t *c = tr->comm;
    int size = conf->data.size, n = conf->n_labels;
    if (dataset_open(&tr->source, c, &conf->data.source, "train", size, conf->labels, n)) return -1;
    if (dataset_open(&tr->target, c, &conf->data.target, "train", size, conf->labels, n)) return -1;
    dataset_t *train[] = { &tr->source, &tr->target }, *test[] = { &tr->source_test, &tr->target_test };
    const domain_conf_t *where[] = { &conf->data.source, &conf->data.target };
    for (int i = 0; i < 2; i++) {
        tr->shown[i] = train[i];
        if (!dataset_has(c, where[i], "test")) continue;
        bool is_told =
            !(kind_of(conf)->steps & STEP_G); // a classifier is judged by the labels of test images
        if (dataset_open(test[i], c, where[i], "test", size, conf->labels, is_told ? n : 0)) return -1;
        tr->shown[i] = test[i];
    }
    tr->source.held_out = tr->target.held_out = (size_t)conf->data.validation;
    int bad = dataset_same_classes(&tr->source, &tr->target);
    memcpy(tr->model.n_classes, tr->source.n_classes, sizeof tr->model.n_classes);
    const dataset_t *sets[] = { &tr->source, &tr->target };
    for (int i = 0; i < 2 && !bad; i++)
        if (sets[i]->n < (size_t)tr->plan.batch + sets[i]->held_out)
            bad = fail("%s: has %zu images%s, wanted at least train.batch, %d", sets[i]->name,
                       sets[i]->n - sets[i]->held_out, sets[i]->held_out ? " beside data.validation" : "",
                       tr->plan.batch);
    return comm_agree(c, bad, error_text()) ? -1 : 0;
}

static void plan_objective(trainer_t *tr, objective_t *o, side_t *side, bool keeps_wires)
{
    o->tape.keeps_all = keeps_wires;
    tape_plan(&o->tape, o->total);
    o->tape.between = between;
    o->tape.between_arg = tr;
    side_schedule(side, o);
}

static void build(trainer_t *tr, bool keeps_wires)
{
    const config_t *conf = tr->conf;
    model_t *m = &tr->model;
    int leaf = conf->train.microbatch;
    m->conf = conf;
    objective_t *const o[] = { &tr->g, &tr->label, &tr->d };
    const int step[] = { STEP_G, STEP_LABEL, STEP_D };
    for (int i = 0; i < 3; i++)
        if (kind_takes(conf, step[i])) objective_build(o[i], m, step[i], leaf);
    params_alloc(&m->f, (uint64_t)conf->run.seed, SUMS);
    params_alloc(&m->d, (uint64_t)conf->run.seed, SUMS);
    if (conf->train.ema == 0) params_share_average(&m->f);
    params_share_average(&m->d);
    side_init(&tr->f_side, tr->comm, conf, &m->f, "gradients of F", tr->plan.my_leaves);
    side_init(&tr->d_side, tr->comm, conf, &m->d, "gradients of D", tr->plan.my_leaves);
    for (int i = 0; i < 3; i++)
        if (kind_takes(conf, step[i]))
            plan_objective(tr, o[i], step[i] == STEP_D ? &tr->d_side : &tr->f_side, keeps_wires);
    size_t image = (size_t)conf->data.size * (size_t)conf->data.size * 3;
    tr->fakes = alloc((size_t)tr->plan.my_leaves * (size_t)leaf * 2 * image, sizeof(float));
    image_pool_init(&tr->pool, conf, &tr->plan);
    translator_build(&tr->translator, m, 1);
    tape_plan(&tr->translator.tape, NULL);
}

static void name_metrics(trainer_t *tr)
{
    static const char *const first[] = { "step",        "epoch",    "seconds", "pairs_per_s", "wait_data_s",
                                         "wait_comm_s", "peak_mib", "rate_g",  "rate_d" };
    char name[METRIC_NAME_MAX];
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) metrics_column(&tr->metrics, first[i]);
    for (int i = 0; losses[i]; i++) {
        if (!kind_has_loss(tr->conf, losses[i])) continue;
        snprintf(name, sizeof name, "loss_%s", losses[i]->name);
        metrics_column(&tr->metrics, name);
    }
    if (tr->conf->n_labels) metrics_column(&tr->metrics, "label_accuracy");
    metrics_column(&tr->metrics, "norm_g");
    metrics_column(&tr->metrics, "norm_d");
}

int trainer_init(trainer_t *tr, const comm_t *c, const config_t *conf, bool keeps_wires)
{
    *tr = (trainer_t){ .comm = c, .conf = conf, .began = now(), .d_finite = true, .best_figure = INFINITY };
    int bad = kind_check(conf) || plan_run(&tr->plan, conf, c->rank, c->size);
    if (comm_agree(c, bad, error_text())) return -1;
    if (open_data(tr)) return -1;
    build(tr, keeps_wires);
    int leaf = conf->train.microbatch;
    tr->loader = loader_new(&tr->source, &tr->target, (uint64_t)conf->run.seed, tr->plan.batch,
                            tr->plan.first_leaf * leaf, tr->plan.my_leaves * leaf);
    int regions = translator_regions(&tr->translator);
    attention_init(&tr->seen_s, c, tr->source.n, regions);
    attention_init(&tr->seen_t, c, tr->target.n, regions);
    name_metrics(tr);
    return best_open(tr);
}

void trainer_free(trainer_t *tr)
{
    best_close(tr);
    metrics_free(&tr->metrics);
    attention_free(&tr->seen_t);
    attention_free(&tr->seen_s);
    if (tr->loader) loader_free(tr->loader);
    translator_free(&tr->translator);
    image_pool_free(&tr->pool);
    free(tr->fakes);
    side_free(&tr->d_side);
    side_free(&tr->f_side);
    objective_free(&tr->d);
    objective_free(&tr->label);
    objective_free(&tr->g);
    params_free(&tr->model.d);
    params_free(&tr->model.f);
    if (tr->shown[1] == &tr->target_test) dataset_close(&tr->target_test);
    if (tr->shown[0] == &tr->source_test) dataset_close(&tr->source_test);
    dataset_close(&tr->target);
    dataset_close(&tr->source);
}

// ---- filling a leaf --------------------------------------------------------------------------------

static void fill_images(trainer_t *tr, objective_t *o, const batch_t *b, int first)
{
    size_t image = (size_t)tr->source.h * (size_t)tr->source.w * 3, n = (size_t)o->n;
    pixels_to_float(o->x->x, b->image_s + (size_t)first * image, n * image);
    pixels_to_float(o->x->x + n * image, b->image_t + (size_t)first * image, n * image);
    for (int k = 0; k < tr->conf->n_labels; k++)
        for (int i = 0; i < o->n; i++) {
            o->wires.label[k]->x[i] = b->label_s[(first + i) * tr->conf->n_labels + k];
            o->wires.label[k]->x[o->n + i] = b->label_t[(first + i) * tr->conf->n_labels + k];
        }
}

// Every image that a discriminator sees gets numbers of its own, by step, sample of the batch and place.
static void fill_augmentation(const trainer_t *tr, objective_t *o, int first)
{
    const config_t *conf = tr->conf;
    for (int k = 0; k < o->n_augment; k++)
        for (int i = 0; i < o->augment[k]->dim.n; i++) {
            uint64_t sample = (uint64_t)(tr->plan.first_leaf * conf->train.microbatch + first + i % o->n);
            uint64_t place = (uint64_t)(k + i / o->n); // of s, then of t, where both stand in one batch
            rng_t r = rng_at((uint64_t)conf->run.seed, STREAM_AUGMENT, (uint64_t)tr->step,
                             (sample * 4 + place) * 8 + (uint64_t)o->step);
            augment_draw(o->augment[k]->x + i * AUGMENT_NUMBERS, &r, conf->data.size,
                         conf->train.augment_colour, conf->train.augment_shift, conf->train.augment_cutout);
        }
}

static void note_attention(trainer_t *tr, const objective_t *o, const batch_t *b, int first)
{
    if (!o->wires.z.centres) return;
    int regions = tr->conf->attention.regions;
    const float *centres = o->wires.z.centres->x; // of s, then of t
    for (int i = 0; i < o->n; i++) {
        attention_visit(&tr->seen_s, b->row_s[first + i], tr->step, centres + 2 * i * regions);
        attention_visit(&tr->seen_t, b->row_t[first + i], tr->step, centres + 2 * (o->n + i) * regions);
    }
}

// ---- updates ---------------------------------------------------------------------------------------

// Applies a reduced gradient, or skips it where it is not finite.  Every rank holds the same sums, so every
// rank decides the same.
static bool apply(trainer_t *tr, side_t *s, double rate, unsigned nets)
{
    const config_t *conf = tr->conf;
    if (tr->observer.gradients)
        tr->observer.gradients(tr->observer.gradients_arg[s == &tr->d_side], s->params);
    double began = now();
    s->norm = gradient_norm(s->params) / tr->plan.leaves;
    bool finite = isfinite(s->norm);
    for (int i = SUM_LOSSES; i < SUMS; i++) finite &= isfinite(s->params->g[s->params->n + (size_t)i]) != 0;
    adam_t a = { rate, conf->train.beta1, conf->train.beta2, 1.0 / tr->plan.leaves, conf->train.ema };
    if (conf->train.clip > 0 && s->norm > conf->train.clip) a.scale *= conf->train.clip / s->norm;
    if (finite)
        adam_update(s->params, &a, nets);
    else
        memset(s->params->g, 0, (s->params->n + SUMS) * sizeof(float));
    if (trace_on) trace_add("adam", s == &tr->d_side ? "D" : "F", "update", -1, began);
    return finite;
}

static double sum_of(const side_t *s, const trainer_t *tr, int slot)
{
    return (double)s->params->g[s->params->n + (size_t)slot] / tr->plan.leaves;
}

static void keep_sums(trainer_t *tr, const side_t *s, int step)
{
    for (int i = 0; losses[i]; i++)
        if (losses[i]->steps & step) tr->loss[i] = sum_of(s, tr, side_sum(losses[i]->name, step));
    if (step != STEP_D) tr->accuracy = sum_of(s, tr, SUM_ACCURACY);
}

static int note_finite(trainer_t *tr, bool finite, const char *whose)
{
    if (finite) return 0;
    tr->skipped++;
    bool stop = tr->conf->train.nonfinite == NONFINITE_STOP || tr->skipped > tr->conf->train.nonfinite_max;
    for (int i = 0; losses[i]; i++)
        if (!isfinite(tr->loss[i]))
            return stop ? fail("step %ld: loss %s is %g", tr->step, losses[i]->name, tr->loss[i]) : 0;
    return stop ? fail("step %ld: %s are not finite", tr->step, whose) : 0;
}

static void finish_sum(trainer_t *tr, side_t *s, const char *part)
{
    double began = now();
    tr->waited_comm += reduce_finish(s->reduce);
    s->under_way = false;
    if (trace_on) trace_add("wait for sum", part, "ranks", -1, began);
}

int trainer_settle(trainer_t *tr)
{
    side_t *s = &tr->d_side;
    if (!s->under_way) return 0;
    finish_sum(tr, s, "D");
    keep_sums(tr, s, STEP_D);
    tr->d_finite = apply(tr, s, rate_at(tr->conf, &tr->plan, tr->conf->train.rate_d, tr->d_step), ~0u);
    return note_finite(tr, tr->d_finite, "gradients of D");
}

static int finish_f(trainer_t *tr, int step)
{
    side_t *s = &tr->f_side;
    finish_sum(tr, s, "F");
    tr->stop = s->params->g[s->params->n + SUM_STOP] > 0;
    keep_sums(tr, s, step);
    unsigned nets = step == STEP_LABEL ? 1u : ~0u; // DAE, or the classifier, is the first of its parameters
    bool finite = apply(tr, s, rate_of_f(tr->conf, &tr->plan, tr->step), nets);
    if (finite && tr->d_finite) tr->skipped = 0;
    return note_finite(tr, finite, "gradients of F");
}

// ---- the step --------------------------------------------------------------------------------------

static int generator_leaf(trainer_t *tr, const batch_t *b, int leaf)
{
    objective_t *o = &tr->g;
    size_t images = numel(o->wires.fs->dim);
    int first = leaf * o->n, use_of_d = tape_first_use(&o->tape, &tr->model.d);
    fill_images(tr, o, b, first);
    fill_augmentation(tr, o, first);
    tape_forward(&o->tape, 0, use_of_d);
    if (trainer_settle(tr)) return -1;
    side_leaf(&tr->f_side, o, leaf, use_of_d);
    if (tr->observer.leaf) tr->observer.leaf(tr->observer.leaf_arg, tr, o, leaf);
    note_attention(tr, o, b, first);
    memcpy(tr->fakes + 2 * (size_t)leaf * images, o->wires.fs->x, images * sizeof(float));
    memcpy(tr->fakes + (2 * (size_t)leaf + 1) * images, o->wires.ft->x, images * sizeof(float));
    return 0;
}

static void discriminator_leaf(trainer_t *tr, const batch_t *b, int leaf)
{
    objective_t *o = &tr->d;
    size_t images = numel(o->wires.t->dim), image = images / (size_t)o->n;
    float *fs = tr->fakes + 2 * (size_t)leaf * images, *ft = fs + images;
    for (int i = 0; i < o->n; i++)
        image_pool_exchange(&tr->pool, (uint64_t)tr->conf->run.seed, tr->gan_steps, leaf * o->n + i,
                            fs + (size_t)i * image, ft + (size_t)i * image);
    memcpy(o->x->x, fs, 2 * images * sizeof(float));
    pixels_to_float(o->wires.t->x, b->image_t + (size_t)leaf * images, images);
    if (o->wires.s) pixels_to_float(o->wires.s->x, b->image_s + (size_t)leaf * images, images);
    fill_augmentation(tr, o, leaf * o->n);
    side_leaf(&tr->d_side, o, leaf, 0);
    if (tr->observer.leaf) tr->observer.leaf(tr->observer.leaf_arg, tr, o, leaf);
}

int trainer_step(trainer_t *tr)
{
    double began = now();
    const batch_t *b = loader_wait(tr->loader, tr->step, &tr->waited_data);
    if (trace_on) trace_add("wait for rows", "", "data", -1, began);
    bool is_warm = tr->label.n && (!tr->g.n || tr->step < tr->conf->train.label_warmup);
    if (tr->step + 1 < tr->plan.steps) loader_start(tr->loader, tr->step + 1);
    tr->model.f.g[tr->model.f.n + SUM_STOP] = (float)stop_requested;

    for (int leaf = 0; leaf < tr->plan.my_leaves; leaf++) {
        if (is_warm) {
            fill_images(tr, &tr->label, b, leaf * tr->label.n);
            fill_augmentation(tr, &tr->label, leaf * tr->label.n);
            side_leaf(&tr->f_side, &tr->label, leaf, 0);
            note_attention(tr, &tr->label, b, leaf * tr->label.n);
        } else if (generator_leaf(tr, b, leaf)) {
            return -1;
        }
    }
    tr->d_step = tr->step;
    for (int leaf = 0; leaf < tr->plan.my_leaves && !is_warm && tr->d.n_terms; leaf++)
        discriminator_leaf(tr, b, leaf);
    if (finish_f(tr, is_warm ? STEP_LABEL : STEP_G)) return -1;
    tr->gan_steps += !is_warm;
    tr->step++;
    return 0;
}
