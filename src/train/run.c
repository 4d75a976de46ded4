// The whole job: open, resume, step by step with log, samples and checkpoints, and the last word.

#include <math.h>
#include <omp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "best.h"
#include "dagan/kernel.h"
#include "desync.h"
#include "limit.h"
#include "rundir.h"

// A second SIGINT ends at once; the first signals only ask.
static void on_signal(int signal_number)
{
    static volatile sig_atomic_t interrupts;
    if (signal_number == SIGINT && interrupts++) _Exit(128 + SIGINT);
    stop_requested = 1;
}

static void catch_signals(void)
{
    struct sigaction a = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    sigemptyset(&a.sa_mask);
    const int signals[] = { SIGTERM, SIGINT, SIGUSR1 };
    for (int i = 0; i < 3; i++)
        CHECK(sigaction(signals[i], &a, NULL) == 0, "cannot catch signal %d", signals[i]);
    a.sa_handler = SIG_IGN; // a file beyond its largest size is an error of write(), not the end
    CHECK(sigaction(SIGXFSZ, &a, NULL) == 0, "cannot ignore SIGXFSZ");
}

static double peak_mib(const comm_t *c)
{
    struct rusage u;
    CHECK(getrusage(RUSAGE_SELF, &u) == 0, "getrusage");
    double mib = (double)u.ru_maxrss / 1024;
    comm_max(c, &mib, 1);
    return mib;
}

// What has happened since the last log line.
typedef struct {
    long step;
    double time;
} mark_t;

// Of the run's first `steps`, in FLOP of a leaf's forward pass: steps on labels alone are far shorter.
static double work(const trainer_t *tr, long steps)
{
    double label = tape_flops(&tr->label.tape) + tape_flops(&tr->label_d.tape),
           whole = tape_flops(&tr->g.tape) + tape_flops(&tr->d.tape);
    long warm = whole > 0 && tr->conf->train.label_warmup < steps ? tr->conf->train.label_warmup : steps;
    return (double)warm * label + (double)(steps - warm) * whole;
}

static double eta(const trainer_t *tr, const mark_t *start)
{
    double before = work(tr, start->step), done = work(tr, tr->step), all = work(tr, tr->plan.steps);
    return done > before ? (now() - start->time) / (done - before) * (all - done) : 0;
}

// A row of metrics.  Times are the slowest rank's, so that all ranks hold the same row.
static void note_metrics(trainer_t *tr, mark_t *last)
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
    if (conf->n_labels) row[metrics_column(m, "label_accuracy")] = tr->accuracy;
    row[metrics_column(m, "norm_g")] = tr->f_side.norm;
    row[metrics_column(m, "norm_d")] = tr->d_side.norm;
    row[metrics_column(m, "checkpoint_s")] = worst[3];
    *last = (mark_t){ tr->step, now() };
    tr->waited_data = tr->waited_comm = tr->stood = 0;
}

// Ranks on different processors agree on the plainest kernels among them.  False if BLIS's still differ.
static bool agree_kernels(const comm_t *c)
{
    int mine = 0;
    while (kernel_sets[mine] != kernel) mine++;
    double x[] = { -mine, gemm_arch(), -gemm_arch() };
    comm_max(c, x, 3);
    kernel_take((int)-x[0]);
    return x[1] == -x[2];
}

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
    char parameters[256];
    const tape_t *tape[] = { &tr->g.tape, &tr->label.tape, &tr->d.tape, &tr->label_d.tape };
    size_t floats = 0;
    for (int i = 0; i < 4; i++) floats += tape[i]->arena_floats;
    parameters_text(parameters, sizeof parameters, &tr->model);
    rundir_say(r, "%s: %s -> %s, %zu and %zu images of %dx%d", conf->run.dir, tr->source.name,
               tr->target.name, tr->source.n, tr->target.n, conf->data.size, conf->data.size);
    rundir_say(r, "%s: parameters %s; tapes of %.1f MiB per rank", conf->model.kind, parameters,
               (double)floats * 4 / 1048576);
    rundir_say(r, "%d ranks, %d pairs per step in %d leaves of %d, %ld steps", tr->comm->size, p->batch,
               p->leaves, conf->train.microbatch, p->steps);
    rundir_say(r, "ranks on %s", machine);
    rundir_say(r, "%d thread%s per rank, kernels for %s", omp_get_max_threads(),
               omp_get_max_threads() > 1 ? "s" : "", kernel_text());
    if (!r->same_kernels)
        rundir_say(r, "ranks run on different processors: the bits are this run's own (BLIS_ARCH_TYPE can "
                      "make them alike)");
    if (p->grown)
        rundir_say(r, "batch grown from %d to %d for %d ranks: %ld steps see as many pairs, rates x %.3g",
                   conf->train.batch, p->batch, tr->comm->size, p->steps, p->rate_scale);
    if (!p->is_invariant)
        rundir_say(r,
                   "with %d ranks and %d leaves%s the bits are this run's own: repeatable, but not those of "
                   "1, 2, 4, ... "
                   "ranks",
                   tr->comm->size, p->leaves, conf->comm.reduce == REDUCE_MPI ? " and comm.reduce mpi" : "");
    if (resumed) rundir_say(r, "continuing after step %ld", tr->step);
}

