// Winograd's convolution: the gradient of the weights.
//
// dU = sum over tiles of (B^T d B) (A gy A^T), then gw += G^T dU G, for one block of tiles after the other
// and some rows of the weights at a time: they, and what becomes of them, stay in the cache.

#include <math.h>
#include <omp.h>
#include <string.h>

#include "conv_winograd.h"

enum {
    PART = 4096, // about as many weights, each of many points, are carried back at a time
    AT_ONCE = 8  // tiles that a thread carries
};
// As measured: a point of a tile costs so many multiplications for each of its channels, and a weight's
// points so many for each block.
static const double POINT = 10, WEIGHT = 10;

// Tiles of a block: as many products' points at either stride, more than of the other passes, since each
// block carries all weights back.
static int block_of(const winograd_t *j)
{
    return winograd_block(j->tiles, j->kind == WINOGRAD_PLAIN ? 2 * WINOGRAD_BLOCK : WINOGRAD_BLOCK);
}

double winograd_weights_cost(const winograd_t *j)
{
    double weights = (double)(j->ci * j->co), points = (double)j->points * j->tiles;
    double blocks = ceil((double)j->tiles / block_of(j));
    double cost =
        points * (weights + POINT * (double)(j->ci + j->co)) + blocks * WEIGHT * j->weights * weights;
    return cost / (9.0 * j->n * j->oh * j->ow * weights);
}

static size_t up_to_lanes(size_t n)
{
    return n ? (n + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES : KERNEL_LANES;
}

// Rows of the weights that are carried back at a time: few enough for the cache, and for all threads to have
// some.
static size_t rows_at_once(const winograd_t *j)
{
    size_t threads = (size_t)omp_get_max_threads(), share = up_to_lanes((j->ci + threads - 1) / threads),
           fitting = up_to_lanes(PART / j->co);
    return fitting < share ? fitting : share;
}

// A block of both, rows of the weights for each thread, and zeros for what lies outside the image.
size_t winograd_weights_scratch(const winograd_t *j)
{
    int block = block_of(j);
    return (winograd_step(j->ci, block) + winograd_step(j->co, block)) * (size_t)j->points +
           winograd_step(j->co, (int)rows_at_once(j)) * (size_t)j->weights * (size_t)omp_get_max_threads() +
           j->ci + j->co;
}

// Points of x (tiles, ci), and of gy as panels of `depth` tiles.
typedef struct {
    const float *v, *ty;
    size_t step_v, step_y, depth;
    int tiles;
} points_t;

static void add_rows(const winograd_t *j, float *gw, const points_t *at, size_t first, size_t rows, float *u)
{
    size_t step_u = winograd_step(j->co, (int)rows);
    bool begun[WINOGRAD_WEIGHTS_MOST] = { false };
    for (int p = 0; p < j->points; p++) {
        size_t weight = winograd_weight(j, p);
        gemm_panels((int)rows, (int)j->co, at->tiles, at->v + (size_t)p * at->step_v + first, 1, j->ci,
                    at->ty + (size_t)p * at->step_y, at->depth, begun[weight], u + weight * step_u, j->co);
        begun[weight] = true;
    }
    for (size_t i = 0; i < rows; i++) {
        float *g[9];
        for (size_t t = 0; t < 9; t++) g[t] = gw + (t * j->ci + first + i) * j->co;
        WINOGRAD(j, weights_gradient)(g, u + i * j->co, step_u, j->co);
    }
}

void winograd_backward_weights(const conv_t *k, float *gw, const float *x, const float *gy, float *scratch)
{
    winograd_t j = winograd_of(k);
    int block = block_of(&j);
    size_t rows = rows_at_once(&j), per_thread = winograd_step(j.co, (int)rows) * (size_t)j.weights;
    size_t step_v = winograd_step(j.ci, block), step_y = winograd_step(j.co, block);
    float *zeros = scratch, *v = scratch + j.ci + j.co, *ty = v + step_v * (size_t)j.points;
    float *u = ty + step_y * (size_t)j.points;
    size_t group = (size_t)block * KERNEL_LANES; // the gradients' points are written as panels
    memset(zeros, 0, (j.ci + j.co) * sizeof(float));
    for (int first = 0; first < j.tiles; first += block) {
        points_t at = {
            v, ty, step_v, step_y, (size_t)block, j.tiles - first < block ? j.tiles - first : block
        };
#pragma omp parallel
        {
#pragma omp for
            for (int t = 0; t < at.tiles; t += AT_ONCE) {
                int some = at.tiles - t < AT_ONCE ? at.tiles - t : AT_ONCE;
                winograd_carry_inputs(&j, v + (size_t)t * j.ci, step_v, x, first + t, some, zeros);
                winograd_carry_gradients(&j, ty + t * KERNEL_LANES, KERNEL_LANES, step_y, group, gy,
                                         first + t, some, zeros);
            }
#pragma omp for schedule(dynamic)
            for (size_t i = 0; i < j.ci; i += rows)
                add_rows(&j, gw, &at, i, j.ci - i < rows ? j.ci - i : rows,
                         u + per_thread * (size_t)omp_get_thread_num());
        }
    }
}
