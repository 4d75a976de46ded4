// The transforms of a 3x3 convolution of an image upsampled twice, by Winograd's method on what it is made
// of. Each pixel is there twice along an axis, so
//
//     y[2j]     = x[j - 1] w0        + x[j] (w1 + w2)
//     y[2j + 1] = x[j] (w0 + w1)     + x[j + 1] w2
//
// are two convolutions of two taps, which F(4, 2) of five.h does with 5 products for 4 outputs each: 100
// products for the 8x8 outputs of a tile of 6x6 pixels, where the upsampled image takes four tiles of 36.
// Along an axis the five points of the even outputs, of s[0] to s[4], come before those of the odd ones, of
// s[1] to s[5].

#include "five.h"

enum { SIDE = WINOGRAD_UP_SIDE, POINTS = 2 * FIVE, TILE = WINOGRAD_UP_TILE };

INLINE float *point(float *v, size_t stride, int y, int x)
{
    return v + (size_t)(POINTS * y + x) * stride;
}

// The five points of even (0) or odd (1) outputs, on both axes, of the pixels under them.
INLINE void points_of_input(vec_t out[FIVE][FIVE], const float *const d[], size_t i, int odd_y, int odd_x)
{
    vec_t t[FIVE][FIVE], five[FIVE];
    for (int y = 0; y < FIVE; y++) {
        for (int x = 0; x < FIVE; x++) five[x] = load(d[SIDE * (y + odd_y) + x + odd_x] + i);
        five_of_input(t[y], five);
    }
    for (int x = 0; x < FIVE; x++) {
        five_of_input(five, (vec_t[FIVE]){ t[0][x], t[1][x], t[2][x], t[3][x], t[4][x] });
        for (int y = 0; y < FIVE; y++) out[y][x] = five[y];
    }
}

// Even and odd outputs of an axis: which of the four parts of a tile.
#define EACH_PART(odd_y, odd_x)             \
    for (int odd_y = 0; odd_y < 2; odd_y++) \
        for (int odd_x = 0; odd_x < 2; odd_x++)

void ISA_NAME(winograd_up_input)(float *v, size_t stride, const float *const d[], const float *const soon[],
                                 size_t c)
{
    EACH_VECTOR(i, c)
    {
        for (int y = 2; y < SIDE; y++)
            for (int x = 2; x < SIDE; x++) fetch(soon[SIDE * y + x] + i); // the others are there
        EACH_PART(odd_y, odd_x)
        {
            vec_t out[FIVE][FIVE];
            points_of_input(out, d, i, odd_y, odd_x);
            for (int y = 0; y < FIVE; y++)
                for (int x = 0; x < FIVE; x++)
                    store(point(v, stride, FIVE * odd_y + y, FIVE * odd_x + x) + i, out[y][x]);
        }
    }
}

void ISA_NAME(winograd_up_input_add)(float *const d[], const float *m, size_t stride, size_t c)
{
    EACH_VECTOR(i, c)
    {
        vec_t sum[SIDE][SIDE] = { { { 0 } } };
        EACH_PART(odd_y, odd_x)
        {
            vec_t t[FIVE][FIVE], five[FIVE];
            for (int y = 0; y < FIVE; y++) {
                for (int x = 0; x < FIVE; x++)
                    five[x] = load(point((float *)m, stride, FIVE * odd_y + y, FIVE * odd_x + x) + i);
                input_of_five(t[y], five);
            }
            for (int x = 0; x < FIVE; x++) {
                input_of_five(five, (vec_t[FIVE]){ t[0][x], t[1][x], t[2][x], t[3][x], t[4][x] });
                for (int y = 0; y < FIVE; y++) sum[y + odd_y][x + odd_x] += five[y];
            }
        }
        for (int p = 0; p < SIDE * SIDE; p++)
            if (d[p]) store(d[p] + i, load(d[p] + i) + sum[p / SIDE][p % SIDE]);
    }
}

