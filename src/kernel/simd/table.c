// The kernels of one instruction set.

#include "isa.h"

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

extern const kernels_t ISA_NAME(kernels);
const kernels_t ISA_NAME(kernels) = { .name = TEXT(ISA),
                                      .lanes = LANES,
#define X(type, name, args) .name = ISA_NAME(name),
                                      KERNELS(X)
#undef X
};
