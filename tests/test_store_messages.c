// ranks: 2 3 8
// The tests of the store once more over osc/pt2pt, as across hosts: rows come by messages, which owners
// answer only inside MPI calls.  Ranks on one host would otherwise take osc/sm, a copy in shared memory.
#include <stdlib.h>

static __attribute__((constructor)) void as_across_hosts(void)
{
    setenv("OMPI_MCA_osc", "pt2pt", 1);
}

#include "test_store.c"
