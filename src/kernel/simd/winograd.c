// The transforms of Winograd's F(4x4, 3x3): a 3x3 convolution of a 6x6 tile gives 4x4 outputs with 36
// products instead of 144,
//
//     y = A^T [ (G g G^T) o (B^T d B) ] A,
//
// from the points 0, +-sqrt(1/2), +-sqrt(2) and infinity.  They cost as much as the usual 0, +-1, +-2 and
// leave less than half of the rounding error, because no entry of the matrices is large.
//
//     B^T = 1   0  -5/2   0    1   0      G = 1      0       0        A^T = 1   1    1    1    1   0
//           0 -2a   -2    a    1   0         -2/3  -2a/3   -1/3             0   a   -a    b   -b   0
//           0  2a   -2   -a    1   0         -2/3   2a/3   -1/3             0  1/2  1/2   2    2   0
//           0 -b/2 -1/2   b    1   0          1/6   b/6     1/3             0  a/2 -a/2  2b  -2b   1
//           0  b/2 -1/2  -b    1   0          1/6  -b/6     1/3
//           0   1    0  -5/2   0   1          0      0       1        a = sqrt(1/2), b = sqrt(2)

#include "tile.h"

static const float a = 0.70710678118654752440f, b = 1.41421356237309504880f;

// B^T applied to six numbers.
INLINE void points_of_input(vec_t out[6], const vec_t d[6])
{
    vec_t e1 = d[4] - 2 * d[2], o1 = a * (d[3] - 2 * d[1]);
    vec_t e2 = d[4] - 0.5f * d[2], o2 = b * (d[3] - 0.5f * d[1]);
    out[0] = d[0] - 2.5f * d[2] + d[4];
    out[1] = e1 + o1;
    out[2] = e1 - o1;
    out[3] = e2 + o2;
    out[4] = e2 - o2;
    out[5] = d[1] - 2.5f * d[3] + d[5];
}

// A applied to four numbers: the transpose of outputs_of_points.
INLINE void points_of_gradient(vec_t out[6], const vec_t d[4])
{
    vec_t e1 = d[0] + 0.5f * d[2], o1 = a * (d[1] + 0.5f * d[3]);
    vec_t e2 = d[0] + 2 * d[2], o2 = b * (d[1] + 2 * d[3]);
    out[0] = d[0];
    out[1] = e1 + o1;
    out[2] = e1 - o1;
    out[3] = e2 + o2;
    out[4] = e2 - o2;
    out[5] = d[3];
}

// A^T applied to six numbers.
INLINE void outputs_of_points(vec_t out[4], const vec_t m[6])
{
    vec_t s1 = m[1] + m[2], d1 = a * (m[1] - m[2]), s2 = m[3] + m[4], d2 = b * (m[3] - m[4]);
    out[0] = m[0] + s1 + s2;
    out[1] = d1 + d2;
    out[2] = 0.5f * s1 + 2 * s2;
    out[3] = 0.5f * d1 + 2 * d2 + m[5];
}

// G applied to three numbers.
INLINE void points_of_weights(vec_t out[6], const vec_t g[3])
{
    vec_t e1 = (-2.0f / 3) * g[0] + (-1.0f / 3) * g[2], o1 = (-2.0f / 3) * a * g[1];
    vec_t e2 = (1.0f / 6) * g[0] + (1.0f / 3) * g[2], o2 = (1.0f / 6) * b * g[1];
    out[0] = g[0];
    out[1] = e1 + o1;
    out[2] = e1 - o1;
    out[3] = e2 + o2;
    out[4] = e2 - o2;
    out[5] = g[2];
}

// G^T applied to six numbers.
INLINE void weights_of_points(vec_t out[3], const vec_t u[6])
{
    vec_t s1 = u[1] + u[2], d1 = u[1] - u[2], s2 = u[3] + u[4], d2 = u[3] - u[4];
    out[0] = u[0] + (-2.0f / 3) * s1 + (1.0f / 6) * s2;
    out[1] = (-2.0f / 3) * a * d1 + (1.0f / 6) * b * d2;
    out[2] = (-1.0f / 3) * s1 + (1.0f / 3) * s2 + u[5];
}

