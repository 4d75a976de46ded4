// kernel: the loops over floats that take the time, each compiled for several instruction sets from one
// source, and BLIS's innermost product.  Local; knows nothing of tapes, ops or ranks.
#ifndef DAGAN_KERNEL_H
#define DAGAN_KERNEL_H

#include "dagan/base.h"

typedef enum { ACT_NONE, ACT_RELU, ACT_LEAKY } act_t; // leaky: slope 0.2

// One update: m += c1 (g' - m), v += c2 (g'^2 - v), w -= step m / (root sqrt(v) + eps), ema = decay ema + (1
// - decay) w, with g' = scale g.
typedef struct {
    float scale, c1, c2, step, root, eps, decay;
} adam_step_t;

// ---- one table per instruction set -------------------------------------------------------------------

// m rows of a matrix, rs apart, in segments of k columns, step apart, that lie anywhere: A(i, s * k + p) is
// a[i * rs + segment[s] + p * step].
typedef struct {
    int m, segments, k;
    const float *a;
    size_t rs;
    const size_t *segment;
    size_t step;
} rows_at_t;

// Winograd's transforms of one tile (kernel/simd/winograd.c; _s2.c: stride 2; _up.c: of an upsampled image):
// so many outputs and pixels along a side, so many products, and of so many weights.  Arrays of point i start
// `stride` floats after those of point i - 1; c is a multiple of KERNEL_LANES.  An address of NULL among the
// outputs: that pixel is skipped.
enum { KERNEL_LANES = 16, PRODUCT_PANEL = KERNEL_LANES };
enum { WINOGRAD_TILE = 4, WINOGRAD_SIDE = 6, WINOGRAD_POINTS = 36, WINOGRAD_WEIGHTS = 36 };
enum { WINOGRAD_S2_TILE = 4, WINOGRAD_S2_SIDE = 9, WINOGRAD_S2_POINTS = 81, WINOGRAD_S2_WEIGHTS = 36 };
enum { WINOGRAD_UP_TILE = 8, WINOGRAD_UP_SIDE = 6, WINOGRAD_UP_POINTS = 100, WINOGRAD_UP_WEIGHTS = 100 };

// Every kernel: return type, name, arguments.
#define KERNELS(X)                                                                                           \
    /* v = B^T d B of the input d, given as the addresses of its pixels' c channels; `soon`: those of the    \
     * next call, which are fetched meanwhile. */                                                            \
    X(void, winograd_input,                                                                                  \
      (float *v, size_t stride, const float *const d[], const float *const soon[], size_t c))                \
    X(void, winograd_s2_input,                                                                               \
      (float *v, size_t stride, const float *const d[], const float *const soon[], size_t c))                \
    X(void, winograd_up_input,                                                                               \
      (float *v, size_t stride, const float *const d[], const float *const soon[], size_t c))                \
    /* v = A d A^T of the gradient d of a tile's outputs; groups of KERNEL_LANES channels start `group`      \
     * floats apart. */                                                                                      \
    X(void, winograd_gradient,                                                                               \
      (float *v, size_t stride, size_t group, const float *const d[], const float *const soon[], size_t c))  \
    X(void, winograd_s2_gradient,                                                                            \
      (float *v, size_t stride, size_t group, const float *const d[], const float *const soon[], size_t c))  \
    X(void, winograd_up_gradient,                                                                            \
      (float *v, size_t stride, size_t group, const float *const d[], const float *const soon[], size_t c))  \
    /* y = act(A^T m A + bias); bias may be NULL. */                                                         \
    X(void, winograd_output,                                                                                 \
      (float *const y[], const float *m, size_t stride, size_t c, const float *bias, act_t act))             \
    X(void, winograd_s2_output,                                                                              \
      (float *const y[], const float *m, size_t stride, size_t c, const float *bias, act_t act))             \
    X(void, winograd_up_output,                                                                              \
      (float *const y[], const float *m, size_t stride, size_t c, const float *bias, act_t act))             \
    /* y += A^T m A. */                                                                                      \
    X(void, winograd_output_add, (float *const y[], const float *m, size_t stride, size_t c))                \
    /* d += B m B^T, the gradient of the input, given as the addresses of its pixels.  With stride 2, unless \
     * it adds, only the first row and column, which neighbouring tiles wrote before, are added to. */       \
    X(void, winograd_s2_input_add, (float *const d[], const float *m, size_t stride, size_t c, bool adds))   \
    X(void, winograd_up_input_add, (float *const d[], const float *m, size_t stride, size_t c))              \
    /* u = G g G^T of nine rows g of c weights, and g += G^T u G. */                                         \
    X(void, winograd_weights, (float *u, size_t stride, const float *const g[], size_t c))                   \
    X(void, winograd_s2_weights, (float *u, size_t stride, const float *const g[], size_t c))                \
    X(void, winograd_up_weights, (float *u, size_t stride, const float *const g[], size_t c))                \
    X(void, winograd_weights_gradient, (float *const g[], const float *u, size_t stride, size_t c))          \
    X(void, winograd_s2_weights_gradient, (float *const g[], const float *u, size_t stride, size_t c))       \
    X(void, winograd_up_weights_gradient, (float *const g[], const float *u, size_t stride, size_t c))       \
    /* Activation of y + bias (c channels, NULL: none) in place, and g *= act'(.), told from the output y.   \
     */                                                                                                      \
    X(void, act_forward, (float *y, size_t pixels, size_t c, const float *bias, act_t act))                  \
    X(void, act_backward, (float *g, const float *y, size_t n, act_t act))                                   \
    /* Sums of `rows` times `taps` groups of c (at most 4) floats, for each of `pixels` outputs y_step       \
     * apart: group t of pixel x lies at row[r] + x * step - t * back.  Up to 3 floats past a group are      \
     * read. */                                                                                              \
    X(void, gather,                                                                                          \
      (float *y, size_t y_step, size_t c, const float *const row[], size_t rows, size_t pixels, size_t step, \
       size_t taps, size_t back, bool adds))                                                                 \
    /* A norm's passes over one image (kernel/simd/norm.c). */                                               \
    X(void, norm_sums,                                                                                       \
      (const float *x, size_t pixels, size_t c, const float *shift, double *s1, double *s2))                 \
    X(void, norm_apply,                                                                                      \
      (float *y, const float *x, size_t pixels, size_t c, const float *scale, const float *offset,           \
       act_t act))                                                                                           \
    X(void, norm_gradient_sums,                                                                              \
      (const float *g, const float *x, size_t pixels, size_t c, const float *k, double *s1, double *s2,      \
       act_t act))                                                                                           \
    X(void, norm_gradient,                                                                                   \
      (float *gx, const float *g, const float *x, size_t pixels, size_t c, const float *k, act_t act,        \
       bool adds))                                                                                           \
    /* C (m, panels * PRODUCT_PANEL) = beta C + A (m, k) B (k, the same); panels of B are b_step apart. */   \
    X(void, product,                                                                                         \
      (int m, int panels, int k, const float *a, size_t rs_a, size_t cs_a, const float *b, size_t rs_b,      \
       size_t b_step, float beta, float *c, size_t rs_c))                                                    \
    /* The same with segments of A that lie anywhere. */                                                     \
    X(void, product_at,                                                                                      \
      (const rows_at_t *a, int panels, const float *b, size_t rs_b, size_t b_step, float beta, float *c,     \
       size_t rs_c))                                                                                         \
    /* Adam's update of n weights and the average of them (NULL: none); g is zeroed. */                      \
    X(void, adam, (float *w, float *m, float *v, float *g, float *ema, size_t n, const adam_step_t *s))      \
    X(void, add_to, (float *y, const float *x, size_t n))              /* y += x */                          \
    X(void, sum, (float *y, const float *a, const float *b, size_t n)) /* y = a + b */

