// Which instruction set runs: the best of the machine, or what DAGAN_ISA names.

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dagan/kernel.h"

extern const kernels_t kernels_generic;
#ifdef __x86_64__
extern const kernels_t kernels_avx2, kernels_avx512;
#endif

static const kernels_t *sets[3] = { &kernels_generic };
const kernels_t *const *kernel_sets = sets;
int n_kernel_sets = 1;
const kernels_t *kernel = &kernels_generic;

// Before main: whatever links this layer, tests included, has a choice made.
__attribute__((constructor)) static void find(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        sets[n_kernel_sets++] = &kernels_avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
        sets[n_kernel_sets++] = &kernels_avx512;
#endif
    kernel = sets[n_kernel_sets - 1];
}

// A rank has one thread unless it is told otherwise: OpenMP's own default, all cores of the machine for every
// rank of it, would have them trip over each other.
static void choose_threads(void)
{
    const char *slurm = getenv("SLURM_CPUS_PER_TASK");
    if (!getenv("OMP_NUM_THREADS")) omp_set_num_threads(slurm && atoi(slurm) > 0 ? atoi(slurm) : 1);
    // Leaves that run at once need all of their threads.
    omp_set_dynamic(0);
    if (omp_get_max_threads() > omp_get_thread_limit()) omp_set_num_threads(omp_get_thread_limit());
}

int kernel_init(void)
{
    choose_threads();
    const char *wanted = getenv("DAGAN_ISA");
    if (!wanted) return 0;
    for (int i = 0; i < n_kernel_sets; i++) {
        if (strcmp(sets[i]->name, wanted)) continue;
        kernel_take(i);
        return 0;
    }
    return fail("environment variable DAGAN_ISA: found '%s', wanted one that this machine runs: generic%s%s",
                wanted, n_kernel_sets > 1 ? ", avx2" : "", n_kernel_sets > 2 ? ", avx512" : "");
}

void kernel_take(int set)
{
    kernel = sets[set];
}

const char *kernel_text(void)
{
    static char text[96];
    if (gemm_by_blis())
        snprintf(text, sizeof text, "%s, products by BLIS %s", kernel->name, gemm_arch_name());
    else
        snprintf(text, sizeof text, "%s, products its own", kernel->name);
    return text;
}
