// When the time is up, by run.time_limit or by SLURM, and when a run must begin to stop.
//
// Rank 0 alone looks at the clock.  Its wish to stop travels in the sum of the step's gradients as a signal's
// does, so that all ranks leave after the same step.

#include "limit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// Seconds before the limit by which all must be done: to end MPI and to go back into the queue.
static const double REST = 5;
// A step or a checkpoint may take that many times what the longest took.
static const double SAFETY = 2;
// The longest shrinks so with each one that follows: a stall is not remembered for ever.
static const double FORGET = 0.95;
// Seconds for the first checkpoint, or a quarter of the limit if that is less.
static const double UNMEASURED = 60;

// The job as squeue takes it.  The bare number of an array would bring all its tasks.
static bool name_job(char *name, size_t size)
{
    const char *job = getenv("SLURM_ARRAY_JOB_ID"), *task = getenv("SLURM_ARRAY_TASK_ID");
    if (!job || !task) job = getenv("SLURM_JOB_ID"), task = NULL;
    if (!job) return false;
    snprintf(name, size, "%s%s%s", job, task ? "_" : "", task ? task : "");
    return *name && !name[strspn(name, "0123456789_")];
}

// What squeue prints for the time left, "1-02:03:04", "2:03:04" or "03:04"; -1: it gives no time.
static double ask_squeue(const char *job, bool *answered)
{
    char command[128], line[64] = "";
    snprintf(command, sizeof command, "timeout 10 squeue -h -j %s -o %%L 2>/dev/null", job);
    FILE *f = popen(command, "r");
    if (!f) return -1;
    *answered = fgets(line, sizeof line, f) != NULL;
    if (pclose(f) != 0) *answered = false;
    line[strcspn(line, " \n")] = 0;
    return *answered && strchr(line, ':') ? seconds_of(line) : -1;
}

static void take(limit_t *l, double end, const char *source)
{
    if (end >= l->end) return;
    l->end = end;
    snprintf(l->source, sizeof l->source, "%s", source);
}

static void find_slurm(limit_t *l)
{
    const char *end = getenv("SLURM_JOB_END_TIME");
    double at = end ? seconds_of(end) : -1;
    char job[64];
    if (at >= 0) {
        take(l, now() + at - (double)time(NULL), "SLURM_JOB_END_TIME");
        return;
    }
    if (!name_job(job, sizeof job)) return;
    bool answered = false;
    double left = ask_squeue(job, &answered);
    if (left >= 0)
        take(l, now() + left, "squeue");
    else if (isinf(l->end))
        snprintf(l->source, sizeof l->source,
                 answered ? "SLURM sets none" : "unknown, squeue does not tell; run.time_limit sets one");
}

void limit_find(limit_t *l, const config_t *conf, double began)
{
    *l = (limit_t){ .end = INFINITY, .checkpoint = -1 };
    if (conf->run.time_limit > 0) take(l, began + conf->run.time_limit, "run.time_limit");
    find_slurm(l);
    l->span = l->end - now();
}

void limit_note(double *longest, double seconds)
{
    *longest = fmax(seconds, FORGET * *longest);
}

bool limit_is_near(limit_t *l)
{
    double checkpoint = l->checkpoint >= 0 ? SAFETY * l->checkpoint : fmin(UNMEASURED, l->span / 4);
    l->is_near |= now() + SAFETY * l->step + l->samples + l->best + checkpoint + REST >= l->end;
    return l->is_near;
}
