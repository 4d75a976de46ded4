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
// Two shapes would leave BLIS's vectors empty.  Few input channels: the patches of a row are copied side by
// side. Few output channels: `shifts` neighbouring pixels are computed as one, with the weights repeated at
// shifted places.

#include <omp.h>
#include <string.h>

#include "conv.h"

enum {
    NARROW = 8,        // fewer output channels,
    SHORT = 32,        // or fewer floats under a row of weights, are treated specially
    TALL = 16,         // if not more rows of weights
    ROWS_TOGETHER = 6, // of outputs, for a thread at a time
};

// One direction of one pixel class: an image of (h, w, ci) padded by (top, left), met by a kernel of (kh,
// kw).
typedef struct {
    int h, w, up;               // of the input
    int top, left, rows, cols;  // padded: `cols` pixels a row, rows / stride rows in each class
    int stride, kh, kw, oh, ow; // the outputs
    size_t ci, co;
    size_t y_row, y_pixel; // floats between rows and between pixels of the output
    int shifts;            // pixels computed as one
    bool gathers;
} pass_t;

static int up_to(int x, int step)
{
    return (x + step - 1) / step * step;
}

static void finish(pass_t *p)
{
    int most = gemm_panel() / (int)p->co;
    p->shifts = p->stride > 1 || p->co > NARROW ? 1 : most < p->ow ? most : p->ow;
    p->gathers = p->shifts == 1 && p->kh > 1 && p->kh <= TALL && (size_t)p->kw * p->ci < SHORT;
    p->rows = up_to((p->oh - 1) * p->stride + p->kh, p->stride);
    p->cols = p->shifts > 1 ? up_to(p->ow + p->kw - 1, p->shifts)
                            : up_to((p->ow - 1) * p->stride + p->kw, p->stride);
}

static pass_t forward_pass(const conv_t *k)
{
    pass_t p = { .h = k->h,
                 .w = k->w,
                 .up = k->up,
                 .top = k->pad,
                 .left = k->pad,
                 .stride = k->stride,
                 .kh = k->kh,
                 .kw = k->kw,
                 .oh = k->oh,
                 .ow = k->ow,
                 .ci = (size_t)k->ci,
                 .co = (size_t)k->co };
    p.y_pixel = p.co;
    p.y_row = p.co * (size_t)p.ow;
    finish(&p);
    return p;
}

// Rows or columns of weights, of `all`, that class + t * stride reaches.
static int taps(int all, int stride, int class)
{
    return class < all ? (all - class + stride - 1) / stride : 0;
}

// Gradients of the pixels (ry + i * stride, rx + j * stride) of x.  Pixel i meets output rows q + i - t, q =
// (ry + pad) / stride, under weight rows class + t * stride; read upwards that is a convolution of gy, padded
// by taps - 1 - q.
static pass_t backward_pass(const conv_t *k, int ry, int rx)
{
    int s = k->stride;
    pass_t p = { .h = k->oh, .w = k->ow, .up = 1, .stride = 1, .ci = (size_t)k->co, .co = (size_t)k->ci };
    p.kh = taps(k->kh, s, (ry + k->pad) % s);
    p.kw = taps(k->kw, s, (rx + k->pad) % s);
    p.top = p.kh - 1 - (ry + k->pad) / s;
    p.left = p.kw - 1 - (rx + k->pad) / s;
    p.oh = (k->h - ry + s - 1) / s;
    p.ow = (k->w - rx + s - 1) / s;
    p.y_pixel = (size_t)s * p.co;
    p.y_row = (size_t)(s * k->w) * p.co;
    finish(&p);
    return p;
}

static size_t depth(const pass_t *p) // rows of the matrix of weights
{
    return (size_t)p->kh * (size_t)(p->kw + p->shifts - 1) * p->ci;
}

static size_t columns(const pass_t *p)
{
    return p->co * (size_t)p->shifts;
}

// ---- the padded image ------------------------------------------------------------------------------

static size_t padded_size(const pass_t *p)
{
    // A product may read a row of weights past the last pixel; that too must be finite.
    return ((size_t)p->rows * (size_t)p->cols + (size_t)(p->kw + p->stride + p->shifts)) * p->ci +
           (size_t)gemm_panel();
}

// Row y of the padded image.
static float *padded_row(const pass_t *p, const float *padded, int y)
{
    size_t per_class = (size_t)(p->rows / p->stride);
    return (float *)padded +
           ((size_t)(y % p->stride) * per_class + (size_t)(y / p->stride)) * (size_t)p->cols * p->ci;
}

