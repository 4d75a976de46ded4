// Convolution: y = act(conv(x, weight) + bias), in NHWC with weights (kh, kw, ci, co); x may be upsampled on
// the way. The products are a kernel's business (conv.h); this file chooses it and adds what surrounds them.

#include <stdio.h>

#include "conv.h"

enum { X, WEIGHT, BIAS };

static const conv_kernel_t *const kernels[] = { &conv_winograd, &conv_direct };

static conv_t conv_of(const node_t *y)
{
    shape_t x = y->in[X]->dim, k = y->in[WEIGHT]->dim;
    int up = y->i[3];
    return (conv_t){ x.n,      x.h * up, x.w * up, x.c,     y->dim.h, y->dim.w,
                     y->dim.c, k.n,      k.h,      y->i[0], y->i[1],  up };
}

// The first that fits: a function of the shape alone, so every rank chooses alike.
static const conv_kernel_t *choose(const conv_t *k, conv_pass_t pass)
{
    int i = 0;
    while (!kernels[i]->fits(k, pass)) i++;
    return kernels[i];
}

static const conv_kernel_t *kernel_of(const conv_t *k, conv_pass_t pass)
{
    return op_plain ? &conv_plain : choose(k, pass);
}

static const char *way_of(const conv_t *k, conv_pass_t pass)
{
    const conv_kernel_t *way = choose(k, pass);
    return way == &conv_direct && pass != CONV_BACKWARD_WEIGHTS && conv_spreads(k, pass) ? "spread"
                                                                                         : way->name;
}

void conv_kernel_text(char *text, size_t size, const node_t *y)
{
    conv_t k = conv_of(y);
    const char *way = way_of(&k, CONV_FORWARD), *data = way_of(&k, CONV_BACKWARD_DATA),
               *weights = way_of(&k, CONV_BACKWARD_WEIGHTS);
    snprintf(text, size, "%s %.2f%s%s%s%s", way, choose(&k, CONV_FORWARD)->products(&k),
             data == way ? "" : ", data ", data == way ? "" : data, weights == way ? "" : ", weights ",
             weights == way ? "" : weights);
}

void conv_why_text(char *text, size_t size, const node_t *y)
{
    conv_t k = conv_of(y);
    conv_winograd_why(text, size, &k);
}

double conv_products(const node_t *y)
{
    conv_t k = conv_of(y);
    return y->op->flops(y) * choose(&k, CONV_FORWARD)->products(&k);
}

static void forward(node_t *y)
{
    conv_t k = conv_of(y);
    const float *bias = y->n_in > BIAS ? y->in[BIAS]->x : NULL;
    kernel_of(&k, CONV_FORWARD)
        ->forward(&k, y->x, y->in[X]->x, op_plain ? y->in[WEIGHT]->x : y->form[0]->data, bias, (act_t)y->i[2],
                  y->scratch);
}

static void backward_bias(const node_t *y)
{
    float *gb = y->in[BIAS]->g;
    size_t c = (size_t)y->dim.c, pixels = numel(y->dim) / c;
    for (size_t p = 0; p < pixels; p++) kernel->add_to(gb, y->g + p * c, c);
}

static void act_backward(node_t *y)
{
    size_t row = (size_t)y->dim.w * (size_t)y->dim.c;
    if (y->i[2] == ACT_NONE) return;
#pragma omp parallel for
    for (int i = 0; i < y->dim.n * y->dim.h; i++)
        kernel->act_backward(y->g + (size_t)i * row, y->x + (size_t)i * row, row, (act_t)y->i[2]);
}

static void backward(node_t *y)
{
    conv_t k = conv_of(y);
    act_backward(y);
    if (y->n_in > BIAS && y->in[BIAS]->g) backward_bias(y);
    double began = trace_on ? now() : 0;
    if (y->in[WEIGHT]->g)
        kernel_of(&k, CONV_BACKWARD_WEIGHTS)
            ->backward_weights(&k, y->in[WEIGHT]->g, y->in[X]->x, y->g, y->scratch);
    if (trace_on) trace_add("conv weights", "", "detail", y->index, began);
    if (y->in[X]->g)
        kernel_of(&k, CONV_BACKWARD_DATA)
            ->backward_data(&k, y->in[X]->g, y->g, op_plain ? y->in[WEIGHT]->x : y->form[1]->data,
                            !y->fresh[X], y->scratch);
}

static size_t form_size(const node_t *y, int which)
{
    conv_t k = conv_of(y);
    return choose(&k, (conv_pass_t)which)->form_size(&k, (conv_pass_t)which);
}

