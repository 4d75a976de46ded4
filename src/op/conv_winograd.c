// Convolution 3x3 by Winograd's method (kernel/simd/winograd.c; winograd_s2.c for stride 2, winograd_up.c for
// an upsampled image): the outputs are cut into tiles, what each tile reads is carried to a number of points,
// and at each point a block of tiles meets the weights, some channels of the output at a time, in one
// product.
//
// The gradient of the input is, for stride 1, the forward pass of the flipped weights; for the others it is
// the forward pass transposed.  Tiles are taken in blocks that stay in the cache.

#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "conv_winograd.h"

// With its transforms a product costs about a third more than a direct one: above this share nothing is won.
static const double WORTH = 0.75;

enum { STRIPE = 32 }; // channels of the output that are finished at a time: two panels, as the product likes

// The convolution of the gradient that backward_data is for stride 1.
static winograd_t flipped(winograd_t j)
{
    size_t ci = j.ci;
    j.ci = j.co;
    j.co = ci;
    return j;
}

// Tiles over the edge count; the definition takes nine an output.
static double products(const conv_t *k)
{
    winograd_t j = winograd_of(k);
    return (double)j.points * j.tiles / (9.0 * k->n * k->oh * k->ow);
}

static bool is_3x3(const conv_t *k)
{
    return k->kh == 3 && k->kw == 3 && k->pad == 1 &&
           ((k->stride == 1 && k->up <= 2) || (k->stride == 2 && k->up == 1));
}

static bool fills_vectors(const conv_t *k)
{
    return k->ci % KERNEL_LANES == 0 && k->co % KERNEL_LANES == 0;
}

// Of a pass; that of direct products is 1.
static double cost(const conv_t *k, conv_pass_t pass)
{
    winograd_t j = winograd_of(k);
    return pass == CONV_BACKWARD_WEIGHTS ? winograd_weights_cost(&j) : products(k) / WORTH;
}

static bool fits(const conv_t *k, conv_pass_t pass)
{
    return is_3x3(k) && fills_vectors(k) && cost(k, pass) < 1;
}

void conv_winograd_why(char *text, size_t size, const conv_t *k)
{
    if (!is_3x3(k))
        snprintf(text, size, "not 3x3 of stride 1 or 2");
    else if (!fills_vectors(k))
        snprintf(text, size, "channels not in %ds", KERNEL_LANES);
    else
        snprintf(text, size, "costs %.2f, weights %.2f", cost(k, CONV_FORWARD),
                 cost(k, CONV_BACKWARD_WEIGHTS));
}

// A block, which each thread has of its own, and zeros as wide as the channels for what lies outside the
// image.
static size_t scratch(const conv_t *k)
{
    winograd_t j = winograd_of(k);
    size_t widest = j.ci > j.co ? j.ci : j.co, weights = winograd_weights_scratch(&j);
    int block = j.tiles < WINOGRAD_BLOCK ? j.tiles : WINOGRAD_BLOCK;
    size_t data = (winograd_step(widest, block) + winograd_step(STRIPE, block)) * (size_t)j.points *
                      (size_t)omp_get_max_threads() +
                  widest;
    return data > weights ? data : weights;
}

// ---- weights ---------------------------------------------------------------------------------------

// The carried weights (depth, width) lie STRIPE columns at a time, of each point one product after the other:
// so one stripe of outputs is finished while it is in the cache, and the weights are read from end to end.
static size_t stripe_width(size_t width, size_t first)
{
    return width - first < STRIPE ? width - first : STRIPE;
}

// Where the stripe from column `first` on begins in the product of a point's weight, one of `weights`.
static size_t stripe_at(size_t weights, size_t depth, size_t width, size_t first, size_t weight)
{
    return (weights * first + weight * stripe_width(width, first)) * depth;
}

static size_t form_size(const conv_t *k, conv_pass_t which)
{
    winograd_t j = winograd_of(k);
    (void)which;
    return (size_t)j.weights * j.ci * j.co;
}

enum { SIDE = KERNEL_LANES }; // of the blocks that weights are carried in