static void say_limit(rundir_t *r, const limit_t *l)
{
    char left[TIME_TEXT];
    if (!isinf(l->end))
        rundir_say(r, "time limit in %s, from %s", time_text(left, l->end - now()), l->source);
    else if (l->source[0])
        rundir_say(r, "no time limit: %s", l->source);
}

static bool is_due(long every, long step)
{
    return every > 0 && step % every == 0;
}

static int end_checkpoint(trainer_t *tr, rundir_t *r, limit_t *limit)
{
    const saving_t *s = &tr->saving;
    if (!s->save) return 0;
    int bad = checkpoint_end(tr, tr->conf->run.dir);
    tr->stood += s->stood;
    limit_note(&limit->checkpoint, s->took);
    if (tr->comm->rank == 0 && s->is_kept)
        rundir_say(r, "checkpoint %s/ckpt-%08ld.h5, %.1f MiB in %.2f s, training stood still for %.2f s",
                   tr->conf->run.dir, s->step, s->bytes / 1048576, s->took, s->stood);
    return bad;
}

// Before the checkpoint of the same step, which then knows of it.
static int look_for_best(trainer_t *tr, rundir_t *r, limit_t *limit)
{
    static const char *const name[] = { "", "KID", "Frechet distance" };
    double figure;
    if (end_checkpoint(tr, r, limit) || best_consider(tr, tr->conf->run.dir, &figure)) return -1;
    if (tr->comm->rank == 0)
        rundir_say(r, "validation %s %.5g, best %.5g at step %ld%s", name[tr->conf->checkpoint.best], figure,
                   tr->best_figure, tr->best_step, tr->best_step == tr->step ? ": best.h5" : "");
    return 0;
}

// Ends a checkpoint that every rank has written, and begins one that is due.  The run's last one is waited
// for.
static int checkpoints(trainer_t *tr, rundir_t *r, limit_t *limit, bool is_end)
{
    bool is_now = is_due(tr->conf->checkpoint.every, tr->step) || is_end;
    if ((is_now || !tr->is_writing) && end_checkpoint(tr, r, limit)) return -1;
    if (!is_now) return 0;
    if (tr->conf->comm.verify_every && desync_check(tr)) return -1;
    bool by_thread = tr->conf->checkpoint.async && !is_end;
    if (checkpoint_begin(tr, tr->conf->run.dir, by_thread)) return -1;
    return by_thread ? 0 : end_checkpoint(tr, r, limit);
}

// Goes on from the newest checkpoint, with the images in another order.
static int roll_back(trainer_t *tr, rundir_t *r, limit_t *limit)
{
    long rollbacks = tr->rollbacks + 1;
    bool found = false;
    if (end_checkpoint(tr, r, limit)) return -1;
    trainer_drop(tr);
    if (checkpoint_resume(tr, tr->conf->run.dir, NULL, &found) || !found) return -1;
    tr->rollbacks = rollbacks;
    trainer_reseed(tr);
    tr->began = now();
    int bad = tr->comm->rank == 0 ? rundir_begin(r, tr) : 0;
    if (tr->comm->rank == 0 && !bad) rundir_say(r, "back to the checkpoint of step %ld", tr->step);
    return comm_agree(tr->comm, bad, error_text()) ? -1 : 0;
}

// Everything that may be due after a step.  0, or -1 where the run must end, or go back (tr->wants_rollback).
static int after_step(trainer_t *tr, rundir_t *r, limit_t *limit, mark_t *last, const mark_t *start)
{
    const config_t *conf = tr->conf;
    bool is_done = tr->step >= tr->plan.steps, is_end = is_done || tr->stop, is_first = tr->comm->rank == 0;
    // No row for a stop in between: a run that was stopped ends with the rows of one that was not.
    bool is_row = is_due(conf->log.every, tr->step) || is_done;
    bool is_sample = is_due(conf->samples.every, tr->step) || is_done;
    bool is_best = tr->best && (is_due(conf->checkpoint.best_every, tr->step) || is_done);
    bool is_check = is_due(conf->comm.verify_every, tr->step);
    bool is_checkpoint = is_due(conf->checkpoint.every, tr->step) || is_end;
    if ((is_row || is_sample || is_best || is_checkpoint) && trainer_settle(tr)) return -1;
    if (is_check && desync_check(tr)) return -1;
    if (is_row) {
        note_metrics(tr, last);
        if (is_first) rundir_metrics(r, tr, eta(tr, start));
    }
    double began = now();
    if (is_sample) {
        // A full disk is told; checkpoints decide what it does.
        if (samples_write(tr, conf->run.dir) && conf->checkpoint.on_error == ON_ERROR_STOP) return -1;
        limit_note(&limit->samples, now() - began);
    }
    if (is_best && look_for_best(tr, r, limit)) return -1;
    return checkpoints(tr, r, limit, is_end);
}

