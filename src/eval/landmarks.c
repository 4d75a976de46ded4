// Landmarks told from centres that were learned without them: standardise, then linear least squares without
// intercept from all coordinates to all landmarks, fitted on training images, judged on test images.

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dagan/eval.h"

static const double PCK_SHARE = 0.05; // of the side

static void moments(double *mean, double *deviation, const float *x, size_t n, int d)
{
    for (int j = 0; j < d; j++) {
        double sum = 0, square = 0;
        for (size_t i = 0; i < n; i++) sum += x[i * (size_t)d + (size_t)j];
        mean[j] = sum / (double)n;
        for (size_t i = 0; i < n; i++) square += pow(x[i * (size_t)d + (size_t)j] - mean[j], 2);
        deviation[j] = square > 0 ? sqrt(square / (double)n) : 1; // a region that never moves tells nothing
    }
}

// (n, d) as LAPACK has it, columns first, standardised.
static double *standard(const float *x, size_t n, int d, const double *mean, const double *deviation,
                        size_t lead)
{
    double *out = alloc(lead * (size_t)d, sizeof *out);
    for (int j = 0; j < d; j++)
        for (size_t i = 0; i < n; i++)
            out[(size_t)j * lead + i] = (x[i * (size_t)d + (size_t)j] - mean[j]) / deviation[j];
    return out;
}

landmark_figures_t eval_landmarks(const float *x_train, const float *y_train, size_t n_train, const float *x,
                                  const float *y, size_t n, int dx, int dy, int side)
{
    size_t lead = n_train > (size_t)dx ? n_train : (size_t)dx;
    double *m = alloc((size_t)(dx + dy) * 2, sizeof *m), *my = m + 2 * dx,
           *singular = alloc((size_t)dx, sizeof *m);
    moments(m, m + dx, x_train, n_train, dx);
    moments(my, my + dy, y_train, n_train, dy);
    double *a = standard(x_train, n_train, dx, m, m + dx, n_train);
    double *w = standard(y_train, n_train, dy, my, my + dy, lead); // the solution takes its place
    lapack_int rank;
    lapack_int bad = LAPACKE_dgelsd(LAPACK_COL_MAJOR, (lapack_int)n_train, dx, dy, a, (lapack_int)n_train, w,
                                    (lapack_int)lead, singular, 1e-9, &rank);
    CHECK(bad == 0, "dgelsd of %zu rows: info %d", n_train, (int)bad);

    double sum = 0, near = 0;
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < dy; k += 2) {
            double off[2];
            for (int c = 0; c < 2; c++) {
                double told = 0;
                for (int j = 0; j < dx; j++)
                    told += (x[i * (size_t)dx + (size_t)j] - m[j]) / m[dx + j] *
                            w[(size_t)(k + c) * lead + (size_t)j];
                off[c] = told * my[dy + k + c] + my[k + c] - y[i * (size_t)dy + (size_t)(k + c)];
            }
            double distance = hypot(off[0], off[1]) / side;
            sum += distance;
            near += distance < PCK_SHARE;
        }
    double landmarks = (double)n * dy / 2;
    free(w);
    free(a);
    free(singular);
    free(m);
    return (landmark_figures_t){ sum / landmarks, near / landmarks };
}
