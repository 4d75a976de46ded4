// Whether all ranks hold the same numbers, private to run/.
#ifndef DAGAN_RUN_DESYNC_H
#define DAGAN_RUN_DESYNC_H

#include "dagan/train.h"

// Compares weights, moments and averages over ranks.  Collective; 0, or -1 after the message was printed.
int desync_check(const trainer_t *tr);

#endif
