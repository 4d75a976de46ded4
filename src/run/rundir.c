// The run directory: lock, config.yaml, log.txt, metrics.csv, samples/; and the lines people read.

#include "rundir.h"
#include "dagan/run.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_TEXT = 2 * CONF_TEXT_MAX, BAR = 20, BAR_LINE = 80, BAR_LINE_MAX = 256 };

static int make_folders(const char *path)
{
    char part[PATH_TEXT];
    snprintf(part, sizeof part, "%s", path);
    for (char *c = part + 1; *c; c++) {
        if (*c != '/') continue;
        *c = 0;
        if (mkdir(part, 0777) && errno != EEXIST)
            return fail("run.dir: %s cannot be made: %s", part, strerror(errno));
        *c = '/';
    }
    if (mkdir(part, 0777) && errno != EEXIST)
        return fail("run.dir: %s cannot be made: %s", part, strerror(errno));
    return 0;
}

static int move(const char *dir)
{
    char to[PATH_TEXT + 8];
    for (int i = 1; i < 10000; i++) {
        snprintf(to, sizeof to, "%s.%d", dir, i);
        if (access(to, F_OK) == 0) continue;
        if (rename(dir, to) || mkdir(dir, 0777))
            return fail("run.dir: %s cannot be moved to %s: %s", dir, to, strerror(errno));
        printf("the old run is now %s\n", to);
        return 0;
    }
    return fail("run.dir: %s cannot be moved aside: too many old runs", dir);
}

// DIR becomes DIR.1, or the next number that is free; where it is a link, what it leads to does, so that the
// new run is on the same disk.
static int move_aside(const char *dir)
{
    if (access(dir, F_OK)) return 0;
    char *real = realpath(dir, NULL);
    int bad = real ? move(real) : fail("run.dir: %s: %s", dir, strerror(errno));
    free(real);
    return bad;
}

// MPI-IO takes no lock, and two jobs in one folder would mix their files.
static int lock_folder(rundir_t *r, const char *dir)
{
    char path[PATH_TEXT];
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    snprintf(path, sizeof path, "%s/lock", dir);
    r->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (r->lock < 0) return fail("run.dir: %s cannot be written: %s", path, strerror(errno));
    bool is_busy = fcntl(r->lock, F_SETLK, &whole) && (errno == EACCES || errno == EAGAIN);
    struct stat mine, there; // the folder may have been moved aside between open and lock
    bool has_moved = fstat(r->lock, &mine) || stat(path, &there) || mine.st_ino != there.st_ino;
    if (is_busy || has_moved) return fail("run.dir: %s is in use by another job", dir);
    return 0; // also on a file system without locks: nothing to be had
}

// The option that has counted for a batch job, by whatever name DAGAN_JOB gives it: what the lock file
// remembers.
static void job_text(char text[PATH_TEXT], const char *resume)
{
    const char *job = getenv("DAGAN_JOB");
    text[0] = 0;
    if (job && job[0])
        snprintf(text, PATH_TEXT, "%s %s%s", job, resume ? "--resume " : "--fresh", resume ? resume : "");
}

bool rundir_is_back(const comm_t *c, const config_t *conf, const char *resume)
{
    char path[PATH_TEXT], wanted[PATH_TEXT], found[PATH_TEXT] = "";
    snprintf(path, sizeof path, "%s/lock", conf->run.dir);
    job_text(wanted, resume);
    int lock = c->rank == 0 && wanted[0] ? open(path, O_RDONLY) : -1;
    bool is_back = lock >= 0 && pread(lock, found, sizeof found - 1, 0) > 0 && strcmp(found, wanted) == 0;
    if (lock >= 0) close(lock);
    return comm_any(c, is_back);
}

int rundir_note_job(const rundir_t *r, const char *resume)
{
    char text[PATH_TEXT];
    job_text(text, resume);
    size_t n = strlen(text);
    if (ftruncate(r->lock, 0) == 0 && pwrite(r->lock, text, n, 0) == (ssize_t)n) return 0;
    return fail("run.dir: %s/lock cannot be written: %s", r->dir, strerror(errno));
}

// mpirun gives its ranks a terminal of its own, so ask what its own output is.
static bool is_watched(void)
{
    char link[64], target[64] = "";
    snprintf(link, sizeof link, "/proc/%d/fd/1", (int)getppid());
    if (!isatty(STDOUT_FILENO)) return false;
    if (readlink(link, target, sizeof target - 1) <= 0) return true;
    return strncmp(target, "/dev/pts/", 9) == 0 || strncmp(target, "/dev/tty", 8) == 0;
}

