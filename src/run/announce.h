// What the log says of a whole run, private to run/.
#ifndef DAGAN_RUN_ANNOUNCE_H
#define DAGAN_RUN_ANNOUNCE_H

#include "limit.h"
#include "rundir.h"

// Domains, networks, ranks, `machine` (of machine_text()) and the time limit.  Rank 0.
void announce_begin(rundir_t *r, const trainer_t *tr, const limit_t *l, const char *machine, bool resumed);
// How it ended, with an exit status of base.h, where everything lies and what to run next.  Rank 0.
// `resumed`: by --resume, which would go back once more.
void announce_end(rundir_t *r, const trainer_t *tr, const limit_t *l, int status, bool resumed);

#endif
