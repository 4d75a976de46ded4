// Sets a trainer up and takes it down.

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"
#include "side.h"

enum { POWER_ITERATIONS = 15 }; // of spectral norms at first, PyTorch's; then one a step

static void between(void *arg)
{
    trainer_t *tr = arg;
    if (tr->f_side.under_way) reduce_poll(tr->f_side.reduce);
    if (tr->d_side.under_way) reduce_poll(tr->d_side.reduce);
    loader_poll(tr->loader);
}

int trainer_check_data(const config_t *conf, const plan_run_t *plan, const dataset_t *source,
                       const dataset_t *target)
{
    const dataset_t *sets[] = { source, target };
    size_t held_out = (size_t)conf->data.validation;
    char grown[96] = "";
    if (plan->grown) snprintf(grown, sizeof grown, " (%d, grown for the number of ranks)", conf->train.batch);
    for (int i = 0; i < 2; i++) {
        size_t left = sets[i]->n > held_out ? sets[i]->n - held_out : 0;
        if (left < (size_t)plan->batch)
            return fail("%s: has %zu images%s, wanted at least train.batch, %d%s", sets[i]->name, left,
                        held_out ? " beside data.validation" : "", plan->batch, grown);
    }
    return dataset_same_classes(source, target);
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
    bool is_told = !(kind_of(conf)->steps & STEP_G); // a classifier is judged by the labels of test images
    for (int i = 0; i < 2; i++) {
        tr->shown[i] = train[i];
        if (!dataset_has(c, where[i], "test")) continue;
        if (dataset_open(test[i], c, where[i], "test", size, conf->labels, is_told ? n : 0)) return -1;
        tr->shown[i] = test[i];
    }
    tr->source.held_out = tr->target.held_out = (size_t)conf->data.validation;
    int bad = trainer_check_data(conf, &tr->plan, &tr->source, &tr->target);
    for (int i = 0; i < 2 && !bad && is_told; i++) bad = dataset_same_classes(&tr->source, tr->shown[i]);
    memcpy(tr->model.n_classes, tr->source.n_classes, sizeof tr->model.n_classes);
    return comm_agree(c, bad, error_text()) ? -1 : 0;
}

static void plan_objective(trainer_t *tr, objective_t *o, bool keeps_wires)
{
    if (!o->n) return;
    for (int i = 0; i < tr->at_once; i++) o[i].tape.keeps_all = keeps_wires;
    side_plan(o->step & STEPS_OF_D ? &tr->d_side : &tr->f_side, o);
    o->tape.between = between; // of the tape on the main thread alone, which sends
    o->tape.between_arg = tr;
}

static int build(trainer_t *tr, bool keeps_wires)
{
    const config_t *conf = tr->conf;
    model_t *m = &tr->model;
    int leaf = conf->train.microbatch;
    m->conf = conf;
    if (loss_net_find(m, tr->comm)) return -1;
    size_t at_once = (size_t)(tr->at_once = tally_at_once(tr->plan.my_leaves, omp_get_max_threads()));
    objective_t **const o[] = { &tr->g, &tr->label, &tr->d, &tr->label_d };
    for (int i = 0; i < 4; i++) *o[i] = alloc(at_once, sizeof(objective_t));
    for (size_t i = 0; i < at_once; i++) model_build(m, &tr->g[i], &tr->label[i], &tr->d[i], &tr->label_d[i]);
    params_alloc(&m->f, (uint64_t)conf->run.seed, SUMS);
    params_alloc(&m->d, (uint64_t)conf->run.seed, SUMS);
    follow_weights(&m->d, POWER_ITERATIONS);
    if (loss_net_load(m, tr->comm)) return -1;
    if (conf->train.ema == 0) params_share_average(&m->f);
    params_share_average(&m->d);
    side_init(&tr->f_side, tr->comm, conf, &m->f, "gradients of F", tr->plan.my_leaves, tr->at_once);
    side_init(&tr->d_side, tr->comm, conf, &m->d, "gradients of D", tr->plan.my_leaves, tr->at_once);
    for (int i = 0; i < 4; i++) plan_objective(tr, *o[i], keeps_wires);
    size_t image = tr->pending.image = (size_t)conf->data.size * (size_t)conf->data.size * 3;
    tr->pending.fakes = alloc((size_t)tr->plan.my_leaves * (size_t)leaf * 2 * image, sizeof(float));
    for (int i = 0; i < 2; i++) {
        tr->pending.reals[i] = alloc((size_t)tr->plan.my_leaves * (size_t)leaf, image);
        tr->pending.labels[i] =
            alloc((size_t)(tr->plan.my_leaves * leaf * conf->n_labels + 1), sizeof(int16_t));
    }
    tr->pending.rows = alloc((size_t)tr->plan.my_leaves * (size_t)leaf, 2 * sizeof *tr->pending.rows);
    image_pool_init(&tr->pool, conf, &tr->plan);
    translator_build(&tr->translator, m, 1);
    tape_plan(&tr->translator.tape, NULL);
    return 0;
}

