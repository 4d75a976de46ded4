// What several figures need: order, means, and the eigenvalues of a symmetric matrix.

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>

#include "dagan/eval.h"

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int16_t eval_largest(const float *x, int n)
{
    int best = 0;
    for (int k = 1; k < n; k++)
        if (x[k] > x[best]) best = k;
    return (int16_t)best;
}

double eval_quantile(double *x, size_t n, double q)
{
    if (!n) return NAN;
    qsort(x, n, sizeof *x, ascending);
    double at = q * (double)(n - 1), below = floor(at);
    size_t i = (size_t)below;
    return i + 1 < n ? x[i] + (at - below) * (x[i + 1] - x[i]) : x[i];
}

double eval_mean(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    return n ? sum / (double)n : NAN;
}

// LAPACK counts columns first: its column vectors are our rows.
void eval_eigen(double *a, double *values, int n)
{
    lapack_int bad = LAPACKE_dsyev(LAPACK_COL_MAJOR, 'V', 'U', n, a, n, values);
    CHECK(bad == 0, "dsyev of a %d x %d matrix: info %d", n, n, (int)bad);
}
