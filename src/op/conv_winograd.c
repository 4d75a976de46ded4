// Convolution 3x3 by Winograd's method (kernel/simd/winograd.c for stride 1, winograd_s2.c for stride 2): the
// outputs are cut into tiles of 4x4, what each tile reads is carried to a number of points, and at each point
// a block of tiles meets the weights, some channels of the output at a time, in one product.
//
// The gradient of the input is, for stride 1, the forward pass of the flipped weights; for stride 2 it is the
// forward pass transposed.  Tiles are taken in blocks that stay in the cache.  Upsampled input costs nothing:
// a tile is a list of addresses.

#include <omp.h>
#include <string.h>

#include "conv.h"

enum {
    TILE = 4,
    WEIGHTS = WINOGRAD_WEIGHTS,
    POINTS_MAX = WINOGRAD_S2_POINTS,
    BLOCK = 32,  // tiles: two images of 16x16; fewer pass by the weights oftener, more leave the cache
    PART = 4096, // about as many weights, each of many points, are carried back at a time
    STRIPE = 32, // channels of the output that are finished at a time: two panels, as the product likes
    SKEW = 16,   // floats between points, lest all fall into one set of the cache
};

// The transforms cost about as much as a quarter of the direct products: above this share nothing is won.
static const double WORTH = 0.75;
// In the gradient of the weights, as measured: a point of a tile costs so many multiplications for each of
// its channels, and a weight's points so many for each block.
static const double POINT = 16, WEIGHT = 10;

typedef struct {
    int n, h, w;              // images, and the pixels of x, as if upsampled
    int oh, ow, across, down; // outputs, and tiles of them
    int tiles;                // of the whole batch
    int stride, side, points, up;
    size_t ci, co;
} job_t;

static int min(int a, int b)
{
    return a < b ? a : b;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static job_t job_of(const conv_t *k)
{
    bool fast = k->stride == 1;
    job_t j = { .n = k->n,
                .h = k->h,
                .w = k->w,
                .oh = k->oh,
                .ow = k->ow,
                .stride = k->stride,
                .up = k->up,
                .side = fast ? WINOGRAD_SIDE : WINOGRAD_S2_SIDE,
                .points = fast ? WINOGRAD_POINTS : WINOGRAD_S2_POINTS,
                .ci = (size_t)k->ci,
                .co = (size_t)k->co };
    j.across = (j.ow + TILE - 1) / TILE;
    j.down = (j.oh + TILE - 1) / TILE;
    j.tiles = j.n * j.across * j.down;
    return j;
}

// The convolution of the gradient that backward_data is for stride 1.
static job_t flipped(job_t j)
{
    size_t ci = j.ci;
    j.ci = j.co;
    j.co = ci;
    return j;
}

// Tiles over the edge count; the definition takes nine an output.
static double products(const conv_t *k)
{
    job_t j = job_of(k);
    return (double)j.points * j.tiles / (9.0 * k->n * k->oh * k->ow);
}

// Whether few tiles or channels leave more to the transforms than the products win.
static bool weights_fit(const conv_t *k)
{
    job_t j = job_of(k);
    double weights = (double)(j.ci * j.co), points = (double)j.points * j.tiles;
    double blocks = (j.tiles + BLOCK - 1) / BLOCK;
    return points * (weights + POINT * (double)(j.ci + j.co)) + blocks * WEIGHT * WEIGHTS * weights <
           9.0 * k->n * k->oh * k->ow * weights;
}

static bool fits(const conv_t *k, conv_pass_t pass)
{
    bool is_3x3 =
        k->kh == 3 && k->kw == 3 && k->pad == 1 && (k->stride == 1 || (k->stride == 2 && k->up == 1));
    bool fills_vectors = k->ci % KERNEL_LANES == 0 && k->co % KERNEL_LANES == 0;
    return is_3x3 && fills_vectors && (pass == CONV_BACKWARD_WEIGHTS ? weights_fit(k) : products(k) < WORTH);
}

// Tiles of a block, so that all blocks are about as large and none has more than `most`.
static int even_block(int tiles, int most)
{
    int blocks = (tiles + most - 1) / most;
    return (tiles + blocks - 1) / blocks;
}

static size_t step(size_t channels, int tiles) // floats from one point to the next
{
    return channels * (size_t)tiles + SKEW;
}

static size_t up_to_lanes(size_t n)
{
    return most((n + KERNEL_LANES - 1) / KERNEL_LANES, 1) * KERNEL_LANES;
}

// Rows of the weights that are carried back at a time: few enough for the cache, and for all threads to have
// some.
static size_t rows_at_once(const job_t *j)
{
    size_t threads = (size_t)omp_get_max_threads(), share = up_to_lanes((j->ci + threads - 1) / threads),
           fitting = up_to_lanes(PART / j->co);
    return fitting < share ? fitting : share;
}

// A block, which each thread has of its own but in the gradient of the weights, and zeros as wide as the
// channels for what lies outside the image.
static size_t scratch(const conv_t *k)
{
    job_t j = job_of(k);
    int block = min(BLOCK, j.tiles);
    size_t points = (size_t)j.points;
    size_t data =
        (step(most(j.ci, j.co), block) + step(STRIPE, block)) * points * (size_t)omp_get_max_threads();
    size_t weights = (step(j.ci, block) + step(j.co, block)) * points +
                     step(j.co, (int)rows_at_once(&j)) * WEIGHTS * (size_t)omp_get_max_threads();
    return most(data, weights) + most(j.ci, j.co);
}

// ---- weights ---------------------------------------------------------------------------------------

// The carried weights (depth, width) lie STRIPE columns at a time, of each point one product after the other:
// so one stripe of outputs is finished while it is in the cache, and the weights are read from end to end.
static size_t stripe_width(size_t width, size_t first)
{
    return width - first < STRIPE ? width - first : STRIPE;
}

// Where the stripe from column `first` on begins in the product of a point's weight.
static size_t stripe_at(size_t depth, size_t width, size_t first, size_t weight)
{
    return (WEIGHTS * first + weight * stripe_width(width, first)) * depth;
}

static size_t form_size(const conv_t *k, conv_pass_t which)
{
    (void)which;
    return (size_t)WEIGHTS * (size_t)k->ci * (size_t)k->co;
}

enum { SIDE = KERNEL_LANES }; // of the blocks that weights are carried in

// SIDE rows of 9 x SIDE weights for backward_data from those of forward: input and output channels change
// places, and for stride 1, which turns the kernel, the last tap comes first.
static void turn(float to[9 * SIDE * SIDE], const conv_t *k, const float *weight, size_t i0, size_t o0)
{
    for (size_t t = 0; t < 9; t++)
        for (size_t i = 0; i < SIDE; i++) {
            const float *from = weight + (t * (size_t)k->ci + i0 + i) * (size_t)k->co + o0;
            float *column = to + (k->stride == 1 ? 8 - t : t) * SIDE * SIDE + i;
            for (size_t o = 0; o < SIDE; o++) column[o * SIDE] = from[o];
        }
}

static void make_form(const conv_t *k, conv_pass_t which, float *form, const float *weight)
{
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
            float *to = form + stripe_at(depth, width, first, 0) + gemm_panels_at(depth, i0 + i, o0 - first);
            (k->stride == 1 ? kernel->winograd_weights
                            : kernel->winograd_s2_weights)(to, depth * stripe_width(width, first), g, SIDE);
        }
    }
}

