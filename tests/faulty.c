// A library for LD_PRELOAD (tests/check_checkpoint.sh, tests/check_watch.sh) under which one rank's writing
// of a checkpoint goes wrong.  FAULT_RANK: which rank; FAULT_AT: its how manieth pwrite to a *.h5.tmp; FAULT:
// what happens to it (and, but for flip and stop, to all later ones): full, short, flip, stop.  With FAULT
// nfs nothing happens to it, but no room can be reserved, as on NFS before 4.2; with FAULT plain the file
// system knows no links and does not bring folders to disk.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_ours(int fd)
{
    const char *rank = getenv("OMPI_COMM_WORLD_RANK"), *wanted = getenv("FAULT_RANK");
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path);
    return rank && wanted && strcmp(rank, wanted) == 0 && n > 7 && memcmp(path + n - 7, ".h5.tmp", 7) == 0;
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
    static int (*real)(int, int, off_t, off_t);
    const char *fault = getenv("FAULT");
    if (!real) real = (int (*)(int, int, off_t, off_t))dlsym(RTLD_NEXT, "fallocate");
    if (!fault || strcmp(fault, "nfs") || !is_ours(fd)) return real(fd, mode, at, n);
    errno = EOPNOTSUPP;
    return -1;
}

static int is_plain(void)
{
    const char *fault = getenv("FAULT");
    return fault && strcmp(fault, "plain") == 0;
}

int symlink(const char *target, const char *path)
{
    static int (*real)(const char *, const char *);
    if (!real) real = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "symlink");
    if (!is_plain() || !strstr(path, "latest.h5")) return real(target, path);
    errno = EPERM;
    return -1;
}

int fsync(int fd)
{
    static int (*real)(int);
    struct stat s;
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    if (!is_plain() || fstat(fd, &s) || !S_ISDIR(s.st_mode)) return real(fd);
    errno = EINVAL;
    return -1;
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    static ssize_t (*real)(int, const void *, size_t, off_t);
    static int calls;
    const char *fault = getenv("FAULT"), *first = getenv("FAULT_AT");
    if (!real) real = (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
    int due = fault && first && is_ours(fd) ? ++calls - atoi(first) : -1;
    if (due < 0) return real(fd, bytes, n, at);
    if (!strcmp(fault, "full")) {
        errno = ENOSPC;
        return -1;
    }
    if (!strcmp(fault, "short")) return real(fd, bytes, n > 1 ? n / 2 : n, at);
    if (due == 0 && !strcmp(fault, "stop")) raise(SIGSTOP);
    if (due || strcmp(fault, "flip")) return real(fd, bytes, n, at);
    char *wrong = malloc(n);
    memcpy(wrong, bytes, n);
    wrong[n / 2] ^= 16;
    ssize_t written = real(fd, wrong, n, at);
    free(wrong);
    return written;
}
