// In the place of hdf5_inspect() (--wrap): the same walk in a copy of this process.  That is many times as
// fast as the program anew, and may die as well; it would not do in a job, where copies share a rank's
// network.
#ifndef TESTS_FUZZ_CHILD_H
#define TESTS_FUZZ_CHILD_H

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "../../src/data/hdf5_walk.h"
#include "fuzz.h"

enum { CHILD_SECONDS = 5 };

void __sanitizer_set_death_callback(void (*callback)(void));
int __wrap_hdf5_inspect(const comm_t *c, const char *path, const char *object);

// HDF5's faults are found here and are none of ours: no report, no artifact.
static int walk_mortally(const char *path, const char *object)
{
    static const int deadly[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM };
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) signal(deadly[i], SIG_DFL);
    __sanitizer_set_death_callback(NULL);
    dup2(open("/dev/null", O_WRONLY), 2);
    alarm(CHILD_SECONDS);
    return hdf5_walk(path, object) ? 1 : 0;
}

int __wrap_hdf5_inspect(const comm_t *c, const char *path, const char *object)
{
    (void)c;
    pid_t child = fork();
    if (child == 0) _exit(walk_mortally(path, object));
    int status;
    CHECK(child > 0 && waitpid(child, &status, 0) == child, "no child");
    return status ? fail("%s: is damaged or refused", path) : 0;
}

#endif
