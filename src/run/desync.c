// Every rank updates its own copy of the weights from the same sums, so the copies never differ, unless
// memory or a processor fails.  Then training would go on from a mixture that nobody asked for.
//
// A hash of everything is compared; only where it differs do ranks compare tensor by tensor, and the majority
// tells who is wrong.

#include "desync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { ARRAYS = 4, RANKS_TEXT = 512 };
static const char *const array_name[ARRAYS] = { "weight", "first moment of", "second moment of",
                                                "average of" };

static const float *array_of_side(const params_t *p, int i)
{
    const float *array[ARRAYS] = { p->w, p->m, p->v, p->ema };
    return array[i];
}

static uint64_t hash_all(const trainer_t *tr)
{
    const params_t *side[] = { &tr->model.f, &tr->model.d };
    uint64_t hash[2 * ARRAYS + 3] = { (uint64_t)tr->step, (uint64_t)tr->gan_steps, (uint64_t)tr->skipped };
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < ARRAYS; i++)
            hash[3 + s * ARRAYS + i] = XXH3_64bits(array_of_side(side[s], i), side[s]->n * sizeof(float));
    return XXH3_64bits(hash, sizeof hash);
}

static bool is_same(const comm_t *c, uint64_t hash)
{
    // Halves are exact in a double; where all are equal the largest is also the least.
    double high = (double)(hash >> 32), low = (double)(hash & 0xffffffffu), x[] = { high, -high, low, -low };
    comm_max(c, x, 4);
    return x[0] == -x[1] && x[2] == -x[3];
}

// The hashes of one tensor are at[0], at[stride], ...: which ranks are not of the majority?  Returns how
// many, -1 where there is none.
static int minority(const comm_t *c, const uint64_t *at, size_t stride, char ranks[RANKS_TEXT])
{
    int best = 0, most = 0, used = 0;
    for (int r = 0; r < c->size; r++) {
        int votes = 0;
        for (int q = 0; q < c->size; q++) votes += at[(size_t)q * stride] == at[(size_t)r * stride];
        if (votes > most) most = votes, best = r;
    }
    ranks[0] = 0;
    for (int r = 0; r < c->size && used < RANKS_TEXT; r++)
        if (at[(size_t)r * stride] != at[(size_t)best * stride])
            used += snprintf(ranks + used, (size_t)(RANKS_TEXT - used), "%s rank %d on %s", used ? "," : "",
                             r, c->host[r].name);
    return 2 * most > c->size ? c->size - most : -1;
}

// Every rank holds all hashes in the end and comes to the same text.
static void name_difference(const trainer_t *tr)
{
    const comm_t *c = tr->comm;
    const params_t *side[] = { &tr->model.f, &tr->model.d };
    size_t views = (size_t)(side[0]->n_views + side[1]->n_views), n = views * ARRAYS, k = 0, differ = 0;
    uint64_t *all = alloc(n * (size_t)c->size, sizeof *all), *mine = all + (size_t)c->rank * n;
    char ranks[RANKS_TEXT], first[RANKS_TEXT + 256] = "counters differ";
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < ARRAYS; i++)
            for (int v = 0; v < side[s]->n_views; v++)
                mine[k++] = XXH3_64bits(array_of_side(side[s], i) + side[s]->view[v].offset,
                                        side[s]->view[v].n * sizeof(float));
    comm_complete(c, all, (share_t){ (size_t)c->rank, 1 }, n * sizeof *all);
    k = 0;
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < ARRAYS; i++)
            for (int v = 0; v < side[s]->n_views; v++, k++) {
                int wrong = minority(c, all + k, n, ranks);
                if (wrong == 0 || differ++) continue;
                snprintf(first, sizeof first, "%s %s%s%s", array_name[i], side[s]->view[v].name,
                         wrong > 0 ? " differs from the other ranks' on"
                                   : " differs between ranks, there is no majority; not as on rank 0:",
                         ranks);
            }
    free(all);
    fail("step %ld: %s (%zu tensors in all); memory or a processor is at fault, the run ends without a "
         "checkpoint",
         tr->step, first, differ);
}

int desync_check(const trainer_t *tr)
{
    if (is_same(tr->comm, hash_all(tr))) return 0;
    name_difference(tr);
    comm_agree(tr->comm, true, error_text());
    return -1;
}
