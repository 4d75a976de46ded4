// The passes of a norm over one image of (pixels, c): sums for its statistics, and applying them.
//
// They wait for memory, so pixels are taken as they lie: a run of neighbouring channels, as many as the
// registers hold, of one after the other.  Up to BLOCK pixels are summed in float and blocks in double, which
// keeps the error of a 256x256 mean below 1e-6 of its terms.

#include <string.h>

#include "isa.h"

enum { BLOCK = 64, RUN = 8, HALF = RUN / 2 }; // pixels; vectors
static const float LEAK = 0.2f;

typedef int mask_t __attribute__((vector_size(LANES * 4)));

INLINE vec_t choose(mask_t on, vec_t yes, vec_t no)
{
    return (vec_t)((on & (mask_t)yes) | (~on & (mask_t)no));
}

INLINE vec_t after_act(vec_t v, act_t act)
{
    return act == ACT_NONE ? v : choose(v > 0, v, act == ACT_LEAKY ? LEAK * v : (vec_t){ 0 });
}

// The gradient before the activation of v, which costs less to compute again than the output costs to read.
INLINE vec_t before_act(vec_t g, vec_t v, act_t act)
{
    return act == ACT_NONE ? g : choose(v > 0, g, act == ACT_LEAKY ? LEAK * g : (vec_t){ 0 });
}

// The first `lanes` of a vector, a number that the compiler knows unless the channels fill no vector.
INLINE vec_t take(const float *p, size_t lanes)
{
    vec_t v = { 0 };
    if (lanes == LANES) return load(p);
    memcpy(&v, p, lanes * sizeof *p);
    return v;
}

INLINE void put(float *p, vec_t v, size_t lanes)
{
    if (lanes == LANES)
        store(p, v);
    else
        memcpy(p, &v, lanes * sizeof *p);
}

// Calls `run(vectors, lanes)` with j, the first channel of a run of at most `most` vectors, for each run of
// each block of pixels [p0, end).
#define EACH_RUN(most, all, c, run)                                  \
    for (size_t p0 = 0; p0 < (all); p0 += BLOCK) {                   \
        size_t end = p0 + BLOCK < (all) ? p0 + BLOCK : (all), j = 0; \
        RUNS_OF(8, most, c, run)                                     \
        RUNS_OF(4, most, c, run)                                     \
        RUNS_OF(2, most, c, run)                                     \
        RUNS_OF(1, most, c, run)                                     \
        if (j < (c)) run(1, (c)-j);                                  \
    }
#define RUNS_OF(vectors, most, c, run) \
    for (; vectors <= most && j + vectors * LANES <= (c); j += vectors * LANES) run(vectors, LANES);

INLINE void add_sums(double *s, const vec_t *sum, int vectors, size_t lanes)
{
    for (int n = 0; n < vectors; n++, s += LANES)
        for (size_t l = 0; l < lanes; l++) s[l] += sum[n][l];
}

INLINE void sums(int vectors, size_t lanes, const float *x, size_t pixels, size_t c, const float *shift,
                 double *s1, double *s2)
{
    vec_t middle[RUN], a[RUN] = { { 0 } }, b[RUN] = { { 0 } };
    for (int n = 0; n < vectors; n++) middle[n] = take(shift + n * LANES, lanes);
    for (size_t p = 0; p < pixels; p++, x += c)
        for (int n = 0; n < vectors; n++) {
            vec_t v = take(x + n * LANES, lanes) - middle[n];
            a[n] += v;
            b[n] += v * v;
        }
    add_sums(s1, a, vectors, lanes);
    add_sums(s2, b, vectors, lanes);
}

// Adds to s1[c] and s2[c] the sums of x - shift and of its square.
void ISA_NAME(norm_sums)(const float *x, size_t pixels, size_t c, const float *shift, double *s1, double *s2){
#define CALL(vectors, lanes) sums(vectors, lanes, x + p0 * c + j, end - p0, c, shift + j, s1 + j, s2 + j)
    EACH_RUN(RUN, pixels, c, CALL)
#undef CALL
}

// One copy of a loop for each activation.
#define EACH_ACT(act, call)                 \
    switch (act) {                          \
    case ACT_NONE: call(ACT_NONE); break;   \
    case ACT_RELU: call(ACT_RELU); break;   \
    case ACT_LEAKY: call(ACT_LEAKY); break; \
    }