static int open_files(rundir_t *r, const char *dir)
{
    char path[PATH_TEXT];
    snprintf(path, sizeof path, "%s/samples", dir);
    if (make_folders(dir) || make_folders(path) || lock_folder(r, dir) || checkpoint_clean(dir)) return -1;
    snprintf(path, sizeof path, "%s/log.txt", dir);
    r->log = fopen(path, "a");
    return r->log ? 0 : fail("run.dir: %s cannot be written: %s", path, strerror(errno));
}

static void tell_lost(const rundir_t *r, const char *file, bool *lost)
{
    if (!*lost) fprintf(stderr, "dagan_mpi: %s/%s: %s\n", r->dir, file, strerror(errno));
    *lost = true;
}

// stderr goes with the terminal.
static void hear(void *rundir, const char *before, const char *text)
{
    rundir_t *r = rundir;
    fprintf(r->log, "dagan_mpi: %s%s\n", before, text);
    if (fflush(r->log)) tell_lost(r, "log.txt", &r->log_lost);
}

int rundir_open(rundir_t *r, const comm_t *c, const config_t *conf, bool fresh)
{
    int bad = 0;
    *r = (rundir_t){ .dir = conf->run.dir, .lock = -1, .is_terminal = is_watched() };
    if (c->rank == 0) {
        // --fresh must not pull the folder from under a running job: it holds the old folder's lock until it
        // has the new one's.
        bad = fresh && access(conf->run.dir, F_OK) == 0 && lock_folder(r, conf->run.dir);
        int old = r->lock;
        r->lock = -1;
        if (!bad && fresh) bad = move_aside(conf->run.dir);
        if (!bad) bad = open_files(r, conf->run.dir);
        if (old >= 0) close(old);
        if (!bad) comm_hear(hear, r);
    }
    return comm_agree(c, bad, error_text()) ? -1 : 0;
}

void rundir_close(rundir_t *r)
{
    comm_hear(NULL, NULL);
    if (r->bar_drawn) printf("\n");
    if (r->csv && fclose(r->csv)) tell_lost(r, "metrics.csv", &r->csv_lost);
    if (r->log && fclose(r->log)) tell_lost(r, "log.txt", &r->log_lost);
    if (r->lock >= 0) close(r->lock);
    *r = (rundir_t){ .lock = -1 };
}

static void csv_row(FILE *csv, const metrics_t *m, const double *row)
{
    for (int i = 0; i < m->n_columns; i++) fprintf(csv, "%s%.9g", i ? "," : "", row[i]);
    fputc('\n', csv);
}

// Rows that a lost process, or this one, wrote after the last checkpoint go; they will come again.
static int begin_csv(rundir_t *r, const trainer_t *tr)
{
    char path[PATH_TEXT];
    snprintf(path, sizeof path, "%s/metrics.csv", r->dir);
    r->csv = fopen(path, "w");
    if (!r->csv) return fail("%s: %s", path, strerror(errno));
    const metrics_t *m = &tr->metrics;
    for (int i = 0; i < m->n_columns; i++) fprintf(r->csv, "%s%s", i ? "," : "", m->name[i]);
    fputc('\n', r->csv);
    for (size_t i = 0; i < m->n_rows; i++) csv_row(r->csv, m, m->row + i * (size_t)m->n_columns);
    return fflush(r->csv) ? fail("%s: %s", path, strerror(errno)) : 0;
}

int rundir_begin(rundir_t *r, const trainer_t *tr)
{
    if (tr->step > 0 && tr->step >= tr->plan.steps)
        return begin_csv(r, tr); // nothing will be made by this configuration
    char path[PATH_TEXT], *yaml = config_yaml(tr->conf);
    FILE *f;
    snprintf(path, sizeof path, "%s/config.yaml", r->dir);
    f = fopen(path, "w");
    bool bad = !f || fputs(yaml, f) < 0;
    bad |= f && fclose(f);
    free(yaml);
    return bad ? fail("%s: %s", path, strerror(errno)) : begin_csv(r, tr);
}

void rundir_rewind(rundir_t *r, const trainer_t *tr)
{
    FILE *csv = r->csv;
    r->csv = NULL;
    if (csv && fclose(csv)) tell_lost(r, "metrics.csv", &r->csv_lost);
    if (begin_csv(r, tr)) tell_lost(r, "metrics.csv", &r->csv_lost);
}

static void clear_bar(rundir_t *r)
{
    if (r->bar_drawn) printf("\r\033[K");
    r->bar_drawn = false;
}

// Whether stdout takes more within that time.  After Ctrl-C mpirun reads no more of it, and a rank that stood
// in write() would be killed there instead of writing its checkpoint.
static bool is_read(int milliseconds)
{
    struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };
    return poll(&out, 1, milliseconds) > 0 && (out.revents & POLLOUT) && !(out.revents & POLLERR);
}

