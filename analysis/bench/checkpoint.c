// What a checkpoint costs beside a plain write of as many bytes.  usage: mpirun -np N checkpoint DIR ROUNDS
// CONFIG [KEY=VALUE]...
//
// Prints WHO,MEDIAN,MIN,MAX in seconds of the slowest rank, and the MiB.  The rivals take turns in one
// folder: "plain" writes each rank's even share of the bytes to one file, at once and in place, and brings it
// to disk; "MPI-IO" the same by MPI_File_write_at_all.  "written" is our way to the disk (copy, layout,
// write, fsync), "committed" all of it with reading back and renames, "stall" what training waits with
// checkpoint.async.

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dagan/kernel.h"
#include "dagan/run.h"

enum { PLAIN, BY_MPI, WRITTEN, COMMITTED, STALL, WHO, ROUNDS_MAX = 99 };

static double slowest(const comm_t *c, double seconds)
{
    comm_max(c, &seconds, 1);
    return seconds;
}

static double plain(const comm_t *c, const char *path, const char *bytes, share_t mine)
{
    comm_barrier(c);
    double began = now();
    int fd = open(path, O_CREAT | O_WRONLY, 0666);
    CHECK(fd >= 0, "%s", path);
    for (size_t done = 0; done < mine.count;) {
        ssize_t n = pwrite(fd, bytes + done, mine.count - done, (off_t)(mine.first + done));
        CHECK(n > 0, "%s cannot be written", path);
        done += (size_t)n;
    }
    CHECK(fsync(fd) == 0 && close(fd) == 0, "%s", path);
    return slowest(c, now() - began);
}

static double mpi_io(const comm_t *c, const char *path, const char *bytes, share_t mine)
{
    MPI_File f;
    comm_barrier(c);
    double began = now();
    MPI_OK(MPI_File_open(c->all, path, MPI_MODE_CREATE | MPI_MODE_WRONLY, MPI_INFO_NULL, &f));
    MPI_OK(MPI_File_write_at_all(f, (MPI_Offset)mine.first, bytes, mpi_count(mine.count), MPI_BYTE,
                                 MPI_STATUS_IGNORE));
    MPI_OK(MPI_File_sync(f));
    MPI_OK(MPI_File_close(&f));
    return slowest(c, now() - began);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void race(trainer_t *tr, const char *dir, int rounds)
{
    static const char *const name[] = { "plain", "MPI-IO", "written", "committed", "stall" };
    static double s[WHO][ROUNDS_MAX];
    char path[2 * CONF_TEXT_MAX];
    const comm_t *c = tr->comm;
    saving_t saving = { 0 };
    snprintf(path, sizeof path, "%s/plain", dir);
    CHECK(!checkpoint_write(&saving, tr, dir), "no checkpoint"); // warms up, and tells the size
    double size = saving.bytes;
    comm_max(c, &size, 1);
    share_t mine = share_of((size_t)size, c->rank, c->size);
    char *bytes = alloc(mine.count, 1);
    for (size_t i = 0; i < mine.count; i++) bytes[i] = (char)(i * 31 >> 3);
    for (int i = 0; i < rounds; i++) {
        for (int who = PLAIN; who <= BY_MPI; who++) {
            if (c->rank == 0) unlink(path);
            s[who][i] = (who == PLAIN ? plain : mpi_io)(c, path, bytes, mine);
        }
        tr->step += 2;
        comm_barrier(c);
        CHECK(!checkpoint_write(&saving, tr, dir), "no checkpoint");
        s[COMMITTED][i] = slowest(c, saving.took);
        s[WRITTEN][i] = slowest(c, saving.written);
        tr->step++;
        comm_barrier(c);
        CHECK(!checkpoint_begin(&saving, tr, dir, true), "no checkpoint");
        while (!checkpoint_is_over(&saving)) sched_yield();
        comm_barrier(c);
        CHECK(!checkpoint_end(&saving, tr, dir), "no checkpoint");
        s[STALL][i] = slowest(c, saving.stood);
    }
    if (c->rank == 0) printf("MiB,%.1f,,\n", size / 1048576);
    for (int who = 0; who < WHO && c->rank == 0; who++) {
        qsort(s[who], (size_t)rounds, sizeof(double), ascending);
        printf("%s,%.4f,%.4f,%.4f\n", name[who], (s[who][rounds / 2] + s[who][(rounds - 1) / 2]) / 2,
               s[who][0], s[who][rounds - 1]);
    }
    free(bytes);
}

int main(int argc, char **argv)
{
    int status;
    if (hdf5_is_child(argc, argv, &status)) return status; // data sets are looked at by this program anew
    static trainer_t tr;
    static config_t conf;
    comm_t c;
    comm_init(&c, &argc, &argv);
    int rounds = argc >= 4 ? atoi(argv[2]) : 0;
    CHECK(rounds >= 1 && rounds <= ROUNDS_MAX,
          "usage: mpirun -np N checkpoint DIR ROUNDS CONFIG [KEY=VALUE]...");
    CHECK(!kernel_init() && !config_load(&conf, argv[3], argv + 4, argc - 4), "%s", error_text());
    CHECK(!trainer_init(&tr, &c, &conf, (begun_t){ 0 }, false), "no trainer");
    race(&tr, argv[1], rounds);
    trainer_free(&tr);
    comm_free(&c);
    return 0;
}
