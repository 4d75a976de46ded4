// The convolution as its definition says, one multiplication at a time: what every fast kernel is tested
// against.

#include <string.h>

#include "conv.h"

#define EACH_PRODUCT(k)                                                                     \
    for (int n = 0; n < (k)->n; n++)                                                        \
        for (int oy = 0; oy < (k)->oh; oy++)                                                \
            for (int ox = 0; ox < (k)->ow; ox++)                                            \
                for (int ky = 0; ky < (k)->kh; ky++)                                        \
                    for (int kx = 0; kx < (k)->kw; kx++)                                    \
                        for (int iy = oy * (k)->stride + ky - (k)->pad,                     \
                                 ix = ox * (k)->stride + kx - (k)->pad,                     \
                                 inside = iy >= 0 && iy < (k)->h && ix >= 0 && ix < (k)->w; \
                             inside; inside = 0)                                            \
                            for (int ci = 0; ci < (k)->ci; ci++)                            \
                                for (int co = 0; co < (k)->co; co++)

static size_t at(int a, int b, int c, int d, int nb, int nc, int nd)
{
    return (((size_t)a * (size_t)nb + (size_t)b) * (size_t)nc + (size_t)c) * (size_t)nd + (size_t)d;
}

#define IN(k) at(n, iy / (k)->up, ix / (k)->up, ci, (k)->h / (k)->up, (k)->w / (k)->up, (k)->ci)
#define WEIGHT(k) at(ky, kx, ci, co, (k)->kw, (k)->ci, (k)->co)
#define OUT(k) at(n, oy, ox, co, (k)->oh, (k)->ow, (k)->co)

static bool fits(const conv_t *k, conv_pass_t pass)
{
    (void)k, (void)pass;
    return true;
}

static double products(const conv_t *k)
{
    (void)k;
    return 1;
}

static size_t scratch(const conv_t *k)
{
    (void)k;
    return 0;
}

static size_t form_size(const conv_t *k, conv_pass_t which)
{
    (void)which;
    return at(k->kh, 0, 0, 0, k->kw, k->ci, k->co);
}

static void make_form(const conv_t *k, conv_pass_t which, float *form, const float *weight)
{
    memcpy(form, weight, form_size(k, which) * sizeof(float));
}

static void forward(const conv_t *k, float *y, const float *x, const float *weight, const float *bias,
                    act_t act, float *unused)
{
    (void)unused;
    size_t pixels = at(k->n, 0, 0, 0, k->oh, k->ow, 1);
    memset(y, 0, pixels * (size_t)k->co * sizeof(float));
    EACH_PRODUCT(k) y[OUT(k)] += x[IN(k)] * weight[WEIGHT(k)];
    kernel->act_forward(y, pixels, (size_t)k->co, bias, act);
}

static void backward_data(const conv_t *k, float *gx, const float *gy, const float *weight, bool adds,
                          float *unused)
{
    (void)unused;
    if (!adds) memset(gx, 0, at(k->n, 0, 0, 0, k->h / k->up, k->w / k->up, k->ci) * sizeof(float));
    EACH_PRODUCT(k) gx[IN(k)] += gy[OUT(k)] * weight[WEIGHT(k)];
}

static void backward_weights(const conv_t *k, float *gw, const float *x, const float *gy, float *unused)
{
    (void)unused;
    EACH_PRODUCT(k) gw[WEIGHT(k)] += x[IN(k)] * gy[OUT(k)];
}

const conv_kernel_t conv_plain = { "plain",   fits,    products,      scratch,         form_size,
                                   make_form, forward, backward_data, backward_weights };
