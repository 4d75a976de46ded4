// op: the words the networks and losses are written in.  One op, one file; each returns a new node.
#ifndef DAGAN_OP_H
#define DAGAN_OP_H

#include "dagan/kernel.h"
#include "dagan/tape.h"

// Convolution of (n, h, w, ci) with weight (kh, kw, ci, co), zero padding, then bias (NULL: none), then act.
var_t conv(var_t x, var_t weight, var_t bias, int stride, int pad, act_t act);
// The same, stride 1, of x upsampled x2 (nearest neighbour), which is never stored.
var_t upsample_conv(var_t x, var_t weight, var_t bias, int pad, act_t act);
// (x - mean) / sqrt(var + 1e-5) over the pixels and channels of each of `groups` channel groups of each
// image, then weight, bias (both (c)) and act.  groups = c: instance norm; 1: layer norm.
var_t norm(var_t x, var_t weight, var_t bias, int groups, act_t act);
var_t add(var_t a, var_t b);
var_t relu(var_t x);
var_t max_pool(var_t x);                 // of 2x2 pixels; even sides
var_t soft_clamp(var_t x, double range); // range * tanh(x / range)
// Images [first, first + n) of the batch: a view, costs nothing.
var_t rows(var_t x, int first, int n);
// The images of several batches in one, at most NODE_INPUTS_MAX of them.
var_t stack(int n, const var_t x[]);
// The same numbers under another shape: a view.
var_t reshape(var_t x, shape_t dim);
// (n, h, w, c) and the (n * N', h, w, c) instances side by side: (n, h, w, (1 + N') c).
var_t concat_regions(var_t x, var_t instances);

// Eq. 1, the centres (n, 1, N', 2) in pixels of an image of `size`: expected position under a softmax over
// all cells of (n, h, w, N') logits, cell j standing at (j + 0.5) * size / w - 0.5.
var_t softargmax(var_t logits, int size);
// Eq. 1, of (n, 1, 1, 2 N') numbers: sigmoid to the range [-0.5, size - 0.5].
var_t squash(var_t x, int size);

// Mean shift: centres (n, 1, N', 2) of regions of x (n, h, w, 3) move to the centroid of the contrast in
// their box; those of region r if steps->side[r][0] > step, the others stay.  A gradient in the centres, none
// in x. `half` must outlive the tape.
var_t settle(var_t x, var_t centres, const sides_t *half, double sharpness, const sides_t *steps, int step);

// Eqs. 2-4: x (n, h, w, c) times the soft box around each centre: (n * N', h, w, c).  `half` must outlive
// the tape.
var_t mask(var_t x, var_t centres, const sides_t *half, double sharpness);
// Neighbouring regions with windows of one size.
typedef struct {
    int first, n; // of N'
    int w, h;     // pixels, multiples of WINDOW_STEP
} windows_t;
// The same, only the windows around some of the regions: (n * g.n, g.h, g.w, c).
var_t window(var_t x, var_t centres, const sides_t *half, double sharpness, windows_t g);
// Puts the features of such windows, together those of all regions in their order, at their places in
// otherwise zero maps: (n * N', size / cell, size / cell, c), of images of `size` with `cell` pixels to a
// cell.
var_t paste(int n, const var_t features[], var_t centres, int image_size, int cell);
// Means of the features of a region under its own mask, at feature cells, in each of columns x rows equal
// parts of its box: (n * N', h, w, c), or (n, h, w, c) that all regions share, -> (n, 1, 1, columns * rows *
// c), or with CONF_REGION_ALL those of every region, (n, 1, N', ...).  With centres NULL (then half too) the
// mean over all cells: (n, h, w, c) -> (n, 1, 1, c).  A part whose mask adds up to less than 1e-3, off the
// image or sharp and between cells, falls towards 0 instead.
var_t region_pool(var_t features, var_t centres, const sides_t *half, double sharpness, int image_size,
                  int region, int columns, int rows);

// Spectral norm: sigma, the largest singular value of weight (kh, kw, ci, co) as co by all else, as half a
// power iteration from u (co) finds it; and y = act(x / sigma + bias), the end of a convolution with weight /
// sigma.
var_t sigma(var_t weight, var_t u);
var_t divide(var_t x, var_t sigma, var_t bias, act_t act);

// DiffAugment of (n, h, w, 3) by `how` (n, 1, 1, AUGMENT_NUMBERS), see augment_draw.
enum { AUGMENT_NUMBERS = 8 };
var_t augment(var_t x, var_t how);
void augment_draw(float how[AUGMENT_NUMBERS], rng_t *r, int size, bool colour, bool shift, bool cutout);

// ---- scalars ---------------------------------------------------------------------------------------

var_t mean_abs(var_t a, var_t b);    // mean |a - b|
var_t mean_square(var_t a, var_t b); // mean (a - b)^2
// scale * mean f(sign * v): softplus log(1 + e^v), hinge max(0, 1 + v), linear v; square: (v - target)^2.
typedef enum { SCORE_SOFTPLUS, SCORE_HINGE, SCORE_LINEAR, SCORE_SQUARE } score_t;
var_t mean_score(var_t v, score_t f, float sign_or_target, float scale);
// LeCam of the scores of real and fake images; `averages` (1, 1, 1, 2): of lately seen ones, real and fake.
var_t lecam(var_t real, var_t fake, var_t averages);
// Mean cross-entropy of (n, 1, 1, classes) logits against (n, 1, 1, 1) class numbers; -1 counts as 0 loss.
var_t cross_entropy(var_t logits, var_t label);
var_t cross_entropy_class(var_t logits, int class); // of one class for all images
// (1, 1, 1, 2): how many images have their largest logit at their label, and how many have a label.  No
// gradient.
var_t accuracy(var_t logits, var_t label);
// Mean over images and pairs of regions of the part of the smaller box, along x and along y, that the other
// covers: 1 where it covers all, 0 where they do not touch.
var_t overlap(var_t centres, const sides_t *half);
// sum_i weight[i] * x[i] of scalars.
var_t weighted_sum(tape_t *t, int n, const var_t x[], const float weight[]);

// ---- for ops and tests -----------------------------------------------------------------------------

// Eq. 4 along one axis: m[j] = sig(k (p - left)) - sig(k (p - right)) at p = first + j * step, and dm/dcentre
// where dm is not NULL.  Values lie in [0, 1]; nothing overflows for any k.
void boxcar(float *m, float *dm, int n, double first, double step, double centre, double half, double k);
// First pixel of a window of `size` around `centre`, a multiple of WINDOW_STEP inside the image.
enum { WINDOW_STEP = 4 };
int window_first(double centre, int size, int image_size);

// Every op, for tests and `graph`.
extern const op_t *const ops[];
extern const int n_ops;

// How a convolution is computed, for `graph`, with its share of the definition's products: "winograd 0.33,
// weights direct".
extern const op_t op_conv;
void conv_kernel_text(char *text, size_t size, const node_t *y);
// And why: what Winograd's method would cost, forward and in the gradient of the weights, where direct
// products cost 1, or what forbids it: "costs 0.75, weights 1.08", "channels not in 16s".
void conv_why_text(char *text, size_t size, const node_t *y);
double conv_products(const node_t *y); // multiplications of its forward pass, twice

// true: convolutions by their plain loops instead of the fast ways; other ops have the instruction set
// `generic` beside the fast ones, for the same comparison.
extern bool op_plain;

#endif
