// The lower levels of the one tree in which gradients are summed: the leaves of this rank.
//
// A rank holds L = m 2^J leaves, m odd.  Blocks of m leaves are summed in order; blocks are then paired like
// the carries of a binary counter.  A rank count 2^k that divides all leaves cuts this tree at its k-th level
// from the top, so what one rank does here, several do together with comm's tree, in the same order and hence
// with the same bits.

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "dagan/kernel.h"
#include "dagan/train.h"

void tally_init(tally_t *t, float *x, size_t n, int leaves)
{
    *t = (tally_t){ .x = x, .n = n, .leaves = leaves, .block = leaves };
    while (t->block % 2 == 0) t->block /= 2;
    for (int blocks = leaves / t->block; blocks > 1; blocks /= 2)
        t->level[t->n_levels++] = alloc(n, sizeof(float));
}

void tally_free(tally_t *t)
{
    for (int i = 0; i < t->n_levels; i++) free(t->level[i]);
    *t = (tally_t){ 0 };
}

// Adds the sums kept below `level` to the n floats x and, but for the last leaf, keeps these there and starts
// anew.
static void carry(tally_t *t, float *x, int level, bool is_last, size_t first, size_t n)
{
    for (int i = 0; i < level; i++) kernel->sum(x, t->level[i] + first, x, n);
    if (is_last) return;
    memcpy(t->level[level] + first, x, n * sizeof(float));
    memset(x, 0, n * sizeof(float));
}

static void carry_all(tally_t *t, float *g, int leaf, size_t first, size_t end)
{
    enum { CHUNK = 1 << 12 }; // floats that stay in the first cache on their way up
    int level = 0;
    for (int block = leaf / t->block; block & 1; block >>= 1) level++;
#pragma omp for
    for (size_t i = first; i < end; i += CHUNK)
        carry(t, g + i, level, leaf + 1 == t->leaves, i, end - i < CHUNK ? end - i : CHUNK);
}

void tally_add(tally_t *t, float *g, int leaf, size_t first, size_t end)
{
    if ((leaf + 1) % t->block) return; // gradients of a block accumulate in x itself
    double began = trace_on ? now() : 0;
    if (omp_in_parallel()) {
        carry_all(t, g, leaf, first, end);
    } else {
#pragma omp parallel
        carry_all(t, g, leaf, first, end);
    }
    if (trace_on) trace_add("sum of leaves", "", "leaves", -1, began);
}

int tally_at_once(int leaves, int threads)
{
    static const double BUSY = 0.8; // of the threads: below, ops that share them are faster
    int rounds = (leaves + threads - 1) / threads;
    bool in_pairs = (leaves & (leaves - 1)) == 0;
    return in_pairs && leaves >= BUSY * rounds * threads ? threads : 1;
}
