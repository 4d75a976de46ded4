// Who computes what: batch, leaves and steps for a number of ranks, and the step sizes that go with them.

#include <math.h>

#include "dagan/train.h"

int plan_run(plan_run_t *p, const config_t *conf, int rank, int size)
{
    int leaf = conf->train.microbatch;
    long pairs = conf->train.steps ? conf->train.steps * conf->train.batch : conf->train.pairs;
    *p = (plan_run_t){ .batch = conf->train.batch, .rate_scale = 1 };
    if ((long)size * leaf > p->batch) {
        if (!conf->train.grow)
            return fail("train.batch: found %d, wanted at least %ld, a microbatch for each of %d ranks "
                        "(train.grow is false)",
                        p->batch, (long)size * leaf, size);
        p->batch = size * leaf;
        p->grown = true;
        double growth = (double)p->batch / conf->train.batch;
        p->rate_scale = conf->train.rate_scaling == SCALING_SQRT     ? sqrt(growth)
                        : conf->train.rate_scaling == SCALING_LINEAR ? growth
                                                                     : 1;
    }
    p->steps = p->grown || !conf->train.steps ? (pairs + p->batch - 1) / p->batch : conf->train.steps;
    p->leaves = p->batch / leaf;
    share_t mine = share_of((size_t)p->leaves, rank, size);
    p->first_leaf = (int)mine.first;
    p->my_leaves = (int)mine.count;
    p->is_invariant = (size & (size - 1)) == 0 && p->leaves % size == 0 && conf->comm.reduce == REDUCE_TREE;
    return 0;
}

double rate_at(const config_t *conf, const plan_run_t *p, double rate, long step)
{
    double rise = conf->train.warmup > 0 ? fmin(1, (double)(step + 1) / (double)conf->train.warmup) : 1;
    double from = conf->train.decay * (double)p->steps, left = (double)p->steps - (double)step;
    double fall = (double)step < from ? 1 : fmax(0, left / ((double)p->steps - from));
    return rate * p->rate_scale * rise * fall;
}

static double rate_or_label(const config_t *conf, const plan_run_t *p, double rate, long step)
{
    bool labels = step < conf->train.label_warmup && conf->train.rate_label > 0;
    return rate_at(conf, p, labels ? conf->train.rate_label : rate, step);
}

double rate_of_f(const config_t *conf, const plan_run_t *p, long step)
{
    return rate_or_label(conf, p, conf->train.rate_g, step);
}

double rate_of_d(const config_t *conf, const plan_run_t *p, long step)
{
    return rate_or_label(conf, p, conf->train.rate_d, step);
}
