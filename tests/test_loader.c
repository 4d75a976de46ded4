// ranks: 1 2 3
// The rows of a step are a function of (seed, step, position) and arrive whole, whichever step is asked for.
#include "test.h"

#include "files.h"

enum { N_S = 11, N_T = 5, SIZE = 3, BATCH = 7, SEED = 42 }; // 27 bytes of image: labels lie unaligned

typedef struct {
    dataset_t s, t;
} domains_t;

static void open_domain(dataset_t *d, const char *name, size_t n)
{
    const char *path = at(name);
    if (comm.rank == 0) write_dataset(path, n, SIZE);
    comm_barrier(&comm);
    domain_conf_t where = domain_at(path, "faces");
    assert_int_equal(dataset_open(d, &comm, &where, "train", SIZE, both_labels, 2), 0);
}

static void open_both(domains_t *d)
{
    open_domain(&d->s, "s.h5", N_S);
    open_domain(&d->t, "t.h5", N_T);
}

static void close_both(domains_t *d)
{
    dataset_close(&d->t);
    dataset_close(&d->s);
}

static void expect_rows(const size_t *row, const uint8_t *image, const int16_t *label, int count, order_t *o,
                        uint64_t p)
{
    enum { BYTES = 3 * SIZE * SIZE };
    for (int k = 0; k < count; k++) {
        size_t r = order_row(o, p + (uint64_t)k);
        assert_int_equal(row[k], r);
        for (size_t i = 0; i < BYTES; i++) assert_int_equal(image[(size_t)k * BYTES + i], pixel_of(r, i));
        assert_int_equal(label[2 * k], hair_of(r));
        assert_int_equal(label[2 * k + 1], eyes_of(r));
    }
}

TEST(an_epoch_visits_each_row_once_in_an_order_of_its_own)
{
    enum { N = 1000 };
    order_t o, again;
    order_init(&o, N, SEED, STREAM_ORDER_SOURCE);
    order_init(&again, N, SEED, STREAM_ORDER_SOURCE);
    int moved = 0, differ = 0;
    char seen[2][N] = { 0 };
    for (uint64_t p = 0; p < 2 * N; p++) seen[p / N][order_row(&o, p)]++;
    for (uint64_t i = 0; i < N; i++) {
        assert_int_equal(seen[0][i], 1);
        assert_int_equal(seen[1][i], 1);
        size_t late = order_row(&o, N + i), alone = order_row(&again, N + i);
        assert_int_equal(late, alone); // whether or not the epoch before was ever shuffled
        moved += late != i;
    }
    for (uint64_t i = 0; i < N; i++) differ += order_row(&o, i) != order_row(&again, N + i);
    EXPECT(moved > 950 && differ > 950); // one of 1000 rows stays on the average
    order_free(&again);
    order_free(&o);
}

TEST(streams_and_seeds_give_different_orders)
{
    order_t a, b, c;
    order_init(&a, 100, SEED, STREAM_ORDER_SOURCE);
    order_init(&b, 100, SEED, STREAM_ORDER_TARGET);
    order_init(&c, 100, SEED + 1, STREAM_ORDER_SOURCE);
    int ab = 0, ac = 0;
    for (uint64_t p = 0; p < 100; p++) {
        ab += order_row(&a, p) != order_row(&b, p);
        ac += order_row(&a, p) != order_row(&c, p);
    }
    EXPECT(ab > 80 && ac > 80);
    order_free(&c);
    order_free(&b);
    order_free(&a);
}

TEST(a_batch_holds_its_part_of_the_global_order)
{
    domains_t d;
    open_both(&d);
    order_t os, ot;
    order_init(&os, N_S, SEED, STREAM_ORDER_SOURCE);
    order_init(&ot, N_T, SEED, STREAM_ORDER_TARGET);
    share_t mine = share_of(BATCH, comm.rank, comm.size);
    int count = (int)mine.count;
    loader_t *l = loader_new(&d.s, &d.t, SEED, BATCH, (int)mine.first, count);
    // Two epochs in turn with the next step under way, then steps nobody announced, then a repetition.
    static const long steps[] = { 0, 1, 2, 3, 4, 5, 1000, 17, 17 };
    double waited = 0;
    for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
        const batch_t *b = loader_wait(l, steps[k], &waited);
        loader_start(l, steps[k] + 1); // must leave the batch in hand alone
        loader_poll(l);
        uint64_t p = (uint64_t)steps[k] * BATCH + mine.first;
        expect_rows(b->row_s, b->image_s, b->label_s, count, &os, p);
        expect_rows(b->row_t, b->image_t, b->label_t, count, &ot, p);
    }
    EXPECT(waited >= 0);
    comm_barrier(&comm);
    loader_free(l); // with rows under way
    order_free(&ot);
    order_free(&os);
    close_both(&d);
}

TEST(a_rank_without_pairs_still_takes_part)
{
    domains_t d;
    open_both(&d);
    loader_t *l = loader_new(&d.s, &d.t, SEED, 1, 0, comm.rank == 0);
    double waited = 0;
    for (long step = 0; step < 3; step++) loader_wait(l, step, &waited);
    comm_barrier(&comm);
    loader_free(l);
    close_both(&d);
}

TEST(batches_without_labels_are_served)
{
    domains_t d;
    open_both(&d);
    dataset_t bare;
    domain_conf_t where = domain_at(at("s.h5"), "faces");
    assert_int_equal(dataset_open(&bare, &comm, &where, "train", SIZE, NULL, 0), 0);
    loader_t *l = loader_new(&bare, &bare, SEED, BATCH, 0, BATCH);
    double waited = 0;
    const batch_t *b = loader_wait(l, 3, &waited);
    for (size_t i = 0; i < BATCH; i++) assert_int_equal(b->image_s[27 * i], pixel_of(b->row_s[i], 0));
    comm_barrier(&comm);
    loader_free(l);
    dataset_close(&bare);
    close_both(&d);
}
