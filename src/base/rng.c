// Random numbers by place: Philox4x32-10 (Salmon et al. 2011) through Random123.
// A first pass scatters the place (a, b) over the 128-bit counter, which then counts up block by block.
// The pass is a bijection: different places start at different counters, and blocks of two places meet
// with a chance of 2^-128 per pair of blocks.
#include <Random123/philox.h>
#include <assert.h>
#include <math.h>

#include "dagan/base.h"

static void philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    philox4x32_ctr_t c = { { counter[0], counter[1], counter[2], counter[3] } };
    philox4x32_key_t k = { { key[0], key[1] } };
    c = philox4x32_R(10, c, k);
    for (int i = 0; i < 4; i++) out[i] = c.v[i];
}

rng_t rng_at(uint64_t seed, stream_t stream, uint64_t a, uint64_t b)
{
    // run.seed ends at 2^53, so the stream has the top byte of the key for itself; after a rollback
    // (leaf_seed) the seed differs in all bits, and streams meet by a chance of 2^-64 alone.
    rng_t r = { .key = { (uint32_t)seed, (uint32_t)(seed >> 32) ^ (uint32_t)stream << 24 } };
    uint32_t place[4] = { (uint32_t)a, (uint32_t)(a >> 32), (uint32_t)b, (uint32_t)(b >> 32) };
    philox(r.counter, place, r.key);
    return r;
}

uint32_t rng_u32(rng_t *r)
{
    if (r->left == 0) {
        philox(r->out, r->counter, r->key);
        for (int i = 0; i < 4 && ++r->counter[i] == 0; i++) {
        }
        r->left = 4;
    }
    return r->out[4 - r->left--];
}

// The high word of u * n; the few low words that would favour some results are drawn again (Lemire 2019).
uint32_t rng_below(rng_t *r, uint32_t n)
{
    assert(n > 0);
    uint32_t refused = (UINT32_MAX - n + 1) % n; // 2^32 mod n
    uint64_t product;
    do product = (uint64_t)rng_u32(r) * n;
    while ((uint32_t)product < refused);
    return (uint32_t)(product >> 32);
}

float rng_uniform(rng_t *r)
{
    return (float)(rng_u32(r) >> 8) * 0x1p-24F; // 24 bits are exact; 32 would round up to 1
}

// Box and Muller, in double so that the C libraries' last bits round away; u > 0 keeps log(0) out.
float rng_normal(rng_t *r)
{
    double u = (rng_u32(r) + 0.5) * 0x1p-32;
    double angle = 2 * M_PI * 0x1p-32 * rng_u32(r);
    return (float)(sqrt(-2 * log(u)) * cos(angle));
}
