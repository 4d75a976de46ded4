// How a checkpoint becomes the newest one, and how a run finds it again.
//
// Write to *.tmp, fsync, read everything back, rename, fsync the folder, move latest.h5. Until the last
// rename the older files are the truth; after it the new one is.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dagan/array.h"
#include "dagan/run.h"

enum { PATH_TEXT = 2 * CONF_TEXT_MAX, NAME_TEXT = 64 };

// ---- the files of a run directory ------------------------------------------------------------------

// The step in "ckpt-00000200.h5" + `end`, -1 where the name is another.
static long step_of(const char *name, const char *end)
{
    char *rest;
    if (strncmp(name, "ckpt-", 5) || name[5] < '0' || name[5] > '9') return -1;
    long step = strtol(name + 5, &rest, 10);
    return strcmp(rest, end) ? -1 : step;
}

static int is_checkpoint(const struct dirent *e)
{
    return step_of(e->d_name, ".h5") >= 0;
}

static int newest_first(const struct dirent **a, const struct dirent **b)
{
    long x = step_of((*a)->d_name, ".h5"), y = step_of((*b)->d_name, ".h5");
    return (y > x) - (y < x);
}

// The checkpoints of a folder, newest first, or -1 after fail().  To be released by free_names().
static int list(const char *dir, struct dirent ***names)
{
    int n = scandir(dir, names, is_checkpoint, newest_first);
    return n < 0 ? fail("%s: %s", dir, strerror(errno)) : n;
}

static void free_names(struct dirent **names, int n)
{
    for (int i = 0; i < n; i++) free(names[i]);
    if (n >= 0) free(names);
}

// Those beyond the newest `keep` go, but for those to be kept for good.  Files of later steps are of another
// history: left from before --resume of an older file, or passed over as damaged.  They make way, or the next
// start would take them for this run's newest.
static int drop_old(const char *dir, long step, const config_t *conf)
{
    struct dirent **names;
    char path[PATH_TEXT], aside[PATH_TEXT + 8];
    int n = list(dir, &names), kept = 0, bad = n < 0;
    long every = conf->checkpoint.keep_every;
    for (int i = 0; i < n && !bad; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
        snprintf(aside, sizeof aside, "%s.aside", path);
        long of = step_of(names[i]->d_name, ".h5");
        bool is_later = of > step, is_old = !is_later && ++kept > conf->checkpoint.keep;
        // Somebody else may have removed it, and one more than wanted does no harm.
        if (is_later && rename(path, aside) && errno != ENOENT)
            bad = fail("%s: %s", path, strerror(errno));
        else if (is_old && !(every && of % every == 0) && unlink(path) && errno != ENOENT)
            fprintf(stderr, "dagan_mpi: %s cannot be removed: %s\n", path, strerror(errno));
    }
    free_names(names, n);
    return bad;
}

static int is_orphan(const struct dirent *e)
{
    return step_of(e->d_name, ".h5.tmp") >= 0 || strcmp(e->d_name, "latest.h5.tmp") == 0 ||
           strcmp(e->d_name, "best.h5.tmp") == 0;
}

int checkpoint_clean(const char *dir)
{
    struct dirent **names;
    char path[PATH_TEXT];
    int n = scandir(dir, &names, is_orphan, alphasort),
        bad = n < 0 ? fail("%s: %s", dir, strerror(errno)) : 0;
    for (int i = 0; i < n && !bad; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
        if (unlink(path) && errno != ENOENT) bad = fail("%s: %s", path, strerror(errno));
    }
    free_names(names, n);
    return bad;
}

// latest.h5 is a link beside the files; it changes by rename, so it always names a whole one.
static int point_latest(const char *dir, const char *name)
{
    char link[PATH_TEXT], fresh[PATH_TEXT];
    snprintf(link, sizeof link, "%s/latest.h5", dir);
    snprintf(fresh, sizeof fresh, "%s/latest.h5.tmp", dir);
    if (unlink(fresh) && errno != ENOENT) return fail("%s: %s", fresh, strerror(errno));
    if (symlink(name, fresh) || rename(fresh, link)) return fail("%s: %s", link, strerror(errno));
    return sync_path(dir);
}

// A checkpoint counts without it: the newest file is found by its name.
static void tell_latest(const char *dir, const char *name)
{
    if (point_latest(dir, name)) fprintf(stderr, "dagan_mpi: %s\n", error_text());
}

// ---- writing ---------------------------------------------------------------------------------------

