// A pass of a convolution that gives few channels: the last layer of G, and the gradient of an image.
//
// Each pixel of the input meets all taps in one product, P = x (pixels, ci) W (ci, kh * kw * co), which fills
// the vectors that co alone would leave empty; an output pixel then gathers its kh * kw parts,
//
//     y[oy][ox] = sum over ky, kx of P[(oy + top - ky) / stride][(ox + left - kx) / stride][ky][kx]
//
// where these divide.  That is backward_data as it stands, and the forward pass of stride 1 with the kernel
// turned. A thread keeps the few rows of P that a row of outputs gathers from, with empty pixels on both
// sides.

#include <omp.h>
#include <string.h>

#include "conv.h"

typedef struct {
    int n, h, w, oh, ow; // images, pixels of the input and of the output
    int kh, kw, stride, top, left;
    int before, after; // empty pixels beside a row of P
    size_t ci, co;
    size_t pixel, row, slots; // floats of a pixel and of a row of P, and rows that are kept
} spread_t;

bool conv_spreads(const conv_t *k, conv_pass_t which)
{
    bool forward = which == CONV_FORWARD;
    bool fits =
        k->kh * k->kw > 1 && k->kh <= CONV_TAPS_MOST && k->pad < k->kh && k->pad < k->kw && k->up == 1;
    return fits && (forward ? k->co <= SPREAD_MOST && k->stride == 1 : k->ci <= SPREAD_MOST);
}

static spread_t spread_of(const conv_t *k, conv_pass_t which)
{
    spread_t s = { .n = k->n, .kh = k->kh, .kw = k->kw, .stride = k->stride };
    if (which == CONV_FORWARD) {
        s.h = k->h, s.w = k->w, s.oh = k->oh, s.ow = k->ow;
        s.top = k->kh - 1 - k->pad, s.left = k->kw - 1 - k->pad;
        s.ci = (size_t)k->ci, s.co = (size_t)k->co;
    } else {
        s.h = k->oh, s.w = k->ow, s.oh = k->h, s.ow = k->w;
        s.top = s.left = k->pad;
        s.ci = (size_t)k->co, s.co = (size_t)k->ci;
    }
    int right = (s.ow - 1 + s.left) / s.stride - (s.w - 1);
    s.before = (s.kw - 1) / s.stride + 1;
    s.after = right > 0 ? right : 0;
    s.pixel = gemm_panels_size(1, (size_t)(s.kh * s.kw) * s.co);
    s.row = (size_t)(s.before + s.w + s.after) * s.pixel;
    s.slots = (size_t)((s.kh - 1) / s.stride + 1);
    return s;
}

size_t conv_spread_form_size(const conv_t *k, conv_pass_t which)
{
    spread_t s = spread_of(k, which);
    return s.ci * s.pixel;
}

void conv_spread_form(const conv_t *k, conv_pass_t which, float *form, const float *weight)
{
    spread_t s = spread_of(k, which);
    size_t taps = (size_t)(s.kh * s.kw), ci = (size_t)k->ci, co = (size_t)k->co;
    memset(form, 0, s.ci * s.pixel * sizeof(float));
#pragma omp parallel for
    for (size_t t = 0; t < taps; t++)
        for (size_t i = 0; i < ci; i++)
            for (size_t o = 0; o < co; o++) {
                float w = weight[(t * ci + i) * co + o];
                if (which == CONV_FORWARD)
                    form[gemm_panels_at(s.ci, i, (taps - 1 - t) * co + o)] = w;
                else
                    form[gemm_panels_at(s.ci, o, t * ci + i)] = w;
            }
}

static size_t aside_size(const spread_t *s) // the rows of P, and room to read past the last number
{
    return s->slots * s->row + KERNEL_LANES;
}

size_t conv_spread_scratch(const conv_t *k, conv_pass_t which)
{
    spread_t s = spread_of(k, which);
    return (size_t)omp_get_max_threads() * aside_size(&s);
}

static float *row_of(const spread_t *s, float *kept, int r) // its first pixel, after the empty ones
{
    return kept + (size_t)r % s->slots * s->row + (size_t)s->before * s->pixel;
}

// Row oy of the outputs, from rows of P.
static void gather_row(const spread_t *s, float *y, float *kept, int oy, bool adds)
{
    for (int phase = 0; phase < s->stride && phase < s->ow; phase++) {
        const float *from[CONV_TAPS_MOST];
        int kx = (phase + s->left) % s->stride, rows = 0;
        int taps = kx < s->kw ? (s->kw - 1 - kx) / s->stride + 1 : 0,
            pixels = (s->ow - 1 - phase) / s->stride + 1;
        for (int ky = (oy + s->top) % s->stride; ky < s->kh; ky += s->stride) {
            int r = (oy + s->top - ky) / s->stride;
            if (oy + s->top < ky || r >= s->h) continue;
            from[rows++] = row_of(s, kept, r) + (size_t)((phase + s->left - kx) / s->stride) * s->pixel +
                           (size_t)(ky * s->kw + kx) * s->co;
        }
        kernel->gather(y + (size_t)phase * s->co, (size_t)s->stride * s->co, s->co, from, (size_t)rows,
                       (size_t)pixels, s->pixel, (size_t)taps, s->pixel - (size_t)s->stride * s->co, adds);
    }
}

static int floor_of(int a, int b) // a / b, which is 0 or more
{
    return a > 0 ? a / b : 0;
}

// Output rows [first, end) of one image.
static void band(const spread_t *s, float *y, const float *x, const float *form, int first, int end,
                 const float *bias, act_t act, bool adds, float *kept)
{
    size_t y_row = (size_t)s->ow * s->co, x_row = (size_t)s->w * s->ci;
    int next = floor_of(first + s->top - s->kh + s->stride, s->stride);
    memset(kept, 0, aside_size(s) * sizeof(float));
    for (int oy = first; oy < end; oy++) {
        for (int last = (oy + s->top) / s->stride; next <= last && next < s->h; next++)
            gemm_panels(s->w, (int)s->pixel, (int)s->ci, x + (size_t)next * x_row, s->ci, 1, form, s->ci, 0,
                        row_of(s, kept, next), s->pixel);
        gather_row(s, y + (size_t)oy * y_row, kept, oy, adds);
        if (bias || act != ACT_NONE)
            kernel->act_forward(y + (size_t)oy * y_row, (size_t)s->ow, s->co, bias, act);
    }
}

void conv_spread(const conv_t *k, conv_pass_t which, float *y, const float *x, const float *form,
                 const float *bias, act_t act, bool adds, float *scratch)
{
    spread_t s = spread_of(k, which);
    size_t image_x = (size_t)(s.h * s.w) * s.ci, image_y = (size_t)(s.oh * s.ow) * s.co;
    // Bands compute rows of P that they share: few, and none where whole images share out evenly.
    int bands = s.n % omp_get_max_threads() ? 4 : 1;
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < s.n * bands; i++) {
        int n = i / bands, b = i % bands;
        band(&s, y + (size_t)n * image_y, x + (size_t)n * image_x, form, s.oh * b / bands,
             s.oh * (b + 1) / bands, bias, act, adds,
             scratch + (size_t)omp_get_thread_num() * aside_size(&s));
    }
}
