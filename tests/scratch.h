// What an op finds in its scratch memory: whatever another left there.
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include "dagan/op.h"

static void spoil_scratch(const tape_t *t)
{
    for (int i = 0; i < t->n; i++) {
        const node_t *y = t->node[i];
        size_t floats = y->op && y->op->scratch ? y->op->scratch(y) : 0;
        for (size_t k = 0; k < floats; k++) y->scratch[k] = 1e10f; // NaN would pass by fmax
    }
}

#endif