// SIDE rows of 9 x SIDE weights for backward_data from those of forward: input and output channels change
// places, and where the kernel is flipped the last tap comes first.
static void turn(float to[9 * SIDE * SIDE], const conv_t *k, const float *weight, size_t i0, size_t o0)
{
    bool turns = winograd_of(k).kind == WINOGRAD_PLAIN;
    for (size_t t = 0; t < 9; t++)
        for (size_t i = 0; i < SIDE; i++) {
            const float *from = weight + (t * (size_t)k->ci + i0 + i) * (size_t)k->co + o0;
            float *column = to + (turns ? 8 - t : t) * SIDE * SIDE + i;
            for (size_t o = 0; o < SIDE; o++) column[o * SIDE] = from[o];
        }
}

static void make_form(const conv_t *k, conv_pass_t which, float *form, const float *weight)
{
    winograd_t j = winograd_of(k);
    bool back = which == CONV_BACKWARD_DATA;
    size_t depth = (size_t)(back ? k->co : k->ci), width = (size_t)(back ? k->ci : k->co),
           down = depth / SIDE;
#pragma omp parallel for
    for (size_t block = 0; block < down * (width / SIDE); block++) {
        size_t i0 = block % down * SIDE, o0 = block / down * SIDE;
        float turned[9 * SIDE * SIDE];
        if (back) turn(turned, k, weight, o0, i0);
        for (size_t i = 0; i < SIDE; i++) {
            const float *g[9];
            for (size_t t = 0; t < 9; t++)
                g[t] = back ? turned + (t * SIDE + i) * SIDE : weight + (t * depth + i0 + i) * width + o0;
            size_t first = o0 / STRIPE * STRIPE;
            float *to = form + stripe_at((size_t)j.weights, depth, width, first, 0) +
                        gemm_panels_at(depth, i0 + i, o0 - first);
            WINOGRAD(&j, weights)(to, depth * stripe_width(width, first), g, SIDE);
        }
    }
}

// The points v (tiles, depth) of a block, step floats apart, and the weights (depth, width) that they meet.
typedef struct {
    const float *v;
    size_t step;
    int tiles;
    const float *form;
    size_t depth, width;
} factors_t;

// Channels [first, first + wide) of those of the pixels that are a point's share, which will soon be written.
static void fetch_share(const winograd_t *j, const float *const *to, int pixels, int point, size_t first,
                        size_t wide)
{
    int share = (pixels + j->points - 1) / j->points, end = (point + 1) * share;
    for (int i = point * share; i < end && i < pixels; i++)
        for (size_t c = 0; to[i] && c < wide; c += KERNEL_LANES) __builtin_prefetch(to[i] + first + c, 1, 2);
}

// Channels [first, first + wide) of all points' products, into m (tiles, wide), step_m apart.  Meanwhile the
// pixels that they become are fetched: to[pixels], or none where it is NULL.
static void multiply_stripe(const winograd_t *j, float *m, size_t step_m, const factors_t *f, size_t first,
                            const float *const *to, int pixels)
{
    size_t wide = stripe_width(f->width, first);
    for (int p = 0; p < j->points; p++) {
        if (to) fetch_share(j, to, pixels, p, first, wide);
        gemm_panels(f->tiles, (int)wide, (int)f->depth, f->v + (size_t)p * f->step, f->depth, 1,
                    f->form + stripe_at((size_t)j->weights, f->depth, f->width, first, winograd_weight(j, p)),
                    f->depth, 0, m + (size_t)p * step_m, wide);
    }
}

// ---- forward, and backward_data of stride 1 --------------------------------------------------------

typedef struct {
    const float *bias;
    act_t act;
    bool adds; // to what stands there
} ending_t;

// Channels [first, first + channels) of a tile, whose pixels lie at to[].
static void write_output(const winograd_t *j, const float *const *to, const float *m, size_t stride,
                         size_t first, size_t channels, const ending_t *e)
{
    const float *bias = e->bias ? e->bias + first : NULL;
    float *y[WINOGRAD_OUTPUTS_MOST];
    for (int p = 0; p < j->tile * j->tile; p++) y[p] = to[p] ? (float *)to[p] + first : NULL;
    if (e->adds)
        kernel->winograd_output_add(y, m, stride, channels);
    else
        WINOGRAD(j, output)(y, m, stride, channels, bias, e->act);
}

