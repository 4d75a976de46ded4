// How a checkpoint becomes the newest one, and how a run finds it again.
//
// Write to *.tmp, close, fsync, read everything back against its checksums, rename, fsync the folder, move
// latest.h5. Until the last rename the older files are the truth; after it the new one is.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint.h"

enum { PATH_TEXT = 2 * CONF_TEXT_MAX, KEPT_MAX = 4096 };

static int sync_path(const char *path)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fsync(fd)) {
        int why = errno;
        if (fd >= 0) close(fd);
        return fail("%s: cannot be brought to disk: %s", path, strerror(why));
    }
    return close(fd) ? fail("%s: %s", path, strerror(errno)) : 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)b, *(char *const *)a); // newest first: steps have leading zeros
}

// The checkpoints of a folder, newest first.  To be released with free_names().
static int list(const char *dir, char **names)
{
    DIR *d = opendir(dir);
    int n = 0;
    if (!d) return 0;
    for (struct dirent *e; (e = readdir(d)) && n < KEPT_MAX;) {
        size_t length = strlen(e->d_name);
        if (strncmp(e->d_name, "ckpt-", 5) || length < 8 || strcmp(e->d_name + length - 3, ".h5")) continue;
        names[n] = strdup(e->d_name);
        CHECK(names[n], "no memory for a file name");
        n++;
    }
    closedir(d);
    qsort(names, (size_t)n, sizeof *names, by_name);
    return n;
}

static void drop_old(const char *dir, int keep)
{
    char *names[KEPT_MAX], path[PATH_TEXT];
    int n = list(dir, names);
    for (int i = 0; i < n; i++) {
        if (i >= keep && snprintf(path, sizeof path, "%s/%s", dir, names[i]) < (int)sizeof path) unlink(path);
        free(names[i]);
    }
}

// latest.h5 is a link beside the files; it changes by rename, so it always names a whole one.
static int point_latest(const char *dir, const char *name)
{
    char link[PATH_TEXT], fresh[PATH_TEXT];
    snprintf(link, sizeof link, "%s/latest.h5", dir);
    snprintf(fresh, sizeof fresh, "%s/latest.h5.tmp", dir);
    unlink(fresh);
    if (symlink(name, fresh) || rename(fresh, link)) return fail("%s: %s", link, strerror(errno));
    return 0;
}

static int commit(const char *dir, const char *tmp, const char *path, const char *name, bool is_latest)
{
    if (rename(tmp, path)) return fail("%s: %s", path, strerror(errno));
    if (sync_path(dir)) return -1;
    if (!is_latest) return 0;
    return point_latest(dir, name) || sync_path(dir) ? -1 : 0;
}

static int write_as(trainer_t *tr, const char *dir, const char *name, bool is_latest)
{
    char path[PATH_TEXT], tmp[PATH_TEXT];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    snprintf(tmp, sizeof tmp, "%s/%s.tmp", dir, name);
    if (trainer_settle(tr)) return -1;
    attention_exchange(&tr->seen_s, tr->comm);
    attention_exchange(&tr->seen_t, tr->comm);
    int bad = checkpoint_save(tr, tmp);
    if (!bad && tr->comm->rank == 0) bad = sync_path(tmp);
    bad = checkpoint_agree(tr->comm, bad) || checkpoint_verify(tr, tmp);
    if (!bad && tr->comm->rank == 0) {
        bad = commit(dir, tmp, path, name, is_latest);
        if (!bad && is_latest) drop_old(dir, tr->conf->checkpoint.keep);
    }
    if (bad && tr->comm->rank == 0) unlink(tmp);
    return comm_agree(tr->comm, bad, error_text()) ? -1 : 0;
}

int checkpoint_write(trainer_t *tr, const char *dir)
{
    char name[64];
    snprintf(name, sizeof name, "ckpt-%08ld.h5", tr->step);
    return write_as(tr, dir, name, true);
}

int checkpoint_write_best(trainer_t *tr, const char *dir)
{
    return write_as(tr, dir, "best.h5", false);
}

// ---- resume -----------------------------------------------------------------------------------------

int checkpoint_resume(trainer_t *tr, const char *dir, const char *path, bool *found)
{
    const comm_t *c = tr->comm;
    char *names[KEPT_MAX], file[PATH_TEXT];
    int n = 0;
    *found = false;
    if (path) {
        int bad = checkpoint_load(tr, path);
        *found = !bad;
        return comm_agree(c, bad, error_text()) ? -1 : 0;
    }
    if (c->rank == 0) n = list(dir, names); // one rank looks, so that all see the same files
    comm_bcast(c, &n, sizeof n, 0);
    for (int i = 0; i < n; i++) {
        if (c->rank == 0) snprintf(file, sizeof file, "%s/%s", dir, names[i]);
        comm_bcast(c, file, sizeof file, 0);
        if (*found) continue;
        *found = checkpoint_load(tr, file) == 0;
        if (!*found && c->rank == 0) fprintf(stderr, "dagan_mpi: passed over %s\n", error_text());
    }
    for (int i = 0; i < n && c->rank == 0; i++) free(names[i]);
    // A file that failed half-way may have left its numbers behind: never go on from a mixture.
    bool none = n > 0 && !*found;
    if (none) fail("%s: none of its %d checkpoints can be used; --fresh starts anew", dir, n);
    return comm_agree(c, none, error_text()) ? -1 : 0;
}
