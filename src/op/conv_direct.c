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

#include "conv.h"

enum {
    SHORT = 32,        // fewer floats under a row of weights are treated specially
    TALL = 16,         // if not more rows of weights
    ROWS_TOGETHER = 6, // of outputs, for a thread at a time
    AT_ONCE = 48,      // rows of a product that are looked up
};

// One direction of one pixel class: an image of (h, w, ci) padded by (top, left), met by a kernel of (kh,
// kw).
typedef struct {
    int h, w, up;               // of the input
    int top, left, rows, cols;  // padded: `cols` pixels a row, rows / stride rows in each class
    int stride, kh, kw, oh, ow; // the outputs
    size_t ci, co;
    size_t y_row, y_pixel; // floats between rows and between pixels of the output
    bool is_short;
} pass_t;

static int up_to(int x, int step)
{
    return (x + step - 1) / step * step;
}

static void finish(pass_t *p)
{
    p->is_short = p->kh > 1 && p->kh <= TALL && (size_t)p->kw * p->ci < SHORT;
    p->rows = up_to((p->oh - 1) * p->stride + p->kh, p->stride);
    p->cols = up_to((p->ow - 1) * p->stride + p->kw, p->stride);
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
    return (size_t)p->kh * (size_t)p->kw * p->ci;
}

// ---- the padded image ------------------------------------------------------------------------------

static size_t padded_size(const pass_t *p)
{
    // A product may read a row of weights past the last pixel; that too must be finite.
    return ((size_t)p->rows * (size_t)p->cols + (size_t)(p->kw + p->stride + 1)) * p->ci +
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
    size_t all = depth(p);
    memset(form, 0, gemm_panels_size(all, p->co) * sizeof(float));
#pragma omp parallel for
    for (int ky = 0; ky < p->kh; ky++)
        for (int kx = 0; kx < p->kw; kx++)
            for (size_t c = 0; c < p->ci; c++)
                for (size_t o = 0; o < p->co; o++)
                    form[gemm_panels_at(all, (size_t)(ky * p->kw + kx) * p->ci + c, o)] =
                        weight_at(k, p, weight, which, ry, rx, ky, kx, c, o);
}

static size_t form_size(const conv_t *k, conv_form_t which)
{
    pass_t p = forward_pass(k);
    if (conv_spreads(k, which)) return conv_spread_form_size(k, which);
    if (which == CONV_FORWARD) return gemm_panels_size(depth(&p), p.co);
    size_t sum = 0;
    for (int ry = 0; ry < k->stride; ry++)
        for (int rx = 0; rx < k->stride; rx++) {
            p = backward_pass(k, ry, rx);
            sum += gemm_panels_size(depth(&p), p.co);
        }
    return sum;
}

static void make_form(const conv_t *k, conv_form_t which, float *form, const float *weight)
{
    pass_t p = forward_pass(k);
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
            p = backward_pass(k, ry, rx);
            make_pass_form(k, &p, which, ry, rx, form, weight);
            form += gemm_panels_size(depth(&p), p.co);
        }
}

// ---- products --------------------------------------------------------------------------------------

// Where the rows of the padded image under those of the weights begin, from the first one on.
static void find_segments(const pass_t *p, const float *padded, size_t segment[TALL])
{
    for (int ky = 0; ky < p->kh; ky++) segment[ky] = (size_t)(padded_row(p, padded, ky) - padded);
}

static void short_row(const pass_t *p, float *y, const float *padded, const float *form, int oy, float beta)
{
    const float *row[AT_ONCE], *first = padded_row(p, padded, oy * p->stride);
    size_t segment[TALL];
    find_segments(p, padded, segment);
    for (int x = 0; x < p->ow; x += AT_ONCE) {
        int count = p->ow - x < AT_ONCE ? p->ow - x : AT_ONCE;
        for (int i = 0; i < count; i++) row[i] = first + (size_t)((x + i) * p->stride) * p->ci;
        rows_at_t a = { count, p->kh, p->kw * (int)p->ci, row, segment, 1 };
        gemm_panels_of((int)p->co, &a, form, beta, y + (size_t)x * p->y_pixel, p->y_pixel);
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

static bool is_product(const conv_t *k) // 1x1, stride 1: x already is the matrix
{
    return k->kh == 1 && k->kw == 1 && k->stride == 1 && k->pad == 0 && k->up == 1;
}

static size_t gradient_size(const conv_t *k, const pass_t *p) // gy with a row as long as the padded image's
{
    return (size_t)k->oh * (size_t)(p->cols / p->stride) * (size_t)k->co + (size_t)gemm_panel();
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
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

static size_t scratch(const conv_t *k)
{
    size_t size;
    if (is_product(k)) return 0;
    conv_t t = turns(k) ? turned(k) : *k;
    pass_t p = forward_pass(&t);
    size = padded_size(&p) + gradient_size(&t, &p) + (turns(k) ? (size_t)(k->kh * k->kw * k->ci * k->co) : 0);
    p = forward_pass(k);
    size = most(size, padded_size(&p));
    for (int class = 0; class < k->stride * k->stride; class ++) {
        p = backward_pass(k, class / k->stride, class % k->stride);
        size_t full = k->up > 1 ? (size_t)(k->h * k->w * k->ci) : 0;
        size = most(size, padded_size(&p) + full);
    }
    for (int which = CONV_FORWARD; which <= CONV_BACKWARD_DATA; which++)
        if (conv_spreads(k, (conv_form_t)which))
            size = most(size, conv_spread_scratch(k, (conv_form_t)which));
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
    pass_t p = forward_pass(k);
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
            pass_t p = backward_pass(k, ry, rx);
            float *first = gx + (size_t)(ry * k->w + rx) * p.co;
            if (p.kh && p.kw) run_pass(&p, first, gy, form, NULL, ACT_NONE, beta, scratch);
            form += gemm_panels_size(depth(&p), p.co);
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
    int all = (int)depth(p), outputs = up_to(PIXELS, p->ow) / p->ow;
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
    pass_t p = forward_pass(k);
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

static void backward_weights(const conv_t *k, float *gw, const float *x, const float *gy, float *scratch)
{
    enum { ROWS = 48 };
    size_t ci = (size_t)k->ci, co = (size_t)k->co, taps = (size_t)(k->kh * k->kw);
    if (is_product(k)) {
#pragma omp parallel for
        for (int i = 0; i < k->ci; i += ROWS)
            gemm_rows(k->ci - i < ROWS ? k->ci - i : ROWS, k->co, k->n * k->oh * k->ow, x + i, 1, ci, gy, co,
                      1, gw + (size_t)i * co, co);
        return;
    }
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

static bool fits(const conv_t *k)
{
    (void)k;
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
