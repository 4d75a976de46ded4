// Rows in the memory of all ranks together, fetched from their owners by one-sided MPI.
// On one host Open MPI's osc/sm lays the window into memory that all ranks share, and a fetch is a copy.
// Across hosts osc/pt2pt sends messages behind the scenes, and an owner answers only while it is inside an
// MPI call: hence store_poll also makes progress for others where this rank fetches nothing.
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "wait.h"

#define SHARED_MEMORY "/dev/shm" // where osc/sm keeps its windows

struct store {
    const comm_t *c;
    MPI_Comm comm; // without traffic of its own, so that a probe finds nothing and makes progress
    MPI_Win window;
    size_t n, bytes; // rows, and bytes of each
    char *mine;      // (share_of(n), bytes)
    bool owns_mine;
    bool locked;
    MPI_Request *request;
    int n_requests, capacity; // fetches under way
    int *done;                // (capacity) for MPI_Testsome
};

// True if all ranks share a host whose shared memory cannot take the rows.  osc/sm would notice only on one
// rank, after which the others wait for ever.  Containers often have 64 MiB.
static bool shared_memory_is_short(const comm_t *c, size_t bytes)
{
    MPI_Comm host;
    int ranks;
    comm_barrier(c);
    comm_watch(c, "finding which ranks share a host");
    MPI_OK(MPI_Comm_split_type(c->all, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host));
    MPI_OK(MPI_Comm_size(host, &ranks));
    MPI_OK(MPI_Comm_free(&host));
    comm_watched(c);
    struct statvfs fs;
    double is_short = 0;
    if (ranks == c->size && ranks > 1 && !statvfs(SHARED_MEMORY, &fs))
        is_short = (double)bytes * 1.05 + 0x1p20 > (double)fs.f_bavail * (double)fs.f_frsize;
    comm_max(c, &is_short, 1);
    return is_short > 0;
}

static void reserve(store_t *s, int capacity)
{
    s->capacity = capacity;
    s->request = realloc(s->request, (size_t)capacity * sizeof *s->request);
    s->done = realloc(s->done, (size_t)capacity * sizeof *s->done);
    CHECK(s->request && s->done, "no memory for %d fetches", capacity);
}

store_t *store_new(const comm_t *c, size_t n, size_t bytes)
{
    size_t all;
    CHECK(!__builtin_mul_overflow(n, bytes, &all), "%zu rows of %zu bytes are too many", n, bytes);
    mpi_count(bytes);
    store_t *s = alloc(1, sizeof *s);
    *s = (store_t){ .c = c, .n = n, .bytes = bytes, .window = MPI_WIN_NULL };
    reserve(s, 64);

    size_t size = share_of(n, c->rank, c->size).count * bytes;
    bool is_short = shared_memory_is_short(c, all);
    comm_watch(c, "making room for %zu rows", n);
    MPI_OK(MPI_Comm_dup(c->all, &s->comm));
    if (is_short) {
        // Memory of our own, which osc/pt2pt takes also on one host.
        s->mine = alloc(size, 1);
        s->owns_mine = true;
        MPI_OK(MPI_Win_create(s->mine, (MPI_Aint)size, 1, MPI_INFO_NULL, s->comm, &s->window));
    } else {
        MPI_OK(MPI_Win_allocate((MPI_Aint)size, 1, MPI_INFO_NULL, s->comm, &s->mine, &s->window));
    }
    MPI_OK(MPI_Win_set_errhandler(s->window, MPI_ERRORS_RETURN));
    // Nobody asks for an exclusive lock, so there is nothing to check.
    MPI_OK(MPI_Win_lock_all(MPI_MODE_NOCHECK, s->window));
    comm_watched(c);
    return s;
}

void store_free(store_t *s)
{
    if (!s) return;
    store_wait(s);
    comm_barrier(s->c); // while waiting here, this rank still answers those that fetch
    comm_watch(s->c, "giving up the room of %zu rows", s->n);
    MPI_OK(MPI_Win_unlock_all(s->window));
    MPI_OK(MPI_Win_free(&s->window));
    MPI_OK(MPI_Comm_free(&s->comm));
    comm_watched(s->c);
    if (s->owns_mine) free(s->mine);
    free(s->request);
    free(s->done);
    free(s);
}

char *store_mine(store_t *s)
{
    return s->mine;
}

static void fetch(store_t *s, void *to, int owner, size_t at, size_t bytes)
{
    if (s->n_requests == s->capacity) reserve(s, 2 * s->capacity);
    int n = mpi_count(bytes);
    comm_watch(s->c, "asking rank %d on %s for a row", owner, s->c->host[owner].name);
    MPI_OK(
        MPI_Rget(to, n, MPI_BYTE, owner, (MPI_Aint)at, n, MPI_BYTE, s->window, &s->request[s->n_requests++]));
    comm_watched(s->c);
}

// The first fetch from a rank blocks in osc/pt2pt until that rank answers (in spite of NOCHECK it asks for
// the lock), so it is done here, while all ranks are inside MPI, and not in the middle of a step.
static void touch_all(store_t *s)
{
    char *byte = alloc((size_t)s->c->size, 1);
    for (int i = 1; i < s->c->size && s->bytes; i++) {
        int r = (s->c->rank + i) % s->c->size; // not all from rank 0 first
        if (share_of(s->n, r, s->c->size).count) fetch(s, byte + r, r, 0, 1);
    }
    store_wait(s);
    free(byte);
}

void store_publish(store_t *s)
{
    MPI_OK(MPI_Win_sync(s->window));
    comm_barrier(s->c);
    MPI_OK(MPI_Win_sync(s->window));
    touch_all(s);
    comm_barrier(s->c);
}

void store_get(store_t *s, size_t row, void *to)
{
    CHECK(row < s->n, "row %zu wanted of %zu", row, s->n);
    int owner = share_owner(s->n, row, s->c->size);
    size_t at = (row - share_of(s->n, owner, s->c->size).first) * s->bytes;
    if (owner == s->c->rank)
        memcpy(to, s->mine + at, s->bytes);
    else
        fetch(s, to, owner, at, s->bytes);
}

// Moves what can be moved; returns true if a row arrived.
static bool move(store_t *s)
{
    int n_done = 0;
    if (!s->n_requests) {
        // Testing no requests does not enter Open MPI's progress engine; a probe does.
        MPI_OK(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, s->comm, &n_done, MPI_STATUS_IGNORE));
        return false;
    }
    MPI_OK(MPI_Testsome(s->n_requests, s->request, &n_done, s->done, MPI_STATUSES_IGNORE));
    if (n_done == 0) return false;
    int kept = 0;
    for (int i = 0; i < s->n_requests; i++)
        if (s->request[i] != MPI_REQUEST_NULL) s->request[kept++] = s->request[i];
    s->n_requests = kept;
    return true;
}

void store_poll(store_t *s)
{
    if (s->c->size > 1) move(s);
}

double store_wait(store_t *s)
{
    if (!s->n_requests) return 0;
    double start = now();
    while (s->n_requests) {
        wait_t w = wait_begin(s->c, "fetching %d of %zu rows from their owners", s->n_requests, s->n);
        while (!move(s)) wait_turn(&w);
    }
    return now() - start;
}
