// One source, several instruction sets: the Makefile compiles the files of this folder that include isa.h
// once for each, with ISA set to its name.  Private to kernel/.
#ifndef DAGAN_KERNEL_ISA_H
#define DAGAN_KERNEL_ISA_H

#include "dagan/kernel.h"

#define ISA_JOIN_(a, b) a##_##b
#define ISA_JOIN(a, b) ISA_JOIN_(a, b)
#define ISA_NAME(name) ISA_JOIN(name, ISA)

#if defined __AVX512F__
enum { LANES = 16 };
#elif defined __AVX2__
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif

#define INLINE static inline __attribute__((always_inline))

typedef float vec_t __attribute__((vector_size(LANES * 4)));
typedef float anywhere_t __attribute__((vector_size(LANES * 4), aligned(4), may_alias)); // at any address

static inline vec_t load(const float *p)
{
    return (vec_t) * (const anywhere_t *)p;
}

static inline void store(float *p, vec_t v)
{
    *(anywhere_t *)p = (anywhere_t)v;
}

#define X(type, name, args) type ISA_NAME(name) args;
KERNELS(X)
#undef X

#endif
