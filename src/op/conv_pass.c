// Geometry and padded image of a convolution's passes: see conv_direct.c.

#include <string.h>

#include "conv_pass.h"

static int up_to(int x, int step)
{
    return (x + step - 1) / step * step;
}

static void finish(pass_t *p)
{
    p->is_short = p->kh > 1 && p->kh <= SEGMENTS && (size_t)p->kw * p->ci < SHORT;
    p->rows = up_to((p->oh - 1) * p->stride + p->kh, p->stride);
    p->cols = (p->ow - 1) * p->stride + p->kw;
}

pass_t pass_forward(const conv_t *k)
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
pass_t pass_backward(const conv_t *k, int ry, int rx)
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

size_t pass_depth(const pass_t *p)
{
    return (size_t)p->kh * (size_t)p->kw * p->ci;
}

size_t padded_size(const pass_t *p)
{
    return (size_t)p->rows * (size_t)p->cols * p->ci;
}

float *padded_row(const pass_t *p, const float *padded, int y)
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

void pad_image(const pass_t *p, float *padded, const float *x)
{
#pragma omp for
    for (int y = 0; y < p->rows; y++) pad_row(p, padded_row(p, padded, y), x, y);
}
