// How fast a run goes, private to run/.
#ifndef DAGAN_RUN_PACE_H
#define DAGAN_RUN_PACE_H

#include "dagan/train.h"

// A moment of a run, by now(), and the steps done by then.
typedef struct {
    long step;
    double time;
} mark_t;

// Seconds until the end of a run that this process took up at `start`; 0 as long as nothing is known.
double eta(const trainer_t *tr, const mark_t *start);
// A new row of tr->metrics, of the steps since `last`, which becomes this moment.  Collective.
void note_metrics(trainer_t *tr, mark_t *last);

#endif
