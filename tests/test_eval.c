// ranks: 1
// The figures of evaluation where the answer is known without computing; tests/check_evaluate.py has the
// rest.
#include "test.h"

#include "dagan/eval.h"

static float *random_floats(size_t n, uint64_t seed)
{
    float *x = alloc(n, sizeof *x);
    rng_t r = rng_at(seed, STREAM_TEST, 0, 0);
    for (size_t i = 0; i < n; i++) x[i] = rng_normal(&r);
    return x;
}

TEST(quantiles_lie_between_values)
{
    double x[] = { 4, 1, 3, 2 };
    EXPECT_NEAR(eval_quantile(x, 4, 0.5), 2.5, 0);
    EXPECT_NEAR(eval_quantile(x, 4, 0.9), 3.7, 1e-15); // 3 + 0.7
    EXPECT_NEAR(eval_quantile(x, 1, 0.9), 1, 0);
    EXPECT(isnan(eval_quantile(x, 0, 0.5)));
}

// Pixels 10 to 19 are a box from 9.5 to 19.5, its centre at 14.5.
TEST(a_region_on_its_part)
{
    const int16_t box[] = { 10, 10, 20, 20, -1, -1, -1, -1, 10, 10, 20, 20 };
    const double half[] = { 5, 5 };
    const float centre[] = { 14.5, 14.5, 0, 0, 17.5, 18.5 };
    region_figures_t f = eval_regions(centre, 1, 0, half, box, 3);
    EXPECT(f.n == 2);
    EXPECT_NEAR(f.median, 2.5, 1e-12); // of 0 and 5, a 3-4-5 triangle
    EXPECT_NEAR(f.inside, 1, 0);
    EXPECT_NEAR(f.iou, (1 + 42 / (200.0 - 42)) / 2, 1e-12); // 7 x 6 pixels in common
    const float edge[] = { 19.5, 14.5, 19.6f, 14.5 };
    const int16_t two[] = { 10, 10, 20, 20, 10, 10, 20, 20 };
    EXPECT_NEAR(eval_regions(edge, 1, 0, half, two, 2).inside, 0.5, 0);
}

TEST(regions_cover_each_other_wholly_half_and_not_at_all)
{
    const float same[] = { 8, 8, 8, 8 }, apart[] = { 8, 8, 12, 8 }, half[] = { 8, 8, 10, 8 };
    const double two[][2] = { { 2, 2 }, { 2, 2 } }, low[][2] = { { 2, 2 }, { 2, 1 } };
    EXPECT_NEAR(eval_overlap(same, 2, two, 1), 1, 0);
    EXPECT_NEAR(eval_overlap(same, 2, low, 1), 0.5, 0);
    EXPECT_NEAR(eval_overlap(apart, 2, two, 1), 0, 0);
    EXPECT_NEAR(eval_overlap(half, 2, two, 1), 1.0 / 3, 1e-12);
    EXPECT_NEAR(eval_overlap(same, 1, two, 2), 0, 0);
}

TEST(landmarks_that_are_linear_in_centres_are_told_exactly)
{
    enum { N = 50, M = 10 };
    float *x = random_floats(4 * (N + M), 1), y[2 * (N + M)];
    for (int i = 0; i < N + M; i++) {
        y[2 * i] = 3 + 2 * x[4 * i] - x[4 * i + 3];
        y[2 * i + 1] = x[4 * i + 1] + x[4 * i + 2];
    }
    landmark_figures_t f = eval_landmarks(x, y, N, x + 4 * N, y + 2 * N, M, 4, 2, 64);
    EXPECT_NEAR(f.nme, 0, 1e-7); // y was rounded to float32
    EXPECT_NEAR(f.pck, 1, 0);
    for (int i = N; i < N + M; i++)
        y[2 * i] += 6.4f * (float)(i % 2); // 10 % of the side, in every other image
    f = eval_landmarks(x, y, N, x + 4 * N, y + 2 * N, M, 4, 2, 64);
    EXPECT_NEAR(f.nme, 0.05, 1e-7);
    EXPECT_NEAR(f.pck, 0.5, 0);
    free(x);
}

