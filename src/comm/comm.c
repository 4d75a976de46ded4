// The ranks as a whole: start and end of MPI, agreement on mistakes, small collectives, shares.
// Collectives are started without blocking and waited for in wait.c, so that a rank that hangs is named
// instead of waited for.
#include "dagan/comm.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wait.h"

enum { BCAST_MAX = 1 << 30 }; // bytes of one MPI call
enum { ABORT_SECONDS = 20 };
static const double PATIENCE = 3600; // seconds, where no configuration says comm.timeout

void mpi_ok(int code, const char *file, int line, const char *call)
{
    if (code == MPI_SUCCESS) return;
    char reason[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(code, reason, &length);
    die(file, line, "%s: %s", call, reason);
}

int mpi_count(size_t n)
{
    CHECK(n <= INT_MAX, "%zu items in one MPI call, at most %d wanted", n, INT_MAX);
    return (int)n;
}

// MPI_Abort asks mpirun to end the job; should nobody answer, this process ends all the same.
static void abort_all(int status)
{
    (void)signal(SIGALRM, SIG_DFL);
    alarm(ABORT_SECONDS);
    MPI_Abort(MPI_COMM_WORLD, status);
}

// Debian's setting (osc = ^ucx,pt2pt) leaves no component for one-sided calls that works across hosts over
// TCP: MPI_Win_allocate fails there.  `sm` takes windows whose ranks share one host and declines all others,
// `pt2pt` takes the rest.  A choice made outside (mpirun --mca osc ..., the environment) is kept.
static void choose_one_sided(void)
{
#if defined(OMPI_MAJOR_VERSION) && OMPI_MAJOR_VERSION < 5
    setenv("OMPI_MCA_osc", "sm,pt2pt", 0);
#endif
}

static void find_hosts(comm_t *c)
{
    char name[MPI_MAX_PROCESSOR_NAME] = "";
    host_t mine = { "" };
    int length;
    MPI_OK(MPI_Get_processor_name(name, &length));
    snprintf(mine.name, sizeof mine.name, "%.*s", (int)sizeof mine.name - 1, name);
    c->host = alloc((size_t)c->size, sizeof *c->host);
    MPI_OK(MPI_Allgather(&mine, sizeof mine, MPI_BYTE, c->host, sizeof mine, MPI_BYTE, c->all));
}

// A rank that a signal ends while it makes itself known to mpirun leaves mpirun waiting for ever: signals
// wait for MPI.
static int init_mpi(int *argc, char ***argv)
{
    sigset_t held, before;
    int level;
    sigemptyset(&held);
    for (const int *s = (const int[]){ SIGTERM, SIGINT, SIGUSR1, 0 }; *s; s++) sigaddset(&held, *s);
    CHECK(sigprocmask(SIG_BLOCK, &held, &before) == 0, "cannot hold signals");
    MPI_OK(MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &level));
    CHECK(sigprocmask(SIG_SETMASK, &before, NULL) == 0, "cannot let signals in");
    return level;
}

