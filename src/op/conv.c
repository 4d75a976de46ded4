// Convolution: y = act(conv(x, weight) + bias), in NHWC with weights (kh, kw, ci, co).
// The products are a kernel's business (conv.h); this file adds what surrounds them.

#include "conv.h"

enum { X, WEIGHT, BIAS };

static conv_t conv_of(const node_t *y)
{
    shape_t x = y->in[X]->dim, k = y->in[WEIGHT]->dim;
    return (conv_t){ x.n, x.h, x.w, x.c, y->dim.h, y->dim.w, y->dim.c, k.n, k.h, y->i[0], y->i[1] };
}

static const conv_kernel_t *kernel_of(void)
{
    return op_plain ? &conv_plain : &conv_gemm;
}

static void forward(node_t *y)
{
    conv_t k = conv_of(y);
    kernel_of()->forward(&k, y->x, y->in[X]->x, y->in[WEIGHT]->x, y->scratch);
    if (y->n_in > BIAS) {
        const float *bias = y->in[BIAS]->x;
        size_t pixels = numel(y->dim) / (size_t)k.co;
        for (size_t p = 0; p < pixels; p++)
            for (int c = 0; c < k.co; c++) y->x[p * (size_t)k.co + (size_t)c] += bias[c];
    }
    act_forward(y->x, numel(y->dim), (act_t)y->i[2]);
}

static void backward(node_t *y)
{
    conv_t k = conv_of(y);
    act_backward(y->g, y->x, numel(y->dim), (act_t)y->i[2]);
    if (y->n_in > BIAS && y->in[BIAS]->g) {
        float *gb = y->in[BIAS]->g;
        size_t pixels = numel(y->dim) / (size_t)k.co;
        for (size_t p = 0; p < pixels; p++)
            for (int c = 0; c < k.co; c++) gb[c] += y->g[p * (size_t)k.co + (size_t)c];
    }
    if (y->in[WEIGHT]->g) kernel_of()->backward_weights(&k, y->in[WEIGHT]->g, y->in[X]->x, y->g, y->scratch);
    if (y->in[X]->g) kernel_of()->backward_data(&k, y->in[X]->g, y->g, y->in[WEIGHT]->x, y->scratch);
}

static size_t scratch(const node_t *y)
{
    conv_t k = conv_of(y);
    return conv_gemm.scratch(&k);
}

static double flops(const node_t *y)
{
    conv_t k = conv_of(y);
    return 2.0 * (double)numel(y->dim) * k.kh * k.kw * k.ci;
}

static var_t example(tape_t *t, int i)
{
    static const struct {
        shape_t x;
        int k, co, stride, pad;
        bool bias;
        act_t act;
    } e[] = {
        { { 2, 5, 6, 3 }, 3, 4, 1, 1, true, ACT_NONE },   { { 1, 8, 8, 4 }, 3, 3, 2, 1, false, ACT_NONE },
        { { 2, 8, 8, 2 }, 4, 3, 2, 1, true, ACT_LEAKY },  { { 1, 7, 5, 2 }, 7, 3, 1, 3, true, ACT_TANH },
        { { 2, 4, 3, 5 }, 1, 3, 1, 0, false, ACT_NONE },  { { 1, 4, 4, 3 }, 4, 2, 1, 0, true, ACT_NONE },
        { { 1, 16, 12, 8 }, 3, 9, 1, 1, true, ACT_NONE },
    };
    if (i >= (int)(sizeof e / sizeof *e)) return NULL;
    var_t x = tape_variable(t, e[i].x), w = tape_variable(t, (shape_t){ e[i].k, e[i].k, e[i].x.c, e[i].co });
    var_t b = e[i].bias ? tape_variable(t, (shape_t){ 1, 1, 1, e[i].co }) : NULL;
    return conv(x, w, b, e[i].stride, e[i].pad, e[i].act);
}

const op_t op_conv = { .name = "conv",
                       .forward = forward,
                       .backward = backward,
                       .example = example,
                       .reads_inputs = true,
                       .reads_output = true,
                       .scratch = scratch,
                       .flops = flops };

var_t conv(var_t x, var_t weight, var_t bias, int stride, int pad, act_t act)
{
    shape_t k = weight->dim, d = { x->dim.n, (x->dim.h + 2 * pad - k.n) / stride + 1,
                                   (x->dim.w + 2 * pad - k.h) / stride + 1, k.c };
    CHECK(k.w == x->dim.c, "conv: %d channels meet a weight for %d", x->dim.c, k.w);
    CHECK(d.h > 0 && d.w > 0, "conv: a %dx%d kernel does not fit %dx%d pixels", k.n, k.h, x->dim.h, x->dim.w);
    var_t y = tape_node(x->tape, &op_conv, d, bias ? 3 : 2, (var_t[]){ x, weight, bias });
    y->i[0] = stride;
    y->i[1] = pad;
    y->i[2] = (int)act;
    return y;
}
