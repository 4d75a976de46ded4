// Waiting with an end: what comm.c, reduce.c and store.c share.
#ifndef COMM_WAIT_H
#define COMM_WAIT_H

#include "dagan/comm.h"

// One wait for other ranks; `what` names it in messages.
typedef struct {
    const comm_t *c;
    char what[192];
    double since;
    long turns;
} wait_t;

wait_t wait_begin(const comm_t *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
// To be called in every turn of a loop that waits for other ranks and has nothing to do.  After c->timeout
// seconds it names the missing ranks and ends the run; a loop that got somewhere begins a new wait.
void wait_turn(wait_t *w);
// What comm_at() was told last.
const char *watch_where(void);
// Waits for one request.
void wait_for(const comm_t *c, MPI_Request *request, const char *what);

#endif
