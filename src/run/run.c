// The whole job: open, resume, step by step with log, samples and checkpoints, and the last word.

#include <math.h>
#include <signal.h>
#include <stdlib.h>

#include "announce.h"
#include "best.h"
#include "dagan/evaluate.h"
#include "dagan/run.h"
#include "desync.h"
#include "dump.h"
#include "pace.h"
#include "samples.h"

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
    // stdout may be a pipe whose reader ends before the run.
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR, "cannot ignore SIGPIPE");
}

static bool is_due(long every, long step)
{
    return every > 0 && step % every == 0;
}

// A run, and what it needs beside its trainer.
typedef struct {
    trainer_t tr;
    rundir_t dir;
    limit_t limit; // rank 0's
    saving_t saving;
    best_t *best;       // what checkpoint.best needs, NULL: nothing
    mark_t start, last; // where this process began or went back to; the last row of metrics
} run_t;

static int end_checkpoint(run_t *run)
{
    trainer_t *tr = &run->tr;
    const saving_t *s = &run->saving;
    if (!s->save) return 0;
    int bad = checkpoint_end(&run->saving, tr, tr->conf->run.dir);
    tr->stood += s->stood;
    limit_note(&run->limit.checkpoint, s->took);
    if (tr->comm->rank == 0 && s->is_kept)
        rundir_say(&run->dir,
                   "checkpoint %s/ckpt-%08ld.h5, %.1f MiB in %.2f s, training stood still for %.2f s",
                   tr->conf->run.dir, s->step, s->bytes / 1048576, s->took, s->stood);
    return bad;
}

// Before the checkpoint of the same step, which then knows of it.
static int look_for_best(run_t *run)
{
    trainer_t *tr = &run->tr;
    static const char *const name[] = { "", "KID", "Frechet distance" };
    char best[64] = "none kept";
    double figure;
    bool is_best;
    if (end_checkpoint(run) ||
        best_consider(run->best, &run->saving, tr, tr->conf->run.dir, &figure, &is_best))
        return -1;
    if (isfinite(tr->best_figure))
        snprintf(best, sizeof best, "best %.5g at step %ld%s", tr->best_figure, tr->best_step,
                 is_best ? ": best.h5" : "");
    if (tr->comm->rank == 0)
        rundir_say(&run->dir, "validation %s %.5g, %s", name[tr->conf->checkpoint.best], figure, best);
    return 0;
}

// Ends a checkpoint that every rank has written, and begins one that is due.  The run's last one is waited
// for.
static int checkpoints(run_t *run, bool is_end)
{
    trainer_t *tr = &run->tr;
    bool is_now = is_due(tr->conf->checkpoint.every, tr->step) || is_end;
    if ((is_now || !tr->is_writing) && end_checkpoint(run)) return -1;
    if (!is_now) return 0;
    bool by_thread = tr->conf->checkpoint.async && !is_end;
    if (checkpoint_begin(&run->saving, tr, tr->conf->run.dir, by_thread)) return -1;
    return by_thread && !run->saving.bad ? 0 : end_checkpoint(run); // what is bad has its reason told now
}

// Goes on from the newest checkpoint, with the images in another order.
static int roll_back(run_t *run)
{
    trainer_t *tr = &run->tr;
    long rollbacks = tr->rollbacks + 1, best_step = tr->best_step;
    double best_figure = tr->best_figure;
    bool found = false;
    if (end_checkpoint(run)) return -1;
    trainer_drop(tr);
    if (checkpoint_resume(tr, tr->conf->run.dir, NULL, &found)) return -1;
    int bad = found ? 0 : fail("%s: holds no checkpoint to go back to", tr->conf->run.dir);
    if (comm_agree(tr->comm, bad, error_text())) return -1;
    tr->rollbacks = rollbacks;
    trainer_reseed(tr);
    if (best_figure < tr->best_figure) { // best.h5 stays, of a step that this history may not come to
        tr->best_figure = best_figure;
        tr->best_step = best_step;
    }
    tr->began = now();
    if (tr->comm->rank == 0) {
        rundir_rewind(&run->dir, tr);
        rundir_say(&run->dir, "back to the checkpoint of step %ld", tr->step);
    }
    return 0;
}

// Everything that may be due after a step.  0, or -1 where the run must end, or go back (tr->wants_rollback).
static int after_step(run_t *run)
{
    trainer_t *tr = &run->tr;
    const config_t *conf = tr->conf;
    bool is_done = tr->step >= tr->plan.steps, is_end = is_done || tr->stop, is_first = tr->comm->rank == 0;
    // No row for a stop in between: a run that was stopped ends with the rows of one that was not.
    bool is_row = is_due(conf->log.every, tr->step) || is_done;
    bool is_sample = conf->samples.every > 0 && (is_due(conf->samples.every, tr->step) || is_done);
    bool is_best = run->best && (is_due(conf->checkpoint.best_every, tr->step) || is_done);
    bool is_checkpoint = is_due(conf->checkpoint.every, tr->step) || is_end;
    bool is_check =
        conf->comm.verify_every && (is_due(conf->comm.verify_every, tr->step) || is_best || is_checkpoint);
    if ((is_row || is_sample || is_best || is_checkpoint) && trainer_settle(tr)) return -1;
    if (is_check && desync_check(tr)) return -1;
    if (is_row) {
        note_metrics(tr, &run->last);
        if (is_first) rundir_metrics(&run->dir, tr, eta(tr, &run->start));
    }
    double began = now();
    if (is_sample) {
        // A full disk is told; checkpoints decide what it does.
        if (samples_write(tr, conf->run.dir) && conf->checkpoint.on_error == ON_ERROR_STOP) return -1;
        limit_note(&run->limit.samples, now() - began);
    }
    began = now();
    if (is_best) {
        if (look_for_best(run)) return -1;
        limit_note(&run->limit.best, now() - began);
    }
    if (is_due(ATTENTION_EVERY, tr->step)) {
        attention_exchange(&tr->seen_s, tr->comm);
        attention_exchange(&tr->seen_t, tr->comm);
    }
    return checkpoints(run, is_end);
}

