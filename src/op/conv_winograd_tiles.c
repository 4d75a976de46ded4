// Winograd's convolution: where its tiles lie, and how they are carried to points.

#include "conv_winograd.h"

enum { SKEW = 16 }; // floats between points, lest all fall into one set of the cache

winograd_t winograd_of(const conv_t *k)
{
    bool fast = k->stride == 1;
    winograd_t j = { .n = k->n,
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
    j.across = (j.ow + WINOGRAD_TILE - 1) / WINOGRAD_TILE;
    j.down = (j.oh + WINOGRAD_TILE - 1) / WINOGRAD_TILE;
    j.tiles = j.n * j.across * j.down;
    return j;
}

int winograd_block(int tiles, int most)
{
    int blocks = (tiles + most - 1) / most;
    return (tiles + blocks - 1) / blocks;
}

size_t winograd_step(size_t channels, int tiles)
{
    return channels * (size_t)tiles + SKEW;
}

static int min(int a, int b)
{
    return a < b ? a : b;
}

size_t winograd_weight(const winograd_t *j, int point)
{
    int side = j->side, last = 5;
    return j->stride == 1 ? (size_t)point : (size_t)(min(point / side, last) * 6 + min(point % side, last));
}

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

static place_t place_of(const winograd_t *j, int tile)
{
    int rest = tile % (j->across * j->down);
    return (place_t){ tile / (j->across * j->down), rest / j->across, rest % j->across };
}

void winograd_input_pixels(const winograd_t *j, const float **at, const float *x, int tile,
                           const float *outside)
{
    place_t p = place_of(j, tile);
    int reach = WINOGRAD_TILE * j->stride;
    pixels(at, x, p.n, p.y * reach - 1, p.x * reach - 1, j->side, j->h, j->w, j->up, j->ci, outside);
}

void winograd_output_pixels(const winograd_t *j, const float **at, const float *y, int tile, int up,
                            const float *outside)
{
    place_t p = place_of(j, tile);
    pixels(at, y, p.n, p.y * WINOGRAD_TILE, p.x * WINOGRAD_TILE, WINOGRAD_TILE, j->oh, j->ow, up, j->co,
           outside);
}

void winograd_carry_inputs(const winograd_t *j, float *v, size_t step, const float *x, int first, int tiles,
                           const float *zeros)
{
    const float *at[2][WINOGRAD_POINTS_MAX];
    winograd_input_pixels(j, at[0], x, first, zeros);
    for (int t = 0; t < tiles; t++) {
        const float **now = at[t % 2], **soon = at[(t + 1) % 2];
        winograd_input_pixels(j, soon, x, first + (t + 1 < tiles ? t + 1 : t), zeros);
        (j->stride == 1 ? kernel->winograd_input : kernel->winograd_s2_input)(v + (size_t)t * j->ci, step,
                                                                              now, soon, j->ci);
    }
}

void winograd_carry_gradients(const winograd_t *j, float *v, size_t apart, size_t step, size_t group,
                              const float *gy, int first, int tiles, const float *zeros)
{
    const float *at[2][WINOGRAD_TILE * WINOGRAD_TILE];
    winograd_output_pixels(j, at[0], gy, first, 1, zeros);
    for (int t = 0; t < tiles; t++) {
        const float **now = at[t % 2], **soon = at[(t + 1) % 2];
        winograd_output_pixels(j, soon, gy, first + (t + 1 < tiles ? t + 1 : t), 1, zeros);
        (j->stride == 1 ? kernel->winograd_gradient
                        : kernel->winograd_s2_gradient)(v + (size_t)t * apart, step, group, now, soon, j->co);
    }
}
