// All-to-all of items that know their receiver, and completing an array of which each rank holds a part.

#include <stdlib.h>
#include <string.h>

#include "wait.h"

typedef struct {
    int *count, *offset; // items for or from each rank
} table_t;

static size_t offsets(table_t t, int size)
{
    size_t sum = 0;
    for (int r = 0; r < size; r++) {
        t.offset[r] = mpi_count(sum);
        sum += (size_t)t.count[r];
    }
    return sum;
}

static table_t table_new(int size)
{
    return (table_t){ alloc((size_t)size, sizeof(int)), alloc((size_t)size, sizeof(int)) };
}

static void table_free(table_t t)
{
    free(t.count);
    free(t.offset);
}

static MPI_Datatype item_new(size_t bytes)
{
    MPI_Datatype item;
    MPI_OK(MPI_Type_contiguous(mpi_count(bytes), MPI_BYTE, &item));
    MPI_OK(MPI_Type_commit(&item));
    return item;
}

void comm_complete(const comm_t *c, void *items, share_t mine, size_t bytes)
{
    table_t t = table_new(c->size);
    MPI_Datatype item = item_new(bytes);
    MPI_Request request;
    int count = mpi_count(mine.count);
    MPI_OK(MPI_Iallgather(&count, 1, MPI_INT, t.count, 1, MPI_INT, c->all, &request));
    wait_for(c, &request, "telling how many items each rank holds");
    offsets(t, c->size);
    MPI_OK(MPI_Iallgatherv(MPI_IN_PLACE, 0, item, items, t.count, t.offset, item, c->all, &request));
    wait_for(c, &request, "completing an array");
    MPI_OK(MPI_Type_free(&item));
    table_free(t);
}

void *comm_exchange(const comm_t *c, const void *items, const int *to, size_t n, size_t bytes,
                    size_t *received)
{
    table_t out = table_new(c->size), in = table_new(c->size);
    MPI_Request request;
    for (size_t i = 0; i < n; i++) out.count[to[i]]++;
    MPI_OK(MPI_Ialltoall(out.count, 1, MPI_INT, in.count, 1, MPI_INT, c->all, &request));
    wait_for(c, &request, "telling how many items go where");
    offsets(out, c->size);
    *received = offsets(in, c->size);

    char *sorted = alloc(n + 1, bytes), *got = alloc(*received + 1, bytes);
    int *next = alloc((size_t)c->size, sizeof *next);
    memcpy(next, out.offset, (size_t)c->size * sizeof *next);
    for (size_t i = 0; i < n; i++)
        memcpy(sorted + (size_t)next[to[i]]++ * bytes, (const char *)items + i * bytes, bytes);

    MPI_Datatype item = item_new(bytes);
    MPI_OK(MPI_Ialltoallv(sorted, out.count, out.offset, item, got, in.count, in.offset, item, c->all,
                          &request));
    wait_for(c, &request, "an exchange of items");
    MPI_OK(MPI_Type_free(&item));
    free(next);
    free(sorted);
    table_free(out);
    table_free(in);
    return got;
}