// 0 done, 1 stopped, -1 failed and the message printed.
static int loop(run_t *run)
{
    trainer_t *tr = &run->tr;
    run->last = run->start = (mark_t){ tr->step, now() };
    bool is_first = tr->comm->rank == 0;
    while (tr->step < tr->plan.steps) {
        double began = now();
        if (is_first && limit_is_near(&run->limit)) stop_requested = 1;
        tr->writes = !checkpoint_is_over(&run->saving);
        int bad = trainer_step(tr);
        limit_note(&run->limit.step, now() - began);
        if (is_first) rundir_bar(&run->dir, tr, eta(tr, &run->start));
        if (!bad) bad = after_step(run); // on every rank alike: they hold the same sums
        if (bad && tr->wants_rollback && roll_back(run) == 0) {
            run->last = run->start = (mark_t){ tr->step, now() };
            continue;
        }
        if (bad) {
            end_checkpoint(run); // what was begun before was sound
            return -1;
        }
        if (tr->step >= tr->plan.steps) return 0;
        if (tr->stop) return 1;
    }
    return 0;
}

// Data, networks, the folder, and the state to go on from: *found, if there is one.  0, or -1
// after the message was printed.
static int open_run(run_t *run, const comm_t *c, const config_t *conf, const train_t *how, bool *found)
{
    trainer_t *tr = &run->tr;
    begun_t begun = { 0 };
    if (how->resume || !how->fresh) begun = checkpoint_begun(c, conf->run.dir, how->resume);
    if (trainer_init(tr, c, conf, begun, how->dump != NULL)) return -1;
    if (best_open(&run->best, tr)) return -1;
    if (rundir_open(&run->dir, c, conf, how->fresh)) return -1;
    return checkpoint_resume(tr, conf->run.dir, how->resume, found);
}

// The run's first words.  As open_run.
static int begin(run_t *run, const config_t *conf, double began, bool found)
{
    const comm_t *c = run->tr.comm;
    char machine[MACHINE_TEXT], hash[HASH_TEXT];
    int bad = c->rank == 0 ? rundir_begin(&run->dir, &run->tr) : 0;
    if (comm_agree(c, bad, error_text())) return -1;
    machine_text(machine, sizeof machine, c);
    if (c->rank > 0) return 0;
    limit_find(&run->limit, conf, began);
    announce_begin(&run->dir, &run->tr, &run->limit, machine, found);
    if (run->best)
        rundir_say(&run->dir, "validation by classifier %s, %s", judge_name(hash, best_judge(run->best)),
                   conf->checkpoint.classifier);
    return 0;
}

// Training, and the last word; the exit status.
static int train(run_t *run, const config_t *conf, const train_t *how, bool found)
{
    trainer_t *tr = &run->tr;
    const comm_t *c = tr->comm;
    int bad = 0;
    tr->observer = how->observer;
    // Something to go back to; and who comes after a lost job, without --resume, must find this history.
    if (how->resume)
        bad = checkpoint_adopt(&run->saving, tr, conf->run.dir, how->resume);
    else if (conf->train.nonfinite == NONFINITE_ROLLBACK && !found)
        bad = checkpoint_write(&run->saving, tr, conf->run.dir);
    if (bad) return EXIT_RUN_FAILED;
    if (how->fresh || how->resume) {
        bad = c->rank == 0 ? rundir_note_job(&run->dir, how->resume) : 0;
        if (comm_agree(c, bad, error_text())) return EXIT_RUN_FAILED;
    }
    tr->began = now();
    profile_t profile;
    if (conf->log.profile) profile_start(c, &profile);
    int end = loop(run);
    if (conf->log.profile && profile_write(c, &profile, conf->run.dir)) end = -1;
    if (end == 0 && !(kind_of(conf)->steps & STEP_G)) judge_say(tr, rundir_say_line, &run->dir);
    int status = end < 0 ? EXIT_RUN_FAILED : end > 0 ? EXIT_REQUEUE : EXIT_DONE;
    if (c->rank == 0) announce_end(&run->dir, tr, &run->limit, status, how->resume != NULL);
    return status;
}

int train_run(const comm_t *c, const config_t *conf, const train_t *asked)
{
    run_t *run = alloc(1, sizeof *run);
    train_t how = *asked;
    double began = now();
    bool found = false;
    int status = EXIT_USER;
    run->dir.lock = -1;
    run->limit.end = INFINITY;
    catch_signals();
    if ((how.fresh || how.resume) && !how.dump && rundir_is_back(c, conf, how.resume)) {
        how.fresh = false;
        how.resume = NULL;
    }
    if (open_run(run, c, conf, &how, &found)) goto out;
    if (!how.dump) {
        status = begin(run, conf, began, found) ? EXIT_RUN_FAILED : train(run, conf, &how, found);
    } else if (!dump_check(&run->tr, how.dump, how.resume)) {
        status = dump_step(&run->tr, how.dump) ? EXIT_RUN_FAILED : EXIT_DONE;
        if (status == EXIT_DONE && c->rank == 0)
            printf("step %ld is in %s; nothing was trained\n", run->tr.step - 1, how.dump);
    }
out:
    CHECK(!run->saving.save, "a checkpoint was begun and not ended");
    rundir_close(&run->dir);
    best_close(run->best);
    trainer_free(&run->tr);
    free(run);
    return status;
}
