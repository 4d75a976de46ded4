// The sliced Wasserstein distance between patches of Laplacian pyramids (Karras et al., 2018): how textures
// differ, scale by scale, without any network.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dagan/eval.h"

enum { LEAST_SIDE = 16, REACH = SWD_SIDE / 2 };

int eval_levels(int side)
{
    int levels = 1;
    while (side % 2 == 0 && side / 2 >= LEAST_SIDE) {
        side /= 2;
        levels++;
    }
    return levels;
}

static int mirror(int i, int n) // ... 2 1 0 1 2 ... n-2 n-1 n-2 ...
{
    return i < 0 ? -i : i >= n ? 2 * n - 2 - i : i;
}

// The binomial filter 1 4 6 4 1 along both axes of (side, side, 3), edges mirrored.
static void blur(float *out, const float *in, int side, float gain)
{
    static const float tap[] = { 1 / 16.0f, 4 / 16.0f, 6 / 16.0f, 4 / 16.0f, 1 / 16.0f };
    float *rows = alloc((size_t)(side * side * 3), sizeof *rows);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++)
            for (int c = 0; c < 3; c++)
                for (int k = -2; k <= 2; k++)
                    rows[(y * side + x) * 3 + c] += tap[k + 2] * in[(y * side + mirror(x + k, side)) * 3 + c];
    memset(out, 0, (size_t)(side * side * 3) * sizeof *out);
    for (int y = 0; y < side; y++)
        for (int k = -2; k <= 2; k++)
            for (int i = 0; i < side * 3; i++)
                out[y * side * 3 + i] += gain * tap[k + 2] * rows[mirror(y + k, side) * side * 3 + i];
    free(rows);
}

static void halve(float *small, const float *large, int side)
{
    float *soft = alloc((size_t)(side * side * 3), sizeof *soft);
    blur(soft, large, side, 1);
    for (int y = 0; y < side / 2; y++)
        for (int x = 0; x < side / 2; x++)
            memcpy(small + (y * (side / 2) + x) * 3, soft + (2 * y * side + 2 * x) * 3, 3 * sizeof *small);
    free(soft);
}

// large -= small, enlarged: zeros between its pixels, then the filter.
static void subtract_doubled(float *large, const float *small, int side)
{
    size_t n = (size_t)(side * side * 3);
    float *apart = alloc(n, sizeof *apart), *soft = alloc(n, sizeof *soft);
    for (int y = 0; y < side / 2; y++)
        for (int x = 0; x < side / 2; x++)
            memcpy(apart + (2 * y * side + 2 * x) * 3, small + (y * (side / 2) + x) * 3, 3 * sizeof *small);
    blur(soft, apart, side, 4);
    for (size_t i = 0; i < n; i++) large[i] -= soft[i];
    free(soft);
    free(apart);
}

void eval_patches(float *out, const uint8_t *rgb, int side, int level, uint64_t index)
{
    size_t n = (size_t)(side * side * 3);
    float *this = alloc(n, sizeof *this), *next = alloc(n, sizeof *next);
    for (size_t i = 0; i < n; i++) this[i] = rgb[i];
    bool is_last = level + 1 == eval_levels(side); // which keeps what the others lack
    for (int l = 0; l < level; l++, side /= 2) {
        halve(next, this, side);
        memcpy(this, next, n * sizeof *this);
    }
    if (!is_last) {
        halve(next, this, side);
        subtract_doubled(this, next, side);
    }
    rng_t r = rng_at((uint64_t)level + 1, STREAM_EVALUATE, index, 0);
    for (int p = 0; p < SWD_PATCHES; p++) {
        int x = (int)rng_below(&r, (uint32_t)(side - 2 * REACH)),
            y = (int)rng_below(&r, (uint32_t)(side - 2 * REACH));
        for (int j = 0; j < SWD_SIDE; j++, out += SWD_SIDE * 3)
            memcpy(out, this + ((y + j) * side + x) * 3, SWD_SIDE * 3 * sizeof *out);
    }
    free(next);
    free(this);
}

