// Sums over all ranks whose bits do not depend on how many ranks there are: ((0+1)+(2+3)) + ((4+5)+(6+7)).
// On the way out partners exchange halves and add: rank^1 first, then quarters with rank^2, eighths with
// rank^4: each level halves what a rank still owns.  On the way back the owners spread their sums in the
// reverse order.  The order of the two operands differs between partners, which changes nothing: IEEE
// addition commutes.  The other order (rank^4 first) moves as much data but adds 0+4 first, and then np = 4
// could not give the bits of np = 8.
//
// Buckets are cut into chunks.  A chunk runs through its steps on its own; a few are under way at once, so
// that one is added while another one travels, and what was received is added while it is still in cache.
#include <stdlib.h>
#include <string.h>

#include "wait.h"

enum {
    CHUNK_MAX = 1 << 17, // floats of a chunk
    SLOTS = 4,           // chunks under way at once
    LEVELS_MAX = 31,
    TAGS = 32768, // tags that MPI guarantees; the few chunks under way never share one
};

typedef struct {
    size_t first, n; // where in x
    int bucket;
} chunk_t;

// A chunk under way.  Steps: 0 fold, 1..levels halve, levels+1..2 levels double, 2 levels + 1 unfold.
typedef struct {
    int chunk;   // -1: the slot is free
    long number; // of chunks since the beginning, the same on every rank
    int step;
    int requests;   // not yet complete
    float *scratch; // (CHUNK_MAX) what the partner sent
    struct {
        size_t from, to;
    } own[LEVELS_MAX + 1]; // part of the chunk this rank owns after each halving
} slot_t;

struct reduce {
    const comm_t *c;
    MPI_Comm comm; // of this sum alone: its tags meet no others
    reduce_mode_t mode;
    const char *what;
    float *x, *scratch;
    size_t *edge;
    int n_buckets;
    int levels, folded; // 2^levels + folded ranks
    chunk_t *chunk;
    int n_chunks, *first_chunk; // of each bucket, n_buckets + 1
    int *chunks_left;           // of each bucket under way
    double *began;              // when each started, for the profile; 0: it was not on
    int *queue;                 // chunks started and not done, in the order of starting
    int queued, taken;
    long number; // of the next chunk
    int active;  // slots (or Iallreduces) in use
    slot_t slot[SLOTS];
    MPI_Request *request; // tree: send and receive of each slot; mpi: one for each bucket
    int *done;            // indices for MPI_Testsome
    bool moved;           // the last poll got somewhere
};

reduce_t *reduce_new(const comm_t *c, reduce_mode_t mode, const char *what, float *x, const size_t *edge,
                     int n_buckets)
{
    reduce_t *r = alloc(1, sizeof *r);
    *r = (reduce_t){ .c = c, .mode = mode, .what = what, .x = x, .n_buckets = n_buckets };
    comm_barrier(c);
    comm_watch(c, "setting up the sum of %s", what);
    MPI_OK(MPI_Comm_dup(c->all, &r->comm));
    comm_watched(c);
    while (r->levels < LEVELS_MAX - 1 && 2 << r->levels <= c->size) r->levels++;
    r->folded = c->size - (1 << r->levels);

    r->edge = alloc((size_t)n_buckets + 1, sizeof *r->edge);
    memcpy(r->edge, edge, ((size_t)n_buckets + 1) * sizeof *edge);
    r->first_chunk = alloc((size_t)n_buckets + 1, sizeof *r->first_chunk);
    for (int b = 0; b < n_buckets; b++) {
        size_t n = edge[b + 1] - edge[b];
        r->first_chunk[b + 1] = r->first_chunk[b] + mpi_count((n + CHUNK_MAX - 1) / CHUNK_MAX);
    }
    r->n_chunks = r->first_chunk[n_buckets];
    r->chunk = alloc((size_t)r->n_chunks, sizeof *r->chunk);
    r->queue = alloc((size_t)r->n_chunks, sizeof *r->queue);
    r->chunks_left = alloc((size_t)n_buckets, sizeof *r->chunks_left);
    r->began = alloc((size_t)n_buckets, sizeof *r->began);
    for (int b = 0; b < n_buckets; b++) {
        // Equal chunks rather than full ones and a rest.
        int first = r->first_chunk[b], count = r->first_chunk[b + 1] - first;
        for (int i = 0; i < count; i++) {
            share_t s = share_of(edge[b + 1] - edge[b], i, count);
            r->chunk[first + i] = (chunk_t){ edge[b] + s.first, s.count, b };
        }
    }

    int n_requests = mode == REDUCE_MPI ? n_buckets : 2 * SLOTS;
    r->request = alloc((size_t)n_requests, sizeof *r->request);
    for (int i = 0; i < n_requests; i++) r->request[i] = MPI_REQUEST_NULL;
    r->done = alloc((size_t)n_requests, sizeof *r->done);
    if (mode == REDUCE_TREE) r->scratch = alloc(SLOTS * (size_t)CHUNK_MAX, sizeof *r->scratch);
    for (int i = 0; i < SLOTS; i++) {
        r->slot[i].chunk = -1;
        if (r->scratch) r->slot[i].scratch = r->scratch + (size_t)i * CHUNK_MAX;
    }
    return r;
}

