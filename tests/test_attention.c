// ranks: 1 2 3
// Every training image keeps the centres of its last visit, whichever rank saw it and whichever rank holds
// its row.

#include "test.h"

#include "dagan/train.h"

enum { REGIONS = 3, STEPS = 40, BATCH = 30 };

// The row that stands at place `p` of step `step`; half of the rows are never met.
static size_t row_of(size_t n, long step, int p)
{
    rng_t r = rng_at(1, STREAM_TEST, (uint64_t)step, (uint64_t)p);
    return 2 * rng_below(&r, (uint32_t)((n + 1) / 2));
}

static float centre_of(size_t row, long step, int i)
{
    return (float)row + 0.25f * (float)step + 0.01f * (float)i;
}

// This rank's visits of a step: every size-th place, so that later steps meet a row on other ranks.
static void visit(attention_map_t *a, long step)
{
    float centres[2 * REGIONS];
    for (int p = 0; p < BATCH; p++) {
        if ((p + step) % comm.size != comm.rank) continue;
        size_t row = row_of(a->n, step, p);
        for (int i = 0; i < 2 * REGIONS; i++) centres[i] = centre_of(row, step, i);
        attention_visit(a, row, step, centres);
    }
}

static void expect_last_visits(const attention_map_t *a, long before)
{
    int64_t *last = alloc(a->n, sizeof *last);
    for (size_t r = 0; r < a->n; r++) last[r] = -1;
    for (long step = 0; step < before; step++)
        for (int p = 0; p < BATCH; p++) last[row_of(a->n, step, p)] = step;
    for (size_t k = 0; k < a->mine.count; k++) {
        size_t row = a->mine.first + k;
        if (a->step[k] != last[row])
            fail_msg("row %zu was seen at step %ld, wanted %ld", row, (long)a->step[k], (long)last[row]);
        for (int i = 0; i < 2 * REGIONS; i++)
            EXPECT(a->centres[k * 2 * REGIONS + (size_t)i] ==
                   (last[row] < 0 ? 0 : centre_of(row, last[row], i)));
    }
    free(last);
}

static void expect_every_row_once(const attention_map_t *a)
{
    double rows = (double)a->mine.count, bad;
    comm_sum(&comm, &rows, 1);
    assert_int_equal((size_t)rows, a->n);
    bad = a->mine.count && a->mine.first % ATTENTION_BLOCK != 0; // checksums cover whole blocks
    assert_int_equal((int)bad, 0);
}

static void run(size_t n)
{
    attention_map_t a;
    attention_init(&a, &comm, n, REGIONS);
    expect_every_row_once(&a);
    expect_last_visits(&a, 0);
    for (long step = 0; step < STEPS; step++) {
        visit(&a, step);
        if (step != 3 && step != 25) continue; // a checkpoint
        attention_exchange(&a, &comm);
        assert_int_equal(a.n_visits, 0);
        expect_last_visits(&a, step + 1);
    }
    attention_exchange(&a, &comm);
    expect_last_visits(&a, STEPS);
    attention_exchange(&a, &comm); // nothing new
    expect_last_visits(&a, STEPS);
    attention_free(&a);
}

TEST(each_row_keeps_its_newest_visit)
{
    run(5 * ATTENTION_BLOCK);
    run(3 * ATTENTION_BLOCK + 7);
}

TEST(ranks_without_a_block_hold_no_rows)
{
    run(50);
    run(ATTENTION_BLOCK + 1);
}

TEST(a_newer_visit_wins_also_where_it_arrives_first)
{
    attention_map_t a;
    float centres[2 * REGIONS] = { 0 };
    attention_init(&a, &comm, 10, REGIONS);
    // Rank r brings step size - r: the exchange delivers by rank, so the newest comes first.
    centres[0] = (float)(comm.size - comm.rank);
    attention_visit(&a, 4, comm.size - comm.rank, centres);
    attention_exchange(&a, &comm);
    if (a.mine.count) {
        assert_int_equal(a.step[4], comm.size);
        EXPECT(a.centres[4 * 2 * REGIONS] == (float)comm.size);
    }
    attention_free(&a);
}
