// The packed data set in HDF5, written by all ranks together.  An image is a chunk, so no two ranks share
// one; filtered chunks can only be written collectively, so ranks go in rounds and whoever has no rows left
// takes part with none.
#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

#include "dagan/array.h"
#include "dataset.h"
#include "pack.h"

enum { GZIP = 6, ROUND_BYTES = 16 << 20 };
enum { BESIDE_A_ROW = 512, BESIDE = 1 << 20 }; // bytes: a picture's place in the index and labels; all else

// The rows [first, first + count) of `data`, from memory.  Collective; count may be 0.
static void put(const comm_t *c, hid_t data, hid_t type, size_t first, size_t count, const void *values)
{
    hsize_t side[4];
    hid_t file = (hid_t)H5_OK(H5Dget_space(data));
    int rank = (int)H5_OK(H5Sget_simple_extent_dims(file, side, NULL));
    hsize_t start[4] = { first };
    side[0] = count ? count : 1; // no dimension may be 0 here
    hid_t memory = (hid_t)H5_OK(H5Screate_simple(rank, side, NULL));
    if (count) {
        H5_OK(H5Sselect_hyperslab(file, H5S_SELECT_SET, start, NULL, side, NULL));
    } else {
        H5_OK(H5Sselect_none(file));
        H5_OK(H5Sselect_none(memory));
    }
    hid_t together = (hid_t)H5_OK(H5Pcreate(H5P_DATASET_XFER));
    H5_OK(H5Pset_dxpl_mpio(together, H5FD_MPIO_COLLECTIVE));
    comm_watch(c, "writing rows");
    H5_OK(H5Dwrite(data, type, memory, file, together, values));
    comm_watched(c);
    H5_OK(H5Pclose(together));
    H5_OK(H5Sclose(memory));
    H5_OK(H5Sclose(file));
}

// Of the rows that this rank and the others hold.  Collective.
static void write_checksum(const comm_t *c, hid_t data, const void *rows, size_t first, size_t count,
                           size_t bytes)
{
    uint64_t sum = checksum_of(rows, first, count, bytes);
    checksum_add_up(&sum, c);
    checksum_write(data, sum);
}

static void write_images(const comm_t *c, hid_t split, const kept_t *k, int s)
{
    hsize_t size = (hsize_t)k->size, side[4] = { k->total[s], size, size, 3 },
            chunk[4] = { 1, size, size, 3 };
    hid_t space = (hid_t)H5_OK(H5Screate_simple(4, side, NULL));
    hid_t create = (hid_t)H5_OK(H5Pcreate(H5P_DATASET_CREATE));
    H5_OK(H5Pset_chunk(create, 4, chunk));
    H5_OK(H5Pset_deflate(create, GZIP));
    H5_OK(H5Pset_fill_time(create, H5D_FILL_TIME_NEVER));
    hid_t data =
        (hid_t)H5_OK(H5Dcreate2(split, "images", H5T_STD_U8LE, space, H5P_DEFAULT, create, H5P_DEFAULT));

    size_t bytes = 3 * size * size, round = ROUND_BYTES / bytes + 1, before = 0;
    for (int i = 0; i < s; i++) before += k->n[i];
    double rounds = (double)((k->n[s] + round - 1) / round);
    comm_max(c, &rounds, 1);
    for (size_t r = 0, done = 0; r < (size_t)rounds; r++) {
        size_t count = k->n[s] - done < round ? k->n[s] - done : round;
        put(c, data, H5T_NATIVE_UINT8, k->first[s] + done, count, k->rgb + (before + done) * bytes);
        done += count;
    }
    write_checksum(c, data, k->rgb + before * bytes, k->first[s], k->n[s], bytes);
    H5_OK(H5Dclose(data));
    H5_OK(H5Pclose(create));
    H5_OK(H5Sclose(space));
}

static void write_labels(const comm_t *c, hid_t split, const kept_t *k, int s, const table_t *t)
{
    hsize_t rows = k->total[s];
    size_t before = 0;
    for (int i = 0; i < s; i++) before += k->n[i];
    int16_t *value = alloc(k->n[s], sizeof *value);
    hid_t labels = (hid_t)H5_OK(H5Gcreate2(split, "labels", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    hid_t space = (hid_t)H5_OK(H5Screate_simple(1, &rows, NULL));
    for (size_t j = 0; j < t->n; j++) {
        const column_t *col = &t->column[j];
        for (size_t i = 0; i < k->n[s]; i++) value[i] = col->value[k->item[before + i]];
        hid_t data = (hid_t)H5_OK(
            H5Dcreate2(labels, col->name, H5T_STD_I16LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
        put(c, data, H5T_NATIVE_INT16, k->first[s], k->n[s], value);
        write_checksum(c, data, value, k->first[s], k->n[s], sizeof *value);
        H5_OK(texts_put(data, "classes", col->class, col->n_classes, true));
        H5_OK(H5Dclose(data));
    }
    H5_OK(H5Sclose(space));
    H5_OK(H5Gclose(labels));
    free(value);
}

static void write_domain(hid_t domain, const char *group, const char *source)
{
    const char *slash = strrchr(group, '/'), *nothing = "";
    const char *title = slash ? slash + 1 : group;
    H5_OK(texts_put(domain, "title", &title, 1, false));
    H5_OK(texts_put(domain, "license", &nothing, 1, false)); // pack cannot know these two
    H5_OK(texts_put(domain, "attribution", &nothing, 1, false));
    H5_OK(texts_put(domain, "source", &source, 1, false));
}

// Room for the file if nothing could be compressed; closing it gives back the rest.  Collective.
static int reserve(const comm_t *c, const char *path, const kept_t *k, const table_t *t)
{
    size_t row = 3 * (size_t)k->size * (size_t)k->size + (1 + t->n) * BESIDE_A_ROW,
           rows = k->total[SPLIT_TRAIN] + k->total[SPLIT_TEST];
    return comm_agree(c, c->rank == 0 && array_reserve(path, rows * row + BESIDE), error_text());
}

int pack_write(const comm_t *c, const char *path, const char *group, const char *source, const kept_t *k,
               const table_t *t)
{
    H5_OK(H5Eset_auto2(H5E_DEFAULT, NULL, NULL)); // our one line says it
    hid_t access = (hid_t)H5_OK(H5Pcreate(H5P_FILE_ACCESS)), links = (hid_t)H5_OK(H5Pcreate(H5P_LINK_CREATE));
    H5_OK(H5Pset_fapl_mpio(access, c->all, MPI_INFO_NULL));
    H5_OK(H5Pset_create_intermediate_group(links, 1));
    hid_t file = (hid_t)H5_OK(H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access));
    H5_OK(H5Pclose(access));
    if (reserve(c, path, k, t)) { // nothing is in it
        H5_OK(H5Fclose(file));
        H5_OK(H5Pclose(links));
        return -1;
    }
    hid_t domain = (hid_t)H5_OK(H5Gcreate2(file, group, links, H5P_DEFAULT, H5P_DEFAULT));
    write_domain(domain, group, source);
    for (int s = 0; s < N_SPLITS; s++) {
        if (!k->total[s]) continue;
        hid_t split = (hid_t)H5_OK(H5Gcreate2(domain, split_name[s], H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
        write_images(c, split, k, s);
        if (t->n) write_labels(c, split, k, s, t);
        H5_OK(H5Gclose(split));
    }
    H5_OK(H5Gclose(domain));
    comm_watch(c, "closing %s", path);
    H5_OK(H5Fclose(file));
    comm_watched(c);
    H5_OK(H5Pclose(links));
    return 0;
}
