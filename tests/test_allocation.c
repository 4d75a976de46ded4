// ranks: 1 2
// After the first steps a step allocates nothing: no call of malloc or its kin by the program itself.

#include <errno.h>

#include "job.h"

static bool counts;
static long n_calls;

#ifndef __SANITIZE_ADDRESS__ // which brings its own
extern const char __executable_start, etext;
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

// MPI and HDF5 allocate as they like.
static void count(const void *caller)
{
    if (counts && (const char *)caller >= &__executable_start && (const char *)caller < &etext) n_calls++;
}

void *malloc(size_t size)
{
    count(__builtin_return_address(0));
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    count(__builtin_return_address(0));
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    count(__builtin_return_address(0));
    return __libc_realloc(p, size);
}

int posix_memalign(void **p, size_t alignment, size_t size)
{
    count(__builtin_return_address(0));
    *p = __libc_memalign(alignment, size);
    return *p ? 0 : ENOMEM;
}
#endif

static long n_steps;

static void at_step(void *arg, trainer_t *tr)
{
    (void)arg;
    counts = tr->step >= 3 && tr->step < 7;
    n_steps += counts;
}

TEST(a_step_allocates_nothing)
{
    static const char yaml[] =
        "data: {source: {group: faces}, target: {group: faces}, size: 16, shift: 2}\n"
        "model: {width: 4, residuals: 1, norm: {d: none}, spectral: true}\n"
        "attention: {regions: 2, half: 4, mode: crop, jitter: 0.5}\n"
        "labels: {eyes: 0}\n"
        "loss: {weights: {label: 1, label_fake: 1, label_d: 1, pixel: 1, lecam: 1}}\n"
        "train: {steps: 8, batch: 4, microbatch: 1, label_warmup: 1, ema: 0.99, pool: 8, clip: 10,\n"
        "  augment: {colour: true, shift: true, cutout: true}}\n"
        "checkpoint: {every: 100}\n"
        "log: {every: 100}\n"
        "samples: {every: 0}\n"
        "comm: {verify_every: 100}\n";
    config_t conf;
    job_parse(&conf, yaml, NULL);
    counts = true;
    free(alloc(1, 1));
    counts = false;
#ifndef __SANITIZE_ADDRESS__
    assert_int_equal(n_calls, 1); // it does see them
#endif
    n_calls = 0;
    expect_status(job_run(&conf, &(observer_t){ .step = at_step }), EXIT_DONE);
    assert_int_equal(n_steps, 4);
    assert_int_equal(n_calls, 0);
}
