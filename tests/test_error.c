// ranks: 1
// What a failure says and where it ends, and the small things that everything stands on: memory and the
// clock.
#include "stderr.h"

#include <hdf5.h>

TEST(fail_returns_minus_1_and_keeps_the_newest_text_on_one_line)
{
    EXPECT(fail("first") == -1);
    EXPECT(fail("%s\n%d\x7f", error_text(), 2) == -1);
    assert_string_equal(error_text(), "first?2?");
}

TEST(memory_is_zeroed_and_aligned)
{
    for (size_t n = 0; n < 200; n += 33) {
        unsigned char *p = alloc(n, 3);
        EXPECT((uintptr_t)p % 64 == 0);
        for (size_t i = 0; i < 3 * n; i++) EXPECT(p[i] == 0);
        free(p);
    }
}

static jmp_buf dead;
static void come_back(int status)
{
    longjmp(dead, status);
}

// What `action` printed to stderr before it ended the run; it must end it.
static const char *last_words(void (*action)(void))
{
    void (*before)(int) = die_hook;
    die_hook = come_back;
    listen();
    int status = setjmp(dead);
    if (status == 0) action();
    die_hook = before;
    const char *words = heard();
    EXPECT(status == EXIT_RUN_FAILED);
    return words;
}

static void ask_for_too_much(void)
{
    free(alloc(SIZE_MAX / 2, 4));
}

static void ask_for_the_last_byte(void)
{
    free(alloc(SIZE_MAX, 1));
}

static void open_what_is_not_there(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5_OK(H5Fopen("/nowhere/x.h5", H5F_ACC_RDONLY, H5P_DEFAULT));
}

TEST(sizes_that_overflow_end_the_run_instead_of_wrapping)
{
    const char *words = last_words(ask_for_too_much);
    EXPECT(!strncmp(words, "error.c:", 8) &&
           strstr(words, ": no memory for 9223372036854775807 items of 4 bytes\n"));
    EXPECT(
        strstr(last_words(ask_for_the_last_byte), ": no memory for 18446744073709551615 items of 1 bytes\n"));
}

TEST(a_failed_hdf5_call_gives_its_place_its_text_and_its_reason)
{
    const char *words = last_words(open_what_is_not_there);
    EXPECT(!strncmp(words, "test_error.c:", 13));
    EXPECT(strstr(words, "H5Fopen(\"/nowhere/x.h5\", H5F_ACC_RDONLY, H5P_DEFAULT): "));
    EXPECT(strstr(words, "No such file or directory"));
    EXPECT(H5_OK(3) == 3);
}

TEST(the_clock_does_not_go_back)
{
    double t = now();
    EXPECT(now() >= t && now() < t + 60);
}
