// The product of some rows of A with a panel of PANEL columns of B, for processors that BLIS has no kernel
// for small matrices for, and for an A that lies in rows and segments anywhere.  Like BLIS's it reads A at
// any strides and adds each element in one chain over k.

#include "isa.h"

enum {
    PANEL = PRODUCT_PANEL,
    VECTORS = PANEL / LANES,
    ROWS = LANES == 16 ? 12 : 6,  // the sums fill the registers
    ROWS_AT = LANES == 16 ? 8 : 6 // and so do their addresses
};

INLINE void put(int rows, vec_t sum[][VECTORS], float beta, float *c, size_t rs_c)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < VECTORS; j++) {
            float *to = c + (size_t)i * rs_c + j * LANES;
            store(to, beta == 0 ? sum[i][j] : beta * load(to) + sum[i][j]);
        }
}

INLINE void tile(int rows, int k, const float *a, size_t rs_a, size_t cs_a, const float *b, size_t rs_b,
                 float beta, float *c, size_t rs_c)
{
    vec_t sum[ROWS][VECTORS] = { { { 0 } } };
    for (int p = 0; p < k; p++, a += cs_a, b += rs_b)
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < VECTORS; j++) sum[i][j] += a[(size_t)i * rs_a] * load(b + j * LANES);
    put(rows, sum, beta, c, rs_c);
}

INLINE void tile_at(int rows, int first, const rows_at_t *a, const float *b, size_t rs_b, float beta,
                    float *c, size_t rs_c)
{
    vec_t sum[ROWS_AT][VECTORS] = { { { 0 } } };
    for (int s = 0; s < a->segments; s++) {
        const float *at[ROWS_AT];
        for (int i = 0; i < rows; i++) at[i] = a->row[first + i] + a->segment[s];
        for (size_t p = 0; p < (size_t)a->k * a->step; p += a->step, b += rs_b)
            for (int i = 0; i < rows; i++)
                for (int j = 0; j < VECTORS; j++) sum[i][j] += at[i][p] * load(b + j * LANES);
    }
    put(rows, sum, beta, c + (size_t)first * rs_c, rs_c);
}

void ISA_NAME(product)(int m, int k, const float *a, size_t rs_a, size_t cs_a, const float *b, size_t rs_b,
                       float beta, float *c, size_t rs_c)
{
    int i = 0;
    for (; i + ROWS <= m; i += ROWS)
        tile(ROWS, k, a + (size_t)i * rs_a, rs_a, cs_a, b, rs_b, beta, c + (size_t)i * rs_c, rs_c);
    for (; i + 4 <= m; i += 4)
        tile(4, k, a + (size_t)i * rs_a, rs_a, cs_a, b, rs_b, beta, c + (size_t)i * rs_c, rs_c);
    for (; i < m; i++)
        tile(1, k, a + (size_t)i * rs_a, rs_a, cs_a, b, rs_b, beta, c + (size_t)i * rs_c, rs_c);
}

void ISA_NAME(product_at)(const rows_at_t *a, const float *b, size_t rs_b, float beta, float *c, size_t rs_c)
{
    int i = 0;
    for (; i + ROWS_AT <= a->m; i += ROWS_AT) tile_at(ROWS_AT, i, a, b, rs_b, beta, c, rs_c);
    for (; i + 3 <= a->m; i += 3) tile_at(3, i, a, b, rs_b, beta, c, rs_c);
    for (; i < a->m; i++) tile_at(1, i, a, b, rs_b, beta, c, rs_c);
}
