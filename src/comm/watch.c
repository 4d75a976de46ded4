// The last resort: calls that wait for other ranks inside MPI or HDF5, where no roll can be called.
//
// Such calls are few (files and windows being opened, files being read), and ranks meet before each, so that
// a missing one is named there.  Around the call a timer runs.  Its handler only writes a line that was made
// before and leaves, which a signal handler may do at any time, also while MPI holds its locks.
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "wait.h"

enum { AT_MAX = 96, LINE_MAX_TEXT = 512 };

static char at[AT_MAX];          // where this rank is
static char line[LINE_MAX_TEXT]; // what to say when the time is up
static volatile sig_atomic_t length;

void comm_at(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(at, sizeof at, format, args);
    va_end(args);
}

const char *watch_where(void)
{
    return at;
}

static void time_is_up(int signal_number)
{
    (void)signal_number;
    ssize_t written = write(STDERR_FILENO, line, (size_t)length);
    (void)written; // there is nobody left to tell
    _exit(EXIT_RUN_FAILED);
}

static void set_timer(double seconds)
{
    struct itimerval t = { .it_value = { (time_t)seconds,
                                         (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6) } };
    CHECK(setitimer(ITIMER_REAL, &t, NULL) == 0, "cannot set a timer");
}

void comm_watch(const comm_t *c, const char *format, ...)
{
    char what[LINE_MAX_TEXT / 2];
    va_list args;
    if (c->timeout <= 0) return;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    int n = snprintf(line, sizeof line,
                     "dagan_mpi: rank %d on %s waited %.0f s inside %s%s%s; ranks that say no such thing "
                     "have not arrived\n",
                     c->rank, c->host[c->rank].name, c->timeout, what, at[0] ? ", " : "", at);
    length = n < (int)sizeof line ? n : (int)sizeof line - 1;
    struct sigaction a = { .sa_handler = time_is_up };
    sigemptyset(&a.sa_mask);
    CHECK(sigaction(SIGALRM, &a, NULL) == 0, "cannot catch SIGALRM");
    set_timer(c->timeout);
}

void comm_watched(const comm_t *c)
{
    if (c->timeout > 0) set_timer(0);
}
