// What every test program includes.  TEST(name) { ... } registers itself; main() below runs all of them on
// every rank under cmocka, and rank 0 reports for all: a test has passed when it passed on each rank.
// The first line of a test file, "// ranks: 1 2 4", says under which rank counts it runs.
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dagan/data.h"
#include "dagan/kernel.h"

#include <cmocka.h>
#undef fail // cmocka's macro would hide ours
#undef fail_msg
#define fail_msg(msg, ...)                              \
    do {                                                \
        print_error("ERROR: " msg "\n", ##__VA_ARGS__); \
        _fail(__FILE__, __LINE__);                      \
    } while (0)

enum { TESTS_MAX = 256 };
static struct CMUnitTest tests[TESTS_MAX];
static int n_tests;
static comm_t comm; // the ranks this program runs on

#define TEST(name)                                                               \
    static void name(void **state);                                              \
    static __attribute__((constructor)) void register_##name(void)               \
    {                                                                            \
        tests[n_tests++] = (struct CMUnitTest){ #name, name, NULL, NULL, NULL }; \
    }                                                                            \
    static void name(__attribute__((unused)) void **state)

#define EXPECT(condition) assert_true(condition)
#define EXPECT_NEAR(a, b, tolerance)                                                      \
    do {                                                                                  \
        double a_ = (a), b_ = (b);                                                        \
        if (!(fabs(a_ - b_) <= (tolerance)))                                              \
            fail_msg("%s is %.9g, wanted %.9g +- %.3g", #a, a_, b_, (double)(tolerance)); \
    } while (0)

int main(int argc, char **argv)
{
    int status;
    if (hdf5_is_child(argc, argv, &status)) return status;
    comm_init(&comm, &argc, &argv);
    if (kernel_init()) return 1;
    comm.timeout = 60; // a rank whose test failed before a collective call ends the others
    if (comm.rank != 0 && !freopen("/dev/null", "w", stdout)) return 1;
    double failed = _cmocka_run_group_tests(argv[0], tests, (size_t)n_tests, NULL, NULL);
    comm_max(&comm, &failed, 1);
    comm_free(&comm);
    return failed > 0;
}

#endif
