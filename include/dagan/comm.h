// comm: ranks, agreement, sums in one fixed tree, and rows fetched from their owners.
// This layer and HDF5's collective calls in array/, data/ and run/dump.c are all that communicates.
#ifndef DAGAN_COMM_H
#define DAGAN_COMM_H

#include <mpi.h>

#include "dagan/base.h"

typedef struct {
    char name[64];
} host_t;

typedef struct {
    MPI_Comm all;   // a duplicate of MPI_COMM_WORLD whose errors return
    MPI_Comm calls; // for finding out which rank is missing
    int rank, size;
    host_t *host;      // of each rank, for messages
    bool same_kernels; // on all ranks, after comm_agree_kernels
    double timeout; // seconds a rank may wait for another before it gives up, 0: for ever; an hour at first
} comm_t;

// MPI_OK(call): a failed MPI call ends the run with file, line, call and MPI's reason.
#define MPI_OK(call) mpi_ok((call), __FILE__, __LINE__, #call)
void mpi_ok(int code, const char *file, int line, const char *call);

// A size as MPI takes it; ends the run where it does not fit.
int mpi_count(size_t n);

// Starts MPI (thread level FUNNELED; SIGTERM, SIGINT and SIGUSR1 wait meanwhile) and duplicates the world;
// sets die_hook to MPI_Abort.  Collective.
void comm_init(comm_t *c, int *argc, char ***argv);
// Ends MPI.  Collective.
void comm_free(comm_t *c);

// True on all ranks if `bad` is true on any; the text of the lowest such rank that has one is printed once,
// as "dagan_mpi: text", to stderr by rank 0: a rank whose trouble is another's to tell says fail("%s", "").
// Collective: every rank must come here.
bool comm_agree(const comm_t *c, bool bad, const char *text);
// The same with words in front of the text.
bool comm_tell(const comm_t *c, bool bad, const char *before, const char *text);
// Rank 0 hands each such line to `hear` too: `before` and `text`, one after the other.  NULL: to nobody.
// Local.
void comm_hear(void (*hear)(void *arg, const char *before, const char *text), void *arg);

// True on all ranks if `yes` is true on any; prints nothing.  Collective.
bool comm_any(const comm_t *c, bool yes);

// Ranks on different processors take the plainest kernels among theirs.  c->same_kernels: BLIS's are alike as
// well. Collective; to be called before tapes are built.
void comm_agree_kernels(comm_t *c);

// Small in-place collectives over doubles and 64-bit integers.  The order of the sum is MPI's: use
// them for times and counts, never for what the weights depend on.
void comm_sum(const comm_t *c, double *x, size_t n);
void comm_max(const comm_t *c, double *x, size_t n);
void comm_or(const comm_t *c, uint64_t *x, size_t n); // bit by bit
void comm_bcast(const comm_t *c, void *bytes, size_t n, int root);
void comm_barrier(const comm_t *c);
// Prints every rank's text (NULL: none) on rank 0's stderr, in the order of ranks.  Collective.
void comm_print(const comm_t *c, const char *text);
// Sends each of n items of `bytes` to rank to[i]; returns what came, ordered by sender, to be released with
// free(). Collective.
void *comm_exchange(const comm_t *c, const void *items, const int *to, size_t n, size_t bytes,
                    size_t *received);

// Where this rank is ("step 12"), for the messages of ranks that wait for it and of its own waits.
void comm_at(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Around a call that waits for other ranks inside MPI or HDF5: after c->timeout seconds this process says
// where it waits and ends, and with it the run.
void comm_watch(const comm_t *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void comm_watched(const comm_t *c);

// Share of `n` items that rank `rank` of `size` holds: [first, first + count), contiguous, in order.
typedef struct {
    size_t first, count;
} share_t;
share_t share_of(size_t n, int rank, int size);
int share_owner(size_t n, size_t item, int size); // the rank whose share holds `item`
// Completes an array of items of which each rank holds its share (consecutive, in the order of ranks).
// Collective.
void comm_complete(const comm_t *c, void *items, share_t mine, size_t bytes);

// ---- sums over ranks, in buckets ----------------------------------------------------------------

// Sums an array over all ranks, bucket by bucket, in place.  REDUCE_TREE adds in one fixed binary tree
// over ranks (recursive halving by distance doubling, then the same way back), so that np = 1, 2, 4, ...
// give the same bits where the ranks hold consecutive subtrees.  Where np is not a power of two the
// ranks beyond the largest one fold into the first ones before and after.  REDUCE_MPI uses
// MPI_Iallreduce.  Nothing moves unless reduce_poll or reduce_finish is called: Open MPI has no
// progress thread.
typedef struct reduce reduce_t;

// Bucket i is x[edge[i] .. edge[i+1]).  Borrows x; copies edge (n_buckets + 1 offsets).  `what` names the
// sum in messages.  Collective; all arguments but x must agree.
reduce_t *reduce_new(const comm_t *c, reduce_mode_t mode, const char *what, float *x, const size_t *edge,
                     int n_buckets);
void reduce_free(reduce_t *r);
// Starts bucket i; all ranks start the same buckets in the same order.  Returns at once.
void reduce_start(reduce_t *r, int bucket);
// Moves what can be moved.  Returns true when no bucket is under way.  Local.
bool reduce_poll(reduce_t *r);
// Waits until every started bucket holds its sum; returns the seconds it took.  After c->timeout
// seconds it names the bucket and the ranks it waits for, and aborts.
double reduce_finish(reduce_t *r);

// ---- rows held by all ranks together ------------------------------------------------------------

// `n` rows of `bytes` each, row i in the memory of share_owner(n, i); any rank fetches any row by
// one-sided MPI while the owner computes.
typedef struct store store_t;

// Collective.  The caller fills store_mine() and then calls store_publish().
store_t *store_new(const comm_t *c, size_t n, size_t bytes);
void store_free(store_t *s);                      // collective
char *store_mine(store_t *s);                     // this rank's rows, share_of(n) of them
void store_publish(store_t *s);                   // collective: rows are final, fetching may begin
void store_get(store_t *s, size_t row, void *to); // starts fetching one row into `to`
void store_poll(store_t *s);                      // moves what can be moved; local
double store_wait(store_t *s);                    // until all started rows are here; returns seconds

#endif