void reduce_free(reduce_t *r)
{
    if (!r) return;
    reduce_finish(r);
    comm_barrier(r->c);
    comm_watch(r->c, "the end of the sum of %s", r->what);
    MPI_OK(MPI_Comm_free(&r->comm));
    comm_watched(r->c);
    free(r->edge);
    free(r->first_chunk);
    free(r->chunk);
    free(r->chunks_left);
    free(r->began);
    free(r->queue);
    free(r->request);
    free(r->done);
    free(r->scratch);
    free(r);
}

static void add(float *restrict y, const float *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] += x[i];
}

static void send(reduce_t *r, int slot, const float *x, size_t n, int to)
{
    slot_t *s = &r->slot[slot];
    MPI_OK(
        MPI_Isend(x, mpi_count(n), MPI_FLOAT, to, (int)(s->number % TAGS), r->comm, &r->request[2 * slot]));
    s->requests++;
}

static void receive(reduce_t *r, int slot, float *x, size_t n, int from)
{
    slot_t *s = &r->slot[slot];
    MPI_OK(MPI_Irecv(x, mpi_count(n), MPI_FLOAT, from, (int)(s->number % TAGS), r->comm,
                     &r->request[2 * slot + 1]));
    s->requests++;
}

// Starts the messages of the slot's step; none where this rank has no part in it.
static void step_start(reduce_t *r, int slot)
{
    slot_t *s = &r->slot[slot];
    const chunk_t *k = &r->chunk[s->chunk];
    float *x = r->x + k->first;
    int tree = 1 << r->levels, rank = r->c->rank, last = 2 * r->levels + 1;

    if (s->step == 0 || s->step == last) { // fold, unfold
        bool out = (rank >= tree) == (s->step == 0);
        int partner = rank >= tree ? rank - tree : rank + tree;
        if (partner >= r->c->size) return;
        if (out)
            send(r, slot, x, k->n, partner);
        else
            receive(r, slot, s->step ? x : s->scratch, k->n, partner);
        return;
    }
    if (rank >= tree) return;
    int level = s->step <= r->levels ? s->step - 1 : last - 1 - s->step;
    int partner = rank ^ 1 << level;
    size_t from = s->own[level].from, to = s->own[level].to, middle = from + (to - from) / 2;
    bool lower = !(rank & 1 << level); // keeps the lower half
    size_t mine = lower ? from : middle, n_mine = lower ? middle - from : to - middle;
    size_t other = lower ? middle : from, n_other = to - from - n_mine;
    if (s->step <= r->levels) { // halve
        s->own[level + 1].from = mine;
        s->own[level + 1].to = mine + n_mine;
        receive(r, slot, s->scratch, n_mine, partner);
        send(r, slot, x + other, n_other, partner);
    } else { // double
        receive(r, slot, x + other, n_other, partner);
        send(r, slot, x + mine, n_mine, partner);
    }
}

// The slot's step has its data: adds what was received for adding.
static void step_end(reduce_t *r, int slot)
{
    slot_t *s = &r->slot[slot];
    const chunk_t *k = &r->chunk[s->chunk];
    float *x = r->x + k->first;
    if (s->step == 0 && r->c->rank < r->folded) add(x, s->scratch, k->n);
    if (s->step >= 1 && s->step <= r->levels && r->c->rank < 1 << r->levels) {
        size_t from = s->own[s->step].from, to = s->own[s->step].to;
        add(x + from, s->scratch, to - from);
    }
}

