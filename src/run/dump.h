// --dump-step, private to run/.
#ifndef DAGAN_RUN_DUMP_H
#define DAGAN_RUN_DUMP_H

#include "dagan/train.h"

// Whether --dump-step can write `path`: it is none of what the run reads, `resume` (NULL: none) included.
// Collective; 0, or -1 after the message was printed.
int dump_check(const trainer_t *tr, const char *path, const char *resume);
// Runs one step's mathematics and writes everything about it to an HDF5 file (--dump-step).  Collective.
int dump_step(trainer_t *tr, const char *path);

#endif