static void pad_row(const pass_t *p, float *to, const float *x, int y)
{
    size_t c = p->ci;
    int iy = y - p->top, first = p->left > 0 ? p->left : 0,
        end = p->left + p->w < p->cols ? p->left + p->w : p->cols;
    if (iy < 0 || iy >= p->h || end <= first) {
        memset(to, 0, (size_t)p->cols * c * sizeof(float));
        return;
    }
    const float *row = x + (size_t)(iy / p->up) * (size_t)(p->w / p->up) * c;
    memset(to, 0, (size_t)first * c * sizeof(float));
    if (p->up == 1)
        memcpy(to + (size_t)first * c, row + (size_t)(first - p->left) * c,
               (size_t)(end - first) * c * sizeof(float));
    else
        for (int j = first; j < end; j++)
            memcpy(to + (size_t)j * c, row + (size_t)((j - p->left) / p->up) * c, c * sizeof(float));
    memset(to + (size_t)end * c, 0, (size_t)(p->cols - end) * c * sizeof(float));
}

// Shared by the threads of a parallel region.
static void pad_image(const pass_t *p, float *padded, const float *x)
{
    size_t all = (size_t)p->rows * (size_t)p->cols * p->ci;
#pragma omp for
    for (int y = 0; y < p->rows; y++) pad_row(p, padded_row(p, padded, y), x, y);
#pragma omp single
    memset(padded + all, 0, (padded_size(p) - all) * sizeof(float));
}

// ---- the weights -----------------------------------------------------------------------------------

// Row (ky, kx, c) and column o of a pass's matrix, from the weights; backward reads them flipped, every
// stride-th.
static float weight_at(const conv_t *k, const pass_t *p, const float *weight, conv_form_t which, int ry,
                       int rx, int ky, int kx, size_t c, size_t o)
{
    size_t ci = (size_t)k->ci, co = (size_t)k->co;
    if (which == CONV_FORWARD) return weight[((size_t)(ky * k->kw + kx) * ci + c) * co + o];
    int wy = (ry + k->pad) % k->stride + (p->kh - 1 - ky) * k->stride;
    int wx = (rx + k->pad) % k->stride + (p->kw - 1 - kx) * k->stride;
    return weight[((size_t)(wy * k->kw + wx) * ci + o) * co + c];
}

static void make_pass_form(const conv_t *k, const pass_t *p, conv_form_t which, int ry, int rx, float *form,
                           const float *weight)
{
    size_t wide = (size_t)(p->kw + p->shifts - 1), all = depth(p);
    memset(form, 0, gemm_panels_size(all, columns(p)) * sizeof(float));
    for (int ky = 0; ky < p->kh; ky++)
        for (int kx = 0; kx < p->kw; kx++)
            for (size_t c = 0; c < p->ci; c++)
                for (int s = 0; s < p->shifts; s++)
                    for (size_t o = 0; o < p->co; o++)
                        form[gemm_panels_at(all, ((size_t)ky * wide + (size_t)(kx + s)) * p->ci + c,
                                            (size_t)s * p->co + o)] =
                            weight_at(k, p, weight, which, ry, rx, ky, kx, c, o);
}

static size_t form_size(const conv_t *k, conv_form_t which)
{
    pass_t p = forward_pass(k);
    if (which == CONV_FORWARD) return gemm_panels_size(depth(&p), columns(&p));
    size_t sum = 0;
    for (int ry = 0; ry < k->stride; ry++)
        for (int rx = 0; rx < k->stride; rx++) {
            p = backward_pass(k, ry, rx);
            sum += gemm_panels_size(depth(&p), columns(&p));
        }
    return sum;
}

static void make_form(const conv_t *k, conv_form_t which, float *form, const float *weight)
{
    pass_t p = forward_pass(k);
    if (which == CONV_FORWARD) {
        make_pass_form(k, &p, which, 0, 0, form, weight);
        return;
    }
    for (int ry = 0; ry < k->stride; ry++)
        for (int rx = 0; rx < k->stride; rx++) {
            p = backward_pass(k, ry, rx);
            make_pass_form(k, &p, which, ry, rx, form, weight);
            form += gemm_panels_size(depth(&p), columns(&p));
        }
}

// ---- products --------------------------------------------------------------------------------------

// A thread's rows: patches side by side, or the outputs of pixels computed as one.
static size_t aside_size(const pass_t *p)
{
    size_t patches = p->gathers ? (size_t)(ROWS_TOGETHER * p->ow) * depth(p) : 0;
    size_t together = p->shifts > 1 ? (size_t)(ROWS_TOGETHER * (p->cols / p->shifts) * gemm_panel()) : 0;
    return (patches > together ? patches : together) + (size_t)gemm_panel();
}

