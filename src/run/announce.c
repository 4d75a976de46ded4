// What the log says of a run before its first step and after its last.

#include "announce.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <xxhash.h>

#include "dagan/kernel.h"

// "dae 123, g 456, d1 789"
static void parameters_text(char *text, size_t size, const model_t *m)
{
    const params_t *const sides[] = { &m->f, &m->d };
    size_t at = 0;
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < sides[s]->n_nets && at < size; i++) {
            const net_t *net = &sides[s]->net[i];
            at += (size_t)snprintf(text + at, size - at, "%s%s %zu", at ? ", " : "", net->name,
                                   net->end - net->first);
        }
}

static void say_plan(rundir_t *r, const trainer_t *tr, const char *machine, bool resumed)
{
    const plan_run_t *p = &tr->plan;
    const config_t *conf = tr->conf;
    char parameters[256], labels[96] = "", when[64] = "when the run began";
    const objective_t *const o[] = { tr->g, tr->label, tr->d, tr->label_d };
    parameters_text(parameters, sizeof parameters, &tr->model);
    rundir_say(r, "%s: %s -> %s, %zu and %zu images of %dx%d", conf->run.dir, tr->source.name,
               tr->target.name, tr->source.n, tr->target.n, conf->data.size, conf->data.size);
    rundir_say(r, "%s: parameters %s; tapes of %.1f MiB per rank", conf->model.kind, parameters,
               (double)objectives_bytes(o, tr->at_once) / 1048576);
    if (tr->model.loss_net.n)
        rundir_say(
            r, "distances by the features of %s, %016llx", conf->loss.classifier,
            (unsigned long long)XXH3_64bits(tr->model.loss_net.w, tr->model.loss_net.n * sizeof(float)));
    if (tr->label->n && tr->g->n)
        snprintf(labels, sizeof labels, ", the first %ld on labels alone%s", p->label_warmup,
                 p->label_warmup < p->steps ? "" : ": G learns nothing");
    rundir_say(r, "%d ranks, %d pairs per step in %d leaves of %d, %ld steps%s", tr->comm->size, p->batch,
               p->leaves, conf->train.microbatch, p->steps, labels);
    rundir_say(r, "ranks on %s", machine);
    int threads = omp_get_max_threads();
    rundir_say(r, "%d thread%s per rank%s, kernels for %s", threads, threads > 1 ? "s" : "",
               tr->at_once > 1 ? ", each with leaves of its own" : "", kernel_text());
    if (!tr->comm->same_kernels)
        rundir_say(r, "ranks run on different processors: the bits are this run's own (BLIS_ARCH_TYPE can "
                      "make them alike)");
    if (p->batch == tr->comm->size * conf->train.microbatch)
        snprintf(when, sizeof when, "for %d ranks", tr->comm->size);
    if (p->grown)
        rundir_say(r, "batch grown from %d to %d %s: %ld steps see as many pairs, rates x %.3g",
                   conf->train.batch, p->batch, when, p->steps, p->rate_scale);
    if (!p->is_invariant)
        rundir_say(r,
                   "with %d ranks and %d leaves%s the bits are this run's own: repeatable, but not those of "
                   "1, 2, 4, ... "
                   "ranks",
                   tr->comm->size, p->leaves, conf->comm.reduce == REDUCE_MPI ? " and comm.reduce mpi" : "");
    if (resumed) rundir_say(r, "continuing after step %ld", tr->step);
    if (resumed) config_changes(tr->config_before, conf, rundir_say_line, r);
    if (resumed && tr->kernels_before[0])
        rundir_say(r, "before that with kernels for %s: the last bits are not those of one run",
                   tr->kernels_before);
}

static void say_limit(rundir_t *r, const limit_t *l)
{
    char left[TIME_TEXT];
    if (!isinf(l->end))
        rundir_say(r, "time limit in %s, from %s", time_text(left, l->end - now()), l->source);
    else if (l->source[0])
        rundir_say(r, "no time limit: %s", l->source);
}

void announce_begin(rundir_t *r, const trainer_t *tr, const limit_t *l, const char *machine, bool resumed)
{
    say_plan(r, tr, machine, resumed);
    say_limit(r, l);
}

void announce_end(rundir_t *r, const trainer_t *tr, const limit_t *l, int status, bool resumed)
{
    const char *dir = tr->conf->run.dir;
    char took[TIME_TEXT], why[2 * TIME_TEXT + LIMIT_SOURCE] = " on request";
    if (l->is_near)
        snprintf(why, sizeof why, ", %s before the limit of %s", time_text(took, l->end - now()), l->source);
    if (status == EXIT_REQUEUE)
        rundir_say(r, "stopped after step %ld%s; the same command%s continues", tr->step, why,
                   resumed ? " without --resume" : "");
    if (status == EXIT_DONE) {
        rundir_say(r, "done: %ld steps in %s", tr->step, time_text(took, tr->seconds + now() - tr->began));
        if (tr->translator.x && tr->conf->samples.every)
            rundir_say(r, "pictures  %s/samples/, progress.png shows them all", dir);
        rundir_say(r, "numbers   %s/metrics.csv", dir);
        rundir_say(r, "weights   %s/latest.h5   (h5ls -r %s/latest.h5)", dir, dir);
        if (isfinite(tr->best_figure)) rundir_say(r, "best      %s/best.h5, of step %ld", dir, tr->best_step);
        if (tr->conf->log.profile) rundir_say(r, "profile   %s/trace.json, for ui.perfetto.dev", dir);
        if (tr->translator.x) {
            rundir_say(r, "next      dagan_mpi translate %s/latest.h5 --input FOLDER --output FOLDER", dir);
            if (tr->source_test.n && tr->target_test.n) {
                rundir_say(r, "          dagan_mpi evaluate %s/latest.h5 --output %s/evaluation.json", dir,
                           dir);
                rundir_say(
                    r, "            (with --classifier FILE.h5 of these labels also KID and what s' keeps)");
            }
            rundir_say(r, "          python3 analysis/report.py %s", dir);
        } else {
            rundir_say(r, "next      dagan_mpi evaluate RUN/latest.h5 --classifier %s/latest.h5", dir);
        }
    }
}