static void paths(const saving_t *s, const char *dir, char path[PATH_TEXT], char tmp[PATH_TEXT])
{
    snprintf(path, PATH_TEXT, "%s/%s", dir, s->name);
    snprintf(tmp, PATH_TEXT, "%s/%s.tmp", dir, s->name);
}

static int commit(const saving_t *s, const char *dir, const config_t *conf)
{
    char path[PATH_TEXT], tmp[PATH_TEXT];
    paths(s, dir, path, tmp);
    if (save_check(s->save) || take_name(tmp, path)) return -1;
    if (!s->is_latest) return 0;
    tell_latest(dir, s->name);
    return drop_old(dir, s->step, conf);
}

static int begin_as(saving_t *s, trainer_t *tr, const char *dir, const char *name, bool is_latest,
                    bool by_thread)
{
    char path[PATH_TEXT], tmp[PATH_TEXT];
    double began = now();
    CHECK(!s->save, "a checkpoint is being written already");
    if (trainer_settle(tr)) return -1;
    *s = (saving_t){ .step = tr->step, .rollbacks = tr->rollbacks, .is_latest = is_latest, .began = began };
    snprintf(s->name, sizeof s->name, "%s", name);
    paths(s, dir, path, tmp);
    comm_at("%s", name);
    s->save = save_new(tr->comm, tmp);
    attention_exchange(&tr->seen_s, tr->comm);
    attention_exchange(&tr->seen_t, tr->comm);
    s->bad = checkpoint_lay_out(tr, s->save);
    if (!s->bad) save_write(s->save, by_thread);
    s->stood = now() - began;
    return 0;
}

static void name_of(char name[NAME_TEXT], long step)
{
    snprintf(name, NAME_TEXT, "ckpt-%08ld.h5", step);
}

int checkpoint_begin(saving_t *s, trainer_t *tr, const char *dir, bool by_thread)
{
    char name[NAME_TEXT];
    name_of(name, tr->step);
    return begin_as(s, tr, dir, name, true, by_thread);
}

bool checkpoint_is_over(const saving_t *s)
{
    return !s->save || s->bad || save_is_over(s->save);
}

int checkpoint_end(saving_t *s, trainer_t *tr, const char *dir)
{
    char path[PATH_TEXT], tmp[PATH_TEXT];
    struct stat file;
    double began = now();
    bool is_last = s->is_latest && s->step == tr->step && (tr->stop || tr->step >= tr->plan.steps);
    bool goes_on = tr->conf->checkpoint.on_error == ON_ERROR_CONTINUE && !is_last && !s->is_needed,
         is_first = tr->comm->rank == 0;
    const char *before = goes_on ? "training goes on without a checkpoint: " : "";
    if (!s->save) return 0;
    paths(s, dir, path, tmp);
    comm_at("%s", s->name);
    // One rank's trouble is everyone's; then rank 0's with the commit.
    bool bad = comm_tell(tr->comm, s->bad || save_wait(s->save), before, error_text());
    if (!bad) bad = comm_tell(tr->comm, save_read_seams(s->save), before, error_text());
    if (!bad) bad = comm_tell(tr->comm, is_first && commit(s, dir, tr->conf), before, error_text());
    if (bad && is_first) unlink(tmp); // it may not be there
    if (!bad && is_first && stat(path, &file) == 0) s->bytes = (double)file.st_size;
    s->written = save_written(s->save) - s->began;
    save_free(s->save);
    s->save = NULL;
    s->is_kept = !bad;
    s->stood += now() - began;
    s->took = now() - s->began;
    if (!bad && s->is_latest) tr->rollbacks_kept = s->rollbacks;
    return bad && !goes_on ? -1 : 0;
}

int checkpoint_write(saving_t *s, trainer_t *tr, const char *dir)
{
    return checkpoint_end(s, tr, dir) || checkpoint_begin(s, tr, dir, false) || checkpoint_end(s, tr, dir)
               ? -1
               : 0;
}

int checkpoint_write_best(saving_t *s, trainer_t *tr, const char *dir)
{
    return checkpoint_end(s, tr, dir) || begin_as(s, tr, dir, "best.h5", false, false) ||
                   checkpoint_end(s, tr, dir)
               ? -1
               : 0;
}

// ---- resume -----------------------------------------------------------------------------------------

// The checkpoints of `dir` as rank 0 sees them: their number on every rank, 0 also where it sees no folder.
static int list_on_all(const comm_t *c, const char *dir, struct dirent ***names)
{
    int n = 0;
    *names = NULL;
    if (c->rank == 0 && access(dir, F_OK) == 0) n = list(dir, names);
    comm_bcast(c, &n, sizeof n, 0);
    return n;
}

