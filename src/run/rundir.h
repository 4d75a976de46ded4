// The run directory and what is printed, private to run/.
#ifndef DAGAN_RUN_RUNDIR_H
#define DAGAN_RUN_RUNDIR_H

#include <stdio.h>

#include "dagan/train.h"

enum { TIME_TEXT = 48, MACHINE_TEXT = 1024 };

typedef struct {
    const char *dir;
    FILE *log, *csv;  // of rank 0
    int lock;         // file descriptor of rank 0
    bool is_terminal; // the user is watching: draw a live bar
    bool bar_drawn;
    bool log_lost, csv_lost; // could not be written, which has been told
    double bar_time;
} rundir_t;

// Makes the folder and its parts, takes its lock, moves an old run aside if `fresh`; from then on log.txt has
// what comm_tell says.  Collective; 0, or -1 after the message was printed.
int rundir_open(rundir_t *r, const comm_t *c, const config_t *conf, bool fresh);
// A batch job that comes back into the queue has the same command line, in which --fresh, or --resume FILE,
// must count once.  Whether it has in this job and folder, as rundir_note_job noted.  `resume` NULL: --fresh.
// Collective.
bool rundir_is_back(const comm_t *c, const config_t *conf, const char *resume);
// Rank 0, in the open folder; 0, or -1 after fail().
int rundir_note_job(const rundir_t *r, const char *resume);
void rundir_close(rundir_t *r);
// config.yaml in force, and metrics.csv with the rows that the checkpoint knows.  Rank 0; 0, or -1 after
// fail().
int rundir_begin(rundir_t *r, const trainer_t *tr);
// After a rollback: metrics.csv with the rows of the checkpoint that was loaded.  Rank 0; a full disk is
// told.
void rundir_rewind(rundir_t *r, const trainer_t *tr);
// One line on stdout and in log.txt.  Rank 0.  A full disk is told on stderr, once for log.txt and once for
// metrics.csv, and does not end the run: the checkpoints hold the same numbers.
void rundir_say(rundir_t *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
// The same of a line that is whole, for those who say lines; `rundir` is a rundir_t.
void rundir_say_line(void *rundir, const char *line);
// The newest row of the metrics: a line in metrics.csv and an aligned one for people.  Rank 0.
void rundir_metrics(rundir_t *r, const trainer_t *tr, double eta);
// The bar, at most five times a second.  Rank 0.
void rundir_bar(rundir_t *r, const trainer_t *tr, double eta);
// --profile.  Collective; profile_write returns 0, or -1 after the message was printed.
// Events of a rank, and of all, which rank 0 gathers in half a gigabyte.
enum { PROFILE_EVENTS = 1 << 17, PROFILE_EVENTS_ALL = 1 << 22 };
typedef struct {
    double began;
    size_t most; // events of this rank
} profile_t;
void profile_start(const comm_t *c, profile_t *p);
int profile_write(const comm_t *c, const profile_t *p, const char *dir);

// "node01 x 16, node02 x 16; PROCESSOR, 64 cores": where the ranks are.
void machine_text(char *text, size_t size, const comm_t *c);

// 3725 -> "1h02m"; writes into text[TIME_TEXT].
const char *time_text(char *text, double seconds);

#endif
