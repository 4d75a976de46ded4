// What was printed to stderr meanwhile.
#ifndef TESTS_STDERR_H
#define TESTS_STDERR_H

#include "test.h"

static FILE *heard_in;
static int stderr_before;

// Between listen() and heard() stderr goes to a file; heard() returns what this rank wrote, until the next
// call.
static inline void listen(void)
{
    fflush(stderr);
    heard_in = tmpfile();
    stderr_before = dup(2);
    CHECK(heard_in && stderr_before >= 0 && dup2(fileno(heard_in), 2) == 2, "stderr cannot go to a file");
}

static inline const char *heard(void)
{
    static char *text;
    fflush(stderr);
    size_t n = (size_t)lseek(2, 0, SEEK_END);
    free(text);
    text = alloc(n + 1, 1);
    CHECK(pread(2, text, n, 0) == (ssize_t)n, "what went to stderr cannot be read");
    dup2(stderr_before, 2);
    close(stderr_before);
    fclose(heard_in);
    return text;
}

#endif
