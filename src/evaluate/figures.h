// What evaluation gathers and what it finds, private to evaluate/.
#ifndef DAGAN_EVALUATE_FIGURES_H
#define DAGAN_EVALUATE_FIGURES_H

#include <stdio.h>

#include "dagan/evaluate.h"

enum { DOMAINS = 2, PIXEL_LEVELS = 8, MISSING_TEXT = 1024, NEIGHBOURS = 3 };

// A figure of translations, and the same of real target images: of as many of the training split, or for the
// MODE score of the test split.
typedef struct {
    double value, floor;
} figure_t;

// Regions against the parts that bear the name of a label bound to one region.
typedef struct {
    int n_parts, n_landmarks;
    struct {
        char name[64];
        int region;
        region_figures_t f;
    } part[CONF_LABELS_MAX];
    double overlap;
    landmark_figures_t landmarks; // the parts that every image shows
} domain_figures_t;

typedef struct {
    char name[64];
    int classes;
    double dae[DOMAINS];        // balanced accuracy of DAE's heads, NAN: does not tell it
    double kept, kept_balanced; // accuracy of the classifier on s' against the labels of s
    double real, real_balanced; // and on real target test images, the true partners
    figure_t mode;              // MODE score
    modes_t modes, real_modes;  // in s', and in the true partners as the classifier sees them
    char missing[MISSING_TEXT]; // "bald, mohawk"
} label_figures_t;

// Of s' to its true partner, to the nearest training image, and of the partner to its own nearest training
// image.
typedef struct {
    double partner, nearest, partner_nearest;
} distances_t;

typedef struct {
    size_t n; // translations
    bool has_attention, has_judge, is_paired;
    domain_figures_t domain[DOMAINS];
    int n_labels;
    label_figures_t label[CONF_LABELS_MAX];
    figure_t kid, kid_ratio, fid, precision, recall, one_nn; // floor of kid: like any other
    double kid_domains;                                      // between target train and source train
    int levels;
    figure_t swd[PIXEL_LEVELS], swd_mean;
    distances_t pixel, feature;
} figures_t;

// Everything that figures are made of.  Images are this rank's shares, all else is complete on every rank.
typedef struct {
    const comm_t *comm;
    comm_t ranks; // *comm: with the configuration's comm.timeout
    const char *path, *judge_path;
    long step; // of the checkpoint
    config_t conf, judge_conf;
    model_t model, judge_model;
    translator_t f;
    judge_t judge;
    bool has_judge;
    label_t label[CONF_LABELS_MAX]; // those of DAE, then those of the classifier beyond them
    int n_labels, n_told,
        judged[CONF_LABELS_MAX]; // told: by DAE; judged: where the classifier's labels stand here
    dataset_t train[DOMAINS], test[DOMAINS];
    rows_t train_rows[DOMAINS], test_rows[DOMAINS];
    parts_t train_parts[DOMAINS], test_parts[DOMAINS];
    float *train_centres[DOMAINS], *test_centres[DOMAINS]; // (n, N', 2)
    int16_t *told[DOMAINS];                                // (n_told, n): by DAE of test images
    uint8_t *fake;                                         // F of source test, as `translate` writes it
    verdict_t train_seen[DOMAINS], target_seen,
        fake_seen; // by the classifier; target_seen: of the test split
} gathered_t;

void figures_find(figures_t *f, const gathered_t *g);                  // collective
void figures_table(FILE *to, const figures_t *f, const gathered_t *g); // for people
// JSON, by rank 0.  0, or -1 after fail().
int figures_json(const char *path, const figures_t *f, const gathered_t *g);

#endif
