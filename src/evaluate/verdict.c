// What a classifier says of a whole set, which ranks look at together: one image at a time, so that it
// depends on the image alone.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dagan/evaluate.h"

static void softmax(float *p, const float *logit, int classes)
{
    double sum = 0, max = logit[0];
    for (int k = 1; k < classes; k++) max = fmax(max, logit[k]);
    for (int k = 0; k < classes; k++) sum += exp(logit[k] - max);
    for (int k = 0; k < classes; k++) p[k] = (float)(exp(logit[k] - max) / sum);
}

void verdict_init(verdict_t *v, const judge_t *j, const comm_t *c, const uint8_t *images, share_t mine,
                  size_t n)
{
    size_t bytes = numel(j->x->dim), answers = (size_t)j->n_answers, labels = (size_t)j->n_labels;
    *v = (verdict_t){ .n = n,
                      .features = alloc(n * CLASSIFIER_FEATURES, sizeof(float)),
                      .p = alloc(n * answers + 1, sizeof(float)),
                      .told = alloc(n * labels + 1, sizeof(int16_t)) };
    for (size_t i = 0; i < mine.count; i++) {
        size_t row = mine.first + i;
        pixels_to_float(j->x->x, images + i * bytes, bytes);
        tape_forward((tape_t *)&j->tape, 0, j->tape.n);
        memcpy(v->features + row * CLASSIFIER_FEATURES, j->features->x, CLASSIFIER_FEATURES * sizeof(float));
        for (int k = 0; k < j->n_labels; k++) {
            float *p = v->p + row * answers + j->first[k];
            softmax(p, j->logits[k]->x, j->first[k + 1] - j->first[k]);
            v->told[(size_t)k * n + row] = eval_largest(p, j->first[k + 1] - j->first[k]);
        }
    }
    comm_complete(c, v->features, mine, CLASSIFIER_FEATURES * sizeof(float));
    if (answers) comm_complete(c, v->p, mine, answers * sizeof(float));
    for (size_t k = 0; k < labels; k++) comm_complete(c, v->told + k * n, mine, sizeof(int16_t));
}

void verdict_free(verdict_t *v)
{
    free(v->told);
    free(v->p);
    free(v->features);
    *v = (verdict_t){ 0 };
}

// ---- of one that is being trained -----------------------------------------------------------------------

void judge_say(trainer_t *tr, void (*say)(void *arg, const char *line), void *arg)
{
    judge_t j;
    verdict_t v;
    char line[1024], hash[HASH_TEXT];
    judge_plan(&j, &tr->model);
    tape_plan(&j.tape, NULL);
    judge_hash(&j, &tr->model);
    snprintf(line, sizeof line, "results name this classifier %s", judge_name(hash, &j));
    if (tr->comm->rank == 0) say(arg, line);
    for (int d = 0; d < 2; d++) {
        dataset_t *set = tr->shown[d];
        int at = snprintf(line, sizeof line, "%s, balanced accuracy:", set->name);
        if (d && strcmp(set->name, tr->shown[0]->name) == 0) break; // s and t are one domain
        rows_t r;
        rows_read(&r, set, tr->comm);
        verdict_init(&v, &j, tr->comm, r.image, r.mine, set->n);
        for (int k = 0; k < set->n_labels && at < (int)sizeof line; k++)
            at += snprintf(line + at, sizeof line - (size_t)at, "%s %s %.1f%%", k ? "," : "",
                           set->label[k].name,
                           100 * eval_balanced(v.told + (size_t)k * set->n, r.label + (size_t)k * set->n,
                                               set->n, set->n_classes[k]));
        if (tr->comm->rank == 0) say(arg, line);
        verdict_free(&v);
        rows_free(&r);
    }
    judge_free(&j);
}