static void path_on_all(const comm_t *c, char path[PATH_TEXT], const char *dir, struct dirent **names, int i)
{
    if (c->rank == 0) snprintf(path, PATH_TEXT, "%s/%s", dir, names[i]->d_name);
    comm_bcast(c, path, PATH_TEXT, 0);
}

static void tell_line(void *unused, const char *line)
{
    (void)unused;
    fprintf(stderr, "dagan_mpi: %s\n", line);
}

static int resume_newest(trainer_t *tr, const char *dir, bool *found)
{
    const comm_t *c = tr->comm;
    struct dirent **names;
    char file[PATH_TEXT];
    int n = list_on_all(c, dir, &names);
    if (comm_agree(c, n < 0, error_text())) return -1;
    for (int i = 0; i < n && !*found; i++) {
        path_on_all(c, file, dir, names, i);
        *found = !comm_tell(c, checkpoint_load(tr, file), "passed over ", error_text());
        if (*found && c->rank == 0) tell_latest(dir, names[i]->d_name);
    }
    if (c->rank == 0) free_names(names, n);
    // A file that failed half-way may have left its numbers behind: never go on from a mixture.
    bool none = n > 0 && !*found;
    if (none && c->rank == 0 && tr->config_before)
        config_changes(tr->config_before, tr->conf, tell_line, NULL);
    if (none) fail("%s: none of its %d checkpoints can be used; --fresh starts anew", dir, n);
    return comm_agree(c, none, error_text()) ? -1 : 0;
}

int checkpoint_resume(trainer_t *tr, const char *dir, const char *path, bool *found)
{
    int bad = 0;
    *found = false;
    comm_at("reading a checkpoint");
    if (path)
        *found = !(bad = comm_agree(tr->comm, checkpoint_load(tr, path), error_text()));
    else
        bad = resume_newest(tr, dir, found);
    if (*found) trainer_reseed(tr);
    return bad ? -1 : 0;
}

// The best of later steps belongs to a history that is given up; the next best would take its place.
static int set_best_aside(const trainer_t *tr, const char *dir)
{
    char best[PATH_TEXT], aside[PATH_TEXT];
    long step = LONG_MAX; // of a file that cannot be read
    array_file_t f;
    snprintf(best, sizeof best, "%s/best.h5", dir);
    snprintf(aside, sizeof aside, "%s/best.h5.aside", dir);
    if (access(best, F_OK)) return 0;
    if (!hdf5_inspect(tr->comm, best, "/") && array_open_alone(&f, tr->comm, best) == 0) {
        (void)array_get_long(&f, "/", "step", &step);
        (void)array_close(&f); // it was read only
    }
    return step > tr->step && rename(best, aside) ? fail("%s: %s", best, strerror(errno)) : 0;
}

int checkpoint_adopt(saving_t *s, trainer_t *tr, const char *dir, const char *path)
{
    char name[NAME_TEXT], own[PATH_TEXT];
    bool is_first = tr->comm->rank == 0;
    name_of(name, tr->step);
    snprintf(own, sizeof own, "%s/%s", dir, name);
    if (comm_agree(tr->comm, is_first && set_best_aside(tr, dir), error_text())) return -1;
    if (comm_any(tr->comm, is_first && is_same_file(path, own))) {
        if (is_first) tell_latest(dir, name);
        int bad = is_first && drop_old(dir, tr->step, tr->conf);
        return comm_agree(tr->comm, bad, error_text()) ? -1 : 0;
    }
    if (checkpoint_begin(s, tr, dir, false)) return -1;
    s->is_needed = true;
    return checkpoint_end(s, tr, dir);
}

begun_t checkpoint_begun(const comm_t *c, const char *dir, const char *path)
{
    static const begun_t none;
    begun_t begun = none;
    struct dirent **names;
    char file[PATH_TEXT];
    comm_at("reading a checkpoint");
    // Whatever cannot be read is told when it is to be resumed.
    if (path) return comm_any(c, checkpoint_batch(c, path, &begun)) ? none : begun;
    int n = list_on_all(c, dir, &names);
    bool found = false;
    for (int i = 0; i < n && !found; i++) {
        path_on_all(c, file, dir, names, i);
        found = !comm_any(c, checkpoint_batch(c, file, &begun));
    }
    if (c->rank == 0) free_names(names, n);
    return found ? begun : none;
}
