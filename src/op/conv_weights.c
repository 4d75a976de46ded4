// The gradient of a convolution's weights, gw (kh, kw, ci, co) += x^T gy, read from the padded image like the
// products of conv_direct.c: a row of weights at a time, or all at once where they are short.

#include <string.h>

#include "conv_pass.h"

static size_t gradient_size(const conv_t *k, const pass_t *p) // gy with a row as long as the padded image's
{
    return (size_t)k->oh * (size_t)(p->cols / p->stride) * (size_t)k->co + (size_t)gemm_panel();
}

// With few output channels the gradient of the weights is that of the turned convolution, from gy to x.
static bool turns(const conv_t *k)
{
    return k->co <= SPREAD_MOST && k->ci > k->co && k->stride == 1 && k->up == 1 && k->pad < k->kh &&
           k->kh == k->kw;
}

static conv_t turned(const conv_t *k)
{
    conv_t t = *k;
    t.h = k->oh, t.w = k->ow, t.ci = k->co;
    t.oh = k->h, t.ow = k->w, t.co = k->ci;
    t.pad = k->kh - 1 - k->pad;
    return t;
}

// gy with zeros after each row, so that its pixels and the padded image's run side by side through all rows.
static void stretch_gradient(const conv_t *k, const pass_t *p, float *to, const float *gy)
{
    size_t row = (size_t)k->ow * p->co, long_row = (size_t)(p->cols / p->stride) * p->co;
#pragma omp for
    for (int y = 0; y < k->oh; y++) {
        memcpy(to + (size_t)y * long_row, gy + (size_t)y * row, row * sizeof(float));
        memset(to + (size_t)y * long_row + row, 0, (long_row - row) * sizeof(float));
    }
}

// gw[ky] rows [first, first + count) += x^T gy, over some pixels at a time, which stay in the cache for the
// next ky.
static void weight_rows(const conv_t *k, const pass_t *p, float *gw, const float *padded, const float *gy,
                        int ky, int first, int count, int pixel, int pixels)
{
    size_t step = (size_t)p->stride * p->ci;
    gemm_rows(count, (int)p->co, pixels, padded_row(p, padded, ky) + (size_t)pixel * step + first, 1, step,
              gy + (size_t)pixel * p->co, p->co, 1,
              gw + ((size_t)(ky * p->kw) * p->ci + (size_t)first) * p->co, (size_t)k->co);
}

// gw rows [first, first + count) += x^T gy over some rows of outputs, with x where it lies.
static void short_weight_rows(const pass_t *p, float *gw, const float *padded, const float *gy, int first,
                              int count, int oy, int outputs)
{
    const float *row[AT_ONCE];
    size_t segment[TALL];
    int width = p->kw * (int)p->ci;
    for (int i = 0; i < count; i++) row[i] = padded_row(p, padded, (first + i) / width) + (first + i) % width;
    for (int i = 0; i < outputs; i++) segment[i] = (size_t)((oy + i) * p->cols) * p->ci;
    rows_at_t a = { count, outputs, p->ow, row, segment, (size_t)p->stride * p->ci };
    gemm_rows_of((int)p->co, &a, gy + (size_t)oy * p->y_row, p->co, 1, gw + (size_t)first * p->co, p->co);
}

// Few input channels: all rows of the weights at once, over some pixels at a time, which stay in the cache.
static void short_weight_gradient(const pass_t *p, float *gw, const float *padded, const float *gy)
{
    enum { ROWS = 12, PIXELS = 128 };
    int all = (int)pass_depth(p), outputs = (PIXELS + p->ow - 1) / p->ow;
    if (outputs > TALL) outputs = TALL;
    // The static schedule gives a thread the same rows each time, so it waits for no other.
    for (int oy = 0; oy < p->oh; oy += outputs)
#pragma omp for schedule(static) nowait
        for (int first = 0; first < all; first += ROWS)
            short_weight_rows(p, gw, padded, gy, first, all - first < ROWS ? all - first : ROWS, oy,
                              p->oh - oy < outputs ? p->oh - oy : outputs);
}

// A row of the weights after the other, in one product over all pixels.
static void long_weight_gradient(const conv_t *k, const pass_t *p, float *gw, const float *padded,
                                 const float *gy, float *stretched)
{
    enum { ROWS = 48, PIXELS = 128 };
    int width = p->kw * (int)p->ci, parts = (width + ROWS - 1) / ROWS;
    int pixels = (k->oh - 1) * (p->cols / p->stride) + k->ow;
    stretch_gradient(k, p, stretched, gy);
    // The static schedule gives a thread the same rows each time, so it waits for no other.
    for (int pixel = 0; pixel < pixels; pixel += PIXELS)
#pragma omp for schedule(static) nowait
        for (int i = 0; i < k->kh * parts; i++) {
            int first = i % parts * ROWS;
            weight_rows(k, p, gw, padded, stretched, i / parts, first,
                        width - first < ROWS ? width - first : ROWS, pixel,
                        pixels - pixel < PIXELS ? pixels - pixel : PIXELS);
        }
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
            if (p.is_short)
                short_weight_gradient(&p, gw, scratch, gy + n * image_y);
            else
                long_weight_gradient(k, &p, gw, scratch, gy + n * image_y, scratch + padded_size(&p));
        }
    }
}

size_t conv_weights_scratch(const conv_t *k)
{
    conv_t t = turns(k) ? turned(k) : *k;
    pass_t p = pass_forward(&t);
    return padded_size(&p) + gradient_size(&t, &p) + (turns(k) ? (size_t)(k->kh * k->kw * k->ci * k->co) : 0);
}

void conv_weights(const conv_t *k, float *gw, const float *x, const float *gy, float *scratch)
{
    size_t ci = (size_t)k->ci, co = (size_t)k->co, taps = (size_t)(k->kh * k->kw);
    if (!turns(k)) {
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
