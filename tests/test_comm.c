// ranks: 1 2 3 4 5 8
#include "stderr.h"

#include <sys/wait.h>

TEST(shares_cover_all_items_once_and_in_order)
{
    static const size_t counts[] = { 0, 1, 2, 3, 7, 8, 9, 63, 64, 1000, 1001 };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        for (int size = 1; size <= 17; size++) {
            size_t next = 0, n = counts[i];
            for (int r = 0; r < size; r++) {
                share_t s = share_of(n, r, size);
                EXPECT(s.first == next);
                EXPECT(s.count == n / (size_t)size || s.count == n / (size_t)size + 1);
                for (size_t k = s.first; k < s.first + s.count; k++) EXPECT(share_owner(n, k, size) == r);
                next += s.count;
            }
            EXPECT(next == n);
        }
    }
}

TEST(agreement_is_silent_when_all_is_well)
{
    listen();
    bool bad = comm_agree(&comm, false, "not to be seen");
    const char *text = heard();
    EXPECT(!bad);
    assert_string_equal(text, "");
}

TEST(one_bad_rank_makes_all_leave_and_one_line)
{
    for (int culprit = 0; culprit < comm.size; culprit++) {
        char mine[64], wanted[64];
        snprintf(mine, sizeof mine, "rank %d cannot", comm.rank);
        snprintf(wanted, sizeof wanted, "dagan_mpi: rank %d cannot\n", culprit);
        listen();
        bool bad = comm_agree(&comm, comm.rank >= culprit, mine);
        const char *text = heard();
        EXPECT(bad);
        assert_string_equal(text, comm.rank == 0 ? wanted : "");
    }
}

TEST(a_text_of_any_length_arrives_whole)
{
    size_t n = 100000;
    char *mine = alloc(n + 1, 1);
    memset(mine, 'x', n);
    listen();
    bool bad = comm_agree(&comm, comm.rank == comm.size - 1, comm.rank == comm.size - 1 ? mine : NULL);
    const char *text = heard();
    EXPECT(bad);
    EXPECT(strlen(text) == (comm.rank == 0 ? n + strlen("dagan_mpi: \n") : 0));
    free(mine);
}

TEST(sums_and_maxima_are_those_of_all_ranks)
{
    double x[2] = { comm.rank, 1 }, y[2] = { comm.rank, -comm.rank };
    comm_sum(&comm, x, 2);
    comm_max(&comm, y, 2);
    EXPECT(x[0] == comm.size * (comm.size - 1) / 2.0 && x[1] == comm.size);
    EXPECT(y[0] == comm.size - 1 && y[1] == 0);
}

TEST(a_broadcast_comes_from_its_root)
{
    for (int root = 0; root < comm.size; root++) {
        int x[1000];
        for (int i = 0; i < 1000; i++) x[i] = comm.rank * 1000 + i;
        comm_bcast(&comm, x, sizeof x, root);
        for (int i = 0; i < 1000; i++) EXPECT(x[i] == root * 1000 + i);
        comm_bcast(&comm, NULL, 0, root);
    }
}

TEST(a_call_that_never_ends_is_ended_and_named)
{
    host_t host[] = { { "node7" } };
    comm_t alone = { .size = 1, .host = host, .timeout = 0.2 };
    comm_at("step %d", 12);
    listen();
    pid_t child = fork(); // which makes no MPI call
    if (child == 0) {
        comm_watch(&alone, "reading %s", "a file");
        comm_watched(&alone); // this one ended in time
        usleep(300000);
        comm_watch(&alone, "reading %s", "another");
        for (;;) pause();
    }
    int status = 0;
    EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    const char *text = heard();
    comm_at("%s", "");
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_RUN_FAILED);
    assert_string_equal(
        text, "dagan_mpi: rank 0 on node7 waited 0 s inside reading another, step 12; ranks that say no such "
              "thing have not arrived\n");
}
