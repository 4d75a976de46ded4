// A file of arrays on its way to the disk.
//
// Every rank copies its rows into memory of its own.  Rank 0 alone lays the file out with HDF5: groups,
// datasets, checksums, attributes; HDF5 then tells where in the file each dataset lies.  Every rank writes
// its rows there, brings them to disk and compares what it reads back, by plain system calls.
//
// So nothing here waits for another rank inside HDF5 or MPI-IO, where a lost rank could not be named and a
// full disk on one rank would leave the others in a collective call for ever; and a thread may write while
// training goes on: it calls neither HDF5, which takes one thread at a time, nor MPI.  Letting MPI-IO write
// from a thread would need MPI_THREAD_MULTIPLE, which Open MPI 4's one-sided messages across hosts refuse.

#include "dagan/array.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAME_MAX_TEXT = 256, ERROR_TEXT = 3 * CONF_TEXT_MAX, READ_BACK = 1 << 20 };
enum { PAGE_MOST = 64 << 10 }; // bytes of a page, on any machine

// One dataset, and this rank's rows of it.
typedef struct {
    char name[NAME_MAX_TEXT];
    array_t t;
    share_t share;
    char *rows;
    size_t at, bytes;   // of the rows in the dataset
    size_t first_block; // of all blocks in the file
} piece_t;

struct save {
    const comm_t *comm;
    char path[2 * CONF_TEXT_MAX];
    piece_t *piece;
    size_t n, capacity;
    size_t n_blocks;
    uint64_t *sum;    // (n_blocks) checksums; those of other ranks' rows are 0 until all know all
    uint64_t *offset; // (n) where the datasets lie in the file
    pthread_t thread;
    bool has_thread;
    atomic_bool is_over;
    double written;         // now() when all was on disk
    char error[ERROR_TEXT]; // of the thread, which must not call fail()
};

save_t *save_new(const comm_t *c, const char *path)
{
    save_t *s = alloc(1, sizeof *s);
    s->comm = c;
    snprintf(s->path, sizeof s->path, "%s", path);
    return s;
}

static void join(save_t *s)
{
    if (s->has_thread) CHECK(pthread_join(s->thread, NULL) == 0, "cannot wait for a thread");
    s->has_thread = false;
}

void save_free(save_t *s)
{
    if (!s) return;
    join(s);
    for (size_t i = 0; i < s->n; i++) free(s->piece[i].rows);
    free(s->piece);
    free(s->sum);
    free(s->offset);
    free(s);
}

void *save_add(save_t *s, const char *name, const array_t *t, share_t rows)
{
    if (s->n == s->capacity) {
        s->capacity = s->capacity ? 2 * s->capacity : 64;
        s->piece = realloc(s->piece, s->capacity * sizeof *s->piece);
        CHECK(s->piece, "no memory for %zu datasets", s->capacity);
    }
    size_t row = array_row_bytes(t), bytes = rows.count * row;
    piece_t *p = &s->piece[s->n++];
    *p = (piece_t){ .t = *t,
                    .share = rows,
                    .at = rows.first * row,
                    .bytes = bytes,
                    .rows = malloc(bytes + 1),
                    .first_block = s->n_blocks };
    CHECK(p->rows, "no memory for %zu bytes of a checkpoint", bytes); // not alloc(): zeros would be waste
    CHECK(snprintf(p->name, sizeof p->name, "%s", name) < NAME_MAX_TEXT, "the name %s is too long", name);
    s->n_blocks += array_blocks(t);
    return p->rows;
}

void save_rows(save_t *s, const char *name, const array_t *t, share_t rows, const void *mine)
{
    memcpy(save_add(s, name, t, rows), mine, rows.count * array_row_bytes(t));
}

// All ranks' checksums: those of other ranks' rows are 0 here until they come.
static void sum_up(save_t *s)
{
    s->sum = alloc(s->n_blocks + 1, sizeof *s->sum);
    for (size_t i = 0; i < s->n; i++)
        array_sums(s->sum + s->piece[i].first_block, &s->piece[i].t, s->piece[i].share, s->piece[i].rows);
    comm_or(s->comm, s->sum, s->n_blocks);
}

