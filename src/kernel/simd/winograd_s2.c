// The transforms of a 3x3 convolution of stride 2, by Winograd's method on what it is made of.  Along one
// axis
//
//     y[j] = x[2j - 1] w0 + x[2j] w1 + x[2j + 1] w2
//
// is a convolution of two taps (w0, w2) on the odd pixels, which F(4, 2) of five.h does with 5 products for 4
// outputs, and one tap on the even pixels: 9 products instead of 12, and 81 instead of 144 on both axes.  The
// four products of the even pixels share their weight, so there are 6 weights along an axis.  With s[i] =
// x[first + i], i = 0..8, the 9 numbers of an axis are five points of s[0], s[2], .., s[8] and then s[1],
// s[3], s[5], s[7].

#include "five.h"

enum { SIDE = WINOGRAD_S2_SIDE, WEIGHTS = 6 };

INLINE void points_of_input(vec_t out[SIDE], const vec_t s[SIDE])
{
    five_of_input(out, (vec_t[FIVE]){ s[0], s[2], s[4], s[6], s[8] });
    for (int j = 0; j < 4; j++) out[FIVE + j] = s[2 * j + 1];
}

// The transpose of points_of_input.
INLINE void input_of_points(vec_t s[SIDE], const vec_t m[SIDE])
{
    vec_t odd[FIVE];
    input_of_five(odd, m);
    for (int j = 0; j < FIVE; j++) s[2 * j] = odd[j];
    for (int j = 0; j < 4; j++) s[2 * j + 1] = m[FIVE + j];
}

INLINE void outputs_of_points(vec_t y[4], const vec_t m[SIDE])
{
    outputs_of_five(y, m);
    for (int j = 0; j < 4; j++) y[j] += m[FIVE + j];
}

// The transpose of outputs_of_points.
INLINE void points_of_gradient(vec_t out[SIDE], const vec_t d[4])
{
    five_of_gradient(out, d);
    for (int j = 0; j < 4; j++) out[FIVE + j] = d[j];
}

INLINE void points_of_weights(vec_t out[WEIGHTS], const vec_t w[3])
{
    five_of_weights(out, w[0], w[2]);
    out[5] = w[1];
}

INLINE void weights_of_points(vec_t w[3], const vec_t u[WEIGHTS])
{
    vec_t odd[2];
    weights_of_five(odd, u);
    w[0] = odd[0];
    w[1] = u[5];
    w[2] = odd[1];
}

void ISA_NAME(winograd_s2_input)(float *v, size_t stride, const float *const d[], const float *const soon[],
                                 size_t c)
{
    EACH_VECTOR(i, c)
    {
        vec_t t[SIDE][SIDE];
        for (int y = 0; y < SIDE; y++) {
            vec_t row[SIDE];
            for (int x = 0; x < SIDE; x++) row[x] = load(d[SIDE * y + x] + i);
            for (int x = 1; y >= 1 && x < SIDE; x++) fetch(soon[SIDE * y + x] + i); // the others are there
            points_of_input(t[y], row);
        }
        for (int x = 0; x < SIDE; x++) {
            vec_t out[SIDE], column[SIDE];
            for (int y = 0; y < SIDE; y++) column[y] = t[y][x];
            points_of_input(out, column);
            for (int y = 0; y < SIDE; y++) store(v + (size_t)(SIDE * y + x) * stride + i, out[y]);
        }
    }
}

void ISA_NAME(winograd_s2_input_add)(float *const d[], const float *m, size_t stride, size_t c, bool adds)
{
    EACH_VECTOR(i, c)
    {
        vec_t t[SIDE][SIDE];
        for (int y = 0; y < SIDE; y++) {
            vec_t row[SIDE];
            for (int x = 0; x < SIDE; x++) row[x] = load(m + (size_t)(SIDE * y + x) * stride + i);
            input_of_points(t[y], row);
        }
        for (int x = 0; x < SIDE; x++) {
            vec_t out[SIDE], column[SIDE];
            for (int y = 0; y < SIDE; y++) column[y] = t[y][x];
            input_of_points(out, column);
            for (int y = 0; y < SIDE; y++) {
                float *to = d[SIDE * y + x];
                if (to) store(to + i, adds || x == 0 || y == 0 ? load(to + i) + out[y] : out[y]);
            }
        }
    }
}

