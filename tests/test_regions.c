// ranks: 1
// Each region has half-sides of its own (Eq. 2): the mask, the means that the heads read, and the overlap of
// two regions, on numbers that are known without the program.

#include "test.h"

#include "dagan/op.h"

static const sides_t HALF = { 2, { { 6, 3 }, { 3, 10 } } };
static const float CENTRE[] = { 15, 20, 40.5f, 31 }; // x, y of both

static void set_centres(var_t c)
{
    memcpy(c->x, CENTRE, sizeof CENTRE);
}

TEST(a_mask_reaches_as_far_as_its_own_half_sides)
{
    tape_t t = { 0 };
    var_t x = tape_input(&t, "x", (shape_t){ 1, 64, 64, 1 }),
          c = tape_input(&t, "c", (shape_t){ 1, 1, 2, 2 });
    var_t y = mask(x, c, &HALF, 4); // k = 4: at half a pixel within the edge 0.88, without 0.12
    tape_plan(&t, NULL);
    set_centres(c);
    for (int i = 0; i < 64 * 64; i++) x->x[i] = 1;
    tape_forward(&t, 0, t.n);
    for (int r = 0; r < 2; r++)
        for (int j = 0; j < 64; j++)
            for (int i = 0; i < 64; i++) {
                double dx = fabs(i - (double)CENTRE[2 * r]) - HALF.side[r][0];
                double dy = fabs(j - (double)CENTRE[2 * r + 1]) - HALF.side[r][1];
                float m = y->x[(r * 64 + j) * 64 + i];
                if (dx < 0 && dy < 0) EXPECT(m > 0.5f * 0.5f);
                if (dx > 0 || dy > 0) EXPECT(m < 0.5f);
                if (dx < -2 && dy < -2) EXPECT(m > 0.99f);
                if (dx > 2 || dy > 2) EXPECT(m < 0.01f);
            }
    tape_free(&t);
}

// Pasted back to where they were taken from, windows of two sizes are the masked image, but where the mask is
// small.
TEST(windows_hold_what_their_masks_let_through)
{
    enum { IMAGES = 2, REGIONS = 3, SIZE = 64 };
    static const sides_t half = { REGIONS, { { 6, 3 }, { 5, 4 }, { 3, 10 } } };
    rng_t r = rng_at(13, STREAM_TEST, 0, 0);
    tape_t t = { 0 };
    var_t x = tape_input(&t, "x", (shape_t){ IMAGES, SIZE, SIZE, 1 }),
          c = tape_input(&t, "c", (shape_t){ IMAGES, 1, REGIONS, 2 });
    var_t whole = tape_name(mask(x, c, &half, 1), "whole", true);
    var_t part[] = { window(x, c, &half, 1, (windows_t){ 0, 2, 20, 16 }),
                     window(x, c, &half, 1, (windows_t){ 2, 1, 16, 28 }) };
    var_t y = paste(2, part, c, SIZE, 1);
    EXPECT(dim_equal(y->dim, whole->dim));
    tape_plan(&t, NULL);
    for (int i = 0; i < IMAGES * SIZE * SIZE; i++) x->x[i] = 1 + rng_uniform(&r);
    for (int i = 0; i < IMAGES * REGIONS * 2; i++) c->x[i] = SIZE * rng_uniform(&r);
    tape_forward(&t, 0, t.n);
    for (size_t i = 0; i < numel(y->dim); i++) // sig(-2) = 0.12, and x is below 2
        EXPECT(y->x[i] == whole->x[i] || (y->x[i] == 0 && whole->x[i] < 0.24f));
    tape_free(&t);
}

// Features that say where they stand: each mean must be the middle of its part.
TEST(each_part_of_the_grid_has_its_own_mean)
{
    static const sides_t wide = { 2, { { 18, 12 }, { 12, 24 } } };
    enum { COLUMNS = 3, ROWS = 2, PARTS = COLUMNS * ROWS };
    tape_t t = { 0 };
    var_t f = tape_input(&t, "f", (shape_t){ 2, 64, 64, 2 }),
          c = tape_input(&t, "c", (shape_t){ 1, 1, 2, 2 });
    var_t y = region_pool(f, c, &wide, 2, 64, CONF_REGION_ALL, COLUMNS, ROWS);
    tape_plan(&t, NULL);
    set_centres(c);
    for (int i = 0; i < 2 * 64 * 64; i++) {
        f->x[2 * i] = (float)(i % 64);
        f->x[2 * i + 1] = (float)(i / 64 % 64);
    }
    c->x[1] = 31; // no part reaches over the image's edge, which would move its mean
    c->x[0] = 25;
    tape_forward(&t, 0, t.n);
    assert_int_equal(y->dim.c, 2 * PARTS);
    for (int r = 0; r < 2; r++)
        for (int part = 0; part < PARTS; part++)
            for (int i = 0; i < 2; i++) {
                int parts = i ? ROWS : COLUMNS, k = i ? part / COLUMNS : part % COLUMNS;
                double middle = (2 * k + 1.0) / parts - 1; // of the part, from the region's, in half-sides
                double wanted = (double)c->x[2 * r + i] + middle * wide.side[r][i];
                // Soft edges sampled at whole pixels: 1e-3 at k = 2.
                EXPECT_NEAR((double)y->x[(r * PARTS + part) * 2 + i], wanted, 5e-3);
            }
    tape_free(&t);
}

