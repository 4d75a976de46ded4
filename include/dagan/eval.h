// eval: figures of what was learned, each a pure function over arrays.  Local: no MPI, no files; whoever
// calls shares the work among ranks by the ranges these functions take.
#ifndef DAGAN_EVAL_H
#define DAGAN_EVAL_H

#include "dagan/kernel.h"

// ---- regions against parts ---------------------------------------------------------------------------

// Boxes are x0 y0 x1 y1 in pixels, half open, x0 = -1: absent.  Pixel 0 is centred at 0.0, so a box runs from
// x0 - 0.5 to x1 - 0.5.
typedef struct {
    size_t n;           // images that show the part
    double median, p90; // distance of the region's centre to the box's centre, pixels
    double inside;      // share of centres inside the box
    double iou;         // mean intersection over union of the region (a box of half-sides `half`) and the box
} region_figures_t;

// Centres (n, regions, 2), of which region `region` is compared; boxes (n, 4).
region_figures_t eval_regions(const float *centres, int regions, int region, const double half[2],
                              const int16_t *boxes, size_t n);
// Mean intersection over union of all pairs of regions of an image; 0 for one region.
double eval_overlap(const float *centres, int regions, const double half[][2], size_t n);

// Landmarks told from the centres: both standardised by the training images, linear least squares without
// intercept.
typedef struct {
    double nme; // mean distance over the images' side
    double pck; // share of landmarks nearer than 5 % of the side
} landmark_figures_t;
// x (n, dx) and y (n, dy = 2 landmarks) of training and test images.
landmark_figures_t eval_landmarks(const float *x_train, const float *y_train, size_t n_train, const float *x,
                                  const float *y, size_t n, int dx, int dy, int side);

// ---- labels ------------------------------------------------------------------------------------------

// Share of told[i] == truth[i]; rows whose truth is -1 do not count.  NAN where none counts.
double eval_accuracy(const int16_t *told, const int16_t *truth, size_t n);
// The same as the mean over the classes that occur.
double eval_balanced(const int16_t *told, const int16_t *truth, size_t n, int classes);
// Of the classes that occur in `truth`, how many `told` has at least half as often.
typedef struct {
    int present, occurring;
} modes_t;
// missing[k] is set where class k occurs and is not present.
modes_t eval_modes(bool missing[], const int16_t *told, const int16_t *truth, size_t n, int classes);
// exp(E KL(p(y|x) || p(y)) - KL(p(y) || p_real(y))) of posteriors p (n, classes), by the shares of the
// classes in `real`.
double eval_mode_score(const float *p, size_t n, const int16_t *real, size_t n_real, int classes);

// ---- distributions of features -------------------------------------------------------------------------

// out (n, m) = x (n, d) y (m, d)^T.
void eval_products(float *out, const float *x, size_t n, const float *y, size_t m, size_t d);
// Unbiased MMD^2 with k(x, y) = (x.y / d + 1)^3 between x (m, d) and y (m, d).
double eval_mmd(const float *x, const float *y, size_t m, size_t d);
// KID's subset number `i`: eval_mmd of `most` rows drawn from each without replacement.  KID is the mean over
// subsets.
enum { KID_SUBSETS = 100, KID_ROWS = 1000 };
double eval_kid_subset(const float *x, size_t n, const float *y, size_t m, size_t d, size_t most, uint64_t i);
// |mu1 - mu2|^2 + tr(S1 + S2 - 2 (S1 S2)^1/2).
double eval_fid(const float *x, size_t n, const float *y, size_t m, size_t d);
// Squared distances of rows [first, first + count) of x (n, d) to their `k`-th nearest other row.
void eval_radii(float *out, const float *x, size_t n, size_t d, int k, size_t first, size_t count);
// Of rows [first, first + count) of x, how many lie in the ball of any row of y (m, d) with squared
// radius[m].  Precision is that share of fakes among balls of reals, recall of reals among balls of fakes.
size_t eval_covered(const float *x, size_t first, size_t count, const float *y, const float *radius, size_t m,
                    size_t d);
// Of rows [first, first + count) of the n + m rows x, y (one array), how many have their nearest other row on
// their own side of n.  The 1-NN accuracy is that share of all; 0.5 where n = m and
// independent draws cannot be told apart, less where each x is near its own y.
size_t eval_same_side(const float *xy, size_t n, size_t m, size_t d, size_t first, size_t count);

// ---- sliced Wasserstein --------------------------------------------------------------------------------

enum { SWD_PATCHES = 128, SWD_SIDE = 7, SWD_NUMBERS = 3 * SWD_SIDE * SWD_SIDE, SWD_DIRECTIONS = 512 };
// Levels of the Laplacian pyramid of an image of `side`: down to 16 pixels.
int eval_levels(int side);
// Patches of level `level` of image `index`, (SWD_PATCHES, SWD_NUMBERS), from its (side, side, 3) bytes.
void eval_patches(float *out, const uint8_t *rgb, int side, int level, uint64_t index);
// Each colour of n patches to mean 0 and variance 1.
void eval_normalise_patches(float *patches, size_t n);
// Mean |sorted difference| x 1000 of two sets of n patches along directions [first, first + count); the
// distance is the mean over SWD_DIRECTIONS.
void eval_sliced(double *out, const float *a, const float *b, size_t n, int level, int first, int count);

// ---- small things -----------------------------------------------------------------------------------------

int16_t eval_largest(const float *x, int n);         // index of the largest of n numbers, the first of equals
double eval_quantile(double *x, size_t n, double q); // sorts x; linear between values; NAN of none
double eval_mean(const double *x, size_t n);
// Eigenvalues of a symmetric (n, n) matrix in ascending order; its rows become the eigenvectors.
void eval_eigen(double *a, double *values, int n);

#endif
