// Names of files: two of one file, what stands where a result is to go, and how a new file takes its name.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dagan/base.h"

bool is_same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int output_opens(const char *path)
{
    if (!path) return 0;
    bool is_new = access(path, F_OK) != 0;
    int fd = open(path, O_WRONLY | O_CREAT, 0666);
    if (fd < 0 || close(fd)) return fail("%s: cannot be created: %s", path, strerror(errno));
    if (is_new) unlink(path);
    return 0;
}

int output_replaces_text(const char *path, char first)
{
    struct stat s;
    char found = first;
    if (!path || stat(path, &s) || !S_ISREG(s.st_mode) || s.st_size == 0) return 0;
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, &found, 1);
    int why = errno;
    if (fd >= 0) close(fd); // only read from
    if (n < 0) return fail("%s: cannot be read: %s", path, strerror(why));
    return found == first
               ? 0
               : fail("%s: exists and is another kind of file; remove it first, or name another", path);
}

int sync_path(const char *path)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0 || (fsync(fd) && errno != EINVAL)) { // EINVAL: a file system on which folders have no fsync
        int why = errno;
        if (fd >= 0) close(fd);
        return fail("%s: cannot be brought to disk: %s", path, strerror(why));
    }
    return close(fd) ? fail("%s: %s", path, strerror(errno)) : 0;
}

int take_name(const char *tmp, const char *path)
{
    char folder[4096];
    size_t n = strlen(path);
    while (n && path[n - 1] != '/') n--;
    if (n >= sizeof folder) return fail("%s: is too long a name", path);
    memcpy(folder, n ? path : ".", n ? n : 1);
    folder[n ? n : 1] = 0;
    return rename(tmp, path) ? fail("%s: cannot be written: %s", path, strerror(errno)) : sync_path(folder);
}

int output_spares(const char *option, const char *output, const char *const input[], int n)
{
    for (int i = 0; i < n && output; i++)
        if (input[i] && is_same_file(output, input[i]))
            return fail("%s: found %s, which is read here, wanted another file", option, output);
    return 0;
}
