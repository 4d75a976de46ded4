// F(4, 2), of which the transforms of strided and upsampled convolutions are made: two taps on five numbers
// of an axis give four outputs with five products,
//
//     y[j] = s[j] w0 + s[j + 1] w1 = A^T [ (G w) o (B^T s) ],
//
// at the points +-1/2, +-5/4 and infinity, which leave less than twice the rounding error of the plain sum.
//
//     B^T =  -ab2  -b2   a   1   0     G = -16/21   -8/21      A^T = 1   1   1    1   0
//             ab2  -b2  -a   1   0          16/21   -8/21            a  -a   b   -b   0
//            -ba2  -a2   b   1   0         32/105    8/21            a2  a2  b2   b2  0
//             ba2  -a2  -b   1   0        -32/105    8/21            a3 -a3  b3  -b3  1
//             25/64  0 -29/16 0  1            0       1         a = 1/2, b = 5/4, a2 = a^2, ...
#ifndef DAGAN_KERNEL_FIVE_H
#define DAGAN_KERNEL_FIVE_H

#include "tile.h"

enum { FIVE = 5 };

static const float a = 0.5f, b = 1.25f, a2 = 0.25f, b2 = 1.5625f, sum2 = 1.8125f, product2 = 0.390625f;

// B^T applied to s.
INLINE void five_of_input(vec_t out[FIVE], const vec_t s[FIVE])
{
    vec_t o1 = s[3] - b2 * s[1], e1 = s[2] - b2 * s[0], o2 = s[3] - a2 * s[1], e2 = s[2] - a2 * s[0];
    out[0] = o1 + a * e1;
    out[1] = o1 - a * e1;
    out[2] = o2 + b * e2;
    out[3] = o2 - b * e2;
    out[4] = product2 * s[0] - sum2 * s[2] + s[4];
}

// The transpose: B applied to five points.
INLINE void input_of_five(vec_t s[FIVE], const vec_t m[FIVE])
{
    vec_t s1 = m[0] + m[1], d1 = a * (m[0] - m[1]), s2 = m[2] + m[3], d2 = b * (m[2] - m[3]);
    s[0] = product2 * m[4] - b2 * d1 - a2 * d2;
    s[1] = -b2 * s1 - a2 * s2;
    s[2] = d1 + d2 - sum2 * m[4];
    s[3] = s1 + s2;
    s[4] = m[4];
}

// A^T applied to five points.
INLINE void outputs_of_five(vec_t y[4], const vec_t m[FIVE])
{
    vec_t s1 = m[0] + m[1], d1 = a * (m[0] - m[1]), s2 = m[2] + m[3], d2 = b * (m[2] - m[3]);
    y[0] = s1 + s2;
    y[1] = d1 + d2;
    y[2] = a2 * s1 + b2 * s2;
    y[3] = a2 * d1 + b2 * d2 + m[4];
}

// The transpose: A applied to the gradient of four outputs.
INLINE void five_of_gradient(vec_t out[FIVE], const vec_t d[4])
{
    vec_t e1 = d[0] + a2 * d[2], o1 = a * (d[1] + a2 * d[3]), e2 = d[0] + b2 * d[2],
          o2 = b * (d[1] + b2 * d[3]);
    out[0] = e1 + o1;
    out[1] = e1 - o1;
    out[2] = e2 + o2;
    out[3] = e2 - o2;
    out[4] = d[3];
}

// G applied to two taps.
INLINE void five_of_weights(vec_t out[FIVE], vec_t w0, vec_t w1)
{
    vec_t e1 = (16.0f / 21) * w0, o1 = (8.0f / 21) * w1, e2 = (32.0f / 105) * w0;
    out[0] = -e1 - o1;
    out[1] = e1 - o1;
    out[2] = o1 + e2;
    out[3] = o1 - e2;
    out[4] = w1;
}

// The transpose: G^T applied to five points.
INLINE void weights_of_five(vec_t w[2], const vec_t u[FIVE])
{
    w[0] = (16.0f / 21) * (u[1] - u[0]) + (32.0f / 105) * (u[2] - u[3]);
    w[1] = (8.0f / 21) * ((u[2] + u[3]) - (u[0] + u[1])) + u[4];
}

#endif