void ISA_NAME(winograd_input)(float *v, size_t stride, const float *const d[], const float *const soon[],
                              size_t c)
{
    EACH_VECTOR(i, c)
    {
        vec_t t[6][6];
        for (int y = 0; y < 6; y++) {
            vec_t row[6];
            for (int x = 0; x < 6; x++) row[x] = load(d[6 * y + x] + i);
            for (int x = 2; y >= 2 && x < 6; x++) fetch(soon[6 * y + x] + i); // the others are there
            points_of_input(t[y], row);
        }
        for (int x = 0; x < 6; x++) {
            vec_t out[6], column[6] = { t[0][x], t[1][x], t[2][x], t[3][x], t[4][x], t[5][x] };
            points_of_input(out, column);
            for (int y = 0; y < 6; y++) store(v + (size_t)(6 * y + x) * stride + i, out[y]);
        }
    }
}

void ISA_NAME(winograd_gradient)(float *v, size_t stride, size_t group, const float *const d[],
                                 const float *const soon[], size_t c)
{
    EACH_VECTOR(i, c)
    {
        float *to = v + i / KERNEL_LANES * group + i % KERNEL_LANES;
        vec_t t[4][6];
        for (int y = 0; y < 4; y++) {
            vec_t row[4];
            for (int x = 0; x < 4; x++) row[x] = load(d[4 * y + x] + i);
            for (int x = 0; x < 4; x++) fetch(soon[4 * y + x] + i);
            points_of_gradient(t[y], row);
        }
        for (int x = 0; x < 6; x++) {
            vec_t out[6], column[4] = { t[0][x], t[1][x], t[2][x], t[3][x] };
            points_of_gradient(out, column);
            for (int y = 0; y < 6; y++) store(to + (size_t)(6 * y + x) * stride, out[y]);
        }
    }
}

INLINE void outputs(vec_t y[4][4], const float *m, size_t stride)
{
    vec_t t[6][4];
    for (int i = 0; i < 6; i++) {
        vec_t row[6];
        for (int x = 0; x < 6; x++) row[x] = load(m + (size_t)(6 * i + x) * stride);
        outputs_of_points(t[i], row);
    }
    for (int x = 0; x < 4; x++) {
        vec_t out[4], column[6] = { t[0][x], t[1][x], t[2][x], t[3][x], t[4][x], t[5][x] };
        outputs_of_points(out, column);
        for (int i = 0; i < 4; i++) y[i][x] = out[i];
    }
}

void ISA_NAME(winograd_output)(float *const y[], const float *m, size_t stride, size_t c, const float *bias,
                               act_t act)
{
    EACH_VECTOR(i, c)
    {
        vec_t out[4][4];
        outputs(out, m + i, stride);
        store_tile(y, i, out, bias);
    }
    finish_pixels(y, 16, c, act);
}

void ISA_NAME(winograd_output_add)(float *const y[], const float *m, size_t stride, size_t c)
{
    EACH_VECTOR(i, c)
    {
        vec_t out[4][4];
        outputs(out, m + i, stride);
        for (int p = 0; p < 16; p++)
            if (y[p]) store(y[p] + i, load(y[p] + i) + out[p / 4][p % 4]);
    }
}

void ISA_NAME(winograd_weights)(float *u, size_t stride, const float *const g[], size_t c)
{
    EACH_VECTOR(i, c)
    {
        vec_t t[3][6];
        for (int y = 0; y < 3; y++) {
            vec_t row[3] = { load(g[3 * y] + i), load(g[3 * y + 1] + i), load(g[3 * y + 2] + i) };
            points_of_weights(t[y], row);
        }
        for (int x = 0; x < 6; x++) {
            vec_t out[6], column[3] = { t[0][x], t[1][x], t[2][x] };
            points_of_weights(out, column);
            for (int y = 0; y < 6; y++) store(u + (size_t)(6 * y + x) * stride + i, out[y]);
        }
    }
}

void ISA_NAME(winograd_weights_gradient)(float *const g[], const float *u, size_t stride, size_t c)
{
    EACH_VECTOR(i, c)
    {
        vec_t t[6][3];
        for (int y = 0; y < 6; y++) {
            vec_t row[6];
            for (int x = 0; x < 6; x++) row[x] = load(u + (size_t)(6 * y + x) * stride + i);
            weights_of_points(t[y], row);
        }
        for (int x = 0; x < 3; x++) {
            vec_t out[3], column[6] = { t[0][x], t[1][x], t[2][x], t[3][x], t[4][x], t[5][x] };
            weights_of_points(out, column);
            for (int y = 0; y < 3; y++) add_weights(g[3 * y + x] + i, out[y], c);
        }
    }
}
