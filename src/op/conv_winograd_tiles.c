// Winograd's convolution: where its tiles lie, and how they are carried to points.

#include "conv_winograd.h"

enum { SKEW = 16 }; // floats between points, lest all fall into one set of the cache

// tile, side, points, weights and reach of each kind.
static const winograd_t kinds[] = {
    [WINOGRAD_PLAIN] = { .tile = WINOGRAD_TILE,
                         .side = WINOGRAD_SIDE,
                         .points = WINOGRAD_POINTS,
                         .weights = WINOGRAD_WEIGHTS,
                         .reach = WINOGRAD_TILE },
    [WINOGRAD_S2] = { .tile = WINOGRAD_S2_TILE,
                      .side = WINOGRAD_S2_SIDE,
                      .points = WINOGRAD_S2_POINTS,
                      .weights = WINOGRAD_S2_WEIGHTS,
                      .reach = 2 * WINOGRAD_S2_TILE },
    [WINOGRAD_UP] = { .tile = WINOGRAD_UP_TILE,
                      .side = WINOGRAD_UP_SIDE,
                      .points = WINOGRAD_UP_POINTS,
                      .weights = WINOGRAD_UP_WEIGHTS,
                      .reach = WINOGRAD_UP_TILE / 2 },
};

winograd_t winograd_of(const conv_t *k)
{
    winograd_kind_t kind = k->stride == 2 ? WINOGRAD_S2 : k->up == 2 ? WINOGRAD_UP : WINOGRAD_PLAIN;
    winograd_t j = kinds[kind];
    j.kind = kind;
    j.n = k->n;
    j.h = k->h / k->up;
    j.w = k->w / k->up;
    j.oh = k->oh;
    j.ow = k->ow;
    j.ci = (size_t)k->ci;
    j.co = (size_t)k->co;
    j.across = (j.ow + j.tile - 1) / j.tile;
    j.down = (j.oh + j.tile - 1) / j.tile;
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
    return j->kind != WINOGRAD_S2 ? (size_t)point
                                  : (size_t)(min(point / side, last) * 6 + min(point % side, last));
}

// Addresses of side x side pixels from row `top` and column `left` of image n of (h, w) pixels; `outside`
// beyond its edges.
static void pixels(const float **at, const float *x, int n, int top, int left, int side, int h, int w,
                   size_t c, const float *outside)
{
    const float *image = x + (size_t)n * (size_t)h * (size_t)w * c;
    bool inside = left >= 0 && left + side <= w; // most tiles; this runs for each of them
    for (int y = top; y < top + side; y++, at += side) {
        bool there = y >= 0 && y < h;
        const float *row = there ? image + (size_t)y * (size_t)w * c : image;
        if (there && inside)
            for (int i = 0; i < side; i++) at[i] = row + (size_t)(left + i) * c;
        else
            for (int i = 0, col = left; i < side; i++, col++)
                at[i] = there && col >= 0 && col < w ? row + (size_t)col * c : outside;
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
    pixels(at, x, p.n, p.y * j->reach - 1, p.x * j->reach - 1, j->side, j->h, j->w, j->ci, outside);
}

void winograd_output_pixels(const winograd_t *j, const float **at, const float *y, int tile,
                            const float *outside)
{
    place_t p = place_of(j, tile);
    pixels(at, y, p.n, p.y * j->tile, p.x * j->tile, j->tile, j->oh, j->ow, j->co, outside);
}

void winograd_carry_inputs(const winograd_t *j, float *v, size_t step, const float *x, size_t channels,
                           int first, int tiles, const float *zeros)
{
    const float *at[2][WINOGRAD_PIXELS_MOST];
    winograd_input_pixels(j, at[0], x, first, zeros);
    for (int t = 0; t < tiles; t++) {
        const float **now = at[t % 2], **soon = at[(t + 1) % 2];
        winograd_input_pixels(j, soon, x, first + (t + 1 < tiles ? t + 1 : t), zeros);
        WINOGRAD(j, input)(v + (size_t)t * channels, step, now, soon, channels);
    }
}

void winograd_carry_gradients(const winograd_t *j, float *v, size_t apart, size_t step, size_t group,
                              const float *gy, int first, int tiles, const float *zeros)
{
    const float *at[2][WINOGRAD_OUTPUTS_MOST];
    winograd_output_pixels(j, at[0], gy, first, zeros);
    for (int t = 0; t < tiles; t++) {
        const float **now = at[t % 2], **soon = at[(t + 1) % 2];
        winograd_output_pixels(j, soon, gy, first + (t + 1 < tiles ? t + 1 : t), zeros);
        WINOGRAD(j, gradient)(v + (size_t)t * apart, step, group, now, soon, j->co);
    }
}
