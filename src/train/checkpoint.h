// One checkpoint file, private to train/; commit.c makes it the newest.
#ifndef DAGAN_TRAIN_CHECKPOINT_H
#define DAGAN_TRAIN_CHECKPOINT_H

#include "dagan/train.h"
#include "save.h"

// Copies everything into `save` and lays the file out.  Collective; 0, or -1 on all ranks after fail() on
// one.
int checkpoint_lay_out(trainer_t *tr, save_t *save);
// Collective; 0 on all ranks, or -1 on some, after fail().
int checkpoint_load(trainer_t *tr, const char *path);
// With how many pairs per step the run of a checkpoint was begun.  As checkpoint_load.
int checkpoint_batch(const comm_t *c, const char *path, begun_t *begun);

#endif