void rundir_say(rundir_t *r, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    vfprintf(r->log, format, again);
    fputc('\n', r->log);
    if (fflush(r->log)) tell_lost(r, "log.txt", &r->log_lost);
    if (is_read(1000)) {
        clear_bar(r);
        vprintf(format, args);
        putchar('\n');
        fflush(stdout);
    }
    va_end(again);
    va_end(args);
}

void rundir_say_line(void *rundir, const char *line)
{
    rundir_say(rundir, "%s", line);
}

const char *time_text(char *text, double seconds)
{
    long s = seconds < 0 || seconds > 1e9 ? 0 : (long)(seconds + 0.5);
    if (s < 60)
        snprintf(text, TIME_TEXT, "%lds", s);
    else if (s < 3600)
        snprintf(text, TIME_TEXT, "%ldm%02lds", s / 60, s % 60);
    else
        snprintf(text, TIME_TEXT, "%ldh%02ldm", s / 3600, s / 60 % 60);
    return text;
}

// While DAE and D1 learn labels alone the other losses are 0 and say nothing.
static bool is_running(const trainer_t *tr, const char *loss)
{
    for (int i = 0; losses[i]; i++)
        if (strcmp(losses[i]->name, loss) == 0)
            return tr->step > tr->plan.label_warmup || losses[i]->steps & (STEP_LABEL | STEP_LABEL_D);
    return false;
}

// In the newest row.
static double now_of(const metrics_t *m, const char *column)
{
    const double *row = m->row + (m->n_rows - 1) * (size_t)m->n_columns;
    int i = 0;
    while (i < m->n_columns && strcmp(m->name[i], column)) i++;
    return i < m->n_columns ? row[i] : NAN;
}

void rundir_metrics(rundir_t *r, const trainer_t *tr, double eta)
{
    const metrics_t *m = &tr->metrics;
    const double *row = m->row + (m->n_rows - 1) * (size_t)m->n_columns;
    char line[1024], left[TIME_TEXT];
    int at = snprintf(line, sizeof line, "step %6.0f/%ld", row[0], tr->plan.steps);
    for (int i = 0; i < m->n_columns && at < (int)sizeof line - 64; i++) {
        if (strncmp(m->name[i], "loss_", 5) == 0 && is_running(tr, m->name[i] + 5))
            at += snprintf(line + at, sizeof line - (size_t)at, "  %s %7.4f", m->name[i] + 5, row[i]);
        if (strcmp(m->name[i], "label_accuracy") == 0 && !isnan(row[i]))
            at += snprintf(line + at, sizeof line - (size_t)at, "  right %3.0f%%", 100 * row[i]);
    }
    snprintf(line + at, sizeof line - (size_t)at,
             "  %6.2f pairs/s  a step waits %.4f s for data, %.4f s for ranks  ETA %s",
             now_of(m, "pairs_per_s"), now_of(m, "wait_data_s"), now_of(m, "wait_comm_s"),
             time_text(left, eta));
    rundir_say(r, "%s", line);
    if (!r->csv) return;
    csv_row(r->csv, m, row);
    if (fflush(r->csv)) tell_lost(r, "metrics.csv", &r->csv_lost);
}

// Characters of the terminal's line.
static int line_width(void)
{
    struct winsize w;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) || w.ws_col < BAR_LINE) return BAR_LINE;
    return w.ws_col < BAR_LINE_MAX ? w.ws_col : BAR_LINE_MAX;
}

void rundir_bar(rundir_t *r, const trainer_t *tr, double eta)
{
    char bar[BAR + 1], left[TIME_TEXT];
    if (!r->is_terminal || now() - r->bar_time < 0.2 || !is_read(0)) return;
    int full = (int)(BAR * tr->step / (tr->plan.steps ? tr->plan.steps : 1));
    memset(bar, '.', BAR);
    memset(bar, '#', (size_t)(full > BAR ? BAR : full));
    bar[BAR] = 0;
    char line[BAR_LINE_MAX];
    int width = line_width();
    int at = snprintf(line, sizeof line, "[%s] step %ld/%ld  ETA %s", bar, tr->step, tr->plan.steps,
                      time_text(left, eta));
    for (int i = 0; losses[i]; i++) {
        char loss[48];
        int n = snprintf(loss, sizeof loss, "  %s %.2f", losses[i]->name, tr->loss[i]);
        bool fits = n < (int)sizeof loss && at + n < width;
        if (!kind_has_loss(tr->conf, losses[i]) || !is_running(tr, losses[i]->name) || !fits) continue;
        memcpy(line + at, loss, (size_t)n + 1);
        at += n;
    }
    printf("\r\033[K%s", line);
    fflush(stdout);
    r->bar_drawn = true;
    r->bar_time = now();
}