// Which of the weights a point meets: with stride 2 the even pixels, the last four on each axis, share one.
static size_t weight_of(const job_t *j, int point)
{
    int side = j->side, last = 5;
    return j->stride == 1 ? (size_t)point : (size_t)(min(point / side, last) * 6 + min(point % side, last));
}

// ---- tiles -----------------------------------------------------------------------------------------

// Addresses of side x side pixels from row `top` and column `left` of image n of (h, w) pixels, stored (h /
// up, w / up); `outside` beyond its edges.
static void pixels(const float **at, const float *x, int n, int top, int left, int side, int h, int w, int up,
                   size_t c, const float *outside)
{
    int shift = up - 1; // up is 1 or 2: no division, since this runs for each tile
    size_t row = (size_t)(w >> shift) * c;
    const float *image = x + (size_t)n * (size_t)(h >> shift) * row;
    for (int y = top; y < top + side; y++) {
        bool there = y >= 0 && y < h;
        const float *start = there ? image + (size_t)(y >> shift) * row : image;
        for (int col = left; col < left + side; col++)
            *at++ = there && col >= 0 && col < w ? start + (size_t)(col >> shift) * c : outside;
    }
}

typedef struct {
    int n, y, x; // image, row and column among its tiles
} place_t;

static place_t place_of(const job_t *j, int tile)
{
    int rest = tile % (j->across * j->down);
    return (place_t){ tile / (j->across * j->down), rest / j->across, rest % j->across };
}

static void input_pixels(const job_t *j, const float **at, const float *x, int tile, const float *outside)
{
    place_t p = place_of(j, tile);
    int reach = TILE * j->stride;
    pixels(at, x, p.n, p.y * reach - 1, p.x * reach - 1, j->side, j->h, j->w, j->up, j->ci, outside);
}

