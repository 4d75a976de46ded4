// ranks: 1
// The image pool: what D sees depends on a sample's place in the batch and on the step, not on ranks.

#include "test.h"

#include "../src/train/pool.h"

enum { BATCH = 8, STEPS = 200, SIZE = 16, IMAGE = 3 * SIZE * SIZE };

static config_t conf_of(int pool)
{
    char text[256];
    config_t c;
    int n = snprintf(text, sizeof text,
                     "data: {source: {file: a, group: s}, target: {file: a, group: t}, size: %d}\n"
                     "attention: {half: 4}\ntrain: {steps: %d, batch: %d, microbatch: 2, pool: %d}\n",
                     SIZE, STEPS, BATCH, pool);
    if (config_parse(&c, "test", text, (size_t)n, NULL, 0)) fail_msg("%s", error_text());
    return c;
}

// A fake's pixels all say which one it is: domain, step and sample.
static float number_of(int domain, long step, int sample)
{
    return (float)((domain * STEPS + step) * BATCH + sample);
}

static void fill(float *image, float number)
{
    for (int i = 0; i < IMAGE; i++) image[i] = number;
}

static float read_number(const float *image)
{
    for (int i = 1; i < IMAGE; i++) EXPECT(image[i] == image[0]); // images come whole
    return image[0];
}

typedef float seen_t[2][STEPS][BATCH]; // the number of the image that D sees

// All steps on `size` ranks.
static void run(seen_t seen, const config_t *c, int size)
{
    float s[IMAGE], t[IMAGE];
    for (int rank = 0; rank < size; rank++) {
        plan_run_t plan;
        image_pool_t p;
        assert_int_equal(plan_run(&plan, c, rank, size, (begun_t){ 0 }), 0);
        image_pool_init(&p, c, &plan);
        for (long step = 0; step < STEPS; step++)
            for (int i = 0; i < p.samples; i++) {
                fill(s, number_of(0, step, p.first + i));
                fill(t, number_of(1, step, p.first + i));
                image_pool_exchange(&p, 1, step, i, s, t);
                seen[0][step][p.first + i] = read_number(s);
                seen[1][step][p.first + i] = read_number(t);
            }
        image_pool_free(&p);
    }
}

TEST(ranks_do_not_change_what_the_pool_gives)
{
    static seen_t one, many;
    config_t c = conf_of(24);
    run(one, &c, 1);
    for (int size = 2; size <= 4; size++) { // 3 ranks hold 4, 2 and 2 samples
        memset(many, 0, sizeof many);
        run(many, &c, size);
        assert_memory_equal(one, many, sizeof one);
    }
}

TEST(half_of_what_d_sees_is_older_and_nothing_is_seen_twice)
{
    static seen_t seen;
    static int times[2 * STEPS * BATCH];
    enum { DEPTH = 3 };
    config_t c = conf_of(DEPTH * BATCH);
    int older = 0;
    run(seen, &c, 2);
    for (int d = 0; d < 2; d++)
        for (long step = 0; step < STEPS; step++)
            for (int i = 0; i < BATCH; i++) {
                int x = (int)seen[d][step][i], of_step = x / BATCH % STEPS;
                EXPECT(x % BATCH == i && x / BATCH / STEPS == d &&
                       of_step <= step);                   // of this sample and domain
                if (step < DEPTH) EXPECT(of_step == step); // the pool fills
                older += of_step < step;
                times[x]++;
            }
    // While it fills, the pool keeps copies of what D sees; those may come once more.
    for (int x = 0; x < 2 * STEPS * BATCH; x++) EXPECT(times[x] <= (x / BATCH % STEPS < DEPTH ? 2 : 1));
    // 3152 throws of a coin: a standard deviation is 0.9 %.
    EXPECT_NEAR((double)older / (2 * (STEPS - DEPTH) * BATCH), 0.5, 0.04);
}

TEST(without_a_pool_d_sees_each_fake_as_it_is)
{
    static seen_t seen;
    config_t c = conf_of(0);
    run(seen, &c, 1);
    for (int d = 0; d < 2; d++)
        for (long step = 0; step < STEPS; step++)
            for (int i = 0; i < BATCH; i++) EXPECT(seen[d][step][i] == number_of(d, step, i));
}
