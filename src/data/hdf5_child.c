// HDF5's library can crash, hang or take all memory on a damaged or hostile file, and a rank that dies takes
// the job along without a word about the file.  So rank 0 lets a process of its own go through the file
// first.
//
// That process is this program anew, not a fork: a copy of a rank would share its network.  It must not join
// the job either, so what tells a process that it is a rank is taken out of its environment, and it never
// starts MPI.
#define _GNU_SOURCE // pipe2
#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dagan/data.h"
#include "hdf5_walk.h"

static const char command[] = "--inspect-hdf5";
static const double seconds_max = 120;                   // on a slow file system
enum { CPU_SECONDS = 15 };                               // ten times what a sound file may take
enum { CHILD_GOOD = 0, CHILD_REFUSES = 3, TEXT = 4096 }; // not 1: sanitizers end with that
extern char **environ;

// ---- the child -------------------------------------------------------------------------------------

// The site's own limits may be lower.
static void lower(int resource, rlim_t soft, rlim_t hard)
{
    struct rlimit l;
    CHECK(getrlimit(resource, &l) == 0, "getrlimit: %s", strerror(errno));
    if (l.rlim_max > hard) l.rlim_max = hard;
    l.rlim_cur = l.rlim_max < soft ? l.rlim_max : soft;
    CHECK(setrlimit(resource, &l) == 0, "setrlimit: %s", strerror(errno));
}

static void limit_this_process(double seconds)
{
    struct itimerval end = { .it_value = { (time_t)seconds,
                                           (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6) } };
    lower(RLIMIT_CORE, 0, 0);
    lower(RLIMIT_CPU, CPU_SECONDS, CPU_SECONDS + 1); // the signal at the first can be told from others
#if !defined(__SANITIZE_ADDRESS__)                   // whose shadow takes terabytes
    lower(RLIMIT_AS, (rlim_t)4 << 30, (rlim_t)4 << 30);
#endif
    (void)prctl(PR_SET_DUMPABLE, 0);        // no core where these go to a program
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); // the rank was killed
    CHECK(setitimer(ITIMER_REAL, &end, NULL) == 0, "no timer: %s", strerror(errno));
}

bool hdf5_is_child(int argc, char **argv, int *status)
{
    if (argc != 5 || strcmp(argv[1], command)) return false;
    limit_this_process(strtod(argv[4], NULL));
    *status = hdf5_walk(argv[2], argv[3]) ? CHILD_REFUSES : CHILD_GOOD;
    if (*status) printf("%s", error_text());
    return true;
}

// ---- the rank --------------------------------------------------------------------------------------

// Ours without what makes a process a rank, and without plugins of HDF5.
static char **environment(void)
{
    static const char *const drop[] = { "PMIX_", "PMI_", "PRTE_", "OMPI_", "ORTE_", "SLURM_", "HDF5_" };
    size_t n = 0, kept = 0;
    while (environ[n]) n++;
    char **e = alloc(n + 2, sizeof *e);
    for (size_t i = 0; i < n; i++) {
        bool dropped = false;
        for (size_t k = 0; k < sizeof drop / sizeof *drop; k++)
            dropped |= strncmp(environ[i], drop[k], strlen(drop[k])) == 0;
        if (!dropped) e[kept++] = environ[i];
    }
    e[kept] = (char *)"HDF5_USE_FILE_LOCKING=FALSE"; // file systems of clusters often have no locks
    return e;
}

// Starts this program with `argv`, its stdout into a pipe whose other end is *from; 0 or an errno.
static int start(pid_t *child, int *from, char *const argv[])
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) return errno;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t blocked; // what asks the ranks to stop goes to their whole process group
    int bad = posix_spawn_file_actions_init(&files) | posix_spawnattr_init(&attributes);
    CHECK(!bad, "no memory for a process's attributes");
    sigemptyset(&blocked);
    const int signals[] = { SIGTERM, SIGINT, SIGUSR1, SIGHUP };
    for (int i = 0; i < 4; i++) sigaddset(&blocked, signals[i]);
    bad = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK) |
          posix_spawnattr_setsigmask(&attributes, &blocked) |
          posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0) |
          posix_spawn_file_actions_adddup2(&files, ends[1], 1) |
          posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    CHECK(!bad, "no memory for a process's attributes");
    // By its name, which valgrind needs; by the link where the file has been replaced meanwhile.
    char self[TEXT] = "";
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0 || access(self, X_OK)) strcpy(self, "/proc/self/exe");
    char **e = environment();
    bad = posix_spawn(child, self, &files, &attributes, argv, e);
    free(e);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    close(ends[1]);
    *from = ends[0];
    if (bad) close(ends[0]);
    return bad;
}

// What the child says, up to its end, and how it ends.
static int hear(pid_t child, int from, char text[TEXT])
{
    size_t n = 0;
    ssize_t got;
    while ((got = read(from, text + n, TEXT - 1 - n)) > 0 || (got < 0 && errno == EINTR))
        if (got > 0) n += (size_t)got;
    text[n] = 0;
    close(from);
    int status;
    while (waitpid(child, &status, 0) < 0) CHECK(errno == EINTR, "waitpid: %s", strerror(errno));
    return status;
}

static int inspect(const char *path, const char *object, double seconds)
{
    struct stat st;
    char limit[32], text[TEXT];
    pid_t child = 0;
    int from = -1;
    // A path that leads nowhere is told by who opens it; a pipe would be waited for.
    if (stat(path, &st)) return 0;
    if (S_ISDIR(st.st_mode)) return fail("%s: found a folder, wanted an HDF5 file", path);
    if (!S_ISREG(st.st_mode)) return fail("%s: not a file", path);
    snprintf(limit, sizeof limit, "%.3f", seconds);
    char *argv[] = { (char *)"dagan_mpi", (char *)command, (char *)path, (char *)object, limit, NULL };
    int why = start(&child, &from, argv);
    if (why) return fail("%s: cannot be inspected: no process for it: %s", path, strerror(why));
    int status = hear(child, from, text);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_GOOD) return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_REFUSES) return fail("%s", text);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        return fail("%s: HDF5 has not come to its end within %g s (damaged, or a slow file system?)", path,
                    seconds);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
        return fail("%s: is damaged: HDF5 runs in circles", path);
    if (WIFSIGNALED(status))
        return fail("%s: is damaged: HDF5 fails on it (signal %d)", path, WTERMSIG(status));
    return fail("%s: is damaged: HDF5 fails on it (status %d)", path, WEXITSTATUS(status));
}

int hdf5_inspect(const comm_t *c, const char *path, const char *object)
{
    H5_OK(H5PLset_loading_state(0)); // no code from elsewhere, whatever filter a file names
    double seconds = c->timeout > 0 && c->timeout / 2 < seconds_max ? c->timeout / 2 : seconds_max;
    return c->rank == 0 ? inspect(path, object, seconds) : 0;
}