typedef struct {
    const char *name; // generic, avx2, avx512
    int lanes;        // floats of a vector
#define X(type, name, args) type(*name) args;
    KERNELS(X)
#undef X
} kernels_t;

// The best that this machine runs, or what the environment variable DAGAN_ISA names.
extern const kernels_t *kernel;
// All that this machine runs, the plainest first; for tests.
extern const kernels_t *const *kernel_sets;
extern int n_kernel_sets;
// Chooses by DAGAN_ISA.  0, or -1 after fail() for a name that the machine does not run.
int kernel_init(void);
// Takes the set of that index, and names what runs: "avx2, products by BLIS zen3".
void kernel_take(int set);
const char *kernel_text(void);

// ---- products ----------------------------------------------------------------------------------------

// By BLIS's kernel for small matrices where it has one for this processor, but by our own with vectors longer
// than BLIS's.
bool gemm_by_blis(void);
void gemm_take_blis(bool wanted); // for tests
// The processor that BLIS has chosen its kernels for.
int gemm_arch(void);
const char *gemm_arch_name(void);
// Columns of a panel of B: PRODUCT_PANEL, which is BLIS's NR.
int gemm_panel(void);
// Floats of B (k, n) as panels, the last one filled up with zeros.
size_t gemm_panels_size(size_t k, size_t n);
// Where B(k, n) stands among panels of `depth` rows.
size_t gemm_panels_at(size_t depth, size_t k, size_t n);
// Copies `count` floats to columns [n, n + count) of row k.
void gemm_panels_row(float *panels, size_t depth, size_t k, size_t n, const float *row, size_t count);
// C (m, n; rows rs_c apart) = beta C + A (m, k; any strides) B, with B the first k rows of panels of `depth`
// rows. An element's bits depend on k alone, not on m, n or the number of threads.
void gemm_panels(int m, int n, int k, const float *a, size_t rs_a, size_t cs_a, const float *b, size_t depth,
                 float beta, float *c, size_t rs_c);
// The same with B as rows rs_b apart, of which up to gemm_panel() - 1 floats past the n-th are read.
void gemm_rows(int m, int n, int k, const float *a, size_t rs_a, size_t cs_a, const float *b, size_t rs_b,
               float beta, float *c, size_t rs_c);

// The same with segments of A that lie anywhere, by our own product.
void gemm_panels_of(int n, const rows_at_t *a, const float *b, float beta, float *c, size_t rs_c);
void gemm_rows_of(int n, const rows_at_t *a, const float *b, size_t rs_b, float beta, float *c, size_t rs_c);

#endif
