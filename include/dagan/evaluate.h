// evaluate: what a trained classifier sees in images, and the figures of a checkpoint on test images.
#ifndef DAGAN_EVALUATE_H
#define DAGAN_EVALUATE_H

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

// KID of two sets of features over all ranks, the same on any number of them.  Collective.
double kid_over_ranks(const comm_t *c, const float *x, size_t n, const float *y, size_t m);

typedef struct {
    const char *checkpoint;
    const char *classifier; // checkpoint of one, NULL: only what needs none
    const char *data;       // file that takes the place of the run's data sets, NULL: theirs
    const char *output;     // JSON, NULL: none
    const char *arrays;     // HDF5 of what the figures are made of, NULL: none
} evaluate_t;

// Figures of a checkpoint on the test images of its data sets, over all ranks: a table on stdout, JSON.
// Collective; the exit status.
int evaluate(const comm_t *c, const evaluate_t *what);

#endif
