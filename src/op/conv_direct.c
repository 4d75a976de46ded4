// Convolution of any shape without a matrix of patches: BLIS's kernel reads A at any strides, and in NHWC the
// kw pixels under one row of the weights are kw * ci consecutive floats.  So one output row is a sum over ky
// of products
//
//     y[oy] (ow, co) += x[oy * stride + ky] (ow, kw * ci; rows stride * ci apart) * weight[ky] (kw * ci, co)
//
// read straight from a zero-padded copy of the image, which lies row class by row class (rows y with the same
// y mod stride are neighbours).  backward_data is the same in each of the stride x stride classes of pixels
// of x, whose gradients meet disjoint parts of the weights.
//
// Two shapes would leave BLIS's vectors empty.  Few input channels: all rows of the weights in one product
// that finds the rows of the image itself. Few output channels: conv_spread.c has another way.

#include <string.h>

#include "conv_pass.h"

enum { ROWS_TOGETHER = 6 }; // of outputs, for a thread at a time

// ---- the weights -----------------------------------------------------------------------------------

// Row (ky, kx, c) of a pass's matrix: its columns lie `step` apart.  Backward reads the weights flipped,
// every stride-th.
static const float *weights_row(const conv_t *k, const pass_t *p, const float *weight, conv_pass_t which,
                                int ry, int rx, size_t row, size_t *step)
{
    size_t ci = (size_t)k->ci, co = (size_t)k->co, c = row % p->ci;
    int tap = (int)(row / p->ci), ky = tap / p->kw, kx = tap % p->kw;
    *step = which == CONV_FORWARD ? 1 : co;
    if (which == CONV_FORWARD) return weight + row * co;
    int wy = (ry + k->pad) % k->stride + (p->kh - 1 - ky) * k->stride;
    int wx = (rx + k->pad) % k->stride + (p->kw - 1 - kx) * k->stride;
    return weight + (size_t)(wy * k->kw + wx) * ci * co + c;
}

static void make_pass_form(const conv_t *k, const pass_t *p, conv_pass_t which, int ry, int rx, float *form,
                           const float *weight)
{
    enum { PART = 64 };
    size_t all = pass_depth(p);
    memset(form, 0, gemm_panels_size(all, p->co) * sizeof(float));
#pragma omp parallel for
    for (size_t row = 0; row < all; row++) {
        size_t step;
        const float *from = weights_row(k, p, weight, which, ry, rx, row, &step);
        float part[PART];
        for (size_t o = 0; o < p->co; o += PART) {
            size_t n = p->co - o < PART ? p->co - o : PART;
            for (size_t j = 0; j < n; j++) part[j] = from[(o + j) * step];
            gemm_panels_row(form, all, row, o, part, n);
        }
    }
}

static size_t form_size(const conv_t *k, conv_pass_t which)
{
    pass_t p = pass_forward(k);
    if (conv_spreads(k, which)) return conv_spread_form_size(k, which);
    if (which == CONV_FORWARD) return gemm_panels_size(pass_depth(&p), p.co);
    size_t sum = 0;
    for (int ry = 0; ry < k->stride; ry++)
        for (int rx = 0; rx < k->stride; rx++) {
            p = pass_backward(k, ry, rx);
            sum += gemm_panels_size(pass_depth(&p), p.co);
        }
    return sum;
}

static void make_form(const conv_t *k, conv_pass_t which, float *form, const float *weight)
{
    pass_t p = pass_forward(k);
    if (conv_spreads(k, which)) {
        conv_spread_form(k, which, form, weight);
        return;
    }
    if (which == CONV_FORWARD) {
        make_pass_form(k, &p, which, 0, 0, form, weight);
        return;
    }
    for (int ry = 0; ry < k->stride; ry++)
        for (int rx = 0; rx < k->stride; rx++) {
            p = pass_backward(k, ry, rx);
            make_pass_form(k, &p, which, ry, rx, form, weight);
            form += gemm_panels_size(pass_depth(&p), p.co);
        }
}

// ---- products --------------------------------------------------------------------------------------

