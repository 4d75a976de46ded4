// Who is missing?  A rank whose wait has lasted c->timeout seconds calls the roll: it asks every rank, and
// all ranks that wait somewhere answer with the name of what they wait in.  Who does not answer is missing.
// Asking is needed because a tree hides the culprit: if rank 3 hangs, rank 0 waits for rank 2, which is
// itself waiting for rank 3.  A roll call always ends the run.
#include "wait.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAG_ASK, TAG_ANSWER };
enum { TURNS_PER_PROBE = 256, LIST_MAX = 2048, WHAT_MAX = sizeof((wait_t *)0)->what };
static const double GRACE = 2.0; // seconds a rank has to answer: more than any scheduler's whim

typedef struct {
    char what[WHAT_MAX]; // what a rank waits in
} text_t;

wait_t wait_begin(const comm_t *c, const char *format, ...)
{
    wait_t w = { .c = c, .since = now() };
    va_list args;
    va_start(args, format);
    int n = vsnprintf(w.what, sizeof w.what, format, args);
    va_end(args);
    if (n >= 0 && n < (int)sizeof w.what && watch_where()[0])
        snprintf(w.what + n, sizeof w.what - (size_t)n, ", %s", watch_where());
    return w;
}

// A receiver that hangs must not hold up the sender, so nobody waits for these messages or releases their
// memory: the run is about to end.
static void say(const wait_t *w, int to, int tag)
{
    text_t *text = alloc(1, sizeof *text);
    MPI_Request request;
    memcpy(text->what, w->what, sizeof text->what);
    MPI_OK(MPI_Isend(text, sizeof *text, MPI_BYTE, to, tag, w->c->calls, &request));
    MPI_OK(MPI_Request_free(&request));
}

// Receives one question or answer if there is one, answering questions.  Returns the sender or -1.
static int listen(const wait_t *w, text_t *heard, int *tag)
{
    int there;
    MPI_Status status;
    MPI_OK(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, w->c->calls, &there, &status));
    if (!there) return -1;
    int from = status.MPI_SOURCE;
    *tag = status.MPI_TAG;
    MPI_OK(MPI_Recv(heard, sizeof *heard, MPI_BYTE, from, *tag, w->c->calls, MPI_STATUS_IGNORE));
    if (*tag == TAG_ASK) say(w, from, TAG_ANSWER);
    return from;
}

static void append(char list[LIST_MAX], const char *format, ...)
{
    size_t used = strlen(list);
    va_list args;
    va_start(args, format);
    vsnprintf(list + used, LIST_MAX - used, format, args);
    va_end(args);
}

static _Noreturn void roll_call(wait_t *w)
{
    const comm_t *c = w->c;
    text_t *answers = alloc((size_t)c->size, sizeof *answers), heard;
    for (int r = 0; r < c->size; r++) {
        if (r != c->rank) say(w, r, TAG_ASK);
    }
    double until = now() + GRACE;
    bool deferred = false;
    while (now() < until) {
        int tag, from = listen(w, &heard, &tag);
        if (from < 0) {
            sched_yield();
            continue;
        }
        answers[from] = heard;
        // Of several callers the lowest speaks; the others stay only in case it is lost.
        if (tag == TAG_ASK && from < c->rank && !deferred) until += 2 * GRACE, deferred = true;
    }
    char missing[LIST_MAX] = "", elsewhere[LIST_MAX] = "";
    for (int r = 0; r < c->size; r++) {
        if (r == c->rank) continue;
        if (!answers[r].what[0])
            append(missing, "%s %d on %s", missing[0] ? "," : "", r, c->host[r].name);
        else if (strcmp(answers[r].what, w->what))
            append(elsewhere, "; rank %d is in %s", r, answers[r].what);
    }
    if (missing[0])
        die(__FILE__, __LINE__, "rank %d waited %.0f s in %s; no sign of rank%s%s", c->rank, c->timeout,
            w->what, missing, elsewhere);
    die(__FILE__, __LINE__, "rank %d waited %.0f s in %s, and all ranks wait%s", c->rank, c->timeout, w->what,
        elsewhere);
}

void wait_turn(wait_t *w)
{
    if (w->c->timeout <= 0 || ++w->turns % TURNS_PER_PROBE) return;
    int tag;
    text_t heard;
    listen(w, &heard, &tag);
    if (now() - w->since > w->c->timeout) roll_call(w);
}

void wait_for(const comm_t *c, MPI_Request *request, const char *what)
{
    wait_t w = wait_begin(c, "%s", what);
    for (;;) {
        int done;
        MPI_OK(MPI_Test(request, &done, MPI_STATUS_IGNORE));
        if (done) return;
        wait_turn(&w);
    }
}
