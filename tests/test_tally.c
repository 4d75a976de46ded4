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
            tally_add(&t, k, 0, N);
            continue;
        }
        tally_add(&t, k, 900, N);
        tally_add(&t, k, 0, 1);
        tally_add(&t, k, 1, 900);
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
            tally_add(&t, k, 0, N);
        }
        expect_tree(x, 6, 1);
    }
    tally_free(&t);
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
