// The time limit of a run, private to run/.
#ifndef DAGAN_RUN_LIMIT_H
#define DAGAN_RUN_LIMIT_H

#include "dagan/base.h"

enum { LIMIT_SOURCE = 64 };

typedef struct {
    double end;                 // by now(); INFINITY: no limit
    double span;                // seconds from finding it to its end
    char source[LIMIT_SOURCE];  // where it comes from, or why there is none; "" where nobody sets one
    double step, samples, best; // seconds each took: the longest of late
    double checkpoint;          // the same, -1: none written yet
    bool is_near;               // it was, at some step
} limit_t;

// The nearer of run.time_limit, counted from `began`, and the end of the SLURM job, which it may have to ask
// for. Local; only rank 0 needs it.
void limit_find(limit_t *l, const config_t *conf, double began);
// Takes in that a step, pictures or a checkpoint took so long.
void limit_note(double *longest, double seconds);
// Whether the run must stop after one more step, so that its checkpoint is complete before the limit.
bool limit_is_near(limit_t *l);

#endif