TEST(accuracies_leave_out_unknown_rows_and_weigh_classes_alike)
{
    const int16_t truth[] = { 0, 0, 0, 1, -1, 3 }, told[] = { 0, 0, 1, 1, 1, 0 };
    EXPECT_NEAR(eval_accuracy(told, truth, 6), 3.0 / 5, 1e-15);
    EXPECT_NEAR(eval_balanced(told, truth, 6, 4), (2.0 / 3 + 1 + 0) / 3, 1e-15);
    EXPECT(isnan(eval_accuracy(told, truth + 4, 1)));
}

TEST(a_class_at_half_its_share_is_present)
{
    const int16_t truth[] = { 0, 0, 0, 0, 1, 1, 1, 2 }, told[] = { 0, 0, 1, 3, 3, 3, 3, 3 };
    bool missing[4];
    modes_t m = eval_modes(missing, told, truth, 8, 4);
    EXPECT(m.occurring == 3 && m.present == 1);
    EXPECT(!missing[0] && missing[1] && missing[2] && !missing[3]);
}

TEST(a_class_is_looked_for_where_the_truth_is_known)
{
    const int16_t truth[] = { 0, 0, 0, 1, -1, -1 }, told[] = { 0, 0, 0, 0, 1, 1 };
    bool missing[2];
    modes_t m = eval_modes(missing, told, truth, 6, 2);
    EXPECT(m.occurring == 2 && m.present == 1 && missing[1]);
}

TEST(the_mode_score_of_certain_answers)
{
    float all[16] = { 0 }, one[16] = { 0 };
    const int16_t real[] = { 0, 1, 2, 3 };
    for (int i = 0; i < 4; i++) all[5 * i] = one[4 * i] = 1;
    EXPECT_NEAR(eval_mode_score(all, 4, real, 4, 4), 4, 1e-12);    // every class, as often as in truth
    EXPECT_NEAR(eval_mode_score(one, 4, real, 4, 4), 0.25, 1e-12); // one class only
    EXPECT(isnan(eval_mode_score(all, 4, (const int16_t[]){ -1, -1 }, 2, 4)));
}

TEST(products_are_those_of_loops)
{
    enum { N = 7, M = 21, D = 37 };
    float *x = random_floats(N * D, 1), *y = random_floats(M * D, 2), out[N * M];
    eval_products(out, x, N, y, M, D);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < M; j++) {
            double sum = 0;
            for (int k = 0; k < D; k++) sum += (double)x[i * D + k] * y[j * D + k];
            EXPECT_NEAR(out[i * M + j], sum, 1e-4); // 37 products of size 1 in float32
        }
    free(y);
    free(x);
}

TEST(mmd_of_two_points)
{
    enum { M = 6, D = 4 };
    float x[M * D] = { 0 }, y[M * D];
    for (int i = 0; i < M * D; i++) y[i] = 1;
    EXPECT_NEAR(eval_mmd(x, x, M, D), 0, 0);
    EXPECT_NEAR(eval_mmd(x, y, M, D), 1 + 8 - 2, 1e-12); // k is 1, (1 + 1)^3 and 1
}

TEST(kid_of_whole_sets_does_not_depend_on_the_draw)
{
    float *x = random_floats(20 * 8, 1), *y = random_floats(20 * 8, 2);
    EXPECT_NEAR(eval_kid_subset(x, 20, y, 20, 8, 20, 5), eval_mmd(x, y, 20, 8),
                1e-12); // another order of additions
    EXPECT(eval_kid_subset(x, 20, y, 20, 8, 10, 5) != eval_kid_subset(x, 20, y, 20, 8, 10, 6));
    free(y);
    free(x);
}

TEST(the_frechet_distance_of_shifted_and_stretched_sets)
{
    enum { N = 40, D = 3 };
    float *x = random_floats(N * D, 1), y[N * D];
    double trace = 0;
    for (int j = 0; j < D; j++) {
        double mean = 0;
        for (int i = 0; i < N; i++) mean += x[i * D + j] / N;
        for (int i = 0; i < N; i++) trace += pow(x[i * D + j] - mean, 2) / (N - 1);
    }
    for (int i = 0; i < N * D; i++) y[i] = x[i] + 2;
    EXPECT_NEAR(eval_fid(x, N, x, N, D), 0, 1e-12);
    EXPECT_NEAR(eval_fid(x, N, y, N, D), 4 * D, 1e-5); // x + 2 was rounded to float32
    for (int j = 0; j < D; j++) {
        double mean = 0;
        for (int i = 0; i < N; i++) mean += x[i * D + j] / N;
        for (int i = 0; i < N; i++) y[i * D + j] = (float)(mean + 3 * (x[i * D + j] - mean));
    }
    EXPECT_NEAR(eval_fid(x, N, y, N, D), 4 * trace, 1e-5); // (3 - 1)^2 of it
    free(x);
}

