// The training step.
//
//   forward F(s), F(t); update DAE and G against the current D1, D2
//       (the sum of their gradients hides behind the next line)
//   update D1, D2 on t and the detached fakes of the same forward pass
//       (the sum of theirs hides behind the next step's forward)
//
// The second sum is waited for just before the next step first uses D: exact, not stale.

#include <math.h>
#include <string.h>

#include "leaf.h"
#include "nonfinite.h"
#include "pool.h"
#include "side.h"

volatile int stop_requested;

// ---- what steps leave behind ------------------------------------------------------------------------

// Centres are kept as those of the image in the data set: its displacement is taken back, and what lay where
// the edge is repeated is put on the edge.  Those that are not finite would stay in checkpoints until the
// image is seen again.
static void visit(attention_map_t *a, size_t row, const trainer_t *tr, const float *centres, const int by[2])
{
    float own[2 * CONF_REGIONS_MAX], edge = (float)tr->conf->data.size - 0.5f;
    for (int i = 0; i < 2 * a->regions; i++) {
        if (!isfinite(centres[i])) return;
        own[i] = fminf(fmaxf(centres[i] - (float)by[i % 2], -0.5f), edge);
    }
    attention_visit(a, row, tr->step, own);
}

static void note_attention(trainer_t *tr, const objective_t *o, int leaf)
{
    if (!o->wires.z.centres) return;
    size_t row = 2 * (size_t)tr->conf->attention.regions;
    const float *centres = o->wires.z.centres->x; // of s, then of t
    for (int i = 0; i < o->n; i++) {
        int at = leaf * o->n + i, by_s[2], by_t[2];
        leaf_shift(tr, o, leaf, 0, i, by_s);
        leaf_shift(tr, o, leaf, 1, i, by_t);
        visit(&tr->seen_s, tr->batch->row_s[at], tr, centres + (size_t)i * row, by_s);
        visit(&tr->seen_t, tr->batch->row_t[at], tr, centres + (size_t)(o->n + i) * row, by_t);
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
    adam_t a = { rate, conf->train.beta1, conf->train.beta2, 1.0 / tr->plan.leaves, tr->plan.ema };
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
    for (int i = 0; step == STEP_D && i < SCORES; i++) tr->score[i] = sum_of(s, tr, SUM_SCORES + i);
    if (!(step & STEPS_OF_D)) tr->accuracy = sum_of(s, tr, SUM_RIGHT) / sum_of(s, tr, SUM_KNOWN);
}

static void finish_sum(trainer_t *tr, side_t *s, const char *part)
{
    double began = now();
    tr->waited_comm += reduce_finish(s->reduce);
    s->under_way = false;
    if (trace_on) trace_add("wait for sum", part, "ranks", -1, began);
}

// A step of D that is skipped leaves the pool as it was.
static void undo_pool(trainer_t *tr)
{
    size_t image = tr->pending.image;
    tr->gan_steps--;
    for (int i = 0; i < tr->pool.samples; i++) {
        int leaf = i / tr->d->n, at = i % tr->d->n;
        float *fs = tr->pending.fakes + (2 * (size_t)leaf * (size_t)tr->d->n + (size_t)at) * image;
        image_pool_undo(&tr->pool, leaf_seed(tr), tr->gan_steps, i, fs, fs + (size_t)tr->d->n * image);
    }
}

int trainer_settle(trainer_t *tr)
{
    side_t *s = &tr->d_side;
    if (!s->under_way) return 0;
    finish_sum(tr, s, "D");
    bool is_warm = tr->pending.of == tr->label_d;
    keep_sums(tr, s, tr->pending.of->step);
    unsigned nets = is_warm ? 1u : ~0u; // D1 is the first of its parameters
    tr->d_finite = apply(tr, s, rate_of_d(tr->conf, &tr->plan, tr->pending.step), nets);
    if (tr->d_finite) {
        follow_weights(s->params, 1);
        if (!is_warm) follow_scores(s->params, tr->score);
        return 0;
    }
    int bad = nonfinite_meet(tr, tr->pending.of, s);
    if (!is_warm) undo_pool(tr);
    return bad;
}

static int finish_f(trainer_t *tr, objective_t *o)
{
    side_t *s = &tr->f_side;
    finish_sum(tr, s, "F");
    tr->stop = s->params->g[s->params->n + SUM_STOP] > 0;
    tr->is_writing = s->params->g[s->params->n + SUM_WRITING] > 0;
    keep_sums(tr, s, o->step);
    unsigned nets =
        o->step == STEP_LABEL ? 1u : ~0u; // DAE, or the classifier, is the first of its parameters
    bool finite = apply(tr, s, rate_of_f(tr->conf, &tr->plan, tr->step), nets);
    if (finite && tr->d_finite) tr->skipped = 0;
    return finite ? 0 : nonfinite_meet(tr, o, s);
}

void trainer_drop(trainer_t *tr)
{
    side_t *sides[] = { &tr->f_side, &tr->d_side };
    for (int i = 0; i < 2; i++) {
        if (sides[i]->under_way) finish_sum(tr, sides[i], i ? "D" : "F");
        memset(sides[i]->params->g, 0, (sides[i]->params->n + SUMS) * sizeof(float));
    }
    tr->seen_s.n_visits = tr->seen_t.n_visits = 0;
    tr->d_finite = true;
    tr->wants_rollback = false;
}

void trainer_reseed(trainer_t *tr)
{
    loader_reseed(tr->loader, leaf_seed(tr));
}

// ---- the step --------------------------------------------------------------------------------------

// Leaves [first, first + count), which run at once.
static void fill(trainer_t *tr, objective_t *o, int first, int count)
{
    for (int leaf = first; leaf < first + count; leaf++)
        leaf_fill(tr, side_objective(o, first, count, leaf), leaf);
}

static void observe(trainer_t *tr, const objective_t *o, int leaf)
{
    if (tr->observer.leaf) tr->observer.leaf(tr->observer.leaf_arg, tr, o, leaf);
}

static int generator_leaves(trainer_t *tr, int first, int count)
{
    objective_t *o = tr->g;
    size_t images = numel(o->wires.fs->dim);
    int from = 0;
    fill(tr, o, first, count);
    if (tr->d_side.under_way) { // D of the last step: what does not read it runs before it is waited for
        from = tape_first_use(&o->tape, &tr->model.d);
        side_forward(o, count, 0, from);
        if (trainer_settle(tr)) return -1;
    }
    side_leaves(&tr->f_side, o, first, count, from);
    for (int leaf = first; leaf < first + count; leaf++) {
        const objective_t *of = side_objective(o, first, count, leaf);
        float *fakes = tr->pending.fakes + 2 * (size_t)leaf * images;
        observe(tr, of, leaf);
        note_attention(tr, of, leaf);
        memcpy(fakes, of->wires.fs->x, images * sizeof(float));
        memcpy(fakes + images, of->wires.ft->x, images * sizeof(float));
    }
    return 0;
}

// D's gradients are known when the next step's batch is here; what they are of is kept, to be told.
static void keep_reals(trainer_t *tr)
{
    size_t n = (size_t)tr->plan.my_leaves * (size_t)tr->conf->train.microbatch;
    memcpy(tr->pending.reals[0], tr->batch->image_s, n * tr->pending.image);
    memcpy(tr->pending.reals[1], tr->batch->image_t, n * tr->pending.image);
    memcpy(tr->pending.labels[0], tr->batch->label_s, n * (size_t)tr->conf->n_labels * sizeof(int16_t));
    memcpy(tr->pending.labels[1], tr->batch->label_t, n * (size_t)tr->conf->n_labels * sizeof(int16_t));
    memcpy(tr->pending.rows, tr->batch->row_s, n * sizeof *tr->pending.rows);
    memcpy(tr->pending.rows + n, tr->batch->row_t, n * sizeof *tr->pending.rows);
    tr->pending.step = tr->step;
}

static int label_leaves(trainer_t *tr, int first, int count)
{
    fill(tr, tr->label, first, count);
    side_leaves(&tr->f_side, tr->label, first, count, 0);
    for (int leaf = first; leaf < first + count; leaf++) {
        const objective_t *of = side_objective(tr->label, first, count, leaf);
        observe(tr, of, leaf);
        note_attention(tr, of, leaf);
    }
    return 0;
}

static void exchange_fakes(trainer_t *tr, const objective_t *o, int leaf)
{
    size_t images = numel(o->wires.t->dim), image = images / (size_t)o->n;
    float *fs = tr->pending.fakes + 2 * (size_t)leaf * images, *ft = fs + images;
    for (int i = 0; i < o->n; i++)
        image_pool_exchange(&tr->pool, leaf_seed(tr), tr->gan_steps, leaf * o->n + i, fs + (size_t)i * image,
                            ft + (size_t)i * image);
}

static int discriminator_leaves(trainer_t *tr, int first, int count)
{
    objective_t *o = tr->pending.of;
    for (int leaf = first; o->step == STEP_D && leaf < first + count; leaf++) exchange_fakes(tr, o, leaf);
    fill(tr, o, first, count);
    side_leaves(&tr->d_side, o, first, count, 0);
    for (int leaf = first; leaf < first + count; leaf++)
        observe(tr, side_objective(o, first, count, leaf), leaf);
    return 0;
}

static int each_leaf(trainer_t *tr, int (*run)(trainer_t *tr, int first, int count))
{
    int all = tr->plan.my_leaves, most = tr->at_once;
    for (int first = 0; first < all; first += most)
        if (run(tr, first, all - first < most ? all - first : most)) return -1;
    return 0;
}

int trainer_step(trainer_t *tr)
{
    double began = now();
    comm_at("step %ld", tr->step + 1);
    if (tr->observer.step) tr->observer.step(tr->observer.arg, tr);
    tr->batch = loader_wait(tr->loader, tr->step, &tr->waited_data);
    if (trace_on) trace_add("wait for rows", "", "data", -1, began);
    bool is_warm = tr->label->n && (!tr->g->n || tr->step < tr->plan.label_warmup);
    objective_t *o = is_warm ? tr->label : tr->g, *d = is_warm ? tr->label_d : tr->d;
    if (tr->step + 1 < tr->plan.steps) loader_start(tr->loader, tr->step + 1);
    tr->model.f.g[tr->model.f.n + SUM_STOP] = (float)stop_requested;
    tr->model.f.g[tr->model.f.n + SUM_WRITING] = (float)tr->writes;

    if (each_leaf(tr, is_warm ? label_leaves : generator_leaves)) return -1;
    if (is_warm && trainer_settle(tr)) return -1;
    if (d->n_terms) {
        tr->pending.of = d;
        keep_reals(tr);
        each_leaf(tr, discriminator_leaves);
    }
    if (finish_f(tr, o)) return -1;
    tr->gan_steps += !is_warm;
    tr->step++;
    if (trace_on) trace_add("step", "", "", -1, began);
    return 0;
}
