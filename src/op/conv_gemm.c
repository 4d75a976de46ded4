// Convolution by BLIS: the patches of some output rows are gathered into a matrix small enough for the cache,
// and one product does the rest.  A patch row is kh segments of kw * ci consecutive floats, because arrays
// are NHWC.
//
// Chunks depend on the shape alone: sgemm's bits depend on the shape of the call, and a leaf must give the
// same bits wherever it is computed.

#include <blis.h>
#include <string.h>

#include "conv.h"

enum { CHUNK_FLOATS = 192 * 1024 }; // 768 KiB of patches beside the weights in a 1 MiB level-2 cache

static int patch(const conv_t *k)
{
    return k->kh * k->kw * k->ci;
}

static bool is_product(const conv_t *k) // 1x1, stride 1: x already is the matrix of patches
{
    return k->kh == 1 && k->kw == 1 && k->stride == 1 && k->pad == 0;
}

static int rows_per_chunk(const conv_t *k) // output rows of ow pixels
{
    int rows = CHUNK_FLOATS / (k->ow * patch(k)), all = k->n * k->oh;
    return rows < 1 ? 1 : rows > all ? all : rows;
}

static size_t scratch(const conv_t *k)
{
    return is_product(k) ? 0 : (size_t)rows_per_chunk(k) * (size_t)k->ow * (size_t)patch(k);
}

// The part of a kernel row [ix, ix + kw) that lies inside the image: skips `skip` pixels, keeps `count`.
typedef struct {
    int skip, count;
} span_t;

static span_t span_of(const conv_t *k, int ix)
{
    int skip = ix < 0 ? -ix : 0, end = ix + k->kw > k->w ? k->w - ix : k->kw;
    return (span_t){ skip, end > skip ? end - skip : 0 };
}

static const float *row_of(const conv_t *k, const float *x, int n, int iy)
{
    return x + ((size_t)n * (size_t)k->h + (size_t)iy) * (size_t)k->w * (size_t)k->ci;
}

// Patches of output rows [first, first + count), counted over the whole batch, into (count * ow, kh * kw *
// ci).
static void gather(const conv_t *k, float *col, const float *x, int first, int count)
{
    size_t segment = (size_t)k->kw * (size_t)k->ci, ci = (size_t)k->ci;
    for (int r = first; r < first + count; r++) {
        int n = r / k->oh, top = r % k->oh * k->stride - k->pad;
        for (int ox = 0; ox < k->ow; ox++) {
            int ix = ox * k->stride - k->pad;
            span_t s = span_of(k, ix);
            for (int ky = 0; ky < k->kh; ky++, col += segment) {
                int iy = top + ky;
                if (iy < 0 || iy >= k->h || s.count < k->kw) memset(col, 0, segment * sizeof(float));
                if (iy < 0 || iy >= k->h || s.count == 0) continue;
                memcpy(col + (size_t)s.skip * ci, row_of(k, x, n, iy) + (size_t)(ix + s.skip) * ci,
                       (size_t)s.count * ci * sizeof(float));
            }
        }
    }
}

// The transpose of gather: adds each patch where it came from.
static void scatter(const conv_t *k, float *x, const float *col, int first, int count)
{
    size_t segment = (size_t)k->kw * (size_t)k->ci, ci = (size_t)k->ci;
    for (int r = first; r < first + count; r++) {
        int n = r / k->oh, top = r % k->oh * k->stride - k->pad;
        for (int ox = 0; ox < k->ow; ox++) {
            int ix = ox * k->stride - k->pad;
            span_t s = span_of(k, ix);
            for (int ky = 0; ky < k->kh; ky++, col += segment) {
                int iy = top + ky;
                if (iy < 0 || iy >= k->h) continue;
                float *to = x + (row_of(k, x, n, iy) - x) + (ptrdiff_t)((size_t)(ix + s.skip) * ci);
                const float *from = col + (size_t)s.skip * ci;
                for (size_t j = 0; j < (size_t)s.count * ci; j++) to[j] += from[j];
            }
        }
    }
}

// c (m, n) = beta c + a (m, k) b (k, n); rs and cs are the strides of rows and columns.
static void product(int m, int n, int k, const float *a, inc_t rs_a, inc_t cs_a, const float *b, inc_t rs_b,
                    inc_t cs_b, float beta, float *c)
{
    float one = 1;
    bli_sgemm(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, m, n, k, &one, (float *)a, rs_a, cs_a, (float *)b, rs_b,
              cs_b, &beta, c, n, 1);
}

static void forward(const conv_t *k, float *y, const float *x, const float *weight, float *col)
{
    int per = rows_per_chunk(k), all = k->n * k->oh, K = patch(k);
    for (int r = 0; r < all; r += per) {
        int count = r + per > all ? all - r : per;
        const float *a = x + (size_t)r * (size_t)k->ow * (size_t)K;
        if (!is_product(k)) gather(k, col, x, r, count);
        product(count * k->ow, k->co, K, is_product(k) ? a : col, K, 1, weight, k->co, 1, 0,
                y + (size_t)r * (size_t)k->ow * (size_t)k->co);
    }
}

static void backward_data(const conv_t *k, float *gx, const float *gy, const float *weight, float *col)
{
    int per = rows_per_chunk(k), all = k->n * k->oh, K = patch(k);
    for (int r = 0; r < all; r += per) {
        int count = r + per > all ? all - r : per;
        const float *a = gy + (size_t)r * (size_t)k->ow * (size_t)k->co;
        float *direct = gx + (size_t)r * (size_t)k->ow * (size_t)K;
        product(count * k->ow, K, k->co, a, k->co, 1, weight, 1, k->co, is_product(k),
                is_product(k) ? direct : col);
        if (!is_product(k)) scatter(k, gx, col, r, count);
    }
}

static void backward_weights(const conv_t *k, float *gw, const float *x, const float *gy, float *col)
{
    int per = rows_per_chunk(k), all = k->n * k->oh, K = patch(k);
    for (int r = 0; r < all; r += per) {
        int count = r + per > all ? all - r : per;
        const float *a = x + (size_t)r * (size_t)k->ow * (size_t)K;
        if (!is_product(k)) gather(k, col, x, r, count);
        product(K, k->co, count * k->ow, is_product(k) ? a : col, 1, K,
                gy + (size_t)r * (size_t)k->ow * (size_t)k->co, k->co, 1, 1, gw);
    }
}

const conv_kernel_t conv_gemm = { "gemm", scratch, forward, backward_data, backward_weights };