static void output_pixels(const job_t *j, const float **at, const float *y, int tile, int up,
                          const float *outside)
{
    place_t p = place_of(j, tile);
    pixels(at, y, p.n, p.y * TILE, p.x * TILE, TILE, j->oh, j->ow, up, j->co, outside);
}

static void carry_input(const job_t *j, float *v, size_t stride, const float *x, int tile, const float *zeros)
{
    const float *at[POINTS_MAX];
    input_pixels(j, at, x, tile, zeros);
    (j->stride == 1 ? kernel->winograd_input : kernel->winograd_s2_input)(v, stride, at, j->ci);
}

static void carry_gradient(const job_t *j, float *v, size_t stride, size_t group, const float *gy, int tile,
                           const float *zeros)
{
    const float *at[TILE * TILE];
    output_pixels(j, at, gy, tile, 1, zeros);
    (j->stride == 1 ? kernel->winograd_gradient : kernel->winograd_s2_gradient)(v, stride, group, at, j->co);
}

// Channels [first, first + wide) of all points' products: of tiles' points v (tiles, depth), step_v apart,
// with the weights, into m (tiles, wide), step_m apart.
static void multiply_stripe(const job_t *j, float *m, size_t step_m, const float *v, size_t step_v, int tiles,
                            const float *form, size_t depth, size_t width, size_t first)
{
    size_t wide = stripe_width(width, first);
    for (int p = 0; p < j->points; p++)
        gemm_panels(tiles, (int)wide, (int)depth, v + (size_t)p * step_v, depth, 1,
                    form + stripe_at(depth, width, first, weight_of(j, p)), depth, 0, m + (size_t)p * step_m,
                    wide);
}

// ---- forward, and backward_data of stride 1 --------------------------------------------------------

typedef struct {
    const float *bias;
    act_t act;
    int up;    // of the output
    bool adds; // to what stands there
} ending_t;

// Channels [first, first + channels) of a tile.
static void write_output(const job_t *j, float *y, const float *m, size_t stride, int tile, size_t first,
                         size_t channels, const ending_t *e)
{
    const float *bias = e->bias ? e->bias + first : NULL;
    const float *at[TILE * TILE];
    float *const *to = (float *const *)at;
    output_pixels(j, at, y + first, tile, e->up, NULL);
    if (e->adds)
        kernel->winograd_output_add(to, m, stride, channels);
    else
        (j->stride == 1 ? kernel->winograd_output : kernel->winograd_s2_output)(to, m, stride, channels, bias,
                                                                                e->act);
}

static void run(const job_t *j, float *y, const float *x, const float *form, const ending_t *e,
                float *scratch)
{
    int threads = omp_get_max_threads(), share = (j->tiles + threads - 1) / threads,
        block = even_block(share, BLOCK);
    size_t step_v = step(j->ci, block), step_m = step(STRIPE, block);
    float *zeros = scratch, *blocks = scratch + j->ci;
    memset(zeros, 0, j->ci * sizeof(float));
#pragma omp parallel for schedule(dynamic)
    for (int first = 0; first < j->tiles; first += block) {
        int tiles = min(block, j->tiles - first);
        float *v = blocks + (step_v + step_m) * (size_t)j->points * (size_t)omp_get_thread_num();
        float *m = v + step_v * (size_t)j->points;
        for (int t = 0; t < tiles; t++) carry_input(j, v + (size_t)t * j->ci, step_v, x, first + t, zeros);
        for (size_t o = 0; o < j->co; o += STRIPE) {
            size_t wide = stripe_width(j->co, o);
            multiply_stripe(j, m, step_m, v, step_v, tiles, form, j->ci, j->co, o);
            for (int t = 0; t < tiles; t++)
                write_output(j, y, m + (size_t)t * wide, step_m, first + t, o, wide, e);
        }
    }
}

static void forward(const conv_t *k, float *y, const float *x, const float *form, const float *bias,
                    act_t act, float *scratch)
{
    job_t j = job_of(k);
    run(&j, y, x, form, &(ending_t){ bias, act, 1, false }, scratch);
}

// ---- backward_data of stride 2 ---------------------------------------------------------------------