TEST(neighbours_of_two_clusters)
{
    enum { N = 5 };
    float near[N], far[N], both[2 * N], radius[N];
    for (int i = 0; i < N; i++) {
        near[i] = (float)i;
        far[i] = 100 + (float)i;
    }
    eval_radii(radius, near, N, 1, 3, 0, N);
    const float wanted[] = { 9, 4, 4, 4, 9 };
    for (int i = 0; i < N; i++) EXPECT_NEAR(radius[i], wanted[i], 0);
    EXPECT(eval_covered(near, 0, N, near, radius, N, 1) == N);
    EXPECT(eval_covered(far, 0, N, near, radius, N, 1) == 0);
    memcpy(both, near, sizeof near);
    memcpy(both + N, far, sizeof far);
    EXPECT(eval_same_side(both, N, N, 1, 0, 2 * N) == 2 * N);
    for (int i = 0; i < N; i++) { // twins, a hundred apart from the next: the nearest is on the other side
        both[i] = (float)(100 * i);
        both[N + i] = (float)(100 * i + 1);
    }
    EXPECT(eval_same_side(both, N, N, 1, 0, 2 * N) == 0);
}

TEST(eigenvalues_of_a_known_matrix)
{
    double a[] = { 2, 1, 1, 2 }, value[2];
    eval_eigen(a, value, 2);
    EXPECT_NEAR(value[0], 1, 1e-14);
    EXPECT_NEAR(value[1], 3, 1e-14);
    EXPECT_NEAR(fabs(a[2]), sqrt(0.5), 1e-14); // the second row is the vector of 3: both coordinates alike
    EXPECT_NEAR(a[2], a[3], 1e-14);
}

TEST(a_flat_image_has_no_detail_but_its_colour)
{
    enum { SIDE = 32 };
    uint8_t rgb[SIDE * SIDE * 3];
    float *p = alloc(SWD_PATCHES * SWD_NUMBERS, sizeof *p);
    memset(rgb, 77, sizeof rgb);
    EXPECT(eval_levels(SIDE) == 2 && eval_levels(64) == 3 && eval_levels(48) == 2);
    eval_patches(p, rgb, SIDE, 0, 3);
    for (int i = 0; i < SWD_PATCHES * SWD_NUMBERS; i++) EXPECT_NEAR(p[i], 0, 1e-4);
    eval_patches(p, rgb, SIDE, 1, 3);
    for (int i = 0; i < SWD_PATCHES * SWD_NUMBERS; i++) EXPECT_NEAR(p[i], 77, 1e-4);
    free(p);
}

// Shifted along an axis, all projections move by the direction's part of it, and directions have length 1.
TEST(sliced_distances_of_shifts_along_all_axes_are_those_of_a_shift_along_the_direction)
{
    enum { N = 30, BY = 5 };
    float *a = random_floats(N * SWD_NUMBERS, 1), *b = alloc(N * SWD_NUMBERS, sizeof *b);
    double found[2], none[2], square[2] = { 0 };
    memcpy(b, a, N * SWD_NUMBERS * sizeof *b);
    eval_sliced(none, a, b, N, 0, 0, 2);
    EXPECT(none[0] == 0 && none[1] == 0);
    for (int axis = 0; axis < SWD_NUMBERS; axis++) {
        memcpy(b, a, N * SWD_NUMBERS * sizeof *b);
        for (int i = 0; i < N; i++) b[i * SWD_NUMBERS + axis] += BY;
        eval_sliced(found, a, b, N, 0, 0, 2);
        for (int k = 0; k < 2; k++) square[k] += found[k] * found[k];
    }
    for (int k = 0; k < 2; k++)
        EXPECT_NEAR(sqrt(square[k]), 1000 * BY, 0.05); // float32 projections of about 1
    EXPECT(found[0] != found[1]);
    eval_sliced(none, a, b, N, 0, 1, 1);
    EXPECT_NEAR(none[0], found[1], 0); // a direction has its numbers whoever computes it
    free(b);
    free(a);
}
