// ranks: 1 2 3 4 8
#include "test.h"

static char byte_of(size_t row, size_t k, int round)
{
    return (char)(row * 131 + k * 7 + (row ^ k) / 251 + (size_t)round * 17);
}

static store_t *filled(size_t n, size_t bytes, int round)
{
    store_t *s = store_new(&comm, n, bytes);
    share_t mine = share_of(n, comm.rank, comm.size);
    for (size_t i = 0; i < mine.count; i++)
        for (size_t k = 0; k < bytes; k++) store_mine(s)[i * bytes + k] = byte_of(mine.first + i, k, round);
    store_publish(s);
    return s;
}

static void expect_row(const char *row, size_t i, size_t bytes, int round)
{
    for (size_t k = 0; k < bytes; k++)
        if (row[k] != byte_of(i, k, round)) fail_msg("byte %zu of row %zu is wrong", k, i);
}

TEST(every_rank_gets_every_row)
{
    static const size_t sizes[][2] = { { 1, 1 },     { 2, 5 },       { 7, 3 },     { 17, 1001 },
                                       { 64, 4096 }, { 101, 12289 }, { 3, 300001 } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i][0], bytes = sizes[i][1];
        store_t *s = filled(n, bytes, 0);
        char *got = alloc(n, bytes);
        for (size_t row = 0; row < n; row++) store_get(s, row, got + row * bytes);
        store_wait(s);
        for (size_t row = 0; row < n; row++) expect_row(got + row * bytes, row, bytes, 0);
        free(got);
        store_free(s);
    }
}

TEST(an_empty_store_is_a_store)
{
    store_t *s = filled(0, 100, 0);
    store_poll(s);
    EXPECT(store_wait(s) == 0);
    store_free(s);
}

TEST(more_fetches_than_ever_before_are_no_problem)
{
    enum { BYTES = 24, TIMES = 700 };
    size_t n = 2 * (size_t)comm.size + 1;
    store_t *s = filled(n, BYTES, 0);
    char *got = alloc(TIMES, BYTES);
    for (int round = 0; round < 3; round++) {
        memset(got, 0, TIMES * BYTES);
        for (size_t i = 0; i < TIMES; i++) store_get(s, i % n, got + i * BYTES);
        store_wait(s);
        for (size_t i = 0; i < TIMES; i++) expect_row(got + i * BYTES, i % n, BYTES, 0);
    }
    free(got);
    store_free(s);
}

TEST(two_stores_do_not_mix)
{
    enum { N = 19, BYTES = 777 };
    store_t *a = filled(N, BYTES, 1), *b = filled(N, BYTES, 2);
    char *got = alloc(2 * N, BYTES);
    for (size_t i = 0; i < N; i++) {
        store_get(a, i, got + 2 * i * BYTES);
        store_get(b, N - 1 - i, got + (2 * i + 1) * BYTES);
    }
    store_wait(b);
    store_wait(a);
    for (size_t i = 0; i < N; i++) {
        expect_row(got + 2 * i * BYTES, i, BYTES, 1);
        expect_row(got + (2 * i + 1) * BYTES, N - 1 - i, BYTES, 2);
    }
    free(got);
    store_free(a);
    store_free(b);
}

// An owner that computes and only polls now and then must not hold up those who fetch.
TEST(owners_that_compute_serve_rows_when_they_poll)
{
    enum { N = 40, BYTES = 12288 };
    const double busy = 2; // seconds without any MPI call but store_poll
    store_t *s = filled(N, BYTES, 3);
    char *got = alloc(N, BYTES);
    if (comm.rank == 0) {
        usleep(200000); // until the others have left store_publish
        double start = now();
        for (size_t i = 0; i < N; i++) store_get(s, i, got + i * BYTES);
        store_wait(s);
        EXPECT(now() - start < busy / 2); // the barrier below would serve them too, but late
        for (size_t i = 0; i < N; i++) expect_row(got + i * BYTES, i, BYTES, 3);
    }
    for (double until = now() + (comm.rank ? busy : 0); now() < until; usleep(1000)) store_poll(s);
    comm_barrier(&comm);
    free(got);
    store_free(s);
}

// To start fetching never waits, and rows arrive while this rank computes.
TEST(rows_arrive_while_ranks_compute_and_poll)
{
    enum { N = 40, BYTES = 12288 };
    store_t *s = filled(N, BYTES, 5);
    char *got = alloc(N, BYTES);
    double asking = 0;
    if (comm.rank == 0) {
        usleep(200000);
        double start = now();
        for (size_t i = 0; i < N; i++) store_get(s, i, got + i * BYTES);
        asking = now() - start;
    } else {
        usleep(1000000); // no MPI call
    }
    EXPECT(asking < 0.4);
    for (double until = now() + 1.5; now() < until; usleep(1000)) store_poll(s);
    EXPECT(store_wait(s) == 0);
    for (size_t i = 0; i < N && comm.rank == 0; i++) expect_row(got + i * BYTES, i, BYTES, 5);
    comm_barrier(&comm);
    free(got);
    store_free(s);
}

TEST(a_store_may_be_freed_while_others_still_fetch)
{
    enum { N = 33, BYTES = 5000 };
    store_t *s = filled(N, BYTES, 4);
    char *got = alloc(N, BYTES);
    if (comm.rank == comm.size - 1) {
        usleep(200000);
        for (size_t i = 0; i < N; i++) store_get(s, i, got + i * BYTES);
        store_wait(s);
        for (size_t i = 0; i < N; i++) expect_row(got + i * BYTES, i, BYTES, 4);
    }
    store_free(s);
    free(got);
}
