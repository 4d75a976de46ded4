// ranks: 1 2 3 4 5 8
#include "test.h"

enum { LEAVES = 8 };

// Leaf `leaf` of element i: numbers of very different size, so that the order of adding shows.
static float leaf_value(int leaf, size_t i, int round)
{
    uint32_t h = (uint32_t)i * 2654435761u ^ (uint32_t)leaf * 40503u ^ (uint32_t)round * 97u;
    h ^= h >> 15, h *= 2246822519u, h ^= h >> 13, h *= 3266489917u, h ^= h >> 16;
    return ldexpf((float)(h & 0xffff) - 32768.0f, (int)(h >> 16 & 15) - 8) / 3.0f;
}

// The binary tree over leaves [first, first + n), n a power of two.
static float tree(int first, int n, size_t i, int round)
{
    if (n == 1) return leaf_value(first, i, round);
    float a = tree(first, n / 2, i, round), b = tree(first + n / 2, n / 2, i, round);
    return a + b;
}

static bool is_power_of_two(int n)
{
    return !(n & (n - 1));
}

// What a rank brings and what all shall have.  For np a power of two, rank r brings the subtree of its
// consecutive leaves, so the sum must be the same for every np.  Other np bring one leaf each.
static float bring(size_t i, int round)
{
    int each = LEAVES / comm.size;
    return is_power_of_two(comm.size) ? tree(comm.rank * each, each, i, round)
                                      : leaf_value(comm.rank, i, round);
}

static float want(size_t i, int round)
{
    if (is_power_of_two(comm.size)) return tree(0, LEAVES, i, round);
    // Ranks beyond the largest power of two are added to the first ones, then the tree.
    int p = 1;
    while (2 * p <= comm.size) p *= 2;
    float v[LEAVES];
    for (int r = 0; r < p; r++) v[r] = leaf_value(r, i, round);
    for (int r = p; r < comm.size; r++) v[r - p] += leaf_value(r, i, round);
    for (; p > 1; p /= 2)
        for (int r = 0; r < p / 2; r++) v[r] = v[2 * r] + v[2 * r + 1];
    return v[0];
}

static void fill(float *x, size_t n, int round)
{
    for (size_t i = 0; i < n; i++) x[i] = bring(i, round);
}

static void expect_bits(const float *x, size_t n, int round)
{
    for (size_t i = 0; i < n; i++) {
        float w = want(i, round);
        if (memcmp(&w, &x[i], sizeof w)) fail_msg("element %zu of %zu is %a, wanted %a", i, n, x[i], w);
    }
}

TEST(the_sum_has_the_bits_of_the_tree_for_every_length)
{
    static const size_t lengths[] = { 0,  1,  2,  3,  4,    5,    7,      8,      9,
                                      15, 16, 17, 31, 1000, 1001, 131071, 131073, 400003 };
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        size_t n = lengths[k], edge[] = { 0, n };
        float *x = alloc(n, sizeof *x);
        reduce_t *r = reduce_new(&comm, REDUCE_TREE, "a test", x, edge, 1);
        fill(x, n, 0);
        reduce_start(r, 0);
        reduce_finish(r);
        expect_bits(x, n, 0);
        reduce_free(r);
        free(x);
    }
}

// Buckets of many sizes, started one by one in descending order while earlier ones move.
static const size_t edges[] = { 0, 0, 1, 4, 9, 16, 16, 1016, 2017, 150000, 150001, 420000, 420000 };
enum { BUCKETS = sizeof edges / sizeof *edges - 1 };

TEST(buckets_under_way_together_do_not_mix_and_may_be_used_again)
{
    size_t n = edges[BUCKETS];
    float *x = alloc(n, sizeof *x);
    reduce_t *r = reduce_new(&comm, REDUCE_TREE, "a test", x, edges, BUCKETS);
    for (int round = 0; round < 5; round++) {
        fill(x, n, round);
        for (int b = BUCKETS; b-- > 0;) {
            reduce_start(r, b);
            // Ranks poll at different rates, so they are at different buckets and levels.
            for (int i = 0; i < (comm.rank + round) % 3 * 5; i++) reduce_poll(r);
        }
        if (round & 1) {
            while (!reduce_poll(r)) {
            }
        } else {
            reduce_finish(r);
        }
        EXPECT(reduce_poll(r));
        expect_bits(x, n, round);
    }
    reduce_free(r);
    free(x);
}

TEST(buckets_that_were_not_started_stay_as_they_are)
{
    float x[30];
    const size_t edge[] = { 0, 10, 20, 30 };
    reduce_t *r = reduce_new(&comm, REDUCE_TREE, "a test", x, edge, 3);
    fill(x, 30, 0);
    reduce_start(r, 1);
    reduce_finish(r);
    for (size_t i = 0; i < 30; i++) EXPECT(x[i] == (i / 10 == 1 ? want(i, 0) : bring(i, 0)));
    reduce_free(r);
}

TEST(two_sums_under_way_at_once_do_not_mix)
{
    enum { N = 50001 };
    const size_t edge[] = { 0, N / 2, N };
    float *x = alloc(N, sizeof *x), *y = alloc(N, sizeof *y);
    reduce_t *a = reduce_new(&comm, REDUCE_TREE, "a", x, edge, 2);
    reduce_t *b = reduce_new(&comm, REDUCE_TREE, "b", y, edge, 2);
    fill(x, N, 1);
    fill(y, N, 2);
    for (int i = 0; i < 2; i++) {
        reduce_start(a, i);
        reduce_start(b, i);
    }
    reduce_finish(b);
    reduce_finish(a);
    expect_bits(x, N, 1);
    expect_bits(y, N, 2);
    reduce_free(b);
    reduce_free(a);
    free(x);
    free(y);
}

TEST(mpi_mode_gives_the_same_sum_up_to_rounding)
{
    size_t n = edges[BUCKETS];
    float *x = alloc(n, sizeof *x);
    reduce_t *r = reduce_new(&comm, REDUCE_MPI, "a test", x, edges, BUCKETS);
    for (int round = 0; round < 2; round++) {
        fill(x, n, round);
        for (int b = 0; b < BUCKETS; b++) reduce_start(r, b);
        reduce_finish(r);
        EXPECT(reduce_poll(r));
        // Leaves reach 2^15 * 2^7 / 3 = 1.4e6 and sums 8 times that, where half a unit is 0.5: seven
        // additions of either order stay within 3.5 of the true sum.
        for (size_t i = 0; i < n; i++) EXPECT_NEAR(x[i], want(i, round), 7.0);
    }
    reduce_free(r);
    free(x);
}

TEST(a_rank_that_comes_late_but_in_time_is_waited_for)
{
    comm_t patient = comm;
    patient.timeout = 20;
    float x[100];
    const size_t edge[] = { 0, 100 };
    reduce_t *r = reduce_new(&patient, REDUCE_TREE, "a test", x, edge, 1);
    fill(x, 100, 0);
    comm_barrier(&patient);
    if (comm.size > 1 && comm.rank == comm.size - 1) usleep(500000);
    reduce_start(r, 0);
    double waited = reduce_finish(r);
    expect_bits(x, 100, 0);
    if (comm.size > 1 && comm.rank < comm.size - 1) EXPECT(waited > 0.2);
    reduce_free(r);
}