static void make_form(const node_t *y, int which, float *form)
{
    conv_t k = conv_of(y);
    choose(&k, (conv_pass_t)which)->make_form(&k, (conv_pass_t)which, form, y->in[WEIGHT]->x);
}

static size_t scratch(const node_t *y)
{
    conv_t k = conv_of(y);
    size_t most = 0;
    for (int pass = 0; pass < CONV_PASSES; pass++) {
        size_t size = choose(&k, (conv_pass_t)pass)->scratch(&k);
        if (size > most) most = size;
    }
    return most;
}

static double flops(const node_t *y)
{
    conv_t k = conv_of(y);
    return 2.0 * (double)numel(y->dim) * k.kh * k.kw * k.ci;
}

static var_t convolution(var_t x, var_t weight, var_t bias, int stride, int pad, act_t act, int up);

static var_t example(tape_t *t, int i)
{
    static const struct {
        shape_t x;
        int k, co, stride, pad, up;
        bool bias;
        act_t act;
    } e[] = {
        { { 2, 5, 6, 3 }, 3, 4, 1, 1, 1, true, ACT_NONE },     // few channels
        { { 1, 8, 8, 4 }, 3, 12, 2, 1, 1, false, ACT_NONE },   // stride 2, as in E
        { { 2, 8, 8, 2 }, 4, 11, 2, 1, 1, true, ACT_LEAKY },   // as in D
        { { 1, 7, 5, 2 }, 7, 3, 1, 3, 1, true, ACT_NONE },     // as at the end of G
        { { 2, 4, 3, 12 }, 1, 9, 1, 0, 1, false, ACT_NONE },   // a plain product
        { { 1, 4, 4, 3 }, 4, 2, 1, 0, 1, true, ACT_NONE },     // no padding
        { { 1, 7, 9, 4 }, 3, 10, 2, 1, 1, true, ACT_NONE },    // odd sizes
        { { 1, 5, 7, 16 }, 3, 16, 1, 1, 1, true, ACT_NONE },   // Winograd, sizes that its tiles do not divide
        { { 1, 4, 3, 16 }, 3, 16, 1, 1, 2, false, ACT_NONE },  // Winograd, upsampled
        { { 1, 7, 14, 16 }, 3, 16, 2, 1, 1, false, ACT_NONE }, // Winograd, stride 2
        { { 2, 3, 2, 5 }, 3, 4, 1, 1, 2, true, ACT_NONE },     // upsampled
        { { 1, 3, 4, 6 }, 3, 12, 1, 1, 2, false, ACT_RELU },
        { { 1, 16, 16, 16 }, 3, 16, 1, 1, 1, false, ACT_NONE }, // Winograd, weights too
    };
    if (i >= (int)(sizeof e / sizeof *e)) return NULL;
    var_t x = tape_variable(t, e[i].x), w = tape_variable(t, (shape_t){ e[i].k, e[i].k, e[i].x.c, e[i].co });
    var_t b = e[i].bias ? tape_variable(t, (shape_t){ 1, 1, 1, e[i].co }) : NULL;
    return convolution(x, w, b, e[i].stride, e[i].pad, e[i].act, e[i].up);
}

const op_t op_conv = { .name = "conv",
                       .forward = forward,
                       .backward = backward,
                       .example = example,
                       .reads_inputs = true,
                       .reads_output = true,
                       .overwrites = 1 << X,
                       .scratch = scratch,
                       .form_size = form_size,
                       .make_form = make_form,
                       .flops = flops };

static var_t convolution(var_t x, var_t weight, var_t bias, int stride, int pad, act_t act, int up)
{
    shape_t k = weight->dim, d = { x->dim.n, (x->dim.h * up + 2 * pad - k.n) / stride + 1,
                                   (x->dim.w * up + 2 * pad - k.h) / stride + 1, k.c };
    CHECK(k.w == x->dim.c, "conv: %d channels meet a weight for %d", x->dim.c, k.w);
    CHECK(x->dim.h * up + 2 * pad >= k.n && x->dim.w * up + 2 * pad >= k.h,
          "conv: a %dx%d kernel does not fit %dx%d pixels", k.n, k.h, x->dim.h, x->dim.w);
    var_t y = tape_node(x->tape, &op_conv, d, bias ? 3 : 2, (var_t[]){ x, weight, bias });
    y->i[0] = stride;
    y->i[1] = pad;
    y->i[2] = (int)act;
    y->i[3] = up;
    return y;
}

var_t conv(var_t x, var_t weight, var_t bias, int stride, int pad, act_t act)
{
    return convolution(x, weight, bias, stride, pad, act, 1);
}

var_t upsample_conv(var_t x, var_t weight, var_t bias, int pad, act_t act)
{
    return convolution(x, weight, bias, 1, pad, act, 2);
}
