// Objectives for tests: small ones of every kind, their inputs, a pass forward and back.
#ifndef TESTS_OBJECTIVE_H
#define TESTS_OBJECTIVE_H

#include "test.h"

#include "dagan/train.h"

static const char REFERENCE[] =
    "data: {source: {file: none, group: s}, target: {file: none, group: t}, size: 32}\n"
    "model: {width: 4}\n"
    "attention: {regions: 3, half: 8}\n"
    "train: {steps: 1}\n";
// Every other branch of the objective: windows, labels, overlap, augmentation, D's features, no norm in D.
static const char EVERYTHING[] =
    "data: {source: {file: none, group: s}, target: {file: none, group: t}, size: 32}\n"
    "model: {width: 4, localiser: fc, norm: {dae: group, g: layer, d: none, groups: 2}, residuals: 1}\n"
    "attention: {regions: 3, half: 5x3 5 5, mode: crop}\n"
    "labels: {eyes: 1, skin: all}\n"
    "loss: {gan: hinge, distance: discriminator, weights: {label: 1, overlap: 1}}\n"
    "train: {steps: 1, augment: {colour: true, shift: true, cutout: true}}\n";
// Without attention: the whole image is the one instance.
static const char WHOLE[] =
    "data: {source: {file: none, group: s}, target: {file: none, group: t}, size: 32}\n"
    "model: {width: 4}\n"
    "attention: {regions: 0, half: 8}\n"
    "labels: {eyes: all, skin: all}\n"
    "loss: {weights: {label: 1, overlap: 1}}\n"
    "train: {steps: 1}\n";
static const char CYCLEGAN[] =
    "data: {source: {file: none, group: s}, target: {file: none, group: t}, size: 32}\n"
    "model: {kind: cyclegan, width: 4}\n"
    "loss: {gan: lsgan, weights: {identity: 5}}\n"
    "train: {steps: 1}\n";
// Labels told from F(s), by D1 too, and regions that differ.
static const char TOLD[] =
    "data: {source: {file: none, group: s}, target: {file: none, group: t}, size: 32}\n"
    "model: {width: 4}\n"
    "attention: {regions: 2, half: 5x8 7, grid: 1 2x3, mode: crop}\n"
    "labels: {eyes: 1, skin: all}\n"
    "loss: {weights: {label: 1, label_fake: 1, label_d: 1}}\n"
    "train: {steps: 1}\n";

enum { PAIRS = 2 };

typedef struct {
    config_t conf;
    model_t model;
    objective_t o;
    float *own; // arrays of a test, freed by close_case()
} case_t;

static inline void open_case_with(case_t *e, const char *yaml, int step, const char *set)
{
    char option[64], *sets[] = { option };
    *e = (case_t){ 0 };
    snprintf(option, sizeof option, "%s", set ? set : "");
    if (config_parse(&e->conf, "test", yaml, strlen(yaml), sets, set ? 1 : 0)) fail_msg("%s", error_text());
    e->model.conf = &e->conf;
    for (int i = 0; i < e->conf.n_labels; i++) e->model.n_classes[i] = 3;
    objective_build(&e->o, &e->model, step, PAIRS);
    params_alloc(&e->model.f, 1, 0);
    params_alloc(&e->model.d, 1, 0);
    tape_plan(&e->o.tape, e->o.total);
}

static inline void open_case(case_t *e, const char *yaml, int step)
{
    open_case_with(e, yaml, step, NULL);
}

static inline void close_case(case_t *e)
{
    free(e->own);
    objective_free(&e->o);
    params_free(&e->model.d);
    params_free(&e->model.f);
}

// New inputs, the same in every tape.
static inline void fill(case_t *e, uint64_t seed)
{
    for (int i = 0; i < e->o.tape.n; i++) {
        var_t v = e->o.tape.node[i];
        if (v->n_in || v->params) continue;
        rng_t r = rng_at(seed, STREAM_TEST, (uint64_t)i, 0);
        for (size_t k = 0; k < numel(v->dim); k++)
            v->x[k] = numel(v->dim) == 2 * PAIRS ? (float)((int)rng_below(&r, 4) - 1) // labels
                                                 : 2 * rng_uniform(&r) - 1;
        for (int n = 0; n < v->dim.n && strncmp(v->name, "augment", 7) == 0; n++)
            augment_draw(v->x + n * AUGMENT_NUMBERS, &r, e->conf.data.size, true, true, true);
    }
}

static inline bool is_zero(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (x[i] != 0) return false;
    return true;
}

// From gradients of zero up to the pass back, which is up to the caller.
static inline void run(case_t *e)
{
    memset(e->model.f.g, 0, e->model.f.n * sizeof(float));
    memset(e->model.d.g, 0, e->model.d.n * sizeof(float));
    tape_forward(&e->o.tape, 0, e->o.tape.n);
    tape_backward_start(&e->o.tape, 1);
}

#endif
