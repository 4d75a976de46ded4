// What a leaf's tape is given to work on, private to train/.
#ifndef DAGAN_TRAIN_LEAF_H
#define DAGAN_TRAIN_LEAF_H

#include "dagan/train.h"

// Seed of order, augmentation and pool: after a rollback another one, or the run would come to the same place
// again.
uint64_t leaf_seed(const trainer_t *tr);
// Fills the tape of this rank's leaf `leaf` from tr->batch; for D's steps from the fakes and reals of
// tr->pending.step.
void leaf_fill(trainer_t *tr, objective_t *o, int leaf);
// data.shift: by how many pixels (x, y) image `i` of a domain (0: s, 1: t) is displaced in leaf `leaf`, in
// the step that leaf_fill is for.
void leaf_shift(const trainer_t *tr, const objective_t *o, int leaf, int domain, int i, int by[2]);
// "source rows 12 40, target rows 7 3": what such a leaf consists of.
void leaf_text(char *text, size_t size, const trainer_t *tr, const objective_t *o, int leaf);

#endif
