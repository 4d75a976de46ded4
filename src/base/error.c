// How things go wrong: a text for the user's mistakes, an end for the system's failures.
// fail() keeps the newest text.  Who gets -1 from a callee passes it on and does not fail() again, so what
// the user reads is the first line of the call chain, the one that knows the place.
#include <hdf5.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "dagan/base.h"

enum { TEXT_MAX = 4096 };

static char newest[TEXT_MAX];

void (*die_hook)(int status);

int fail(const char *format, ...)
{
    char text[TEXT_MAX]; // not `newest` itself, which may be among the arguments
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    // File names and values are quoted as found; control characters would break the one line.
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
    memcpy(newest, text, sizeof newest);
    return -1;
}

const char *error_text(void)
{
    return newest;
}

_Noreturn void die(const char *file, int line, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *slash = strrchr(file, '/');
    fflush(stdout);
    fprintf(stderr, "%s:%d: %s\n", slash ? slash + 1 : file, line, text); // one call, so ranks do not mix
    if (die_hook) die_hook(EXIT_RUN_FAILED);
    _exit(EXIT_RUN_FAILED); // without atexit handlers: HDF5's would wait for the other ranks
}

// Walking upward starts at the innermost error, which names the reason.
static herr_t innermost(unsigned n, const H5E_error2_t *error, void *text)
{
    if (n == 0 && error->desc) snprintf(text, TEXT_MAX / 2, "%s", error->desc);
    return 0;
}

int64_t h5_ok(int64_t result, const char *file, int line, const char *call)
{
    if (result >= 0) return result;
    char reason[TEXT_MAX / 2] = "HDF5 gave no reason";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, reason);
    die(file, line, "%s: %s", call, reason);
}

enum { HUGE_PAGE = 2 << 20 };

void *alloc(size_t count, size_t size)
{
    size_t bytes, padded;
    bool fits = !__builtin_mul_overflow(count, size, &bytes) && !__builtin_add_overflow(bytes, 63, &padded);
    CHECK(fits, "no memory for %zu items of %zu bytes", count, size);
    padded = padded < 64 ? 64 : padded & ~(size_t)63;
    size_t align = padded < HUGE_PAGE ? 64 : HUGE_PAGE;
    void *p = NULL;
    CHECK(posix_memalign(&p, align, padded) == 0, "no memory for %zu items of %zu bytes", count, size);
    // Large arrays in large pages: the kernels touch many places at once.  Only advice, so its result tells
    // nothing.
    if (align == HUGE_PAGE) (void)madvise(p, padded, MADV_HUGEPAGE);
    return memset(p, 0, padded);
}

double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void add_word(char *text, size_t size, const char *word)
{
    size_t n = strlen(text);
    snprintf(text + n, size - n, " %s", word);
}
