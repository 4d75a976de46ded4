// ranks: 1
// Random numbers by place: Philox's published answers, no bias, and streams that do not meet.
#include "test.h"

// The three lines "philox4x32 10" of Random123's tests/kat_vectors: counter, key, answer.
static const uint32_t known[][10] = {
    { 0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x6627e8d5, 0xe169c58d,
      0xbc57ac4c, 0x9b00dbd8 },
    { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e,
      0xa20bc7c6, 0x6d5451fd },
    { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb,
      0x5001e420, 0x24126ea1 },
};

TEST(philox_gives_the_published_answers)
{
    for (int k = 0; k < 3; k++) {
        rng_t r = { 0 };
        memcpy(r.counter, known[k], sizeof r.counter);
        memcpy(r.key, known[k] + 4, sizeof r.key);
        for (int i = 0; i < 4; i++) EXPECT(rng_u32(&r) == known[k][6 + i]);
    }
}

TEST(the_counter_carries_into_every_word)
{
    rng_t r = { .counter = { 0xffffffff, 0xffffffff, 0xffffffff, 7 } };
    rng_u32(&r);
    for (int i = 0; i < 3; i++) EXPECT(r.counter[i] == 0);
    EXPECT(r.counter[3] == 8);
}

// Runs of older versions must continue on the same numbers.
TEST(a_place_has_the_numbers_it_always_had)
{
    rng_t r = rng_at(12345, STREAM_AUGMENT, 7, 1000000007);
    uint32_t found[6];
    for (int i = 0; i < 6; i++) found[i] = rng_u32(&r);
    static const uint32_t wanted[6] = {
        0x96e5b2c2, 0xca0c670d, 0x0d84e853, 0x68f2904d, 0x2f8dce38, 0x86da0bff
    };
    for (int i = 0; i < 6; i++) EXPECT(found[i] == wanted[i]);
}

TEST(seed_stream_and_both_counters_each_lead_elsewhere)
{
    const uint64_t far = 1ull << 40;
    rng_t r[] = {
        rng_at(1, STREAM_WEIGHTS, 2, 3),       rng_at(2, STREAM_WEIGHTS, 2, 3),
        rng_at(1, STREAM_POOL, 2, 3),          rng_at(1, STREAM_WEIGHTS, 3, 2),
        rng_at(1, STREAM_WEIGHTS, 2, 4),       rng_at(1 + far, STREAM_WEIGHTS, 2, 3),
        rng_at(1, STREAM_WEIGHTS, 2 + far, 3), rng_at(1, STREAM_WEIGHTS, 2, 3 + far),
        rng_at(1, STREAM_ORDER_SOURCE, 2, 3),  rng_at(1, STREAM_ORDER_TARGET, 2, 3),
    };
    enum { N = sizeof r / sizeof *r };
    uint32_t first[N];
    for (int i = 0; i < N; i++) first[i] = rng_u32(&r[i]);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < i; j++) EXPECT(first[i] != first[j]);
}

TEST(numbers_do_not_depend_on_what_was_drawn_before)
{
    rng_t a = rng_at(5, STREAM_TEST, 1, 1), b = rng_at(5, STREAM_TEST, 1, 1);
    for (int i = 0; i < 11; i++) rng_u32(&a);
    rng_t c = rng_at(5, STREAM_TEST, 1, 1);
    for (int i = 0; i < 11; i++) EXPECT(rng_u32(&c) == rng_u32(&b));
}

// n = 3 * 2^30 is the worst case: the remainder of a division would fall below 2^30 half of the time, and
// a product without redrawing would be divisible by 3 half of the time, instead of a third.
TEST(below_is_unbiased)
{
    enum { DRAWS = 300000 };
    rng_t r = rng_at(1, STREAM_TEST, 0, 0);
    int low = 0, thirds = 0;
    for (int i = 0; i < DRAWS; i++) {
        uint32_t v = rng_below(&r, 3u << 30);
        EXPECT(v < 3u << 30);
        low += v < 1u << 30;
        thirds += v % 3 == 0;
    }
    EXPECT_NEAR(low / (double)DRAWS, 1 / 3.0, 0.0043); // 5 standard deviations
    EXPECT_NEAR(thirds / (double)DRAWS, 1 / 3.0, 0.0043);
}

TEST(below_reaches_every_value_equally)
{
    enum { N = 7, DRAWS = 70000 };
    rng_t r = rng_at(2, STREAM_TEST, 0, 0);
    int count[N] = { 0 };
    for (int i = 0; i < DRAWS; i++) count[rng_below(&r, N)]++;
    double chi2 = 0;
    for (int i = 0; i < N; i++) chi2 += pow(count[i] - DRAWS / N, 2) / (DRAWS / N);
    EXPECT(chi2 < 22.5); // exceeded once in 1000 seeds
    EXPECT(rng_below(&r, 1) == 0);
}

TEST(uniform_fills_the_unit_interval_and_never_reaches_1)
{
    enum { DRAWS = 200000 };
    rng_t r = rng_at(3, STREAM_TEST, 0, 0);
    double sum = 0, squares = 0;
    float least = 1, most = 0;
    for (int i = 0; i < DRAWS; i++) {
        float u = rng_uniform(&r);
        sum += u, squares += (double)u * u;
        least = u < least ? u : least, most = u > most ? u : most;
    }
    EXPECT(least >= 0 && least < 1e-4 && most < 1 && most > 1 - 1e-4F);
    EXPECT_NEAR(sum / DRAWS, 0.5, 0.0033);         // 5 standard deviations, 0.289 / sqrt(DRAWS) each
    EXPECT_NEAR(squares / DRAWS, 1 / 3.0, 0.0034); // and 0.298 / sqrt(DRAWS)
    rng_t ones = { .out = { 0, 0, 0, 0xffffffff }, .left = 1 };
    EXPECT(rng_uniform(&ones) < 1);
}

TEST(normal_has_the_moments_of_the_normal_distribution)
{
    enum { DRAWS = 200000 };
    rng_t r = rng_at(4, STREAM_TEST, 0, 0);
    double m[5] = { 0 };
    int beyond = 0;
    for (int i = 0; i < DRAWS; i++) {
        double v = rng_normal(&r);
        for (int k = 1; k <= 4; k++) m[k] += pow(v, k) / DRAWS;
        beyond += fabs(v) > 1.959964;
    }
    // 5 standard deviations each: sqrt((2k-1)!! - E[x^k]^2) / sqrt(DRAWS) is 1, 1.41, 3.87, 9.80 / 447.
    EXPECT_NEAR(m[1], 0, 0.0112);
    EXPECT_NEAR(m[2], 1, 0.0159);
    EXPECT_NEAR(m[3], 0, 0.0434);
    EXPECT_NEAR(m[4], 3, 0.1096);
    EXPECT_NEAR(beyond / (double)DRAWS, 0.05, 0.0025);
}

TEST(normal_is_finite_for_the_extreme_words)
{
    rng_t least = { .out = { 0, 0, 0, 0 }, .left = 2 }, most = { .out = { 0, 0, ~0u, ~0u }, .left = 2 };
    EXPECT_NEAR(rng_normal(&least), sqrt(2 * 33 * log(2)), 1e-6); // u = 2^-33, the far end of the tail
    EXPECT_NEAR(rng_normal(&most), 0, 1e-4);
}