void comm_init(comm_t *c, int *argc, char ***argv)
{
    *c = (comm_t){ .timeout = PATIENCE };
    choose_one_sided();
    int level = init_mpi(argc, argv);
    die_hook = abort_all;
    CHECK(level >= MPI_THREAD_FUNNELED, "MPI gives thread level %d, MPI_THREAD_FUNNELED wanted", level);
    MPI_OK(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    MPI_OK(MPI_Comm_dup(MPI_COMM_WORLD, &c->all));
    MPI_OK(MPI_Comm_set_errhandler(c->all, MPI_ERRORS_RETURN));
    MPI_OK(MPI_Comm_dup(c->all, &c->calls));
    MPI_OK(MPI_Comm_rank(c->all, &c->rank));
    MPI_OK(MPI_Comm_size(c->all, &c->size));
    find_hosts(c);
}

void comm_free(comm_t *c)
{
    if (!c->size) return;
    comm_at("the end");
    comm_barrier(c);
    comm_watch(c, "MPI_Finalize");
    MPI_OK(MPI_Comm_free(&c->calls));
    MPI_OK(MPI_Comm_free(&c->all));
    MPI_OK(MPI_Finalize());
    die_hook = NULL;
    comm_watched(c);
    free(c->host);
    *c = (comm_t){ 0 };
}

static void allreduce(const comm_t *c, void *x, int n, MPI_Datatype type, MPI_Op op, const char *what)
{
    MPI_Request request;
    MPI_OK(MPI_Iallreduce(MPI_IN_PLACE, x, n, type, op, c->all, &request));
    wait_for(c, &request, what);
}

static void (*hears)(void *, const char *, const char *);
static void *hears_arg;

void comm_hear(void (*hear)(void *arg, const char *before, const char *text), void *arg)
{
    hears = hear;
    hears_arg = arg;
}

bool comm_tell(const comm_t *c, bool bad, const char *before, const char *text)
{
    bool has_text = text && *text;
    int first = !bad ? 2 * c->size : has_text ? c->rank : c->size + c->rank;
    allreduce(c, &first, 1, MPI_INT, MPI_MIN, "agreement on errors");
    if (first == 2 * c->size) return false;
    first %= c->size; // the lowest rank that has something to say

    // The text may be of any length, and only its owner knows it.
    size_t length = text && c->rank == first ? strlen(text) : 0;
    comm_bcast(c, &length, sizeof length, first);
    char *line = alloc(length + 1, 1);
    if (c->rank == first && text) memcpy(line, text, length);
    comm_bcast(c, line, length, first);
    const char *said = length ? line : "failed without a reason";
    if (c->rank == 0) fprintf(stderr, "dagan_mpi: %s%s\n", before, said);
    if (c->rank == 0 && hears) hears(hears_arg, before, said);
    free(line);
    return true;
}

bool comm_agree(const comm_t *c, bool bad, const char *text)
{
    return comm_tell(c, bad, "", text);
}

void comm_sum(const comm_t *c, double *x, size_t n)
{
    allreduce(c, x, mpi_count(n), MPI_DOUBLE, MPI_SUM, "a small sum over ranks");
}

void comm_max(const comm_t *c, double *x, size_t n)
{
    allreduce(c, x, mpi_count(n), MPI_DOUBLE, MPI_MAX, "a maximum over ranks");
}

bool comm_any(const comm_t *c, bool yes)
{
    int any = yes;
    allreduce(c, &any, 1, MPI_INT, MPI_MAX, "agreement");
    return any;
}

void comm_or(const comm_t *c, uint64_t *x, size_t n)
{
    allreduce(c, x, mpi_count(n), MPI_UINT64_T, MPI_BOR, "an exchange of checksums");
}

void comm_bcast(const comm_t *c, void *bytes, size_t n, int root)
{
    for (size_t at = 0; at < n; at += BCAST_MAX) {
        MPI_Request request;
        size_t left = n - at;
        int part = mpi_count(left < BCAST_MAX ? left : BCAST_MAX);
        MPI_OK(MPI_Ibcast((char *)bytes + at, part, MPI_BYTE, root, c->all, &request));
        wait_for(c, &request, "a broadcast");
    }
}

void comm_print(const comm_t *c, const char *text)
{
    for (int r = 0; r < c->size; r++) {
        size_t n = r == c->rank && text ? strlen(text) : 0;
        comm_bcast(c, &n, sizeof n, r);
        if (!n) continue;
        char *line = alloc(n + 1, 1);
        if (r == c->rank) memcpy(line, text, n);
        comm_bcast(c, line, n, r);
        if (c->rank == 0) fputs(line, stderr);
        free(line);
    }
}

void comm_barrier(const comm_t *c)
{
    MPI_Request request;
    MPI_OK(MPI_Ibarrier(c->all, &request));
    wait_for(c, &request, "a barrier");
}

// The first n % size ranks hold one item more than the others.
share_t share_of(size_t n, int rank, int size)
{
    size_t each = n / (size_t)size, more = n % (size_t)size, r = (size_t)rank;
    return (share_t){ .first = r * each + (r < more ? r : more), .count = each + (r < more) };
}

int share_owner(size_t n, size_t item, int size)
{
    size_t each = n / (size_t)size, more = n % (size_t)size;
    size_t larger = more * (each + 1); // items held by ranks that have one more
    return (int)(item < larger ? item / (each + 1) : more + (item - larger) / each);
}
