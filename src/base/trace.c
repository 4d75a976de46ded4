// What took how long (--profile): events of this rank, kept in memory until the run ends.

#include <omp.h>
#include <stdlib.h>

#include "dagan/base.h"

bool trace_on;
static event_t *event;
static size_t n_events, capacity;

void trace_start(size_t most)
{
    event = alloc(most, sizeof *event);
    n_events = 0;
    capacity = most;
    trace_on = true;
}

void trace_add(const char *name, const char *part, const char *pass, int id, double began)
{
    event_t e = { name, part, pass, id, omp_get_thread_num(), began, now() };
#pragma omp critical(trace)
    {
        if (n_events < capacity) event[n_events++] = e;
        trace_on = n_events < capacity;
    }
}

const event_t *trace_events(size_t *n)
{
    *n = n_events;
    return event;
}

void trace_free(void)
{
    free(event);
    event = NULL;
    n_events = capacity = 0;
    trace_on = false;
}