// 0 done, 1 stopped, -1 failed and the message printed.  `limit` is rank 0's.
static int loop(trainer_t *tr, rundir_t *r, limit_t *limit)
{
    mark_t last = { tr->step, now() }, start = last;
    bool is_first = tr->comm->rank == 0;
    while (tr->step < tr->plan.steps) {
        double began = now();
        if (is_first && limit_is_near(limit)) stop_requested = 1;
        int bad = trainer_step(tr);
        limit_note(&limit->step, now() - began);
        if (is_first) rundir_bar(r, tr, eta(tr, &start));
        if (!bad)
            bad = after_step(tr, r, limit, &last, &start); // on every rank alike: they hold the same sums
        if (bad && tr->wants_rollback && roll_back(tr, r, limit) == 0) {
            last = start = (mark_t){ tr->step, now() };
            continue;
        }
        if (bad) {
            end_checkpoint(tr, r, limit); // what was begun before was sound
            return -1;
        }
        if (tr->step >= tr->plan.steps) return 0;
        if (tr->stop) return 1;
    }
    return 0;
}

static void say_line(void *r, const char *line)
{
    rundir_say(r, "%s", line);
}

static int finish(const trainer_t *tr, rundir_t *r, const limit_t *l, int status)
{
    if (tr->comm->rank) return status;
    const char *dir = tr->conf->run.dir;
    char took[TIME_TEXT], why[2 * TIME_TEXT + LIMIT_SOURCE] = " on request";
    if (l->is_near)
        snprintf(why, sizeof why, ", %s before the limit of %s", time_text(took, l->end - now()), l->source);
    if (status == EXIT_REQUEUE)
        rundir_say(r, "stopped after step %ld%s; the same command continues", tr->step, why);
    if (status == EXIT_DONE) {
        rundir_say(r, "done: %ld steps in %s", tr->step, time_text(took, tr->seconds + now() - tr->began));
        if (tr->translator.x) rundir_say(r, "pictures  %s/samples/", dir);
        rundir_say(r, "numbers   %s/metrics.csv", dir);
        rundir_say(r, "weights   %s/latest.h5   (h5ls -r %s/latest.h5)", dir, dir);
        if (tr->translator.x)
            rundir_say(r, "next      dagan_mpi translate %s/latest.h5 --input FOLDER --output FOLDER", dir);
    }
    return status;
}

int train_run(const comm_t *c, const config_t *conf, const train_t *how)
{
    trainer_t *tr = alloc(1, sizeof *tr);
    rundir_t r = { .lock = -1 };
    limit_t limit = { .end = INFINITY };
    double began = now();
    bool found = false;
    char machine[MACHINE_TEXT];
    int status = EXIT_USER;
    catch_signals();
    if (trainer_init(tr, c, conf, how->dump != NULL)) goto out;
    if (rundir_open(&r, c, conf, how->fresh && !how->dump)) goto out;
    r.same_kernels = agree_kernels(c);
    if (checkpoint_resume(tr, conf->run.dir, how->resume, &found)) goto out;
    if (how->dump) {
        status = dump_step(tr, how->dump) ? EXIT_RUN_FAILED : EXIT_DONE;
        goto out;
    }
    int bad = c->rank == 0 ? rundir_begin(&r, tr) : 0;
    if (comm_agree(c, bad, error_text())) goto out;
    machine_text(machine, sizeof machine, c);
    if (c->rank == 0) {
        say_plan(&r, tr, machine, found);
        limit_find(&limit, conf, began);
        say_limit(&r, &limit);
    }
    tr->observer = how->observer;
    // Something to go back to.
    if (conf->train.nonfinite == NONFINITE_ROLLBACK && !found && checkpoint_write(tr, conf->run.dir)) {
        status = EXIT_RUN_FAILED;
        goto out;
    }
    tr->began = now();
    profile_t profile;
    if (conf->log.profile) profile_start(c, &profile);
    int end = loop(tr, &r, &limit);
    if (conf->log.profile && profile_write(c, &profile, conf->run.dir)) end = -1;
    if (end == 0 && !(kind_of(conf)->steps & STEP_G)) judge_say(tr, say_line, &r);
    status = finish(tr, &r, &limit, end < 0 ? EXIT_RUN_FAILED : end > 0 ? EXIT_REQUEUE : EXIT_DONE);
out:
    rundir_close(&r);
    trainer_free(tr);
    free(tr);
    return status;
}
