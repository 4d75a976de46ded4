// The sum over ranks of comm/reduce.c against MPI_Allreduce, taking turns.  usage: mpirun -np N reduce ROUNDS
//
// Prints MIB,WHO,MEDIAN,MIN,MAX in milliseconds of the slowest rank, both in place.  Nothing computes
// meanwhile: this is what a sum costs, not what of it a step sees.

#include <stdio.h>
#include <stdlib.h>

#include "dagan/comm.h"

enum { MIB_MAX = 64, ROUNDS_MAX = 99, BUCKET_MIB = 4, TREE = 0, ALLREDUCE = 1, WHO = 2 };

static double timed(const comm_t *c, reduce_t *r, float *x, size_t n, int who)
{
    int buckets = (int)((n * sizeof(float) + (BUCKET_MIB << 20) - 1) / (BUCKET_MIB << 20));
    comm_barrier(c);
    double began = now();
    if (who == ALLREDUCE) {
        MPI_OK(MPI_Allreduce(MPI_IN_PLACE, x, mpi_count(n), MPI_FLOAT, MPI_SUM, c->all));
    } else {
        for (int b = 0; b < buckets; b++) reduce_start(r, b);
        reduce_finish(r);
    }
    double seconds = now() - began;
    comm_max(c, &seconds, 1);
    return 1e3 * seconds;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void race(const comm_t *c, int mib, int rounds)
{
    static const char *const name[] = { "dagan_mpi", "MPI_Allreduce" };
    size_t n = ((size_t)mib << 20) / sizeof(float), edge[MIB_MAX / BUCKET_MIB + 1] = { 0 };
    int buckets = (mib + BUCKET_MIB - 1) / BUCKET_MIB;
    for (int b = 0; b < buckets; b++)
        edge[b + 1] = b + 1 < buckets ? (size_t)(b + 1) * (BUCKET_MIB << 18) : n;
    float *x = alloc(n, sizeof *x); // zeros: their sums stay finite however often they are taken
    reduce_t *r = reduce_new(c, REDUCE_TREE, "a benchmark", x, edge, buckets);
    double ms[WHO][ROUNDS_MAX];
    for (int i = -2; i < rounds; i++) // the first two warm up
        for (int who = 0; who < WHO; who++) ms[who][i < 0 ? 0 : i] = timed(c, r, x, n, who);
    for (int who = 0; who < WHO && c->rank == 0; who++) {
        qsort(ms[who], (size_t)rounds, sizeof(double), ascending);
        printf("%d,%s,%.4f,%.4f,%.4f\n", mib, name[who],
               (ms[who][rounds / 2] + ms[who][(rounds - 1) / 2]) / 2, ms[who][0], ms[who][rounds - 1]);
    }
    reduce_free(r);
    free(x);
}

int main(int argc, char **argv)
{
    comm_t c;
    comm_init(&c, &argc, &argv);
    int rounds = argc == 2 ? atoi(argv[1]) : 0;
    CHECK(rounds >= 1 && rounds <= ROUNDS_MAX, "usage: mpirun -np N reduce ROUNDS");
    for (int mib = 1; mib <= MIB_MAX; mib *= 2) race(&c, mib, rounds);
    comm_free(&c);
    return 0;
}
