// The Frechet distance of two sets of features taken for Gaussians: |mu1 - mu2|^2 + tr(S1 + S2 - 2 (S1
// S2)^1/2).
//
// S1 S2 is not symmetric, but has the eigenvalues of S1^1/2 S2 S1^1/2, which is; the trace needs no more.

#include <math.h>
#include <stdlib.h>

#include "dagan/eval.h"

static void moments(double *mean, double *cov, const float *x, size_t n, size_t d)
{
    double *row = alloc(d, sizeof *row);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++) mean[j] += x[i * d + j] / (double)n;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < d; j++) row[j] = x[i * d + j] - mean[j];
        for (size_t j = 0; j < d; j++)
            for (size_t k = 0; k < d; k++) cov[j * d + k] += row[j] * row[k];
    }
    for (size_t j = 0; j < d * d; j++) cov[j] /= (double)(n - 1);
    free(row);
}

static void product(double *c, const double *a, const double *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            for (size_t j = 0; j < n; j++) c[i * n + j] += a[i * n + k] * b[k * n + j];
}

static double root(double x) // rounding leaves eigenvalues slightly below 0
{
    return x > 0 ? sqrt(x) : 0;
}

// tr (S1 S2)^1/2; destroys s1.
static double trace_of_root(double *s1, const double *s2, size_t d)
{
    double *value = alloc(d, sizeof *value), *half = alloc(d * d, sizeof *half), trace = 0;
    double *a = alloc(d * d, sizeof *a), *b = alloc(d * d, sizeof *b);
    eval_eigen(s1, value, (int)d);
    for (size_t v = 0; v < d; v++)
        for (size_t i = 0; i < d; i++)
            for (size_t j = 0; j < d; j++) half[i * d + j] += s1[v * d + i] * root(value[v]) * s1[v * d + j];
    product(a, half, s2, d);
    product(b, a, half, d);
    eval_eigen(b, value, (int)d);
    for (size_t v = 0; v < d; v++) trace += root(value[v]);
    free(b);
    free(a);
    free(half);
    free(value);
    return trace;
}

double eval_fid(const float *x, size_t n, const float *y, size_t m, size_t d)
{
    double *mu1 = alloc(2 * d, sizeof *mu1), *mu2 = mu1 + d, *s1 = alloc(2 * d * d, sizeof *s1),
           *s2 = s1 + d * d;
    double fid = 0;
    moments(mu1, s1, x, n, d);
    moments(mu2, s2, y, m, d);
    for (size_t j = 0; j < d; j++)
        fid += (mu1[j] - mu2[j]) * (mu1[j] - mu2[j]) + s1[j * d + j] + s2[j * d + j];
    fid -= 2 * trace_of_root(s1, s2, d);
    free(s1);
    free(mu1);
    return fid;
}