void ISA_NAME(winograd_up_gradient)(float *v, size_t stride, size_t group, const float *const d[],
                                    const float *const soon[], size_t c)
{
    EACH_VECTOR(i, c)
    {
        float *to = v + i / KERNEL_LANES * group + i % KERNEL_LANES;
        for (int p = 0; p < TILE * TILE; p++) fetch(soon[p] + i);
        EACH_PART(odd_y, odd_x)
        {
            vec_t t[4][FIVE], five[FIVE];
            for (int y = 0; y < 4; y++) {
                const float *const *row = d + TILE * (2 * y + odd_y) + odd_x;
                five_of_gradient(t[y], (vec_t[4]){ load(row[0] + i), load(row[2] + i), load(row[4] + i),
                                                   load(row[6] + i) });
            }
            for (int x = 0; x < FIVE; x++) {
                five_of_gradient(five, (vec_t[4]){ t[0][x], t[1][x], t[2][x], t[3][x] });
                for (int y = 0; y < FIVE; y++)
                    store(point(to, stride, FIVE * odd_y + y, FIVE * odd_x + x), five[y]);
            }
        }
    }
}

void ISA_NAME(winograd_up_output)(float *const y[], const float *m, size_t stride, size_t c,
                                  const float *bias, act_t act)
{
    EACH_VECTOR(i, c)
    {
        EACH_PART(odd_y, odd_x)
        {
            vec_t t[FIVE][4], five[FIVE], out[4];
            for (int k = 0; k < FIVE; k++) {
                for (int x = 0; x < FIVE; x++)
                    five[x] = load(point((float *)m, stride, FIVE * odd_y + k, FIVE * odd_x + x) + i);
                outputs_of_five(t[k], five);
            }
            for (int x = 0; x < 4; x++) {
                outputs_of_five(out, (vec_t[FIVE]){ t[0][x], t[1][x], t[2][x], t[3][x], t[4][x] });
                for (int k = 0; k < 4; k++) {
                    float *to = y[TILE * (2 * k + odd_y) + 2 * x + odd_x];
                    if (to) store(to + i, bias ? out[k] + load(bias + i) : out[k]);
                }
            }
        }
    }
    finish_pixels(y, TILE * TILE, c, act);
}

INLINE void points_of_weights(vec_t out[POINTS], const vec_t w[3])
{
    five_of_weights(out, w[0], w[1] + w[2]);
    five_of_weights(out + FIVE, w[0] + w[1], w[2]);
}

// The transpose.
INLINE void weights_of_points(vec_t w[3], const vec_t u[POINTS])
{
    vec_t even[2], odd[2];
    weights_of_five(even, u);
    weights_of_five(odd, u + FIVE);
    w[0] = even[0] + odd[0];
    w[1] = even[1] + odd[0];
    w[2] = even[1] + odd[1];
}

void ISA_NAME(winograd_up_weights)(float *u, size_t stride, const float *const g[], size_t c)
{
    EACH_VECTOR(i, c)
    {
        vec_t t[3][POINTS];
        for (int y = 0; y < 3; y++)
            points_of_weights(
                t[y], (vec_t[3]){ load(g[3 * y] + i), load(g[3 * y + 1] + i), load(g[3 * y + 2] + i) });
        for (int x = 0; x < POINTS; x++) {
            vec_t out[POINTS];
            points_of_weights(out, (vec_t[3]){ t[0][x], t[1][x], t[2][x] });
            for (int y = 0; y < POINTS; y++) store(point(u, stride, y, x) + i, out[y]);
        }
    }
}

void ISA_NAME(winograd_up_weights_gradient)(float *const g[], const float *u, size_t stride, size_t c)
{
    EACH_VECTOR(i, c)
    {
        vec_t t[3][POINTS];
        for (int y = 0; y < POINTS; y++) {
            vec_t row[POINTS], out[3];
            for (int x = 0; x < POINTS; x++) row[x] = load(point((float *)u, stride, y, x) + i);
            weights_of_points(out, row);
            for (int x = 0; x < 3; x++) t[x][y] = out[x];
        }
        for (int x = 0; x < 3; x++) {
            vec_t out[3];
            weights_of_points(out, t[x]);
            for (int y = 0; y < 3; y++) add_weights(g[3 * y + x] + i, out[y], c);
        }
    }
}
