// The product of some rows of A with panels of PANEL columns of B, for vectors that BLIS has no kernel for,
// and for an A that lies in segments anywhere.  Like BLIS's it reads A at any strides and adds each
// element in one chain over k.

#include "isa.h"

// The sums fill the registers: of two panels at a time, so that each number of A is read for both, and of the
// last one.
enum {
    PANEL = PRODUCT_PANEL,
    VECTORS = PANEL / LANES,
    ROWS_OF_TWO = LANES == 16  ? 8
                  : LANES == 8 ? 3
                               : 1,
    ROWS = LANES == 16 ? 12 : 6,
    REST_MOST = 7,
    ROWS_AT_MOST = 12
};

INLINE void put(int rows, vec_t sum[][VECTORS], float beta, float *c, size_t rs_c)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < VECTORS; j++) {
            float *to = c + (size_t)i * rs_c + j * LANES;
            store(to, beta == 0 ? sum[i][j] : beta * load(to) + sum[i][j]);
        }
}

// Each tile asks for its share of `soon`, the panels that most often come next: many do not fit the cache.
INLINE void tile(int rows, int panels, int k, const float *a, size_t rs_a, size_t cs_a, const float *b,
                 size_t rs_b, size_t b_step, float beta, float *c, size_t rs_c, const float *soon)
{
    vec_t sum[2][ROWS][VECTORS] = { { { { 0 } } } };
#pragma GCC unroll 4
    for (int p = 0; p < k; p++, a += cs_a, b += rs_b) {
        if (soon) __builtin_prefetch(soon + p * rows, 0, 2);
        for (int i = 0; i < rows; i++)
            for (int q = 0; q < panels; q++)
                for (int j = 0; j < VECTORS; j++)
                    sum[q][i][j] += a[(size_t)i * rs_a] * load(b + (size_t)q * b_step + j * LANES);
    }
    for (int q = 0; q < panels; q++) put(rows, sum[q], beta, c + q * PANEL, rs_c);
}

// rs is A's, told apart so that the compiler may know it.
INLINE void tile_at(int rows, int panels, size_t rs, const rows_at_t *r, const float *a, const float *b,
                    size_t rs_b, size_t b_step, float beta, float *c, size_t rs_c)
{
    vec_t sum[2][ROWS_AT_MOST][VECTORS];
    for (int q = 0; q < panels; q++)
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < VECTORS; j++) sum[q][i][j] = (vec_t){ 0 };
    for (int s = 0; s < r->segments; s++) {
        const float *at = a + r->segment[s];
        for (int p = 0; p < r->k; p++, at += r->step, b += rs_b)
            for (int i = 0; i < rows; i++)
                for (int q = 0; q < panels; q++)
                    for (int j = 0; j < VECTORS; j++)
                        sum[q][i][j] += at[(size_t)i * rs] * load(b + (size_t)q * b_step + j * LANES);
    }
    for (int q = 0; q < panels; q++) put(rows, sum[q], beta, c + q * PANEL, rs_c);
}

// The last rows, fewer than fill the smallest whole tile, are one tile, whose number of rows the compiler
// must know.
#define EACH_REST(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
_Static_assert(ROWS_OF_TWO <= REST_MOST + 1, "EACH_REST has all numbers of last rows");

INLINE void rows_of(int at_once, int then, int panels, int m, int k, const float *a, size_t rs_a, size_t cs_a,
                    const float *b, size_t rs_b, size_t b_step, float beta, float *c, size_t rs_c)
{
    bool asks = LANES > 4 && b_step > PANEL; // the plain path gains nothing, rows of B are no panels
    int i = 0;
    for (; i + at_once <= m; i += at_once)
        tile(at_once, panels, k, a + (size_t)i * rs_a, rs_a, cs_a, b, rs_b, b_step, beta,
             c + (size_t)i * rs_c, rs_c,
             asks && i < panels * PANEL ? b + (size_t)panels * b_step + (size_t)i * (size_t)k : NULL);
    for (; i + then <= m; i += then)
        tile(then, panels, k, a + (size_t)i * rs_a, rs_a, cs_a, b, rs_b, b_step, beta, c + (size_t)i * rs_c,
             rs_c, NULL);
#define REST(rows)                                                                                           \
    if (rows < then && m - i == rows)                                                                        \
        tile(rows, panels, k, a + (size_t)i * rs_a, rs_a, cs_a, b, rs_b, b_step, beta, c + (size_t)i * rs_c, \
             rs_c, NULL);
    EACH_REST(REST)
#undef REST
}

void ISA_NAME(product)(int m, int panels, int k, const float *a, size_t rs_a, size_t cs_a, const float *b,
                       size_t rs_b, size_t b_step, float beta, float *c, size_t rs_c)
{
    for (; panels >= 2; panels -= 2, b += 2 * b_step, c += 2 * PANEL)
        rows_of(ROWS_OF_TWO, ROWS_OF_TWO, 2, m, k, a, rs_a, cs_a, b, rs_b, b_step, beta, c, rs_c);
    if (panels) rows_of(ROWS, 4, 1, m, k, a, rs_a, cs_a, b, rs_b, b_step, beta, c, rs_c);
}

#define EACH_REST_AT(X) EACH_REST(X) X(8) X(9) X(10) X(11) X(12)
_Static_assert(ROWS <= ROWS_AT_MOST, "EACH_REST_AT has all numbers of last rows");

INLINE void rows_at_of(int most, int panels, size_t rs, const rows_at_t *r, const float *b, size_t rs_b,
                       size_t b_step, float beta, float *c, size_t rs_c)
{
    int usual = most < 8 ? most : 8, i = 0;
#define TILE(rows) \
    tile_at(rows, panels, rs, r, r->a + (size_t)i * rs, b, rs_b, b_step, beta, c + (size_t)i * rs_c, rs_c)
    for (; r->m - i > most; i += usual) TILE(usual);
#define REST(rows) \
    if (rows <= most && r->m - i == rows) TILE(rows);
    EACH_REST_AT(REST)
#undef REST
#undef TILE
}

INLINE void product_rows_at(size_t rs, const rows_at_t *r, int panels, const float *b, size_t rs_b,
                            size_t b_step, float beta, float *c, size_t rs_c)
{
    for (; panels >= 2; panels -= 2, b += 2 * b_step, c += 2 * PANEL)
        rows_at_of(LANES == 16 ? ROWS : ROWS_OF_TWO, 2, rs, r, b, rs_b, b_step, beta, c, rs_c);
    if (panels) rows_at_of(ROWS, 1, rs, r, b, rs_b, b_step, beta, c, rs_c);
}

// Rows that lie side by side need no registers for their addresses.
void ISA_NAME(product_at)(const rows_at_t *r, int panels, const float *b, size_t rs_b, size_t b_step,
                          float beta, float *c, size_t rs_c)
{
    if (r->rs == 1)
        product_rows_at(1, r, panels, b, rs_b, b_step, beta, c, rs_c);
    else
        product_rows_at(r->rs, r, panels, b, rs_b, b_step, beta, c, rs_c);
}
