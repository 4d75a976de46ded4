// Two names of one file: links, "./", another way through the folders.
#include <sys/stat.h>

#include "dagan/base.h"

bool is_same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int output_spares(const char *option, const char *output, const char *const input[], int n)
{
    for (int i = 0; i < n && output; i++)
        if (input[i] && is_same_file(output, input[i]))
            return fail("%s: found %s, which is read here, wanted another file", option, output);
    return 0;
}
