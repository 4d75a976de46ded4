// The whole job: open, resume, step by step with log, samples and checkpoints, and the last word.

#include <math.h>
#include <signal.h>
#include <stdlib.h>

#include "announce.h"
#include "best.h"
#include "desync.h"
#include "pace.h"

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
    char best[64] = "none kept";
    double figure;
    bool is_best;
    if (end_checkpoint(tr, r, limit) || best_consider(tr, tr->conf->run.dir, &figure, &is_best)) return -1;
    if (isfinite(tr->best_figure))
        snprintf(best, sizeof best, "best %.5g at step %ld%s", tr->best_figure, tr->best_step,
                 is_best ? ": best.h5" : "");
    if (tr->comm->rank == 0)
        rundir_say(r, "validation %s %.5g, %s", name[tr->conf->checkpoint.best], figure, best);
    return 0;
}

// Ends a checkpoint that every rank has written, and begins one that is due.  The run's last one is waited
// for.
static int checkpoints(trainer_t *tr, rundir_t *r, limit_t *limit, bool is_end)
{
    bool is_now = is_due(tr->conf->checkpoint.every, tr->step) || is_end;
    if ((is_now || !tr->is_writing) && end_checkpoint(tr, r, limit)) return -1;
    if (!is_now) return 0;
    bool by_thread = tr->conf->checkpoint.async && !is_end;
    if (checkpoint_begin(tr, tr->conf->run.dir, by_thread)) return -1;
    return by_thread ? 0 : end_checkpoint(tr, r, limit);
}

// Goes on from the newest checkpoint, with the images in another order.
static int roll_back(trainer_t *tr, rundir_t *r, limit_t *limit)
{
    long rollbacks = tr->rollbacks + 1, best_step = tr->best_step;
    double best_figure = tr->best_figure;
    bool found = false;
    if (end_checkpoint(tr, r, limit)) return -1;
    trainer_drop(tr);
    if (checkpoint_resume(tr, tr->conf->run.dir, NULL, &found) || !found) return -1;
    tr->rollbacks = rollbacks;
    trainer_reseed(tr);
    if (best_figure < tr->best_figure) { // best.h5 stays, of a step that this history may not come to
        tr->best_figure = best_figure;
        tr->best_step = best_step;
    }
    tr->began = now();
    if (tr->comm->rank == 0) {
        rundir_rewind(r, tr);
        rundir_say(r, "back to the checkpoint of step %ld", tr->step);
    }
    return 0;
}

// Everything that may be due after a step.  0, or -1 where the run must end, or go back (tr->wants_rollback).
static int after_step(trainer_t *tr, rundir_t *r, limit_t *limit, mark_t *last, const mark_t *start)
{
    const config_t *conf = tr->conf;
    bool is_done = tr->step >= tr->plan.steps, is_end = is_done || tr->stop, is_first = tr->comm->rank == 0;
    // No row for a stop in between: a run that was stopped ends with the rows of one that was not.
    bool is_row = is_due(conf->log.every, tr->step) || is_done;
    bool is_sample = conf->samples.every > 0 && (is_due(conf->samples.every, tr->step) || is_done);
    bool is_best = tr->best && (is_due(conf->checkpoint.best_every, tr->step) || is_done);
    bool is_checkpoint = is_due(conf->checkpoint.every, tr->step) || is_end;
    bool is_check =
        conf->comm.verify_every && (is_due(conf->comm.verify_every, tr->step) || is_best || is_checkpoint);
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
    began = now();
    if (is_best) {
        if (look_for_best(tr, r, limit)) return -1;
        limit_note(&limit->best, now() - began);
    }
    if (is_due(ATTENTION_EVERY, tr->step)) {
        attention_exchange(&tr->seen_s, tr->comm);
        attention_exchange(&tr->seen_t, tr->comm);
    }
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

int train_run(const comm_t *c, const config_t *conf, const train_t *how)
{
    trainer_t *tr = alloc(1, sizeof *tr);
    rundir_t r = { .lock = -1 };
    limit_t limit = { .end = INFINITY };
    double began = now();
    bool found = false, fresh = how->fresh && !how->dump;
    begun_t begun = { 0 };
    char machine[MACHINE_TEXT];
    int status = EXIT_USER;
    catch_signals();
    if (how->resume || !rundir_is_new(c, conf, fresh))
        begun = checkpoint_begun(c, conf->run.dir, how->resume);
    if (trainer_init(tr, c, conf, begun, how->dump != NULL)) goto out;
    if (rundir_open(&r, c, conf, fresh)) goto out;
    r.same_kernels = agree_kernels(c);
    if (checkpoint_resume(tr, conf->run.dir, how->resume, &found)) goto out;
    if (how->dump) {
        if (dump_check(tr, how->dump, how->resume)) goto out;
        status = dump_step(tr, how->dump) ? EXIT_RUN_FAILED : EXIT_DONE;
        goto out;
    }
    int bad = c->rank == 0 ? rundir_begin(&r, tr) : 0;
    if (comm_agree(c, bad, error_text())) goto out;
    machine_text(machine, sizeof machine, c);
    if (c->rank == 0) {
        limit_find(&limit, conf, began);
        announce_begin(&r, tr, &limit, machine, found);
    }
    tr->observer = how->observer;
    // Something to go back to; and who comes after a lost job, without --resume, must find this history.
    if (how->resume)
        bad = checkpoint_adopt(tr, conf->run.dir, how->resume);
    else if (conf->train.nonfinite == NONFINITE_ROLLBACK && !found)
        bad = checkpoint_write(tr, conf->run.dir);
    if (bad) {
        status = EXIT_RUN_FAILED;
        goto out;
    }
    tr->began = now();
    profile_t profile;
    if (conf->log.profile) profile_start(c, &profile);
    int end = loop(tr, &r, &limit);
    if (conf->log.profile && profile_write(c, &profile, conf->run.dir)) end = -1;
    if (end == 0 && !(kind_of(conf)->steps & STEP_G)) judge_say(tr, say_line, &r);
    status = end < 0 ? EXIT_RUN_FAILED : end > 0 ? EXIT_REQUEUE : EXIT_DONE;
    if (c->rank == 0) announce_end(&r, tr, &limit, status, how->resume != NULL);
out:
    rundir_close(&r);
    trainer_free(tr);
    free(tr);
    return status;
}