TEST(overlap_is_the_covered_share_of_the_smaller_box)
{
    static const sides_t half = { 2, { { 6, 4 }, { 3, 4 } } };
    static const struct {
        float dx, dy;
        double wanted;
    } known[] = { { 0, 0, 1 }, { 3, 0, 1 },    { 5, 0, 4.0 / 6 }, { 5, 2, 4.0 / 6 * 6 / 8 },
                  { 9, 0, 0 }, { 0, -6, 0.25 } };
    tape_t t = { 0 };
    var_t c = tape_input(&t, "c", (shape_t){ 1, 1, 2, 2 }), y = overlap(c, &half);
    tape_plan(&t, NULL);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        c->x[0] = c->x[1] = 30;
        c->x[2] = 30 + known[i].dx;
        c->x[3] = 30 + known[i].dy;
        tape_forward(&t, 0, t.n);
        EXPECT_NEAR((double)y->x[0], known[i].wanted, 1e-6);
    }
    tape_free(&t);
}

static double soft(double p, double centre, double half, double k)
{
    return 1 / (1 + exp(-k * (p - centre + half))) - 1 / (1 + exp(-k * (p - centre - half)));
}

// G would else learn to draw contrast that moves centres.
TEST(settling_centres_teach_no_image)
{
    static const sides_t half = { 1, { { 3, 3 } } }, steps = { 1, { { 1, 1 } } };
    tape_t t = { 0 };
    rng_t r = rng_at(7, STREAM_TEST, 0, 0);
    var_t x = tape_variable(&t, (shape_t){ 1, 12, 12, 3 }), c = tape_variable(&t, (shape_t){ 1, 1, 1, 2 });
    var_t y = settle(x, c, &half, 1, &steps, 0);
    tape_plan(&t, y);
    for (size_t i = 0; i < numel(x->dim); i++) x->x[i] = rng_normal(&r);
    for (int k = 0; k < 2; k++) c->x[k] = 5;
    tape_forward(&t, 0, t.n);
    tape_backward_start(&t, 0);
    y->g[0] = y->g[1] = 1;
    tape_backward_until(&t, 0);
    for (size_t i = 0; i < numel(x->dim); i++) EXPECT(x->g[i] == 0);
    EXPECT(c->g[0] != 0 && c->g[1] != 0);
    tape_free(&t);
}

// A white line three pixels below the centre on black.  Whatever the mean colour, as much contrast lies on
// the line as beside it: so the centre moves to half-way between the mask's share of the line and its share
// of the rest.
TEST(a_centre_settles_on_the_contrast_in_its_box)
{
    enum { SIZE = 64, LINE = 23, K = 2 };
    static const sides_t half = { 1, { { 5, 4 }, { 5, 4 } } }, steps = { 2, { { 3, 3 }, { 0, 0 } } };
    static const float centres[] = { 15, 20, 16, 20, /* no line */ 40, 50, 41, 50 };
    double sum[2] = { 0 }, at[2] = { 0 };
    tape_t t = { 0 };
    var_t x = tape_input(&t, "x", (shape_t){ 2, SIZE, SIZE, 3 }),
          c = tape_input(&t, "c", (shape_t){ 2, 1, 2, 2 }), y[3];
    for (int i = 0; i < 3; i++)
        y[i] = tape_name(settle(x, i ? y[i - 1] : c, &half, K, &steps, i), "moved", true);
    tape_plan(&t, NULL);
    memcpy(c->x, centres, sizeof centres);
    for (int i = 0; i < SIZE; i++)
        for (int k = 0; k < 3; k++) x->x[(LINE * SIZE + i) * 3 + k] = 1;
    tape_forward(&t, 0, t.n);
    for (int j = 0; j < SIZE; j++) {
        sum[j == LINE] += soft(j, 20, 4, K);
        at[j == LINE] += soft(j, 20, 4, K) * j;
    }
    EXPECT_NEAR(y[0]->x[1], (at[0] / sum[0] + at[1] / sum[1]) / 2, 1e-3); // 1e-3 of contrast hold it back
    for (int i = 1; i < 3; i++) EXPECT(y[i]->x[1] > y[i - 1]->x[1] && y[i]->x[1] < LINE);
    for (int i = 0; i < 3; i++) {
        EXPECT_NEAR(y[i]->x[0], 15, 1e-3); // the line goes on to both sides
        for (int k = 2; k < 8; k++) EXPECT(y[i]->x[k] == centres[k]);
    }
    tape_free(&t);
}
