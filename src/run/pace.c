// How fast a run goes and when it will be done; the row of metrics that says so.

#include "pace.h"

#include <math.h>
#include <stdio.h>
#include <sys/resource.h>

static double peak_mib(const comm_t *c)
{
    struct rusage u;
    CHECK(getrusage(RUSAGE_SELF, &u) == 0, "getrusage");
    double mib = (double)u.ru_maxrss / 1024;
    comm_max(c, &mib, 1);
    return mib;
}

// Of the run's first `steps`, in FLOP of a leaf's forward pass: steps on labels alone are far shorter.
static double work(const trainer_t *tr, long steps)
{
    double label = tape_flops(&tr->label->tape) + tape_flops(&tr->label_d->tape),
           whole = tape_flops(&tr->g->tape) + tape_flops(&tr->d->tape);
    long warm = whole > 0 && tr->plan.label_warmup < steps ? tr->plan.label_warmup : steps;
    return (double)warm * label + (double)(steps - warm) * whole;
}

double eta(const trainer_t *tr, const mark_t *start)
{
    double before = work(tr, start->step), done = work(tr, tr->step), all = work(tr, tr->plan.steps);
    return done > before ? (now() - start->time) / (done - before) * (all - done) : 0;
}

// Times are the slowest rank's, so that all ranks hold the same row.
void note_metrics(trainer_t *tr, mark_t *last)
{
    const config_t *conf = tr->conf;
    metrics_t *m = &tr->metrics;
    double steps = (double)(tr->step - last->step), span = now() - last->time;
    double worst[] = { span, tr->waited_data, tr->waited_comm, tr->stood };
    char name[METRIC_NAME_MAX];
    comm_max(tr->comm, worst, 4);
    double *row = metrics_add(m);
    row[metrics_column(m, "step")] = (double)tr->step;
    row[metrics_column(m, "epoch")] =
        floor((double)tr->step * tr->plan.batch / (double)(tr->source.n - tr->source.held_out));
    row[metrics_column(m, "seconds")] = tr->seconds + now() - tr->began;
    comm_max(tr->comm, &row[metrics_column(m, "seconds")], 1);
    row[metrics_column(m, "pairs_per_s")] = steps * tr->plan.batch / worst[0];
    row[metrics_column(m, "wait_data_s")] = worst[1] / steps;
    row[metrics_column(m, "wait_comm_s")] = worst[2] / steps;
    row[metrics_column(m, "peak_mib")] = peak_mib(tr->comm);
    row[metrics_column(m, "rate_g")] = rate_of_f(conf, &tr->plan, tr->step - 1);
    row[metrics_column(m, "rate_d")] = rate_of_d(conf, &tr->plan, tr->step - 1);
    for (int i = 0; losses[i]; i++) {
        if (!kind_has_loss(conf, losses[i])) continue;
        snprintf(name, sizeof name, "loss_%s", losses[i]->name);
        row[metrics_column(m, name)] = tr->loss[i];
    }
    if (kind_tells_labels(conf)) row[metrics_column(m, "label_accuracy")] = tr->accuracy;
    row[metrics_column(m, "norm_g")] = tr->f_side.norm;
    row[metrics_column(m, "norm_d")] = tr->d_side.norm;
    row[metrics_column(m, "checkpoint_s")] = worst[3];
    *last = (mark_t){ tr->step, now() };
    tr->waited_data = tr->waited_comm = tr->stood = 0;
}