static void name_metrics(trainer_t *tr)
{
    static const char *const first[] = { "step",        "epoch",    "seconds", "pairs_per_s", "wait_data_s",
                                         "wait_comm_s", "peak_mib", "rate_g",  "rate_d" };
    char name[METRIC_NAME_MAX];
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) metrics_column(&tr->metrics, first[i]);
    for (int i = 0; losses[i]; i++) {
        CHECK(i < OBJECTIVE_TERMS_MAX, "more than %d losses", OBJECTIVE_TERMS_MAX);
        if (!kind_has_loss(tr->conf, losses[i])) continue;
        snprintf(name, sizeof name, "loss_%s", losses[i]->name);
        metrics_column(&tr->metrics, name);
    }
    if (kind_tells_labels(tr->conf)) metrics_column(&tr->metrics, "label_accuracy");
    metrics_column(&tr->metrics, "norm_g");
    metrics_column(&tr->metrics, "norm_d");
    metrics_column(&tr->metrics, "checkpoint_s");
}

int trainer_init(trainer_t *tr, const comm_t *c, const config_t *conf, begun_t begun, bool keeps_wires)
{
    *tr = (trainer_t){ .comm = c, .conf = conf, .began = now(), .d_finite = true, .best_figure = INFINITY };
    int bad = kind_check(conf) || plan_run(&tr->plan, conf, c->rank, c->size, begun);
    if (comm_agree(c, bad, error_text())) return -1;
    if (open_data(tr)) return -1;
    if (build(tr, keeps_wires)) return -1;
    int leaf = conf->train.microbatch;
    tr->loader = loader_new(&tr->source, &tr->target, (uint64_t)conf->run.seed, tr->plan.batch,
                            tr->plan.first_leaf * leaf, tr->plan.my_leaves * leaf);
    int regions = translator_regions(&tr->translator);
    attention_init(&tr->seen_s, c, tr->source.n, regions);
    attention_init(&tr->seen_t, c, tr->target.n, regions);
    name_metrics(tr);
    return 0;
}

void trainer_free(trainer_t *tr)
{
    free(tr->config_before);
    metrics_free(&tr->metrics);
    attention_free(&tr->seen_t);
    attention_free(&tr->seen_s);
    if (tr->loader) loader_free(tr->loader);
    translator_free(&tr->translator);
    image_pool_free(&tr->pool);
    free(tr->pending.rows);
    for (int i = 0; i < 2; i++) {
        free(tr->pending.labels[i]);
        free(tr->pending.reals[i]);
    }
    free(tr->pending.fakes);
    side_free(&tr->d_side);
    side_free(&tr->f_side);
    objective_t *const o[] = { tr->label_d, tr->d, tr->label, tr->g };
    for (int i = 0; i < 4; i++) {
        for (int k = 0; o[i] && k < tr->at_once; k++) objective_free(&o[i][k]);
        free(o[i]);
    }
    loss_net_free(&tr->model);
    params_free(&tr->model.d);
    params_free(&tr->model.f);
    if (tr->shown[1] == &tr->target_test) dataset_close(&tr->target_test);
    if (tr->shown[0] == &tr->source_test) dataset_close(&tr->source_test);
    dataset_close(&tr->target);
    dataset_close(&tr->source);
}
