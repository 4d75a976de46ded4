// The usual way on BLIS: patches gathered into a matrix (im2col), then sgemm; and that sgemm alone.

#include <blis.h>
#include <stdlib.h>
#include <string.h>

#include "conv.h"

enum { COL_FLOATS = 1 << 18 }; // of a chunk of images, to stay in a second-level cache

typedef struct {
    const problem_t *p;
    int pass, step;    // images of a chunk
    float *a, *b, *ab; // of the product alone
    bool flipped;
    float *col, *out; // of im2col
} self_t;

// c (m, n) = beta c + a b.
static void gemm(size_t m, size_t n, size_t k, const float *a, size_t ra, size_t ca, const float *b,
                 size_t rb, size_t cb, float beta, float *c)
{
    float one = 1;
    bli_sgemm(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, (dim_t)m, (dim_t)n, (dim_t)k, &one, (float *)a, (inc_t)ra,
              (inc_t)ca, (float *)b, (inc_t)rb, (inc_t)cb, &beta, c, (inc_t)n, 1);
}

// Between images (h, w, ci) and rows of patches (k, k, ci): copies to the rows, or adds them to the images.
static void patches(const case_t *c, float *col, float *x, int images, bool adds)
{
    size_t ci = (size_t)c->ci, row = (size_t)c->k * ci;
    for (int i = 0; i < images * c->oh * c->ow * c->k; i++, col += row) {
        int ky = i % c->k, ox = i / c->k % c->ow, oy = i / c->k / c->ow % c->oh,
            image = i / c->k / c->ow / c->oh;
        int y = oy * c->stride - c->pad + ky, left = ox * c->stride - c->pad;
        int first = left < 0 ? 0 : left, end = left + c->k > c->w ? c->w : left + c->k;
        bool inside = y >= 0 && y < c->h && end > first;
        size_t run = inside ? (size_t)(end - first) * ci : 0;
        float *in = x + (inside ? ((size_t)(image * c->h + y) * (size_t)c->w + (size_t)first) * ci : 0);
        float *at = col + (size_t)(first - left) * ci;
        if (adds) {
            for (size_t f = 0; f < run; f++) in[f] += at[f];
        } else {
            if (run < row) memset(col, 0, row * sizeof *col);
            memcpy(at, in, run * sizeof *at);
        }
    }
}

static void im2col_run(void *self)
{
    self_t *s = self;
    const problem_t *p = s->p;
    size_t k = p->patch, co = (size_t)p->c.co, pixels = (size_t)(p->c.oh * p->c.ow),
           image = p->nx / (size_t)p->c.n;
    if (s->pass == BACKWARD_DATA) memset(s->out, 0, p->nx * sizeof(float));
    for (int i = 0; i < p->c.n; i += s->step) {
        int images = i + s->step < p->c.n ? s->step : p->c.n - i;
        size_t m = (size_t)images * pixels, y = (size_t)i * pixels * co, x = (size_t)i * image;
        if (s->pass != BACKWARD_DATA) patches(&p->c, s->col, p->x + x, images, false);
        if (s->pass == FORWARD) gemm(m, co, k, s->col, k, 1, p->w, co, 1, 0, s->out + y);
        if (s->pass == BACKWARD_WEIGHTS) gemm(k, co, m, s->col, 1, k, p->gy + y, co, 1, i > 0, s->out);
        if (s->pass != BACKWARD_DATA) continue;
        gemm(m, k, co, p->gy + y, co, 1, p->w, 1, co, 0, s->col);
        patches(&p->c, s->col, s->out + x, images, true);
    }
}

// The same m, n, k on matrices that lie ready, over all images at once.
static void sgemm_run(void *self)
{
    self_t *s = self;
    const case_t *c = &s->p->c;
    size_t k = s->p->patch, co = (size_t)c->co, m = s->p->ny / co, ci = (size_t)c->ci, back = k / ci * co;
    if (s->pass == FORWARD) gemm(m, co, k, s->a, k, 1, s->b, co, 1, 0, s->ab);
    if (s->pass == BACKWARD_DATA && s->flipped) gemm(m, ci, back, s->a, back, 1, s->b, ci, 1, 0, s->ab);
    if (s->pass == BACKWARD_DATA && !s->flipped) gemm(m, k, co, s->ab, co, 1, s->b, 1, co, 0, s->a);
    if (s->pass == BACKWARD_WEIGHTS) gemm(k, co, m, s->a, 1, k, s->ab, co, 1, 0, s->b);
}

static float *ones(size_t n)
{
    float *x = alloc(n, sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = 1;
    return x;
}

static bool im2col_open(void **self, const problem_t *p, int pass)
{
    self_t *s = *self = alloc(1, sizeof *s);
    size_t image = p->ny / (size_t)(p->c.co * p->c.n) * p->patch, fit = COL_FLOATS / image;
    *s = (self_t){ .p = p, .pass = pass, .step = fit < 1 ? 1 : fit < (size_t)p->c.n ? (int)fit : p->c.n };
    s->col = alloc((size_t)s->step * image, sizeof(float));
    s->out = alloc(pass == FORWARD ? p->ny : pass == BACKWARD_DATA ? p->nx : p->nw, sizeof(float));
    return true;
}

static bool sgemm_open(void **self, const problem_t *p, int pass)
{
    self_t *s = *self = alloc(1, sizeof *s);
    size_t m = p->ny / (size_t)p->c.co, most = (size_t)(p->c.ci > p->c.co ? p->c.ci : p->c.co);
    *s = (self_t){ .p = p, .pass = pass, .a = ones(m * p->patch / (size_t)p->c.ci * most), .b = ones(p->nw) };
    s->ab = ones(m * most);
    // With stride 1, backward-data is also a forward convolution with flipped weights: the faster shape
    // counts.
    double seconds[2] = { 1e9, 1e9 };
    for (int i = 0; i < 6 && pass == BACKWARD_DATA && p->c.stride == 1; i++) {
        s->flipped = i % 2;
        double began = now(), took = (sgemm_run(s), now() - began);
        seconds[i % 2] = took < seconds[i % 2] ? took : seconds[i % 2];
    }
    s->flipped = seconds[1] < seconds[0];
    return true;
}

static void im2col_result(void *self, float *out)
{
    self_t *s = self;
    im2col_run(s);
    memcpy(out, s->out, (s->pass == FORWARD ? s->p->ny : s->pass == BACKWARD_DATA ? s->p->nx : s->p->nw) * 4);
}

static void close(void *self)
{
    self_t *s = self;
    float *owned[] = { s->a, s->b, s->ab, s->col, s->out };
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
    free(s);
}

const rival_t rival_im2col = { "im2col", im2col_open, NULL, im2col_run, im2col_result, close, 0 };
const rival_t rival_sgemm = { "sgemm", sgemm_open, NULL, sgemm_run, NULL, close, 0 };

double large_product(void)
{
    enum { SIDE = 2048 };
    float *a = ones(SIDE * SIDE), *b = ones(SIDE * SIDE), *c = ones(SIDE * SIDE);
    double began = now();
    gemm(SIDE, SIDE, SIDE, a, SIDE, 1, b, SIDE, 1, 0, c);
    double seconds = now() - began;
    free(a);
    free(b);
    free(c);
    return 2e-9 * SIDE * SIDE * SIDE / seconds;
}
