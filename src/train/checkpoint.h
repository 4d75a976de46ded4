// One checkpoint file, private to train/; commit.c makes it the newest.
#ifndef DAGAN_TRAIN_CHECKPOINT_H
#define DAGAN_TRAIN_CHECKPOINT_H

#include "dagan/train.h"

// Collective; 0, or -1 on all ranks after fail() on those that found a fault.
int checkpoint_save(trainer_t *tr, const char *path);
// Reads every array back into scratch copies: what the disk holds, not what we meant to write.
int checkpoint_verify(const trainer_t *tr, const char *path);
int checkpoint_load(trainer_t *tr, const char *path);
// True on all ranks if `bad` is on any; prints nothing.  Collective.
bool checkpoint_agree(const comm_t *c, int bad);

#endif
