// Which kernels run: ranks may be on different processors.

#include "dagan/comm.h"
#include "dagan/kernel.h"

void comm_agree_kernels(comm_t *c)
{
    int mine = 0;
    while (kernel_sets[mine] != kernel) mine++;
    double x[] = { -mine, gemm_arch(), -gemm_arch() };
    comm_max(c, x, 3);
    kernel_take((int)-x[0]);
    c->same_kernels = x[1] == -x[2];
}