static void run(const winograd_t *j, float *y, const float *x, const float *form, const ending_t *e,
                float *scratch)
{
    int threads = omp_get_max_threads(), share = (j->tiles + threads - 1) / threads,
        block = winograd_block(share, WINOGRAD_BLOCK);
    size_t step_v = winograd_step(j->ci, block), step_m = winograd_step(STRIPE, block);
    float *zeros = scratch, *blocks = scratch + j->ci;
    memset(zeros, 0, j->ci * sizeof(float));
#pragma omp parallel for schedule(dynamic)
    for (int first = 0; first < j->tiles; first += block) {
        int tiles = j->tiles - first < block ? j->tiles - first : block;
        float *v = blocks + (step_v + step_m) * (size_t)j->points * (size_t)omp_get_thread_num();
        float *m = v + step_v * (size_t)j->points;
        factors_t factors = { v, step_v, tiles, form, j->ci, j->co };
        const float *to[WINOGRAD_BLOCK * WINOGRAD_OUTPUTS_MOST];
        int pixels = j->tile * j->tile;
        winograd_carry_inputs(j, v, step_v, x, j->ci, first, tiles, zeros);
        for (int t = 0; t < tiles; t++) winograd_output_pixels(j, to + t * pixels, y, first + t, NULL);
        for (size_t o = 0; o < j->co; o += STRIPE) {
            size_t wide = stripe_width(j->co, o);
            multiply_stripe(j, m, step_m, &factors, o, to, tiles * pixels);
            for (int t = 0; t < tiles; t++)
                write_output(j, to + t * pixels, m + (size_t)t * wide, step_m, o, wide, e);
        }
    }
}

static void forward(const conv_t *k, float *y, const float *x, const float *form, const float *bias,
                    act_t act, float *scratch)
{
    winograd_t j = winograd_of(k);
    run(&j, y, x, form, &(ending_t){ bias, act, false }, scratch);
}

// ---- backward_data of the others ---------------------------------------------------------------------

static void add_input(const winograd_t *j, float *const at[], const float *m, size_t stride, size_t channels,
                      bool adds)
{
    if (j->kind == WINOGRAD_S2)
        kernel->winograd_s2_input_add(at, m, stride, channels, adds);
    else
        kernel->winograd_up_input_add(at, m, stride, channels);
}

// Tiles of one image overlap and are written in order, so a thread has whole images.
static void backward_transposed(const winograd_t *j, float *gx, const float *gy, const float *form, bool adds,
                                float *scratch)
{
    int per_image = j->across * j->down, block = winograd_block(per_image, WINOGRAD_BLOCK);
    size_t step_v = winograd_step(j->co, block), step_m = winograd_step(STRIPE, block);
    float *zeros = scratch, *blocks = scratch + j->co;
    memset(zeros, 0, j->co * sizeof(float));
#pragma omp parallel for schedule(dynamic)
    for (int n = 0; n < j->n; n++) {
        float *v = blocks + (step_v + step_m) * (size_t)j->points * (size_t)omp_get_thread_num();
        float *m = v + step_v * (size_t)j->points;
        for (int first = n * per_image; first < (n + 1) * per_image; first += block) {
            int left = (n + 1) * per_image - first, tiles = left < block ? left : block;
            factors_t factors = { v, step_v, tiles, form, j->co, j->ci };
            winograd_carry_gradients(j, v, j->co, step_v, KERNEL_LANES, gy, first, tiles, zeros);
            for (size_t i = 0; i < j->ci; i += STRIPE) {
                size_t wide = stripe_width(j->ci, i);
                multiply_stripe(j, m, step_m, &factors, i, NULL, 0);
                for (int t = 0; t < tiles; t++) {
                    const float *at[WINOGRAD_PIXELS_MOST];
                    winograd_input_pixels(j, at, gx + i, first + t, NULL);
                    add_input(j, (float *const *)at, m + (size_t)t * wide, step_m, wide, adds);
                }
            }
        }
    }
}

static void backward_data(const conv_t *k, float *gx, const float *gy, const float *form, bool adds,
                          float *scratch)
{
    winograd_t j = winograd_of(k);
    if (j.kind == WINOGRAD_PLAIN) {
        j = flipped(j);
        run(&j, gx, gy, form, &(ending_t){ NULL, ACT_NONE, adds }, scratch);
        return;
    }
    if (j.kind == WINOGRAD_UP && !adds)
        memset(gx, 0, (size_t)j.n * (size_t)j.h * (size_t)j.w * j.ci * sizeof(float));
    backward_transposed(&j, gx, gy, form, adds, scratch);
}

const conv_kernel_t conv_winograd = { "winograd", fits,          products,
                                      scratch,    form_size,     make_form,
                                      forward,    backward_data, winograd_backward_weights };
