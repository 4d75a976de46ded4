// The order of an epoch: a Fisher-Yates shuffle that is a function of (seed, stream, epoch) alone, so
// it does not depend on ranks, nor on where a run was stopped and resumed.
#include <stdlib.h>

#include "dagan/data.h"

void order_init(order_t *o, size_t n, uint64_t seed, stream_t stream)
{
    CHECK(n > 0 && n <= UINT32_MAX, "an order of %zu rows", n);
    *o = (order_t){ .n = n, .seed = seed, .stream = stream, .epoch = -1, .row = alloc(n, sizeof *o->row) };
}

void order_free(order_t *o)
{
    free(o->row);
    *o = (order_t){ 0 };
}

static void shuffle(order_t *o, long epoch)
{
    rng_t r = rng_at(o->seed, o->stream, (uint64_t)epoch, 0);
    for (size_t i = 0; i < o->n; i++) o->row[i] = (uint32_t)i;
    for (size_t i = o->n - 1; i > 0; i--) {
        uint32_t j = rng_below(&r, (uint32_t)i + 1), swap = o->row[i];
        o->row[i] = o->row[j];
        o->row[j] = swap;
    }
    o->epoch = epoch;
}

size_t order_row(order_t *o, uint64_t p)
{
    long epoch = (long)(p / o->n);
    if (epoch != o->epoch) shuffle(o, epoch);
    return o->row[p % o->n];
}
