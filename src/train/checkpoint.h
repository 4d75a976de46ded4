// What the files of a checkpoint's code share, private to train/.
#ifndef DAGAN_TRAIN_CHECKPOINT_H
#define DAGAN_TRAIN_CHECKPOINT_H

#include "dagan/array.h"
#include "dagan/train.h"

// "dae.enc.c0.weight" becomes PREFIX/dae/enc/c0/weight + suffix.
void checkpoint_path(char path[2 * VIEW_NAME_MAX], const char *prefix, const char *view, const char *suffix);
// The classes of the labels of `d` as attributes: all of them hashed, and their names beside the weights of
// the heads that tell them; and whether those of a file are the same, where a file without is taken to agree.
// 0, or -1 after fail().
int checkpoint_put_classes(const array_file_t *f, const dataset_t *d);
int checkpoint_check_classes(const array_file_t *f, const dataset_t *d);
// Whether the networks of `p` have every tensor that the file holds of them, but for the heads of labels.
// 0, or -1 after fail().
int checkpoint_check_nets(const array_file_t *f, const params_t *p);

#endif
