// The product of some rows of A with a panel of PANEL columns of B, for processors that BLIS has no kernel
// for small matrices for.  Like BLIS's it reads A at any strides and adds each element in one chain over k.

#include "isa.h"

enum {
    PANEL = PRODUCT_PANEL,
    VECTORS = PANEL / LANES,
    ROWS = LANES == 16 ? 12 : 6
}; // the sums fill the registers

INLINE void tile(int rows, int k, const float *a, size_t rs_a, size_t cs_a, const float *b, size_t rs_b,
                 float beta, float *c, size_t rs_c)
{
    vec_t sum[ROWS][VECTORS] = { { { 0 } } };
    for (int p = 0; p < k; p++, a += cs_a, b += rs_b)
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < VECTORS; j++) sum[i][j] += a[(size_t)i * rs_a] * load(b + j * LANES);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < VECTORS; j++) {
            float *to = c + (size_t)i * rs_c + j * LANES;
            store(to, beta == 0 ? sum[i][j] : beta * load(to) + sum[i][j]);
        }
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