// What this host remembers of the file.  Network file systems send whole pages: one that is remembered from
// before another host wrote to it would undo that.  And what is read back from memory proves nothing about
// the disk.  Only advice.
static void forget_pages(int fd)
{
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static int forget(const char *path)
{
    int fd = open(path, O_WRONLY), bad = fd < 0 || fsync(fd);
    if (bad) fail("%s: cannot be brought to disk: %s", path, strerror(errno));
    if (!bad) forget_pages(fd);
    if (fd >= 0) close(fd); // fsync has told
    return bad ? -1 : 0;
}

static int lay_out(save_t *s, save_attributes_t *attributes, const void *arg)
{
    array_file_t f;
    if (array_create(&f, s->comm, s->path)) return -1;
    int bad = 0;
    for (size_t i = 0; i < s->n && !bad; i++)
        bad =
            array_lay(&f, s->piece[i].name, &s->piece[i].t, s->sum + s->piece[i].first_block, &s->offset[i]);
    if (!bad) bad = attributes(&f, arg);
    bad |= array_close(&f);
    return bad ? -1 : forget(s->path);
}

int save_lay_out(save_t *s, save_attributes_t *attributes, const void *arg)
{
    int bad = 0;
    s->offset = alloc(s->n + 1, sizeof *s->offset);
    sum_up(s);
    if (s->comm->rank == 0) bad = lay_out(s, attributes, arg);
    comm_bcast(s->comm, &bad, sizeof bad, 0);
    if (!bad) comm_bcast(s->comm, s->offset, s->n * sizeof *s->offset, 0);
    return bad;
}

// ---- writing: no MPI, no HDF5, no fail() from here on ----------------------------------------------

static int blame(save_t *s, const char *what, const char *name)
{
    int why = errno;
    snprintf(s->error, sizeof s->error, "%s: %s%s%s: %s", s->path, name, name[0] ? " " : "", what,
             why ? strerror(why) : "not what was written");
    return -1;
}

static int write_rows(save_t *s, int fd, size_t i)
{
    const piece_t *p = &s->piece[i];
    for (size_t done = 0; done < p->bytes;) {
        ssize_t n = pwrite(fd, p->rows + done, p->bytes - done, (off_t)(s->offset[i] + p->at + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return blame(s, "cannot be written", p->name);
        done += (size_t)n;
    }
    return 0;
}

// The bytes [done, end) of this rank's rows.
static int read_rows_back(save_t *s, int fd, size_t i, size_t done, size_t end, char *buffer)
{
    const piece_t *p = &s->piece[i];
    while (done < end) {
        size_t left = end - done, most = left < READ_BACK ? left : READ_BACK;
        errno = 0;
        ssize_t n = pread(fd, buffer, most, (off_t)(s->offset[i] + p->at + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0 || memcmp(buffer, p->rows + done, (size_t)n)) return blame(s, "read back", p->name);
        done += (size_t)n;
    }
    return 0;
}

static int write_all(save_t *s)
{
    int fd = open(s->path, O_WRONLY), bad = fd < 0;
    for (size_t i = 0; i < s->n && !bad; i++) bad = write_rows(s, fd, i);
    if (!bad) bad = fsync(fd);
    if (bad && !s->error[0]) blame(s, "cannot be brought to disk", "");
    if (fd >= 0 && close(fd) && !bad) bad = blame(s, "cannot be closed", "");
    return bad;
}

// Up to `most` bytes from the beginning of each piece, and as many before its end.
static int read_back(save_t *s, size_t most)
{
    int fd = open(s->path, O_RDONLY), bad = fd < 0;
    char *buffer = malloc(READ_BACK);
    if (bad || !buffer) bad = blame(s, "cannot be read back", "");
    if (!bad) forget_pages(fd);
    for (size_t i = 0; i < s->n && !bad; i++) {
        size_t bytes = s->piece[i].bytes, first = bytes < most ? bytes : most;
        bad = read_rows_back(s, fd, i, 0, first, buffer) ||
              read_rows_back(s, fd, i, bytes - first > first ? bytes - first : first, bytes, buffer);
    }
    free(buffer);
    if (fd >= 0) close(fd); // only read from
    return bad;
}

static void *work(void *save)
{
    save_t *s = save;
    int bad = write_all(s);
    s->written = now();
    if (!bad) read_back(s, SIZE_MAX);
    atomic_store(&s->is_over, true);
    return NULL;
}

void save_write(save_t *s, bool by_thread)
{
    sigset_t all, before;
    if (by_thread) { // signals are the business of the thread that trains
        sigfillset(&all);
        CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0, "cannot block signals");
        s->has_thread = pthread_create(&s->thread, NULL, work, s) == 0;
        CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0, "cannot unblock signals");
    }
    if (!s->has_thread) work(s); // also where no thread is to be had
}

// ---- the end ---------------------------------------------------------------------------------------

bool save_is_over(const save_t *s)
{
    return atomic_load(&s->is_over);
}

int save_wait(save_t *s)
{
    join(s);
    return s->error[0] ? fail("%s", s->error) : 0;
}

double save_written(const save_t *s)
{
    return s->written;
}

int save_read_seams(save_t *s)
{
    if (s->comm->size == 1) return 0; // nobody else writes
    return read_back(s, PAGE_MOST) ? fail("%s", s->error) : 0;
}

int save_check(const save_t *s)
{
    array_file_t f;
    if (array_open_alone(&f, s->comm, s->path)) return -1;
    int bad = 0;
    for (size_t i = 0; i < s->n && !bad; i++)
        bad =
            array_check(&f, s->piece[i].name, &s->piece[i].t, s->sum + s->piece[i].first_block, s->offset[i]);
    return array_close(&f) | bad;
}

// Whether any rank failed; without a text where another has it.
static int shared(const save_t *s, int bad)
{
    if (!comm_any(s->comm, bad)) return 0;
    return bad ? -1 : fail("%s", "");
}

int save_whole(save_t *s, save_attributes_t *attributes, const void *arg)
{
    bool is_first = s->comm->rank == 0;
    char path[sizeof s->path];
    memcpy(path, s->path, sizeof path);
    snprintf(s->path, sizeof s->path, "%.*s.tmp", (int)(sizeof s->path - sizeof ".tmp"), path);
    int bad = shared(s, save_lay_out(s, attributes, arg) && is_first);
    if (!bad) {
        save_write(s, false);
        bad = shared(s, save_wait(s));
    }
    if (!bad) bad = shared(s, save_read_seams(s));
    if (!bad) bad = shared(s, is_first && (save_check(s) || take_name(s->path, path)));
    if (bad && is_first) unlink(s->path); // a half of it is of no use
    return bad;
}