void eval_normalise_patches(float *patches, size_t n)
{
    size_t pixels = n * SWD_SIDE * SWD_SIDE;
    for (size_t c = 0; c < 3; c++) {
        double sum = 0, square = 0;
        for (size_t i = 0; i < pixels; i++) sum += patches[3 * i + c];
        double mean = sum / (double)pixels;
        for (size_t i = 0; i < pixels; i++) square += pow(patches[3 * i + c] - mean, 2);
        double deviation = square > 0 ? sqrt(square / (double)pixels) : 1; // one flat colour
        for (size_t i = 0; i < pixels; i++)
            patches[3 * i + c] = (float)((patches[3 * i + c] - mean) / deviation);
    }
}

enum { DIGIT = 11, DIGITS = 3, VALUES = 1 << DIGIT }; // 3 digits of 11 bits hold a float

// A float as a number without sign, in the same order, and back.
static uint32_t key_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 31 ? ~bits : bits | 1u << 31;
}

static float of_key(uint32_t key)
{
    uint32_t bits = key >> 31 ? key & ~(1u << 31) : ~key;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// Digit by digit, the lowest first: sorting is most of this figure's work, and qsort takes eight times as
// long.
static void sort(float *x, size_t n)
{
    uint32_t *from = alloc(n, sizeof *from), *to = alloc(n, sizeof *to);
    for (size_t i = 0; i < n; i++) from[i] = key_of(x[i]);
    for (int shift = 0; shift < DIGITS * DIGIT; shift += DIGIT) {
        size_t begin[VALUES + 1] = { 0 };
        for (size_t i = 0; i < n; i++) begin[(from[i] >> shift) % VALUES + 1]++;
        for (size_t v = 0; v < VALUES; v++) begin[v + 1] += begin[v];
        for (size_t i = 0; i < n; i++) to[begin[(from[i] >> shift) % VALUES]++] = from[i];
        uint32_t *swap = from;
        from = to;
        to = swap;
    }
    for (size_t i = 0; i < n; i++) x[i] = of_key(from[i]);
    free(to);
    free(from);
}

static void draw_direction(float unit[SWD_NUMBERS], int level, int direction)
{
    double norm = 0;
    rng_t r = rng_at((uint64_t)level + 1, STREAM_EVALUATE, (uint64_t)direction, 1);
    for (int j = 0; j < SWD_NUMBERS; j++) {
        unit[j] = rng_normal(&r);
        norm += (double)unit[j] * unit[j];
    }
    for (int j = 0; j < SWD_NUMBERS; j++) unit[j] = (float)(unit[j] / sqrt(norm));
}

// Column k of (n, count) in order.
static void sort_column(float *out, const float *x, size_t n, int count, int k)
{
    for (size_t i = 0; i < n; i++) out[i] = x[i * (size_t)count + (size_t)k];
    sort(out, n);
}

void eval_sliced(double *out, const float *a, const float *b, size_t n, int level, int first, int count)
{
    float *unit = alloc((size_t)count * SWD_NUMBERS, sizeof *unit), *sorted = alloc(2 * n, sizeof *sorted);
    float *pa = alloc(n * (size_t)count, sizeof *pa), *pb = alloc(n * (size_t)count, sizeof *pb);
    for (int k = 0; k < count; k++) draw_direction(unit + k * SWD_NUMBERS, level, first + k);
    eval_products(pa, a, n, unit, (size_t)count, SWD_NUMBERS);
    eval_products(pb, b, n, unit, (size_t)count, SWD_NUMBERS);
    for (int k = 0; k < count; k++) {
        double sum = 0;
        sort_column(sorted, pa, n, count, k);
        sort_column(sorted + n, pb, n, count, k);
        for (size_t i = 0; i < n; i++) sum += fabs((double)sorted[i] - sorted[n + i]);
        out[k] = 1000 * sum / (double)n;
    }
    free(pb);
    free(pa);
    free(sorted);
    free(unit);
}
