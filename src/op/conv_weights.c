// The gradient of a convolution's weights, gw (kh, kw, ci, co) += x^T gy: some rows of the weights at a time,
// over some rows of outputs, with x where it lies in the padded image and gy where it lies.

#include <omp.h>
#include <string.h>

#include "conv_pass.h"

bool conv_turns(const conv_t *k)
{
    return k->co <= SPREAD_MOST && k->ci > k->co && k->oh * k->ow > 1 && k->stride == 1 && k->up == 1 &&
           k->pad < k->kh && k->kh == k->kw;
}

static conv_t turned(const conv_t *k)
{
    conv_t t = *k;
    t.h = k->oh, t.w = k->ow, t.ci = k->co;
    t.oh = k->h, t.ow = k->w, t.co = k->ci;
    t.pad = k->kh - 1 - k->pad;
    return t;
}

// gw rows [first, first + count) += x^T gy over some rows of outputs, with x where it lies: side by side for
// the rows of gw that belong to one row of the weights.
static void rows_of_weights(const pass_t *p, float *gw, const float *padded, const float *gy, int first,
                            int count, int oy, int outputs)
{
    size_t segment[SEGMENTS];
    int width = p->kw * (int)p->ci;
    for (int i = 0; i < outputs; i++) segment[i] = (size_t)((oy + i) * p->cols) * p->ci;
    for (int row = first, m; row < first + count; row += m) {
        int at = row % width, left = first + count - row;
        m = width - at < left ? width - at : left;
        rows_at_t a = { .m = m,
                        .segments = outputs,
                        .k = p->ow,
                        .a = padded_row(p, padded, row / width) + at,
                        .rs = 1,
                        .segment = segment,
                        .step = (size_t)p->stride * p->ci };
        gemm_rows_of((int)p->co, &a, gy + (size_t)oy * p->y_row, p->co, 1, gw + (size_t)row * p->co, p->co);
    }
}

// All rows of the weights over some pixels at a time, which stay in the cache.
static void all_rows(const pass_t *p, float *gw, const float *padded, const float *gy)
{
    enum { ROWS_LEAST = 8, ROWS_MOST = 32, PIXELS = 128 };
    int all = (int)pass_depth(p), outputs = (PIXELS + p->ow - 1) / p->ow;
    int threads = omp_get_num_threads(), rows = (all + threads - 1) / threads;
    rows = rows < ROWS_LEAST ? ROWS_LEAST : rows > ROWS_MOST ? ROWS_MOST : rows;
    if (outputs > SEGMENTS) outputs = SEGMENTS;
    // The static schedule gives a thread the same rows each time, so it waits for no other.
    for (int oy = 0; oy < p->oh; oy += outputs)
#pragma omp for schedule(static) nowait
        for (int first = 0; first < all; first += rows)
            rows_of_weights(p, gw, padded, gy, first, all - first < rows ? all - first : rows, oy,
                            p->oh - oy < outputs ? p->oh - oy : outputs);
}

static void weight_gradient(const conv_t *k, float *gw, const float *x, const float *gy, float *scratch)
{
    pass_t p = pass_forward(k);
    size_t image_x = (size_t)(k->h / k->up) * (size_t)(k->w / k->up) * p.ci,
           image_y = (size_t)(k->oh * k->ow) * p.co;
    for (size_t n = 0; n < (size_t)k->n; n++) {
#pragma omp parallel
        {
            pad_image(&p, scratch, x + n * image_x);
            all_rows(&p, gw, scratch, gy + n * image_y);
        }
    }
}

size_t conv_weights_scratch(const conv_t *k)
{
    conv_t t = conv_turns(k) ? turned(k) : *k;
    pass_t p = pass_forward(&t);
    return padded_size(&p) + (conv_turns(k) ? (size_t)(k->kh * k->kw * k->ci * k->co) : 0);
}

void conv_weights(const conv_t *k, float *gw, const float *x, const float *gy, float *scratch)
{
    size_t ci = (size_t)k->ci, co = (size_t)k->co, taps = (size_t)(k->kh * k->kw);
    if (!conv_turns(k)) {
        weight_gradient(k, gw, x, gy, scratch);
        return;
    }
    conv_t t = turned(k);
    memset(scratch, 0, taps * ci * co * sizeof(float));
    weight_gradient(&t, scratch, gy, x, scratch + taps * ci * co);
    for (size_t tap = 0; tap < taps; tap++)
        for (size_t i = 0; i < ci; i++)
            for (size_t o = 0; o < co; o++)
                gw[(tap * ci + i) * co + o] += scratch[((taps - 1 - tap) * co + o) * ci + i];
}
