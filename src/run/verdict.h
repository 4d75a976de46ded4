// What a classifier says of images, private to run/.
#ifndef DAGAN_RUN_VERDICT_H
#define DAGAN_RUN_VERDICT_H

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

// `images` are this rank's share of n.  Collective.
void verdict_init(verdict_t *v, const judge_t *j, const comm_t *c, const uint8_t *images, share_t mine,
                  size_t n);
void verdict_free(verdict_t *v);

// The accuracy of the classifier that `tr` trains, on test images: a line for each domain.  Collective; rank
// 0 speaks.
void judge_say(trainer_t *tr, void (*say)(void *arg, const char *line), void *arg);

#endif