// Outputs that lie one after the other are one product.
static void gathered_rows(const pass_t *p, float *y, const float *padded, const float *form, int first,
                          int count, float beta, float *patches)
{
    size_t segment = (size_t)p->kw * p->ci, k = depth(p), per_row = (size_t)p->ow * k;
    bool together = p->y_row == (size_t)p->ow * p->y_pixel;
    for (int r = 0; r < count; r++) {
        const float *row[TALL];
        for (int ky = 0; ky < p->kh; ky++) row[ky] = padded_row(p, padded, (first + r) * p->stride + ky);
        kernel->patches(patches + (size_t)r * per_row, row, (size_t)p->kh, (size_t)p->ow,
                        (size_t)p->stride * p->ci, segment);
    }
    for (int r = 0; r < (together ? 1 : count); r++)
        gemm_panels(together ? count * p->ow : p->ow, (int)p->co, (int)k, patches + (size_t)r * per_row, k, 1,
                    form, k, beta, y + (size_t)(first + r) * p->y_row, p->y_pixel);
}

// Rows of padded pixels follow each other, and `shifts` divides their length, so several rows are one
// product.
static void shifted_rows(const pass_t *p, float *y, const float *padded, const float *form, int first,
                         int count, float beta, float *aside)
{
    int groups = p->cols / p->shifts, panel = gemm_panel(), k = (p->kw + p->shifts - 1) * (int)p->ci;
    for (int ky = 0; ky < p->kh; ky++)
        gemm_panels(count * groups, panel, k, padded_row(p, padded, first + ky), (size_t)p->shifts * p->ci, 1,
                    form + (size_t)(ky * k * panel), depth(p), ky > 0, aside, (size_t)panel);
    for (int r = 0; r < count; r++)
        for (int ox = 0; ox < p->ow; ox++) {
            int group = ox / p->shifts, place = ox - group * p->shifts;
            const float *from = aside + (r * groups + group) * panel + place * (int)p->co;
            float *to = y + (size_t)(first + r) * p->y_row + (size_t)ox * p->y_pixel;
            for (size_t o = 0; o < p->co; o++) to[o] = beta == 0 ? from[o] : to[o] + from[o];
        }
}

static void plain_row(const pass_t *p, float *y, const float *padded, const float *form, int oy, float beta)
{
    size_t k = (size_t)p->kw * p->ci;
    for (int ky = 0; ky < p->kh; ky++)
        gemm_panels(p->ow, (int)p->co, (int)k, padded_row(p, padded, oy * p->stride + ky),
                    (size_t)p->stride * p->ci, 1, form + (size_t)ky * k * (size_t)gemm_panel(), depth(p),
                    ky > 0 ? 1 : beta, y, p->y_pixel);
}

// Some rows of outputs; beta is 0 (overwrite) or 1 (add).
static void output_rows(const pass_t *p, float *y, const float *padded, const float *form, int first,
                        int count, float beta, float *aside)
{
    if (p->shifts > 1)
        shifted_rows(p, y, padded, form, first, count, beta, aside);
    else if (p->gathers)
        gathered_rows(p, y, padded, form, first, count, beta, aside);
    else
        for (int oy = first; oy < first + count; oy++)
            plain_row(p, y + (size_t)oy * p->y_row, padded, form, oy, beta);
}

static bool is_product(const conv_t *k) // 1x1, stride 1: x already is the matrix
{
    return k->kh == 1 && k->kw == 1 && k->stride == 1 && k->pad == 0 && k->up == 1 && k->co > NARROW &&
           k->ci > NARROW;
}

static size_t gradient_size(const conv_t *k, const pass_t *p) // gy with a row as long as the padded image's
{
    return (size_t)k->oh * (size_t)(p->cols / p->stride) * (size_t)k->co + (size_t)gemm_panel();
}

