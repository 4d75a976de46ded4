// KID: the unbiased MMD^2 under the kernel (x.y / d + 1)^3, mean over subsets drawn without replacement.

#include <stdlib.h>
#include <string.h>

#include "dagan/eval.h"

void eval_products(float *out, const float *x, size_t n, const float *y, size_t m, size_t d)
{
    float *panels = alloc(gemm_panels_size(d, m), sizeof *panels), *row = alloc(m + 1, sizeof *row);
    for (size_t k = 0; k < d; k++) {
        for (size_t j = 0; j < m; j++) row[j] = y[j * d + k];
        gemm_panels_row(panels, d, k, 0, row, m);
    }
    gemm_panels((int)n, (int)m, (int)d, x, d, 1, panels, d, 0, out, m);
    free(row);
    free(panels);
}

// Sum of the kernel over all pairs, or over pairs of different rows.
static double kernel_sum(const float *x, const float *y, size_t m, size_t d, bool with_itself)
{
    float *xy = alloc(m * m, sizeof *xy);
    double sum = 0;
    eval_products(xy, x, m, y, m, d);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < m; j++) {
            double v = xy[i * m + j] / (double)d + 1;
            if (with_itself || i != j) sum += v * v * v;
        }
    free(xy);
    return sum;
}

double eval_mmd(const float *x, const float *y, size_t m, size_t d)
{
    double pairs = (double)m * (double)(m - 1);
    return kernel_sum(x, x, m, d, false) / pairs + kernel_sum(y, y, m, d, false) / pairs -
           2 * kernel_sum(x, y, m, d, true) / ((double)m * (double)m);
}

// `most` of n rows, drawn without replacement: the first ones of a shuffle.
static float *draw(const float *x, size_t n, size_t d, size_t most, uint64_t subset, uint64_t side)
{
    size_t *row = alloc(n, sizeof *row);
    float *out = alloc(most * d, sizeof *out);
    rng_t r = rng_at(0, STREAM_EVALUATE, subset, side);
    for (size_t i = 0; i < n; i++) row[i] = i;
    for (size_t i = 0; i < most; i++) {
        size_t j = i + rng_below(&r, (uint32_t)(n - i)), other = row[j];
        row[j] = row[i];
        row[i] = other;
        memcpy(out + i * d, x + other * d, d * sizeof *out);
    }
    free(row);
    return out;
}

double eval_kid_subset(const float *x, size_t n, const float *y, size_t m, size_t d, size_t most, uint64_t i)
{
    float *a = draw(x, n, d, most, i, 0), *b = draw(y, m, d, most, i, 1);
    double kid = eval_mmd(a, b, most, d);
    free(b);
    free(a);
    return kid;
}
