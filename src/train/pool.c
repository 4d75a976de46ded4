// The image pool: half of the fakes that D learns from are older ones.
//
// Each sample of the batch has `depth` images of its own, so the pool depends on the sample's place in the
// batch and on the step, never on the rank that holds it.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"

int image_pool_depth(const config_t *conf, const plan_run_t *plan)
{
    return (conf->train.pool + plan->batch - 1) / plan->batch;
}

void image_pool_init(image_pool_t *p, const config_t *conf, const plan_run_t *plan)
{
    int side = conf->data.size;
    *p = (image_pool_t){ .samples = plan->my_leaves * conf->train.microbatch,
                         .first = plan->first_leaf * conf->train.microbatch,
                         .image = (size_t)side * (size_t)side * 3 };
    if (!conf->train.pool) return;
    p->depth = image_pool_depth(conf, plan);
    p->s = alloc((size_t)p->samples * (size_t)p->depth * p->image, sizeof(float));
    p->t = alloc((size_t)p->samples * (size_t)p->depth * p->image, sizeof(float));
}

void image_pool_free(image_pool_t *p)
{
    free(p->s);
    free(p->t);
    *p = (image_pool_t){ 0 };
}

static bool is_finite(const float *x, size_t n)
{
    bool finite = true;
    for (size_t i = 0; i < n; i++) finite &= isfinite(x[i]) != 0;
    return finite;
}

// While the pool fills, images are stored and used as they are; then one in two is swapped for an older one.
static void exchange(const image_pool_t *p, float *slots, float *image, long step, rng_t *r)
{
    bool swap = rng_below(r, 2);
    uint32_t slot = rng_below(r, (uint32_t)p->depth);
    size_t bytes = p->image * sizeof(float);
    if (!is_finite(image, p->image)) return; // the hinge loss takes NaN for 0, so it might stay unnoticed
    if (step < p->depth) {
        memcpy(slots + (size_t)step * p->image, image, bytes);
        return;
    }
    if (!swap) return;
    float *old = slots + slot * p->image;
    for (size_t i = 0; i < p->image; i++) {
        float x = old[i];
        old[i] = image[i];
        image[i] = x;
    }
}

void image_pool_exchange(image_pool_t *p, uint64_t seed, long step, int sample, float *fake_s, float *fake_t)
{
    if (!p->depth) return;
    rng_t r = rng_at(seed, STREAM_POOL, (uint64_t)step, (uint64_t)(p->first + sample));
    size_t first = (size_t)sample * (size_t)p->depth * p->image;
    exchange(p, p->s + first, fake_s, step, &r);
    exchange(p, p->t + first, fake_t, step, &r);
}

// A swap is its own inverse; a slot that was filled is empty again.
void image_pool_undo(image_pool_t *p, uint64_t seed, long step, int sample, float *fake_s, float *fake_t)
{
    if (!p->depth) return;
    image_pool_exchange(p, seed, step, sample, fake_s, fake_t);
    if (step >= p->depth) return;
    size_t at = ((size_t)sample * (size_t)p->depth + (size_t)step) * p->image;
    memset(p->s + at, 0, p->image * sizeof(float));
    memset(p->t + at, 0, p->image * sizeof(float));
}