// Tiles of one image overlap by a row and a column, so a thread has whole images.
static void backward_transposed(const job_t *j, float *gx, const float *gy, const float *form, float *scratch)
{
    int per_image = j->across * j->down, block = even_block(per_image, BLOCK);
    size_t step_v = step(j->co, block), step_m = step(STRIPE, block);
    float *zeros = scratch, *blocks = scratch + j->co;
    memset(zeros, 0, j->co * sizeof(float));
#pragma omp parallel for schedule(dynamic)
    for (int n = 0; n < j->n; n++) {
        float *v = blocks + (step_v + step_m) * (size_t)j->points * (size_t)omp_get_thread_num();
        float *m = v + step_v * (size_t)j->points;
        for (int first = n * per_image; first < (n + 1) * per_image; first += block) {
            int tiles = min(block, (n + 1) * per_image - first);
            for (int t = 0; t < tiles; t++)
                carry_gradient(j, v + (size_t)t * j->co, step_v, KERNEL_LANES, gy, first + t, zeros);
            for (size_t i = 0; i < j->ci; i += STRIPE) {
                size_t wide = stripe_width(j->ci, i);
                multiply_stripe(j, m, step_m, v, step_v, tiles, form, j->co, j->ci, i);
                for (int t = 0; t < tiles; t++) {
                    const float *at[POINTS_MAX];
                    input_pixels(j, at, gx + i, first + t, NULL);
                    kernel->winograd_s2_input_add((float *const *)at, m + (size_t)t * wide, step_m, wide);
                }
            }
        }
    }
}

static void backward_data(const conv_t *k, float *gx, const float *gy, const float *form, bool adds,
                          float *scratch)
{
    job_t j = job_of(k);
    bool in_parts = j.stride == 2 || j.up > 1; // several outputs meet in one pixel of gx
    if (in_parts && !adds)
        memset(gx, 0, (size_t)j.n * (size_t)(j.h / j.up) * (size_t)(j.w / j.up) * j.ci * sizeof(float));
    if (j.stride == 2) {
        backward_transposed(&j, gx, gy, form, scratch);
        return;
    }
    j = flipped(j);
    j.up = 1;
    run(&j, gx, gy, form, &(ending_t){ NULL, ACT_NONE, k->up, adds || in_parts }, scratch);
}

// ---- backward_weights ------------------------------------------------------------------------------

// dU = sum over tiles of (B^T d B) (A gy A^T), then gw += G^T dU G, for one block of tiles after the other
// and some rows of the weights at a time: they, and what becomes of them, stay in the cache.

// Points of x (tiles, ci), and of gy as panels of `depth` tiles.
typedef struct {
    const float *v, *ty;
    size_t step_v, step_y, depth;
    int tiles;
} points_t;

static void add_rows(const job_t *j, float *gw, const points_t *at, size_t first, size_t rows, float *u)
{
    size_t step_u = step(j->co, (int)rows);
    bool begun[WEIGHTS] = { false };
    for (int p = 0; p < j->points; p++) {
        size_t weight = weight_of(j, p);
        gemm_panels((int)rows, (int)j->co, at->tiles, at->v + (size_t)p * at->step_v + first, 1, j->ci,
                    at->ty + (size_t)p * at->step_y, at->depth, begun[weight], u + weight * step_u, j->co);
        begun[weight] = true;
    }
    for (size_t i = 0; i < rows; i++) {
        float *g[9];
        for (size_t t = 0; t < 9; t++) g[t] = gw + (t * j->ci + first + i) * j->co;
        (j->stride == 1 ? kernel->winograd_weights_gradient
                        : kernel->winograd_s2_weights_gradient)(g, u + i * j->co, step_u, j->co);
    }
}

static void backward_weights(const conv_t *k, float *gw, const float *x, const float *gy, float *scratch)
{
    job_t j = job_of(k);
    int block = even_block(j.tiles, BLOCK);
    size_t rows = rows_at_once(&j), per_thread = step(j.co, (int)rows) * WEIGHTS;
    size_t step_v = step(j.ci, block), step_y = step(j.co, block);
    float *zeros = scratch, *v = scratch + most(j.ci, j.co), *ty = v + step_v * (size_t)j.points;
    float *u = ty + step_y * (size_t)j.points;
    size_t group = (size_t)block * KERNEL_LANES; // the gradients' points are written as panels
    memset(zeros, 0, most(j.ci, j.co) * sizeof(float));
    for (int first = 0; first < j.tiles; first += block) {
        points_t at = { v, ty, step_v, step_y, (size_t)block, min(block, j.tiles - first) };
#pragma omp parallel
        {
#pragma omp for
            for (int t = 0; t < at.tiles; t++) {
                carry_input(&j, v + (size_t)t * j.ci, step_v, x, first + t, zeros);
                carry_gradient(&j, ty + t * KERNEL_LANES, step_y, group, gy, first + t, zeros);
            }
#pragma omp for schedule(dynamic)
            for (size_t i = 0; i < j.ci; i += rows)
                add_rows(&j, gw, &at, i, j.ci - i < rows ? j.ci - i : rows,
                         u + per_thread * (size_t)omp_get_thread_num());
        }
    }
}

const conv_kernel_t conv_winograd = { "winograd", fits,    products,      scratch,         form_size,
                                      make_form,  forward, backward_data, backward_weights };