// Where the rows of the padded image under those of the weights begin, from the first one on.
static void find_segments(const pass_t *p, const float *padded, size_t segment[SEGMENTS])
{
    for (int ky = 0; ky < p->kh; ky++) segment[ky] = (size_t)(padded_row(p, padded, ky) - padded);
}

static void short_row(const pass_t *p, float *y, const float *padded, const float *form, int oy, float beta)
{
    size_t segment[SEGMENTS];
    find_segments(p, padded, segment);
    rows_at_t a = { .m = p->ow,
                    .segments = p->kh,
                    .k = p->kw * (int)p->ci,
                    .a = padded_row(p, padded, oy * p->stride),
                    .rs = (size_t)p->stride * p->ci,
                    .segment = segment,
                    .step = 1 };
    gemm_panels_of((int)p->co, &a, form, beta, y, p->y_pixel);
}

static void plain_row(const pass_t *p, float *y, const float *padded, const float *form, int oy, float beta)
{
    size_t k = (size_t)p->kw * p->ci;
    for (int ky = 0; ky < p->kh; ky++)
        gemm_panels(p->ow, (int)p->co, (int)k, padded_row(p, padded, oy * p->stride + ky),
                    (size_t)p->stride * p->ci, 1, form + (size_t)ky * k * (size_t)gemm_panel(), pass_depth(p),
                    ky > 0 ? 1 : beta, y, p->y_pixel);
}

