// Winograd's convolution: the gradient of the weights.
//
// dU = sum over tiles of (B^T d B) (A gy A^T), then gw += G^T dU G, for one block of tiles after the other
// and some rows of the weights, which are channels of the input, at a time: their points, and what becomes of
// them, stay in the cache.  The gradient is carried first, since it was written last.

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

// The gradient's points (tiles, co) as panels, which threads share, and zeros for what lies outside the
// image. A thread has of some rows the input's points and the weights.
typedef struct {
    int block;
    size_t rows;
    size_t step_y, step_v, step_u; // from one point to the next
    size_t shared, own;            // floats
} layout_t;

static layout_t layout_of(const winograd_t *j)
{
    layout_t l = { .block = block_of(j), .rows = rows_at_once(j) };
    l.step_y = winograd_step(j->co, l.block);
    l.step_v = winograd_step(l.rows, l.block);
    l.step_u = winograd_step(j->co, (int)l.rows);
    l.shared = j->ci + j->co + l.step_y * (size_t)j->points;
    l.own = l.step_v * (size_t)j->points + l.step_u * (size_t)j->weights;
    return l;
}

size_t winograd_weights_scratch(const winograd_t *j)
{
    layout_t l = layout_of(j);
    return l.shared + l.own * (size_t)omp_get_max_threads();
}

// Rows [first, first + rows) of the weights, from `tiles` tiles.
static void add_rows(const winograd_t *j, const layout_t *l, float *gw, const float *v, const float *ty,
                     int tiles, size_t first, size_t rows, float *u)
{
    bool begun[WINOGRAD_WEIGHTS_MOST] = { false };
    for (int p = 0; p < j->points; p++) {
        size_t weight = winograd_weight(j, p);
        gemm_panels((int)rows, (int)j->co, tiles, v + (size_t)p * l->step_v, 1, rows,
                    ty + (size_t)p * l->step_y, (size_t)l->block, begun[weight], u + weight * l->step_u,
                    j->co);
        begun[weight] = true;
    }
    for (size_t i = 0; i < rows; i++) {
        float *g[9];
        for (size_t t = 0; t < 9; t++) g[t] = gw + (t * j->ci + first + i) * j->co;
        WINOGRAD(j, weights_gradient)(g, u + i * j->co, l->step_u, j->co);
    }
}

void winograd_backward_weights(const conv_t *k, float *gw, const float *x, const float *gy, float *scratch)
{
    winograd_t j = winograd_of(k);
    layout_t l = layout_of(&j);
    float *zeros = scratch, *ty = scratch + j.ci + j.co, *owns = scratch + l.shared;
    memset(zeros, 0, (j.ci + j.co) * sizeof(float));
    for (int first = 0; first < j.tiles; first += l.block) {
        int tiles = j.tiles - first < l.block ? j.tiles - first : l.block;
#pragma omp parallel
        {
#pragma omp for
            for (int t = 0; t < tiles; t += AT_ONCE)
                winograd_carry_gradients(&j, ty + t * KERNEL_LANES, KERNEL_LANES, l.step_y,
                                         (size_t)l.block * KERNEL_LANES, gy, first + t,
                                         tiles - t < AT_ONCE ? tiles - t : AT_ONCE, zeros);
#pragma omp for schedule(dynamic)
            for (size_t i = 0; i < j.ci; i += l.rows) {
                size_t rows = j.ci - i < l.rows ? j.ci - i : l.rows;
                float *v = owns + l.own * (size_t)omp_get_thread_num(), *u = v + l.step_v * (size_t)j.points;
                winograd_carry_inputs(&j, v, l.step_v, x + i, rows, first, tiles, zeros);
                add_rows(&j, &l, gw, v, ty, tiles, i, rows, u);
            }
        }
    }
}
