// The transforms of a 3x3 convolution of stride 2, by Winograd's method on what it is made of.  Along one
// axis
//
//     y[j] = x[2j - 1] w0 + x[2j] w1 + x[2j + 1] w2
//
// is a convolution of two taps (w0, w2) on the odd pixels, which F(4, 2) does with 5 products for 4 outputs,
// and one tap on the even pixels: 9 products instead of 12, and 81 instead of 144 on both axes.  The four
// products of the even pixels share their weight, so there are 6 weights along an axis.  With s[i] = x[first
// + i], i = 0..8, the 9 numbers of an axis are five points of s[0], s[2], .., s[8] and then s[1], s[3], s[5],
// s[7].  The points are
// +-1/2, +-5/4 and infinity, which leave less than twice the rounding error of the plain sum.
//
//     B^T =  -ab2  -b2   a   1   0     G = -16/21   -8/21      A^T = 1   1   1    1   0
//             ab2  -b2  -a   1   0          16/21   -8/21            a  -a   b   -b   0
//            -ba2  -a2   b   1   0          32/105   8/21            a2  a2  b2   b2  0
//             ba2  -a2  -b   1   0         -32/105   8/21            a3 -a3  b3  -b3  1
//             25/64  0 -29/16 0  1            0       1         a = 1/2, b = 5/4, a2 = a^2, ...

#include "tile.h"

enum { SIDE = WINOGRAD_S2_SIDE, WEIGHTS = 6 };

static const float a = 0.5f, b = 1.25f, a2 = 0.25f, b2 = 1.5625f, sum2 = 1.8125f, product2 = 0.390625f;

INLINE void points_of_input(vec_t out[SIDE], const vec_t s[SIDE])
{
    vec_t o1 = s[6] - b2 * s[2], e1 = s[4] - b2 * s[0], o2 = s[6] - a2 * s[2], e2 = s[4] - a2 * s[0];
    out[0] = o1 + a * e1;
    out[1] = o1 - a * e1;
    out[2] = o2 + b * e2;
    out[3] = o2 - b * e2;
    out[4] = product2 * s[0] - sum2 * s[4] + s[8];
    for (int j = 0; j < 4; j++) out[5 + j] = s[2 * j + 1];
}

// The transpose of points_of_input.
INLINE void input_of_points(vec_t s[SIDE], const vec_t m[SIDE])
{
    vec_t s1 = m[0] + m[1], d1 = a * (m[0] - m[1]), s2 = m[2] + m[3], d2 = b * (m[2] - m[3]);
    s[0] = product2 * m[4] - b2 * d1 - a2 * d2;
    s[2] = -b2 * s1 - a2 * s2;
    s[4] = d1 + d2 - sum2 * m[4];
    s[6] = s1 + s2;
    s[8] = m[4];
    for (int j = 0; j < 4; j++) s[2 * j + 1] = m[5 + j];
}

INLINE void outputs_of_points(vec_t y[4], const vec_t m[SIDE])
{
    vec_t s1 = m[0] + m[1], d1 = a * (m[0] - m[1]), s2 = m[2] + m[3], d2 = b * (m[2] - m[3]);
    y[0] = s1 + s2 + m[5];
    y[1] = d1 + d2 + m[6];
    y[2] = a2 * s1 + b2 * s2 + m[7];
    y[3] = a2 * d1 + b2 * d2 + m[4] + m[8];
}

// The transpose of outputs_of_points.
INLINE void points_of_gradient(vec_t out[SIDE], const vec_t d[4])
{
    vec_t e1 = d[0] + a2 * d[2], o1 = a * (d[1] + a2 * d[3]), e2 = d[0] + b2 * d[2],
          o2 = b * (d[1] + b2 * d[3]);
    out[0] = e1 + o1;
    out[1] = e1 - o1;
    out[2] = e2 + o2;
    out[3] = e2 - o2;
    out[4] = d[3];
    for (int j = 0; j < 4; j++) out[5 + j] = d[j];
}

INLINE void points_of_weights(vec_t out[WEIGHTS], const vec_t w[3])
{
    vec_t e1 = (16.0f / 21) * w[0], o1 = (8.0f / 21) * w[2], e2 = (32.0f / 105) * w[0];
    out[0] = -e1 - o1;
    out[1] = e1 - o1;
    out[2] = o1 + e2;
    out[3] = o1 - e2;
    out[4] = w[2];
    out[5] = w[1];
}

INLINE void weights_of_points(vec_t w[3], const vec_t u[WEIGHTS])
{
    w[0] = (16.0f / 21) * (u[1] - u[0]) + (32.0f / 105) * (u[2] - u[3]);
    w[1] = u[5];
    w[2] = (8.0f / 21) * ((u[2] + u[3]) - (u[0] + u[1])) + u[4];
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
    finish_tile(y, c, act);
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