void ISA_NAME(winograd_s2_gradient)(float *v, size_t stride, size_t group, const float *const d[],
                                    const float *const soon[], size_t c)
{
    EACH_VECTOR(i, c)
    {
        float *to = v + i / KERNEL_LANES * group + i % KERNEL_LANES;
        vec_t t[4][SIDE];
        for (int y = 0; y < 4; y++) {
            vec_t row[4];
            for (int x = 0; x < 4; x++) row[x] = load(d[4 * y + x] + i);
            for (int x = 0; x < 4; x++) fetch(soon[4 * y + x] + i);
            points_of_gradient(t[y], row);
        }
        for (int x = 0; x < SIDE; x++) {
            vec_t out[SIDE], column[4] = { t[0][x], t[1][x], t[2][x], t[3][x] };
            points_of_gradient(out, column);
            for (int y = 0; y < SIDE; y++) store(to + (size_t)(SIDE * y + x) * stride, out[y]);
        }
    }
}

void ISA_NAME(winograd_s2_output)(float *const y[], const float *m, size_t stride, size_t c,
                                  const float *bias, act_t act)
{
    EACH_VECTOR(i, c)
    {
        vec_t t[SIDE][4], out[4][4];
        for (int k = 0; k < SIDE; k++) {
            vec_t row[SIDE];
            for (int x = 0; x < SIDE; x++) row[x] = load(m + (size_t)(SIDE * k + x) * stride + i);
            outputs_of_points(t[k], row);
        }
        for (int x = 0; x < 4; x++) {
            vec_t column_out[4], column[SIDE];
            for (int k = 0; k < SIDE; k++) column[k] = t[k][x];
            outputs_of_points(column_out, column);
            for (int k = 0; k < 4; k++) out[k][x] = column_out[k];
        }
        store_tile(y, i, out, bias);
    }
    finish_pixels(y, 16, c, act);
}

void ISA_NAME(winograd_s2_weights)(float *u, size_t stride, const float *const g[], size_t c)
{
    EACH_VECTOR(i, c)
    {
        vec_t t[3][WEIGHTS];
        for (int y = 0; y < 3; y++) {
            vec_t row[3] = { load(g[3 * y] + i), load(g[3 * y + 1] + i), load(g[3 * y + 2] + i) };
            points_of_weights(t[y], row);
        }
        for (int x = 0; x < WEIGHTS; x++) {
            vec_t out[WEIGHTS], column[3] = { t[0][x], t[1][x], t[2][x] };
            points_of_weights(out, column);
            for (int y = 0; y < WEIGHTS; y++) store(u + (size_t)(WEIGHTS * y + x) * stride + i, out[y]);
        }
    }
}

void ISA_NAME(winograd_s2_weights_gradient)(float *const g[], const float *u, size_t stride, size_t c)
{
    EACH_VECTOR(i, c)
    {
        vec_t t[WEIGHTS][3];
        for (int y = 0; y < WEIGHTS; y++) {
            vec_t row[WEIGHTS];
            for (int x = 0; x < WEIGHTS; x++) row[x] = load(u + (size_t)(WEIGHTS * y + x) * stride + i);
            weights_of_points(t[y], row);
        }
        for (int x = 0; x < 3; x++) {
            vec_t out[3], column[WEIGHTS];
            for (int y = 0; y < WEIGHTS; y++) column[y] = t[y][x];
            weights_of_points(out, column);
            for (int y = 0; y < 3; y++) add_weights(g[3 * y + x] + i, out[y], c);
        }
    }
}
