// trace.json (--profile): the events of all ranks in Chrome's trace format, which Perfetto and
// chrome://tracing open.

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rundir.h"

// An event on its way to rank 0.
typedef struct {
    char name[24], part[16], pass[16];
    int id, rank, thread;
    double began, seconds;
} record_t;

static void copy_text(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from);
}

// Sums run beside the ops and beside each other, so they are pairs of events that need not nest.
static void write_sum(FILE *f, const record_t *r, size_t i)
{
    for (int end = 0; end < 2; end++)
        fprintf(f,
                "{\"ph\": \"%s\", \"pid\": %d, \"tid\": 0, \"id2\": {\"local\": \"0x%zx\"}, \"name\": \"%s "
                "%d\", \"cat\": \"%s of %s\", \"ts\": %.3f}%s",
                end ? "e" : "b", r->rank, i, r->name, r->id, r->pass, r->part,
                (r->began + end * r->seconds) * 1e6, end ? "" : ",\n");
}

static void write_event(FILE *f, const record_t *r)
{
    fprintf(f,
            "{\"ph\": \"X\", \"pid\": %d, \"tid\": %d, \"name\": \"%s\", \"cat\": \"%s%s%s\", \"ts\": %.3f, "
            "\"dur\": %.3f, \"args\": {\"node\": %d}}",
            r->rank, r->thread, r->name, r->part, r->part[0] && r->pass[0] ? " " : "", r->pass,
            r->began * 1e6, r->seconds * 1e6, r->id);
}

static void write_events(FILE *f, const record_t *r, size_t n)
{
    fprintf(f, "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n");
    for (size_t i = 0; i < n; i++) {
        if (strcmp(r[i].pass, "sum") == 0)
            write_sum(f, &r[i], i);
        else
            write_event(f, &r[i]);
        fprintf(f, "%s\n", i + 1 < n ? "," : "");
    }
    fprintf(f, "]}\n");
}

void profile_start(const comm_t *c, profile_t *p)
{
    comm_barrier(c); // ranks on other machines have other clocks: time counts from here
    size_t share = PROFILE_EVENTS_ALL / (size_t)c->size;
    p->began = now();
    p->most = share < PROFILE_EVENTS ? share : PROFILE_EVENTS;
    trace_start(p->most);
}

int profile_write(const comm_t *c, const profile_t *p, const char *dir)
{
    char path[CONF_TEXT_MAX + 32];
    size_t n, received;
    const event_t *e = trace_events(&n);
    if (n == p->most && c->rank == 0)
        printf("the profile holds the first %zu events of a rank: the steps until %.1f s\n", n,
               e[n - 1].ended - p->began);
    record_t *mine = alloc(n + 1, sizeof *mine);
    int *to = alloc(n + 1, sizeof *to), bad = 0;
    for (size_t i = 0; i < n; i++) {
        mine[i] = (record_t){ .id = e[i].id,
                              .rank = c->rank,
                              .thread = e[i].thread,
                              .began = e[i].began - p->began,
                              .seconds = e[i].ended - e[i].began };
        copy_text(mine[i].name, sizeof mine[i].name, e[i].name);
        copy_text(mine[i].part, sizeof mine[i].part, e[i].part);
        copy_text(mine[i].pass, sizeof mine[i].pass, e[i].pass);
    }
    record_t *all = comm_exchange(c, mine, to, n, sizeof *mine, &received);
    snprintf(path, sizeof path, "%s/trace.json", dir);
    FILE *f = c->rank == 0 ? fopen(path, "w") : NULL;
    if (f) write_events(f, all, received);
    if (c->rank == 0 && (!f || fclose(f))) bad = fail("%s: cannot be written: %s", path, strerror(errno));
    free(all);
    free(to);
    free(mine);
    trace_free();
    return comm_agree(c, bad, error_text()) ? -1 : 0;
}