static bool is_product(const conv_t *k) // 1x1, stride 1: x already is the matrix
{
    return k->kh == 1 && k->kw == 1 && k->stride == 1 && k->pad == 0 && k->up == 1;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t scratch(const conv_t *k)
{
    if (is_product(k)) return conv_turns(k) ? conv_weights_scratch(k) : 0;
    pass_t p = pass_forward(k);
    size_t size = most(conv_weights_scratch(k), padded_size(&p));
    for (int class = 0; class < k->stride * k->stride; class ++) {
        p = pass_backward(k, class / k->stride, class % k->stride);
        size_t full = k->up > 1 ? (size_t)(k->h * k->w * k->ci) : 0;
        size = most(size, padded_size(&p) + full);
    }
    for (int which = CONV_FORWARD; which <= CONV_BACKWARD_DATA; which++)
        if (conv_spreads(k, (conv_pass_t)which))
            size = most(size, conv_spread_scratch(k, (conv_pass_t)which));
    return size;
}

static void product_rows(const conv_t *k, float *y, int columns, const float *x, int depth, const float *form,
                         float beta)
{
    enum { ROWS = 96 };
    int all = k->n * k->oh * k->ow;
#pragma omp parallel for
    for (int i = 0; i < all; i += ROWS)
        gemm_panels(all - i < ROWS ? all - i : ROWS, columns, depth, x + (size_t)i * (size_t)depth,
                    (size_t)depth, 1, form, (size_t)depth, beta, y + (size_t)i * (size_t)columns,
                    (size_t)columns);
}

// beta is 0 (overwrite) or 1 (add).
static void run_pass(const pass_t *p, float *y, const float *x, const float *form, const float *bias,
                     act_t act, float beta, float *padded)
{
#pragma omp parallel
    {
        pad_image(p, padded, x);
#pragma omp for
        for (int first = 0; first < p->oh; first += ROWS_TOGETHER) {
            int end = p->oh - first < ROWS_TOGETHER ? p->oh : first + ROWS_TOGETHER;
            for (int oy = first; oy < end; oy++)
                (p->is_short ? short_row : plain_row)(p, y + (size_t)oy * p->y_row, padded, form, oy, beta);
            if (bias || act != ACT_NONE)
                kernel->act_forward(y + (size_t)first * p->y_row, (size_t)((end - first) * p->ow), p->co,
                                    bias, act);
        }
    }
}

static void forward(const conv_t *k, float *y, const float *x, const float *form, const float *bias,
                    act_t act, float *scratch)
{
    pass_t p = pass_forward(k);
    size_t image_x = (size_t)(k->h / k->up) * (size_t)(k->w / k->up) * p.ci,
           image_y = (size_t)k->oh * p.y_row;
    if (conv_spreads(k, CONV_FORWARD)) {
        conv_spread(k, CONV_FORWARD, y, x, form, bias, act, false, scratch);
        return;
    }
    if (is_product(k)) {
        product_rows(k, y, k->co, x, k->ci, form, 0);
        if (bias || act != ACT_NONE) kernel->act_forward(y, (size_t)k->n * image_y / p.co, p.co, bias, act);
        return;
    }
    for (size_t n = 0; n < (size_t)k->n; n++)
        run_pass(&p, y + n * image_y, x + n * image_x, form, bias, act, 0, scratch);
}

// gx of one image at full size.  beta is 0 (overwrite) or 1 (add).
static void backward_image(const conv_t *k, float *gx, const float *gy, const float *form, float beta,
                           float *scratch)
{
    for (int ry = 0; ry < k->stride; ry++)
        for (int rx = 0; rx < k->stride; rx++) {
            pass_t p = pass_backward(k, ry, rx);
            float *first = gx + (size_t)(ry * k->w + rx) * p.co;
            if (p.kh && p.kw) run_pass(&p, first, gy, form, NULL, ACT_NONE, beta, scratch);
            form += gemm_panels_size(pass_depth(&p), p.co);
        }
}

// The gradient of an upsampled image, added up over the copies of each pixel.
static void add_copies(const conv_t *k, float *gx, const float *full)
{
    size_t c = (size_t)k->ci;
    for (int y = 0; y < k->h; y++)
        for (int x = 0; x < k->w; x++)
            kernel->add_to(gx + ((size_t)(y / k->up) * (size_t)(k->w / k->up) + (size_t)(x / k->up)) * c,
                           full + (size_t)(y * k->w + x) * c, c);
}

static void backward_data(const conv_t *k, float *gx, const float *gy, const float *form, bool adds,
                          float *scratch)
{
    size_t full = (size_t)(k->h * k->w * k->ci), image_y = (size_t)(k->oh * k->ow * k->co);
    if (conv_spreads(k, CONV_BACKWARD_DATA)) {
        conv_spread(k, CONV_BACKWARD_DATA, gx, gy, form, NULL, ACT_NONE, adds, scratch);
        return;
    }
    if (is_product(k)) {
        product_rows(k, gx, k->ci, gy, k->co, form, adds);
        return;
    }
    // Pixels of an upsampled image are sums, and those that a kernel below its stride skips get nothing.
    bool in_parts = k->up > 1 || k->kh < k->stride || k->kw < k->stride;
    if (in_parts && !adds) memset(gx, 0, (size_t)k->n * full / (size_t)(k->up * k->up) * sizeof(float));
    for (size_t n = 0; n < (size_t)k->n; n++, gy += image_y) {
        if (k->up == 1) {
            backward_image(k, gx + n * full, gy, form, adds || in_parts, scratch);
            continue;
        }
        backward_image(k, scratch, gy, form, 0, scratch + full);
        add_copies(k, gx + n * full / (size_t)(k->up * k->up), scratch);
    }
}

static void backward_weights(const conv_t *k, float *gw, const float *x, const float *gy, float *scratch)
{
    enum { ROWS = 48 };
    size_t ci = (size_t)k->ci, co = (size_t)k->co;
    if (!is_product(k) || conv_turns(k)) {
        conv_weights(k, gw, x, gy, scratch);
        return;
    }
#pragma omp parallel for
    for (int i = 0; i < k->ci; i += ROWS)
        gemm_rows(k->ci - i < ROWS ? k->ci - i : ROWS, k->co, k->n * k->oh * k->ow, x + i, 1, ci, gy, co, 1,
                  gw + (size_t)i * co, co);
}

static bool fits(const conv_t *k, conv_pass_t pass)
{
    (void)k, (void)pass;
    return true;
}

// A spread pixel fills whole panels, one output channel of a product part of one.
static double products(const conv_t *k)
{
    double taps = (double)k->kh * k->kw, co = k->co;
    return conv_spreads(k, CONV_FORWARD) ? (double)gemm_panels_size(1, (size_t)(taps * co)) / (taps * co)
                                         : (double)gemm_panels_size(1, (size_t)co) / co;
}

const conv_kernel_t conv_direct = { "direct",  fits,    products,      scratch,         form_size,
                                    make_form, forward, backward_data, backward_weights };
