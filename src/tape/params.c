// Parameters: consecutive views of one buffer, with gradients, moments and averages in the same layout.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dagan/tape.h"

size_t numel(shape_t d)
{
    return (size_t)d.n * (size_t)d.h * (size_t)d.w * (size_t)d.c;
}

bool dim_equal(shape_t a, shape_t b)
{
    return a.n == b.n && a.h == b.h && a.w == b.w && a.c == b.c;
}

void params_free(params_t *p)
{
    free(p->w);
    free(p->g);
    free(p->m);
    free(p->v);
    if (p->ema != p->w) free(p->ema);
    free(p->view);
    *p = (params_t){ 0 };
}

static net_t *net_of(params_t *p, const char *name)
{
    size_t length = strcspn(name, ".");
    net_t *last = p->n_nets ? &p->net[p->n_nets - 1] : NULL;
    if (last && strlen(last->name) == length && strncmp(last->name, name, length) == 0) return last;
    for (int i = 0; i < p->n_nets; i++)
        CHECK(strlen(p->net[i].name) != length || strncmp(p->net[i].name, name, length),
              "%s comes after the parameters of another network", name);
    CHECK(p->n_nets < PARAMS_NETS_MAX, "more than %d networks share parameters", PARAMS_NETS_MAX);
    net_t *net = &p->net[p->n_nets++];
    CHECK(length < sizeof net->name, "the network of %s has too long a name", name);
    *net = (net_t){ .first = p->n, .end = p->n };
    memcpy(net->name, name, length);
    return net;
}

int params_view(params_t *p, const char *name, init_t init, int rank, const int shape[4])
{
    for (int i = 0; i < p->n_views; i++)
        if (strcmp(p->view[i].name, name) == 0) return i;
    CHECK(!p->w, "parameter %s is new, but the parameters are already allocated", name);
    CHECK(strlen(name) < VIEW_NAME_MAX, "parameter name %s is too long", name);
    p->view = realloc(p->view, ((size_t)p->n_views + 1) * sizeof *p->view);
    CHECK(p->view, "no memory for parameter %s", name);
    view_t *v = &p->view[p->n_views];
    *v = (view_t){ .rank = rank, .offset = p->n, .n = 1, .init = init };
    memcpy(v->name, name, strlen(name));
    for (int i = 0; i < rank; i++) {
        v->shape[i] = shape[i];
        v->n *= (size_t)shape[i];
    }
    net_t *net = net_of(p, name);
    p->n += v->n;
    net->end = p->n;
    return p->n_views++;
}

void params_alloc(params_t *p, uint64_t seed, int n_sums)
{
    CHECK(n_sums <= PARAMS_SUMS_MAX, "%d sums beside the gradients, at most %d", n_sums, PARAMS_SUMS_MAX);
    p->n_sums = n_sums;
    p->w = alloc(p->n, sizeof(float));
    p->g = alloc(p->n + (size_t)n_sums, sizeof(float));
    p->m = alloc(p->n, sizeof(float));
    p->v = alloc(p->n, sizeof(float));
    p->ema = alloc(p->n, sizeof(float));
    params_init(p, seed);
}

static uint64_t name_hash(const char *name) // FNV-1a
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *name; name++) h = (h ^ (uint8_t)*name) * 0x100000001b3u;
    return h;
}

// Variance 1 / fan-in, the scale that keeps linear maps at their input's size; every convolution that matters
// is followed by a norm or starts small enough for tanh and sigmoid.
void params_init(params_t *p, uint64_t seed)
{
    for (int i = 0; i < p->n_views; i++) {
        const view_t *v = &p->view[i];
        size_t fan_in = v->shape[0] ? v->n / (size_t)v->shape[0] : 1;
        float scale = 1.0f / sqrtf((float)fan_in);
        rng_t r = rng_at(seed, STREAM_WEIGHTS, name_hash(v->name), 0);
        float *w = p->w + v->offset;
        for (size_t j = 0; j < v->n; j++)
            w[j] = v->init == INIT_NORMAL ? scale * rng_normal(&r) : v->init == INIT_ONE ? 1 : 0;
    }
    memmove(p->ema, p->w, p->n * sizeof(float)); // they may be one array
    params_changed(p);
}

void params_share_average(params_t *p)
{
    free(p->ema);
    p->ema = p->w;
}

void params_freeze(params_t *p)
{
    params_share_average(p);
    free(p->g);
    free(p->m);
    free(p->v);
    p->g = p->m = p->v = NULL;
}

void params_changed(params_t *p)
{
    p->version++;
}

size_t view_row(const view_t *v)
{
    return v->shape[0] ? v->n / (size_t)v->shape[0] : 0;
}

// A weight in memory is (kh, kw, in, out), in files (out, in, kh, kw): for each tap a transposed matrix, of
// which a tile of rows stays in the cache.  Other tensors lie alike in both.
typedef void (*move_t)(float *memory, float *file);

static void to_file(float *memory, float *file)
{
    *file = *memory;
}

static void from_file(float *memory, float *file)
{
    *memory = *file;
}

static inline void each_row(const view_t *v, float *x, float *rows, int first, int count, move_t move)
{
    enum { TILE = 16 };
    bool is_weight = v->rank == 4;
    size_t row = view_row(v), out = (size_t)v->shape[0], taps = is_weight ? row / (size_t)v->shape[1] : 1;
    size_t in = taps ? row / taps : 0, n = (size_t)count, step = is_weight ? out : 1,
           jump = is_weight ? 1 : row;
    for (size_t o = 0; o < n; o += TILE)
        for (size_t i = 0; i < in; i++)
            for (size_t k = o; k < o + TILE && k < n; k++)
                for (size_t t = 0; t < taps; t++)
                    move(x + (t * in + i) * step + ((size_t)first + k) * jump, rows + k * row + i * taps + t);
}

void view_to_file(const view_t *v, float *out, const float *array, int first, int count)
{
    each_row(v, (float *)array + v->offset, out, first, count, to_file);
}

void view_from_file(const view_t *v, float *array, const float *in, int first, int count)
{
    each_row(v, array + v->offset, (float *)in, first, count, from_file);
}
