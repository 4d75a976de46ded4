// What a classifier says of images, private to train/.
#ifndef DAGAN_TRAIN_JUDGE_H
#define DAGAN_TRAIN_JUDGE_H

#include "dagan/eval.h"
#include "dagan/train.h"

// A data set's rows: this rank's images, everybody's labels.
typedef struct {
    size_t n;
    share_t mine;
    uint8_t *image; // (mine.count, h, w, 3)
    int16_t *label; // (n_labels, n)
} rows_t;

void rows_read(rows_t *r, dataset_t *d, const comm_t *c); // collective
void rows_free(rows_t *r);

// Index of the largest of n numbers, the first of equals.
int16_t largest(const float *x, int n);

// What a classifier says of n images; complete on every rank.
typedef struct {
    size_t n;
    float *features; // (n, CLASSIFIER_FEATURES)
    float *p;        // (n, n_answers): the classes' probabilities, label after label
    int16_t *told;   // (n_labels, n)
} verdict_t;

// Builds the classifier of m for single images and names its answers; the caller plans the tape.
void judge_plan(judge_t *j, model_t *m);
// `images` are this rank's share of n.  Collective.
void verdict_init(verdict_t *v, const judge_t *j, const comm_t *c, const uint8_t *images, share_t mine,
                  size_t n);
void verdict_free(verdict_t *v);

// The configuration in a classifier's checkpoint; then, with m->conf and m->n_classes set, its weights.
// Collective; 0, or -1 after the message was printed.
int judge_config(const comm_t *c, const char *path, config_t *conf);
int judge_load(judge_t *j, model_t *m, const comm_t *c, const char *path);

#endif
