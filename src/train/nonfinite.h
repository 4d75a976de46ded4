// Losses and gradients that are not finite, private to train/.
#ifndef DAGAN_TRAIN_NONFINITE_H
#define DAGAN_TRAIN_NONFINITE_H

#include "side.h"

// To be called by all ranks when the sums of a step are not finite: finds the cause, prints it, and follows
// train.nonfinite.  0 where training goes on without the step, -1 where it must not; tr->wants_rollback then
// tells whether an older state would help.  Collective.
int nonfinite_meet(trainer_t *tr, objective_t *o, side_t *s);

#endif
