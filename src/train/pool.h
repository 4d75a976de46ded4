// The image pool, private to train/.
#ifndef DAGAN_TRAIN_POOL_H
#define DAGAN_TRAIN_POOL_H

#include "dagan/train.h"

void image_pool_init(image_pool_t *p, const config_t *conf, const plan_run_t *plan);
void image_pool_free(image_pool_t *p);
// Puts the fakes of this rank's `sample` into the pool and may replace them by older ones.  `step` counts D's
// steps.
void image_pool_exchange(image_pool_t *p, uint64_t seed, long step, int sample, float *fake_s, float *fake_t);
// Takes an exchange back, before any later one.
void image_pool_undo(image_pool_t *p, uint64_t seed, long step, int sample, float *fake_s, float *fake_t);

#endif