static size_t scratch(const conv_t *k)
{
    size_t threads = (size_t)omp_get_max_threads(), most = 0, aside = 0;
    if (is_product(k)) return 0;
    pass_t p = forward_pass(k);
    size_t weights = gradient_size(k, &p) + (size_t)k->kh * (size_t)p.kw * p.ci * p.co + (size_t)gemm_panel();
    most = padded_size(&p) + (weights > threads * aside_size(&p) ? weights : threads * aside_size(&p));
    for (int class = 0; class < k->stride * k->stride; class ++) {
        p = backward_pass(k, class / k->stride, class % k->stride);
        size_t size = padded_size(&p);
        aside = threads * aside_size(&p) + (k->up > 1 ? (size_t)(k->h * k->w * k->ci) : 0);
        if (size + aside > most) most = size + aside;
    }
    return most;
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

static void run_pass(const pass_t *p, float *y, const float *x, const float *form, const float *bias,
                     act_t act, float beta, float *scratch)
{
    float *asides = scratch + padded_size(p);
#pragma omp parallel
    {
        pad_image(p, scratch, x);
        float *aside = asides + (size_t)omp_get_thread_num() * aside_size(p);
#pragma omp for
        for (int oy = 0; oy < p->oh; oy += ROWS_TOGETHER) {
            int count = p->oh - oy < ROWS_TOGETHER ? p->oh - oy : ROWS_TOGETHER;
            output_rows(p, y, scratch, form, oy, count, beta, aside);
            if (bias || act != ACT_NONE)
                kernel->act_forward(y + (size_t)oy * p->y_row, (size_t)(count * p->ow), p->co, bias, act);
        }
    }
}

static void forward(const conv_t *k, float *y, const float *x, const float *form, const float *bias,
                    act_t act, float *scratch)
{
    pass_t p = forward_pass(k);
    size_t image_x = (size_t)(k->h / k->up) * (size_t)(k->w / k->up) * p.ci,
           image_y = (size_t)k->oh * p.y_row;
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
            pass_t p = backward_pass(k, ry, rx);
            float *first = gx + (size_t)(ry * k->w + rx) * p.co;
            if (p.kh && p.kw) run_pass(&p, first, gy, form, NULL, ACT_NONE, beta, scratch);
            form += gemm_panels_size(depth(&p), columns(&p));
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

// gw[ky] (kw * ci, co) += x^T gy over all pixels; with few output channels the transpose of that.
static void weight_rows(const conv_t *k, const pass_t *p, float *gw, const float *padded, const float *gy,
                        int ky, int first, int count, float *transposed)
{
    int pixels = (k->oh - 1) * (p->cols / p->stride) + k->ow;
    size_t step = (size_t)p->stride * p->ci, width = (size_t)p->kw * p->ci;
    const float *x = padded_row(p, padded, ky) + first;
    float *to = gw + ((size_t)ky * width + (size_t)first) * p->co;
    if (p->co > NARROW) {
        gemm_rows(count, (int)p->co, pixels, x, 1, step, gy, p->co, 1, to, p->co);
        return;
    }
    gemm_rows((int)p->co, count, pixels, gy, 1, p->co, x, step, 0, transposed, (size_t)count);
    for (int i = 0; i < count; i++)
        for (size_t o = 0; o < p->co; o++)
            to[(size_t)i * p->co + o] += transposed[o * (size_t)count + (size_t)i];
}

static void backward_weights(const conv_t *k, float *gw, const float *x, const float *gy, float *scratch)
{
    enum { ROWS = 48 };
    pass_t p = forward_pass(k);
    size_t image_x = (size_t)(k->h / k->up) * (size_t)(k->w / k->up) * p.ci,
           image_y = (size_t)(k->oh * k->ow) * p.co;
    int width = p.kw * (int)p.ci, parts = (width + ROWS - 1) / ROWS;
    if (is_product(k)) {
#pragma omp parallel for
        for (int i = 0; i < parts; i++)
            gemm_rows(width - i * ROWS < ROWS ? width - i * ROWS : ROWS, k->co, k->n * k->oh * k->ow,
                      x + i * ROWS, 1, p.ci, gy, p.co, 1, gw + (size_t)(i * ROWS) * p.co, p.co);
        return;
    }
    float *stretched = scratch + padded_size(&p), *transposed = stretched + gradient_size(k, &p);
    for (size_t n = 0; n < (size_t)k->n; n++) {
#pragma omp parallel
        {
            pad_image(&p, scratch, x + n * image_x);
            stretch_gradient(k, &p, stretched, gy + n * image_y);
#pragma omp for
            for (int i = 0; i < k->kh * parts; i++) {
                int ky = i / parts, first = i % parts * ROWS,
                    count = width - first < ROWS ? width - first : ROWS;
                weight_rows(k, &p, gw, scratch, stretched, ky, first, count,
                            transposed + (size_t)(ky * width + first) * p.co);
            }
        }
    }
}

static bool fits(const conv_t *k)
{
    (void)k;
    return true;
}

// Shifted weights hold zeros, and a panel may not be full.
static double products(const conv_t *k)
{
    pass_t p = forward_pass(k);
    return p.shifts == 1 ? 1 : (double)(p.kw + p.shifts - 1) / p.kw * gemm_panel() / (double)columns(&p);
}

const conv_kernel_t conv_direct = { "direct",  fits,    products,      scratch,         form_size,
                                    make_form, forward, backward_data, backward_weights };
