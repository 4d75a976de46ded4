// ranks: 1
// Products by BLIS and by our own kernel, which machines without BLIS's take, are the same in every bit.

#include "test.h"

#include "dagan/kernel.h"

// BLIS has its small products for Haswell, which every machine with AVX2 can run.  It takes its number, and
// before gemm.c asks.
__attribute__((constructor(101))) static void take_haswell(void)
{
    __builtin_cpu_init(); // its own constructor may come later
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) setenv("BLIS_ARCH_TYPE", "3", 1);
}

enum { M = 37, N = 75, K = 131 };

static float a[M * K], b[K * (N + PRODUCT_PANEL)], c[2][M * N];

static void multiply(float *out, const float *panels, int m, int n, int k, float beta)
{
    rng_t r = rng_at(5, STREAM_TEST, 0, 0);
    for (int i = 0; i < m * n; i++) out[i] = rng_normal(&r);
    gemm_panels(m, n, k, a, (size_t)k, 1, panels, (size_t)k, beta, out, (size_t)n);
}

TEST(our_products_have_the_bits_of_blis)
{
    static const int m[] = { 1, 5, 6, 7, 16, M }, n[] = { 3, 16, 32, 48, N }, k[] = { 1, 9, 64, K };
    const kernels_t *best = kernel;
    if (n_kernel_sets > 1) assert_string_equal(gemm_arch_name(), "haswell");
    rng_t r = rng_at(5, STREAM_TEST, 0, 1);
    for (int i = 0; i < M * K; i++) a[i] = rng_normal(&r);
    for (size_t i = 0; i < sizeof b / sizeof *b; i++) b[i] = rng_normal(&r);
    for (int set = 0; set < n_kernel_sets; set++) {
        kernel = kernel_sets[set];
        if (kernel->lanes < 8) continue; // plain C rounds products before it adds
        for (int i = 0; i < 6 * 5 * 4 * 2; i++) {
            int mi = m[i % 6], ni = n[i / 6 % 5], ki = k[i / 30 % 4], beta = i / 120;
            kernel = kernel_sets[1];
            gemm_take_blis(true);
            EXPECT(gemm_by_blis());
            multiply(c[0], b, mi, ni, ki, (float)beta);
            kernel = kernel_sets[set];
            gemm_take_blis(false);
            multiply(c[1], b, mi, ni, ki, (float)beta);
            if (memcmp(c[0], c[1], sizeof(float) * (size_t)(mi * ni)))
                fail_msg("%s, %d x %d x %d, beta %d: other bits", kernel->name, mi, ni, ki, beta);
        }
    }
    kernel = best;
    gemm_take_blis(true);
}
