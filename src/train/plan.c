// Who computes what: batch, leaves and steps for a number of ranks, and the step sizes that go with them.

#include <math.h>

#include "dagan/train.h"

static long steps_of(long pairs, int batch)
{
    return (pairs + batch - 1) / batch;
}

// Of a kind that has such steps.
static long label_warmup(const config_t *conf)
{
    return kind_of(conf)->steps & STEP_LABEL ? conf->train.label_warmup : 0;
}

// The batch grows to `batch`: fewer steps see as many pairs, of the run, of its warm-ups and of the average.
static void grow(plan_run_t *p, const config_t *conf, int batch)
{
    double growth = (double)batch / conf->train.batch;
    p->batch = batch;
    p->grown = true;
    p->label_warmup = steps_of(label_warmup(conf) * conf->train.batch, batch);
    p->warmup = steps_of(conf->train.warmup * conf->train.batch, batch);
    p->ema = pow(conf->train.ema, growth);
    p->rate_scale = conf->train.rate_scaling == SCALING_SQRT     ? sqrt(growth)
                    : conf->train.rate_scaling == SCALING_LINEAR ? growth
                                                                 : 1;
}

int plan_run(plan_run_t *p, const config_t *conf, int rank, int size, begun_t begun)
{
    int leaf = conf->train.microbatch;
    long pairs = conf->train.steps ? conf->train.steps * conf->train.batch : conf->train.pairs,
         least = (long)size * leaf;
    *p = (plan_run_t){ .batch = conf->train.batch,
                       .label_warmup = label_warmup(conf),
                       .warmup = conf->train.warmup,
                       .ema = conf->train.ema,
                       .rate_scale = 1 };
    if (begun.grown && begun.batch > p->batch) grow(p, conf, begun.batch);
    if (p->batch % leaf)
        return fail(
            "train.microbatch: found %d, wanted a divisor of the %d pairs per step of the run to go on", leaf,
            p->batch);
    if (least > p->batch) {
        if (begun.batch)
            return fail("train.batch: the run to go on has %d pairs per step, found %d ranks, wanted at most "
                        "%d, a rank for each microbatch of %d; --fresh begins anew",
                        p->batch, size, p->batch / leaf, leaf);
        if (!conf->train.grow)
            return fail("train.batch: found %d, wanted at least %ld, a microbatch for each of %d ranks "
                        "(train.grow is false)",
                        p->batch, least, size);
        grow(p, conf, (int)least);
    }
    p->steps = p->grown || !conf->train.steps ? steps_of(pairs, p->batch) : conf->train.steps;
    p->leaves = p->batch / leaf;
    share_t mine = share_of((size_t)p->leaves, rank, size);
    p->first_leaf = (int)mine.first;
    p->my_leaves = (int)mine.count;
    p->is_invariant = (size & (size - 1)) == 0 && p->leaves % size == 0 && conf->comm.reduce == REDUCE_TREE;
    return 0;
}

double rate_at(const config_t *conf, const plan_run_t *p, double rate, long step)
{
    double rise = p->warmup > 0 ? fmin(1, (double)(step + 1) / (double)p->warmup) : 1;
    double from = conf->train.decay * (double)p->steps, left = (double)p->steps - (double)step;
    double fall = (double)step < from ? 1 : fmax(0, left / ((double)p->steps - from));
    return rate * p->rate_scale * rise * fall;
}

static double rate_or_label(const config_t *conf, const plan_run_t *p, double rate, long step)
{
    bool labels = step < p->label_warmup && conf->train.rate_label > 0;
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
