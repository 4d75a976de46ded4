// What the fuzz targets share: one rank of MPI without mpirun, a scratch folder, and silence.
//
// A target defines begin(), which runs once, and try(), which runs for each input.  Any input may be refused
// by fail(); what ends the process, by a signal, a sanitizer or die(), is a finding.
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dagan/data.h"
#include "dagan/kernel.h"

static comm_t comm;
static void begin(void);
static void try(const uint8_t *data, size_t size);

static void on_die(int status)
{
    (void)status;
    abort();
}

void __lsan_disable(void);
void __lsan_enable(void);
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    int status;
    if (hdf5_is_child(*argc, *argv, &status)) exit(status);
    __lsan_disable(); // what MPI keeps is not ours
    comm_init(&comm, argc, argv);
    die_hook = on_die;
    CHECK(kernel_init() == 0 && freopen("/dev/null", "w", stdout), "cannot begin");
    stderr = fopen("/dev/null", "w"); // sanitizers write to the descriptor
    const char *scratch = getenv("DAGAN_SCRATCH");
    CHECK(scratch && chdir(scratch) == 0, "wanted DAGAN_SCRATCH, a folder for files");
    begin();
    __lsan_enable();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try(data, size);
    return 0;
}

// The input as a file of that name in the scratch folder, which is the current one.
static inline const char *input_file(const char *name, const uint8_t *data, size_t size)
{
    FILE *f = fopen(name, "wb");
    CHECK(f && fwrite(data, 1, size, f) == size && fclose(f) == 0, "%s cannot be written", name);
    return name;
}

// The input as a text that ends in a zero byte; to be released with free().
static inline char *input_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); // not alloc(), whose padding would hide what reads too far
    CHECK(text, "no memory");
    if (size) memcpy(text, data, size);
    text[size] = 0;
    return text;
}

#endif
