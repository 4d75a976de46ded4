// Products by the kernel that BLIS uses for small matrices.  It reads A at any strides, so nothing is packed
// but B, once; it computes a panel of NR columns over all rows, each element in one chain over k.  BLIS 0.9
// has such kernels for Haswell and Zen and their successors, not for others (Skylake-X, ARM), and they are of
// AVX2: elsewhere kernel/simd/product.c does the same, in the same bits.

#include <blis.h>
#include <string.h>

#include "dagan/kernel.h"

enum { NARROW_ROWS = 60, nr = PRODUCT_PANEL, BLIS_LANES = 8 };

static cntx_t *context;
static sgemmsup_ker_ft blis_product; // NULL: our own
static int mr;

static bool has_blis(void)
{
    context = bli_gks_query_cntx();
    bool by_rows = bli_cntx_l3_sup_ker_prefers_rows_dt(BLIS_FLOAT, BLIS_RRR, context);
    dim_t rows = bli_cntx_get_l3_sup_blksz_def_dt(BLIS_FLOAT, BLIS_MR, context);
    dim_t columns = bli_cntx_get_l3_sup_blksz_def_dt(BLIS_FLOAT, BLIS_NR, context);
    return by_rows && rows > 0 && columns == PRODUCT_PANEL;
}

void gemm_take_blis(bool wanted)
{
    bool takes = wanted && has_blis();
    blis_product = takes ? bli_cntx_get_l3_sup_ker_dt(BLIS_FLOAT, BLIS_RRR, context) : NULL;
    mr = takes ? (int)bli_cntx_get_l3_sup_blksz_def_dt(BLIS_FLOAT, BLIS_MR, context) : 1;
}

bool gemm_by_blis(void)
{
    return blis_product && kernel->lanes <= BLIS_LANES;
}

__attribute__((constructor)) static void ask_blis(void)
{
    gemm_take_blis(true);
}

int gemm_arch(void)
{
    return (int)bli_arch_query_id();
}

const char *gemm_arch_name(void)
{
    return bli_arch_string(bli_arch_query_id());
}

int gemm_panel(void)
{
    return nr;
}

size_t gemm_panels_size(size_t k, size_t n)
{
    size_t width = (size_t)nr;
    return (n + width - 1) / width * width * k;
}

size_t gemm_panels_at(size_t depth, size_t k, size_t n)
{
    size_t width = (size_t)nr;
    return (n / width * depth + k) * width + n % width;
}

void gemm_panels_row(float *panels, size_t depth, size_t k, size_t n, const float *row, size_t count)
{
    while (count) {
        size_t room = (size_t)nr - n % (size_t)nr, part = count < room ? count : room;
        memcpy(panels + gemm_panels_at(depth, k, n), row, part * sizeof(float));
        row += part;
        n += part;
        count -= part;
    }
}

// Of whole panels.
static void panel_products(int m, int panels, int k, const float *a, size_t rs_a, size_t cs_a, const float *b,
                           size_t rs_b, size_t b_step, float beta, float *c, size_t rs_c)
{
    float one = 1;
    auxinfo_t aux = { 0 };
    if (!gemm_by_blis()) {
        kernel->product(m, panels, k, a, rs_a, cs_a, b, rs_b, b_step, beta, c, rs_c);
        return;
    }
    bli_auxinfo_set_ps_a((inc_t)rs_a * mr, &aux);
    for (int j = 0; j < panels; j++, b += b_step, c += nr)
        blis_product(BLIS_NO_CONJUGATE, BLIS_NO_CONJUGATE, m, nr, k, &one, (float *)a, (inc_t)rs_a,
                     (inc_t)cs_a, (float *)b, (inc_t)rs_b, 1, &beta, c, (inc_t)rs_c, 1, &aux, context);
}

static void take_columns(int m, int n, const float *panel, float beta, float *c, size_t rs_c)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float *to = c + (size_t)i * rs_c + j;
            *to = beta == 0 ? panel[i * nr + j] : beta * *to + panel[i * nr + j];
        }
}

// BLIS computes a few left-over columns slowly: a whole panel is computed aside and the wanted ones are
// taken.
static void narrow_product(int m, int n, int k, const float *a, size_t rs_a, size_t cs_a, const float *b,
                           size_t rs_b, float beta, float *c, size_t rs_c)
{
    float aside[NARROW_ROWS * PRODUCT_PANEL] __attribute__((aligned(64)));
    for (int i = 0; i < m; i += NARROW_ROWS) {
        int rows = m - i < NARROW_ROWS ? m - i : NARROW_ROWS;
        panel_products(rows, 1, k, a + (size_t)i * rs_a, rs_a, cs_a, b, rs_b, 0, 0, aside, (size_t)nr);
        take_columns(rows, n, aside, beta, c + (size_t)i * rs_c, rs_c);
    }
}

static void products(int m, int n, int k, const float *a, size_t rs_a, size_t cs_a, const float *b,
                     size_t rs_b, size_t b_step, float beta, float *c, size_t rs_c)
{
    int whole = n / nr, j = whole * nr;
    panel_products(m, whole, k, a, rs_a, cs_a, b, rs_b, b_step, beta, c, rs_c);
    if (j < n)
        narrow_product(m, n - j, k, a, rs_a, cs_a, b + (size_t)whole * b_step, rs_b, beta, c + j, rs_c);
}

void gemm_panels(int m, int n, int k, const float *a, size_t rs_a, size_t cs_a, const float *b, size_t depth,
                 float beta, float *c, size_t rs_c)
{
    products(m, n, k, a, rs_a, cs_a, b, (size_t)nr, (size_t)nr * depth, beta, c, rs_c);
}

void gemm_rows(int m, int n, int k, const float *a, size_t rs_a, size_t cs_a, const float *b, size_t rs_b,
               float beta, float *c, size_t rs_c)
{
    products(m, n, k, a, rs_a, cs_a, b, rs_b, (size_t)nr, beta, c, rs_c);
}

// As products(), with left-over columns aside as in narrow_product().
static void products_of(int n, const rows_at_t *a, const float *b, size_t rs_b, size_t b_step, float beta,
                        float *c, size_t rs_c)
{
    float aside[NARROW_ROWS * PRODUCT_PANEL] __attribute__((aligned(64)));
    int whole = n / nr, j = whole * nr;
    kernel->product_at(a, whole, b, rs_b, b_step, beta, c, rs_c);
    b += (size_t)whole * b_step;
    for (int i = 0; j < n && i < a->m; i += NARROW_ROWS) {
        rows_at_t some = *a;
        some.a += (size_t)i * a->rs;
        some.m = a->m - i < NARROW_ROWS ? a->m - i : NARROW_ROWS;
        kernel->product_at(&some, 1, b, rs_b, 0, 0, aside, nr);
        take_columns(some.m, n - j, aside, beta, c + (size_t)i * rs_c + j, rs_c);
    }
}

void gemm_panels_of(int n, const rows_at_t *a, const float *b, float beta, float *c, size_t rs_c)
{
    products_of(n, a, b, nr, (size_t)(nr * a->segments * a->k), beta, c, rs_c);
}

void gemm_rows_of(int n, const rows_at_t *a, const float *b, size_t rs_b, float beta, float *c, size_t rs_c)
{
    products_of(n, a, b, rs_b, nr, beta, c, rs_c);
}
