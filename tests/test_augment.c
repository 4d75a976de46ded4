// ranks: 1
// DiffAugment: what each of its numbers does to an image, and which of them are drawn.

#include "test.h"

#include "dagan/op.h"

enum { BRIGHTNESS, SATURATION, CONTRAST, SHIFT_X, SHIFT_Y, CUT_X, CUT_Y, CUT_SIZE };
enum { SIZE = 16, IMAGE = SIZE * SIZE * 3 };

// x augmented by `how`, and the gradient of the sum of all of it, where these are wanted.
static void augmented(const float *x, const float how[AUGMENT_NUMBERS], float *out, float *gradient)
{
    tape_t t = { 0 };
    var_t in = tape_variable(&t, (shape_t){ 1, SIZE, SIZE, 3 }),
          by = tape_input(&t, "how", (shape_t){ 1, 1, 1, AUGMENT_NUMBERS }), y = augment(in, by);
    tape_plan(&t, y);
    memcpy(in->x, x, IMAGE * sizeof(float));
    memcpy(by->x, how, AUGMENT_NUMBERS * sizeof(float));
    tape_forward(&t, 0, t.n);
    if (out) memcpy(out, y->x, IMAGE * sizeof(float)); // before gradients take its place
    tape_backward_start(&t, 0);
    for (int i = 0; i < IMAGE; i++) y->g[i] = 1;
    tape_backward_until(&t, 0);
    if (gradient) memcpy(gradient, in->g, IMAGE * sizeof(float));
    tape_free(&t);
}

static float x[IMAGE], y[IMAGE];

static void any_image(void)
{
    rng_t r = rng_at(21, STREAM_TEST, 0, 0);
    for (int i = 0; i < IMAGE; i++) x[i] = 2 * rng_uniform(&r) - 1;
}

// Numbers of size 1, a few roundings each: 1e-6.
static void expect_pixels(const float *wanted)
{
    for (int i = 0; i < IMAGE; i++) EXPECT_NEAR(y[i], wanted[i], 1e-6);
}

TEST(where_nothing_is_asked_for_the_image_stays)
{
    rng_t r = rng_at(22, STREAM_TEST, 0, 0);
    float how[AUGMENT_NUMBERS];
    any_image();
    augment_draw(how, &r, SIZE, false, false, false);
    augmented(x, how, y, NULL);
    expect_pixels(x);
}

TEST(brightness_saturation_and_contrast_are_those_of_the_definition)
{
    float wanted[3][IMAGE], mean = 0;
    const float how[3][AUGMENT_NUMBERS] = { { 0.25f, 1, 1 }, { 0, 1.5f, 1 }, { 0, 1, 0.5f } };
    any_image();
    for (int i = 0; i < IMAGE; i++) mean += x[i] / IMAGE;
    for (int i = 0; i < IMAGE; i++) {
        const float *p = x + i / 3 * 3;
        float grey = (p[0] + p[1] + p[2]) / 3;
        wanted[BRIGHTNESS][i] = x[i] + 0.25f;
        wanted[SATURATION][i] = grey + 1.5f * (x[i] - grey);
        wanted[CONTRAST][i] = mean + 0.5f * (x[i] - mean);
    }
    for (int k = 0; k < 3; k++) {
        augmented(x, how[k], y, NULL);
        expect_pixels(wanted[k]);
    }
}

TEST(a_shift_moves_the_image_and_a_cutout_empties_a_square)
{
    const float shift[AUGMENT_NUMBERS] = { 0, 1, 1, 2, -1 },
                cut[AUGMENT_NUMBERS] = { 0, 1, 1, 0, 0, 3, -2, 8 };
    float wanted[2][IMAGE] = { { 0 } };
    any_image();
    for (int j = 0; j < SIZE; j++)
        for (int i = 0; i < SIZE; i++)
            for (int k = 0; k < 3; k++) {
                int at = (j * SIZE + i) * 3 + k;
                if (i >= 2 && j < SIZE - 1) wanted[0][at] = x[((j + 1) * SIZE + i - 2) * 3 + k];
                if (i < 3 || i >= 11 || j >= 6) wanted[1][at] = x[at];
            }
    augmented(x, shift, y, NULL);
    expect_pixels(wanted[0]);
    augmented(x, cut, y, NULL);
    expect_pixels(wanted[1]);
}

// Contrast turns about the image's mean, which hangs on every pixel.
TEST(the_sum_of_an_image_of_other_contrast_rises_as_the_image_does)
{
    const float how[AUGMENT_NUMBERS] = { 0, 1, 0.5f };
    any_image();
    augmented(x, how, NULL, y);
    for (int i = 0; i < IMAGE; i++) EXPECT_NEAR(y[i], 1, 1e-6);
}

// With all drawn numbers together: each in its range and both ends come near; what is not asked for is
// neutral.
TEST(what_is_drawn_is_what_is_asked_for)
{
    enum { DRAWS = 1000 };
    static const float neutral[] = { 0, 1, 1, 0, 0 }, least[] = { -0.5f, 0, 0.5f, -2, -2, -4, -4, 8 },
                       most[] = { 0.5f, 2, 1.5f, 2, 2, SIZE - 5, SIZE - 5, 8 };
    for (int asked = 0; asked < 8; asked++) {
        bool colour = asked & 1, shift = asked & 2, cutout = asked & 4;
        float lo[AUGMENT_NUMBERS], hi[AUGMENT_NUMBERS], how[AUGMENT_NUMBERS];
        rng_t r = rng_at(23, STREAM_TEST, (uint64_t)asked, 0);
        for (int d = 0; d < DRAWS; d++) {
            augment_draw(how, &r, SIZE, colour, shift, cutout);
            for (int i = 0; i < AUGMENT_NUMBERS; i++) {
                lo[i] = d ? fminf(lo[i], how[i]) : how[i];
                hi[i] = d ? fmaxf(hi[i], how[i]) : how[i];
            }
        }
        for (int i = 0; i < CUT_X; i++) {
            bool is_drawn = i < SHIFT_X ? colour : shift;
            float near = is_drawn ? 0.01f * (most[i] - least[i]) : 0; // 1 % of draws: missed once in 20,000
            EXPECT_NEAR(lo[i], is_drawn ? least[i] : neutral[i], near);
            EXPECT_NEAR(hi[i], is_drawn ? most[i] : neutral[i], near);
        }
        EXPECT(lo[CUT_SIZE] == (cutout ? 8 : 0) && hi[CUT_SIZE] == lo[CUT_SIZE]);
        for (int i = CUT_X; i < CUT_SIZE; i++) EXPECT(lo[i] == least[i] && hi[i] == most[i]);
    }
}