INLINE void apply_run(int vectors, size_t lanes, float *restrict y, const float *restrict x, size_t pixels,
                      size_t c, const float *scale, const float *offset, act_t act)
{
    vec_t s[RUN], o[RUN];
    for (int n = 0; n < vectors; n++) {
        s[n] = take(scale + n * LANES, lanes);
        o[n] = take(offset + n * LANES, lanes);
    }
    for (size_t p = 0; p < pixels; p++, x += c, y += c)
        for (int n = 0; n < vectors; n++)
            put(y + n * LANES, after_act(take(x + n * LANES, lanes) * s[n] + o[n], act), lanes);
}

INLINE void apply(float *y, const float *x, size_t pixels, size_t c, const float *scale, const float *offset,
                  act_t act)
{
#define CALL(vectors, lanes) \
    apply_run(vectors, lanes, y + p0 * c + j, x + p0 * c + j, end - p0, c, scale + j, offset + j, act)
    EACH_RUN(RUN, pixels, c, CALL)
#undef CALL
}

// y = act(x * scale + offset).
void ISA_NAME(norm_apply)(float *y, const float *x, size_t pixels, size_t c, const float *scale,
                          const float *offset, act_t act){
#define CALL(a) apply(y, x, pixels, c, scale, offset, a)
    EACH_ACT(act, CALL)
#undef CALL
}

INLINE void gradient_sums_run(int vectors, size_t lanes, const float *g, const float *x, size_t pixels,
                              size_t c, const float *k, double *s1, double *s2, act_t act)
{
    vec_t a[RUN] = { { 0 } }, b[RUN] = { { 0 } };
    for (size_t p = 0; p < pixels; p++, x += c, g += c)
        for (int n = 0; n < vectors; n++) {
            const float *scale = k + n * LANES, *offset = scale + c, *mean = offset + c;
            vec_t v = take(x + n * LANES, lanes), y = v * take(scale, lanes) + take(offset, lanes);
            vec_t d = before_act(take(g + n * LANES, lanes), y, act);
            a[n] += d;
            b[n] += d * (v - take(mean, lanes));
        }
    add_sums(s1, a, vectors, lanes);
    add_sums(s2, b, vectors, lanes);
}

INLINE void gradient_sums(const float *g, const float *x, size_t pixels, size_t c, const float *k, double *s1,
                          double *s2, act_t act)
{
#define CALL(vectors, lanes) \
    gradient_sums_run(vectors, lanes, g + p0 * c + j, x + p0 * c + j, end - p0, c, k + j, s1 + j, s2 + j, act)
    EACH_RUN(RUN, pixels, c, CALL)
#undef CALL
}

// Adds to s1[c] the sum of g', the gradient before the activation, and to s2[c] that of g' (x - mean).  k
// holds three rows of c numbers: scale and offset of norm_apply, and mean.
void ISA_NAME(norm_gradient_sums)(const float *g, const float *x, size_t pixels, size_t c, const float *k,
                                  double *s1, double *s2, act_t act){
#define CALL(a) gradient_sums(g, x, pixels, c, k, s1, s2, a)
    EACH_ACT(act, CALL)
#undef CALL
}

INLINE void gradient_run(int vectors, size_t lanes, float *restrict gx, const float *restrict g,
                         const float *restrict x, size_t pixels, size_t c, const float *restrict k, act_t act,
                         bool adds)
{
    vec_t s[RUN], o[RUN], q[RUN], r[RUN];
    for (int n = 0; n < vectors; n++) {
        const float *at = k + n * LANES;
        s[n] = take(at, lanes);
        o[n] = take(at + c, lanes);
        q[n] = take(at + 2 * c, lanes);
        r[n] = take(at + 3 * c, lanes);
    }
    for (size_t p = 0; p < pixels; p++, x += c, g += c, gx += c)
        for (int n = 0; n < vectors; n++) {
            vec_t v = take(x + n * LANES, lanes), y = v * s[n] + o[n];
            vec_t d = before_act(take(g + n * LANES, lanes), y, act) * s[n] + (v * q[n] + r[n]);
            put(gx + n * LANES, adds ? take(gx + n * LANES, lanes) + d : d, lanes);
        }
}

INLINE void gradient(float *gx, const float *g, const float *x, size_t pixels, size_t c, const float *k,
                     act_t act, bool adds)
{
#define CALL(vectors, lanes)                                                                               \
    gradient_run(vectors, lanes, gx + p0 * c + j, g + p0 * c + j, x + p0 * c + j, end - p0, c, k + j, act, \
                 adds)
    EACH_RUN(HALF, pixels, c, CALL)
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