static void bucket_end(const reduce_t *r, int bucket)
{
    if (trace_on && r->began[bucket] > 0) trace_add("bucket", r->what, "sum", bucket, r->began[bucket]);
}

// Takes the slot as far as it goes without waiting; frees it after the last step.
static void slot_run(reduce_t *r, int slot)
{
    slot_t *s = &r->slot[slot];
    while (s->requests == 0) {
        if (s->step >= 0) step_end(r, slot);
        if (s->step == 2 * r->levels + 1) {
            int bucket = r->chunk[s->chunk].bucket;
            if (--r->chunks_left[bucket] == 0) bucket_end(r, bucket);
            s->chunk = -1;
            r->active--;
            return;
        }
        s->step++;
        step_start(r, slot);
    }
}

// Gives free slots the next chunks.  All ranks queue in the same order, so the oldest chunk that is missing
// anywhere has a slot on every rank that still owes something to it: slots cannot deadlock.
static void fill(reduce_t *r)
{
    for (int i = 0; i < SLOTS && r->taken < r->queued; i++) {
        slot_t *s = &r->slot[i];
        while (s->chunk < 0 && r->taken < r->queued) {
            s->chunk = r->queue[r->taken++];
            s->number = r->number++;
            s->step = -1;
            s->own[0].from = 0;
            s->own[0].to = r->chunk[s->chunk].n;
            r->active++;
            slot_run(r, i);
        }
    }
}

void reduce_start(reduce_t *r, int bucket)
{
    CHECK(bucket >= 0 && bucket < r->n_buckets, "bucket %d of %s, which has %d", bucket, r->what,
          r->n_buckets);
    size_t n = r->edge[bucket + 1] - r->edge[bucket];
    if (r->c->size == 1 || n == 0) return;
    r->began[bucket] = trace_on ? now() : 0;
    if (r->mode == REDUCE_MPI) {
        CHECK(r->request[bucket] == MPI_REQUEST_NULL, "bucket %d of %s started twice", bucket, r->what);
        MPI_OK(MPI_Iallreduce(MPI_IN_PLACE, r->x + r->edge[bucket], mpi_count(n), MPI_FLOAT, MPI_SUM, r->comm,
                              &r->request[bucket]));
        r->active++;
        return;
    }
    if (!r->active && r->taken == r->queued) r->taken = r->queued = 0;
    r->chunks_left[bucket] = r->first_chunk[bucket + 1] - r->first_chunk[bucket];
    for (int i = r->first_chunk[bucket]; i < r->first_chunk[bucket + 1]; i++) {
        CHECK(r->queued < r->n_chunks, "bucket %d of %s started twice", bucket, r->what);
        r->queue[r->queued++] = i;
    }
    fill(r);
}

bool reduce_poll(reduce_t *r)
{
    r->moved = false;
    if (!r->active) return true;
    int n = r->mode == REDUCE_MPI ? r->n_buckets : 2 * SLOTS, n_done;
    MPI_OK(MPI_Testsome(n, r->request, &n_done, r->done, MPI_STATUSES_IGNORE));
    if (n_done == MPI_UNDEFINED || n_done == 0) return false;
    r->moved = true;
    if (r->mode == REDUCE_MPI) {
        for (int i = 0; i < n_done; i++) bucket_end(r, r->done[i]);
        r->active -= n_done;
        return !r->active;
    }
    for (int i = 0; i < n_done; i++) {
        int slot = r->done[i] / 2;
        if (--r->slot[slot].requests == 0) slot_run(r, slot);
    }
    fill(r);
    return !r->active;
}

// The bucket that has waited longest, for messages.
static int oldest_bucket(const reduce_t *r)
{
    if (r->mode == REDUCE_MPI) {
        for (int b = 0; b < r->n_buckets; b++)
            if (r->request[b] != MPI_REQUEST_NULL) return b;
        return -1;
    }
    const slot_t *oldest = NULL;
    for (const slot_t *s = r->slot; s < r->slot + SLOTS; s++)
        if (s->chunk >= 0 && (!oldest || s->number < oldest->number)) oldest = s;
    return oldest ? r->chunk[oldest->chunk].bucket : -1;
}

double reduce_finish(reduce_t *r)
{
    double start = now();
    while (r->active) {
        wait_t w = wait_begin(r->c, "the sum of %s, bucket %d", r->what, oldest_bucket(r));
        while (!reduce_poll(r) && !r->moved) wait_turn(&w);
    }
    return now() - start;
}
