// The passes of a norm over one image of (pixels, c): sums for its statistics, and applying them.
//
// Up to BLOCK pixels are summed in float and blocks in double, which keeps the error of a 256x256 mean below
// 1e-6 of its terms.

#include "isa.h"

enum { BLOCK = 64, WIDE = 16 };
static const float LEAK = 0.2f;

// Adds to s1[c] and s2[c] the sums of x - shift and of its square.
void ISA_NAME(norm_sums)(const float *x, size_t pixels, size_t c, const float *shift, double *s1, double *s2)
{
    for (size_t p0 = 0; p0 < pixels; p0 += BLOCK) {
        size_t end = p0 + BLOCK < pixels ? p0 + BLOCK : pixels, j = 0;
        for (; j + LANES <= c; j += LANES) {
            vec_t middle = load(shift + j), a = { 0 }, b = { 0 };
            for (size_t p = p0; p < end; p++) {
                vec_t v = load(x + p * c + j) - middle;
                a += v;
                b += v * v;
            }
            for (size_t l = 0; l < LANES; l++) {
                s1[j + l] += a[l];
                s2[j + l] += b[l];
            }
        }
        for (; j < c; j++) {
            float a = 0, b = 0;
            for (size_t p = p0; p < end; p++) {
                float v = x[p * c + j] - shift[j];
                a += v;
                b += v * v;
            }
            s1[j] += a;
            s2[j] += b;
        }
    }
}

// Calls `body(i, j)` for element i of channel j: WIDE channels at a time, which fill whole vectors and keep
// what belongs to the channels in registers, over BLOCK pixels, which stay in the cache.
#define EACH_ELEMENT(pixels, c, body)                                                  \
    for (size_t p0 = 0; p0 < (pixels); p0 += BLOCK) {                                  \
        size_t end = p0 + BLOCK < (pixels) ? p0 + BLOCK : (pixels), first = 0;         \
        for (; first + WIDE <= (c); first += WIDE) {                                   \
            for (size_t p = p0; p < end; p++)                                          \
                for (size_t l = 0; l < WIDE; l++) body(p *(c) + first + l, first + l); \
        }                                                                              \
        for (size_t p = p0; p < end; p++)                                              \
            for (size_t j = first; j < (c); j++) body(p *(c) + j, j);                  \
    }

INLINE float after_act(float v, act_t act)
{
    return act == ACT_RELU ? (v > 0 ? v : 0) : act == ACT_LEAKY ? (v > 0 ? v : LEAK * v) : v;
}

// The gradient before the activation of v, which costs less to compute again than the output costs to read.
INLINE float before_act(float g, float v, act_t act)
{
    return act == ACT_NONE || v > 0 ? g : act == ACT_RELU ? 0 : LEAK * g;
}

INLINE void apply(float *restrict y, const float *restrict x, size_t pixels, size_t c,
                  const float *restrict scale, const float *restrict offset, act_t act)
{
#define BODY(i, j) y[i] = after_act(x[i] * scale[j] + offset[j], act)
    EACH_ELEMENT(pixels, c, BODY)
#undef BODY
}

typedef int mask_t __attribute__((vector_size(LANES * 4)));

INLINE vec_t before_act_vector(vec_t g, vec_t v, act_t act)
{
    if (act == ACT_NONE) return g;
    mask_t on = v > 0;
    return (vec_t)((on & (mask_t)g) | (~on & (mask_t)(act == ACT_LEAKY ? LEAK * g : 0 * g)));
}

INLINE void gradient_sums(const float *g, const float *x, size_t pixels, size_t c, const float *scale,
                          double *s1, double *s2, act_t act)
{
    const float *offset = scale + c, *mean = offset + c;
    for (size_t p0 = 0; p0 < pixels; p0 += BLOCK) {
        size_t end = p0 + BLOCK < pixels ? p0 + BLOCK : pixels, j = 0;
        for (; j + WIDE <= c; j += WIDE) {
            enum { N = WIDE / LANES };
            vec_t a[N] = { { 0 } }, b[N] = { { 0 } };
            for (size_t i = p0 * c + j; i < end * c; i += c)
                for (size_t n = 0, l = 0; n < N; n++, l += LANES) {
                    vec_t v = load(x + i + l), y = v * load(scale + j + l) + load(offset + j + l);
                    vec_t d = before_act_vector(load(g + i + l), y, act);
                    a[n] += d;
                    b[n] += d * (v - load(mean + j + l));
                }
            for (size_t l = 0; l < WIDE; l++) {
                s1[j + l] += a[l / LANES][l % LANES];
                s2[j + l] += b[l / LANES][l % LANES];
            }
        }
        for (; j < c; j++) {
            float a = 0, b = 0;
            for (size_t i = p0 * c + j; i < end * c; i += c) {
                float d = before_act(g[i], x[i] * scale[j] + offset[j], act);
                a += d;
                b += d * (x[i] - mean[j]);
            }
            s1[j] += a;
            s2[j] += b;
        }
    }
}

INLINE void gradient(float *restrict gx, const float *restrict g, const float *restrict x, size_t pixels,
                     size_t c, const float *restrict scale, act_t act, bool adds)
{
    const float *restrict offset = scale + c, *restrict q = offset + c, *restrict r = q + c;
#define BODY(i, j)               \
    gx[i] = (adds ? gx[i] : 0) + \
            (before_act(g[i], x[i] * scale[j] + offset[j], act) * scale[j] + (x[i] * q[j] + r[j]))
    EACH_ELEMENT(pixels, c, BODY)
#undef BODY
}

// One copy of the loop for each activation.
#define EACH_ACT(act, call)                 \
    switch (act) {                          \
    case ACT_NONE: call(ACT_NONE); break;   \
    case ACT_RELU: call(ACT_RELU); break;   \
    case ACT_LEAKY: call(ACT_LEAKY); break; \
    }

// y = act(x * scale + offset).
void ISA_NAME(norm_apply)(float *y, const float *x, size_t pixels, size_t c, const float *scale,
                          const float *offset, act_t act)
{
#define CALL(a) apply(y, x, pixels, c, scale, offset, a)
    EACH_ACT(act, CALL)
#undef CALL
}

// Adds to s1[c] the sum of g', the gradient before the activation, and to s2[c] that of g' (x - mean).  k
// holds three rows of c numbers: scale and offset of norm_apply, and mean.
void ISA_NAME(norm_gradient_sums)(const float *g, const float *x, size_t pixels, size_t c, const float *k,
                                  double *s1, double *s2, act_t act)
{
#define CALL(a) gradient_sums(g, x, pixels, c, k, s1, s2, a)
    EACH_ACT(act, CALL)
#undef CALL
}

// gx = g' scale + x q + r, added to what gx holds or not.  k holds four rows: scale, offset, q, r.
void ISA_NAME(norm_gradient)(float *gx, const float *g, const float *x, size_t pixels, size_t c,
                             const float *k, act_t act, bool adds)
{
#define CALL(a) adds ? gradient(gx, g, x, pixels, c, k, a, true) : gradient(gx, g, x, pixels, c, k, a, false)
    EACH_ACT(act, CALL)
#undef CALL
}
