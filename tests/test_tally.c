// ranks: 1
// Gradients are summed in one tree, whatever the number of ranks that hold its parts.

#include "test.h"

#include "dagan/train.h"

enum { N = 1000, LEAVES_MAX = 16 };

// Numbers of very different size, so that the order of adding shows.
static float leaf_value(int leaf, size_t i)
{
    rng_t r = rng_at(1, STREAM_TEST, (uint64_t)leaf, i);
    float x = rng_normal(&r);
    return ldexpf(x, (int)rng_below(&r, 16) - 8);
}

// The tree's definition: an even number of leaves is the sum of its halves, an odd one is summed in order.
static float tree(int first, int leaves, size_t i)
{
    if (leaves % 2 == 0) {
        float low = tree(first, leaves / 2, i), high = tree(first + leaves / 2, leaves / 2, i);
        return low + high;
    }
    float sum = 0;
    for (int k = first; k < first + leaves; k++) sum += leaf_value(k, i);
    return sum;
}

// What a rank with leaves [first, first + leaves) makes of them in x; its last leaf comes in parts, the end
// first.
static void tally(float *x, int first, int leaves)
{
    tally_t t;
    memset(x, 0, N * sizeof *x);
    tally_init(&t, x, N, leaves);
    for (int k = 0; k < leaves; k++) {
        for (size_t i = 0; i < N; i++) x[i] += leaf_value(first + k, i);
        if (k + 1 < leaves) {
            tally_add(&t, x, k, 0, N);
            continue;
        }
        tally_add(&t, x, k, 900, N);
        tally_add(&t, x, k, 0, 1);
        tally_add(&t, x, k, 1, 900);
    }
    tally_free(&t);
}

// comm's tree over 2^k ranks: neighbours first.
static void tally_ranks(float *x, int first, int leaves, int ranks)
{
    float high[N];
    if (ranks == 1) {
        tally(x, first, leaves);
        return;
    }
    tally_ranks(x, first, leaves / 2, ranks / 2);
    tally_ranks(high, first + leaves / 2, leaves / 2, ranks / 2);
    for (size_t i = 0; i < N; i++) x[i] += high[i];
}

static void expect_tree(const float *x, int leaves, int ranks)
{
    for (size_t i = 0; i < N; i++) {
        float want = tree(0, leaves, i);
        if (memcmp(&want, &x[i], sizeof want))
            fail_msg("%d leaves on %d ranks: element %zu is %a, wanted %a", leaves, ranks, i, x[i], want);
    }
}

TEST(leaves_of_one_rank_are_summed_in_the_tree)
{
    float x[N];
    for (int leaves = 1; leaves <= LEAVES_MAX; leaves++) {
        tally(x, 0, leaves);
        expect_tree(x, leaves, 1);
    }
}

TEST(ranks_that_share_the_leaves_get_the_same_bits)
{
    static const int leaves[] = { 2, 4, 8, 12, 16 };
    float x[N];
    for (int l = 0; l < 5; l++)
        for (int ranks = 1; leaves[l] % ranks == 0 && ranks <= 16; ranks *= 2) {
            tally_ranks(x, 0, leaves[l], ranks);
            expect_tree(x, leaves[l], ranks);
        }
}

TEST(a_tally_starts_anew_with_every_step)
{
    float x[N];
    tally_t t;
    memset(x, 0, sizeof x);
    tally_init(&t, x, N, 6);
    for (int step = 0; step < 3; step++) {
        memset(x, 0, sizeof x); // as adam_update leaves the gradients
        for (int k = 0; k < 6; k++) {
            for (size_t i = 0; i < N; i++) x[i] += leaf_value(k, i);
            tally_add(&t, x, k, 0, N);
        }
        expect_tree(x, 6, 1);
    }
    tally_free(&t);
}

// Leaves that run side by side have arrays of their own, the last one x.
static void tally_at_once_of(float *x, int leaves, int at_once)
{
    tally_t t;
    float *g[LEAVES_MAX];
    for (int i = 0; i < at_once; i++) g[i] = i ? alloc(N, sizeof(float)) : x;
    memset(x, 0, N * sizeof *x);
    tally_init(&t, x, N, leaves);
    for (int first = 0; first < leaves; first += at_once) {
        int count = leaves - first < at_once ? leaves - first : at_once;
        for (int k = 0; k < count; k++)
            for (size_t i = 0; i < N; i++) g[count - 1 - k][i] += leaf_value(first + k, i);
#pragma omp parallel num_threads(count)
        for (int k = 0; k < count; k++) tally_add(&t, g[count - 1 - k], first + k, 0, N);
    }
    tally_free(&t);
    for (int i = 1; i < at_once; i++) free(g[i]);
}

TEST(leaves_that_run_at_once_are_summed_in_the_same_tree)
{
    float x[N];
    for (int leaves = 1; leaves <= LEAVES_MAX; leaves *= 2)
        for (int at_once = 1; at_once <= leaves; at_once++) {
            tally_at_once_of(x, leaves, at_once);
            expect_tree(x, leaves, 1);
        }
}

TEST(threads_take_a_leaf_each_where_few_of_them_wait)
{
    assert_int_equal(tally_at_once(8, 2), 2);
    assert_int_equal(tally_at_once(8, 8), 8);
    assert_int_equal(tally_at_once(8, 3), 3); // 3, 3 and 2
    assert_int_equal(tally_at_once(8, 5), 5); // 5 and 3: exactly the four fifths that are asked for
    assert_int_equal(tally_at_once(8, 6), 1); // 6 and 2
    assert_int_equal(tally_at_once(2, 3), 1);
    assert_int_equal(tally_at_once(1, 4), 1);
    assert_int_equal(tally_at_once(12, 2), 1); // blocks of three are summed in one array
}

TEST(another_order_would_show)
{
    int differ = 0;
    for (size_t i = 0; i < N; i++) {
        float sum = 0;
        for (int k = 0; k < 8; k++) sum += leaf_value(k, i);
        differ += sum != tree(0, 8, i);
    }
    EXPECT(differ > N / 10);
}
