// Arrays with checksums in parallel HDF5.
//
// A flipped byte in a contiguous dataset is silent to HDF5, hence the checksums.

#include "dagan/array.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { BLOCK_BYTES = 64 * 1024 };

array_t array_of(hid_t type, int rank, const int dim[])
{
    array_t t = { .type = type, .rank = rank };
    for (int i = 0; i < rank; i++) t.dim[i] = (hsize_t)dim[i];
    size_t row = array_row_bytes(&t);
    t.block_rows = row && row < BLOCK_BYTES ? BLOCK_BYTES / row : 1;
    return t;
}

size_t array_row_bytes(const array_t *t)
{
    size_t n = H5Tget_size(t->type);
    for (int i = 1; i < t->rank; i++) n *= t->dim[i];
    return n;
}

// No rows, or rows of nothing (the centres of no regions): HDF5 refuses to move these.
static bool is_empty(const array_t *t)
{
    return t->dim[0] * array_row_bytes(t) == 0;
}

size_t array_blocks(const array_t *t)
{
    return (t->dim[0] + t->block_rows - 1) / t->block_rows;
}

share_t array_share(const array_t *t, const comm_t *c)
{
    share_t b = share_of(array_blocks(t), c->rank, c->size);
    size_t first = b.first * t->block_rows, end = (b.first + b.count) * t->block_rows, n = t->dim[0];
    first = first < n ? first : n;
    return (share_t){ first, (end < n ? end : n) - first };
}

// ---- checksums -------------------------------------------------------------------------------------

void array_sums(uint64_t *sum, const array_t *t, share_t rows, const void *mine)
{
    size_t first = rows.count ? rows.first / t->block_rows : 0, n = 0, row = array_row_bytes(t);
    for (size_t r = 0; r < rows.count; r += t->block_rows, n++) {
        size_t count = rows.count - r < t->block_rows ? rows.count - r : t->block_rows;
        sum[first + n] = XXH3_64bits((const char *)mine + r * row, count * row);
    }
}

// The checksums of this rank's blocks, completed to those of the whole array.
static uint64_t *checksums(const array_file_t *f, const array_t *t, share_t rows, const void *mine)
{
    uint64_t *sum = alloc(array_blocks(t) + 1, sizeof *sum);
    array_sums(sum, t, rows, mine);
    comm_or(f->comm, sum, array_blocks(t));
    return sum;
}

static herr_t write_checksums(hid_t d, const array_t *t, const uint64_t *sum)
{
    hsize_t n = array_blocks(t);
    uint64_t rows = t->block_rows;
    if (array_put(d, "block_rows", H5T_NATIVE_UINT64, 0, NULL, &rows) < 0) return -1;
    return n ? array_put(d, "xxh3", H5T_NATIVE_UINT64, 1, &n, sum) : 0;
}

// ---- rows ------------------------------------------------------------------------------------------

// Reads this rank's rows in one collective transfer.
static herr_t read_rows(hid_t d, const array_t *t, share_t rows, void *mine)
{
    hsize_t start[ARRAY_RANK_MAX] = { rows.first }, count[ARRAY_RANK_MAX];
    memcpy(count, t->dim, sizeof count);
    count[0] = rows.count ? rows.count : 1;
    hid_t memory = (hid_t)H5_OK(H5Screate_simple(t->rank, count, NULL));
    hid_t place = (hid_t)H5_OK(H5Screate_simple(t->rank, t->dim, NULL));
    hid_t dxpl = (hid_t)H5_OK(H5Pcreate(H5P_DATASET_XFER));
    H5_OK(H5Pset_dxpl_mpio(dxpl, H5FD_MPIO_COLLECTIVE));
    if (rows.count)
        H5_OK(H5Sselect_hyperslab(place, H5S_SELECT_SET, start, NULL, count, NULL));
    else
        H5_OK(H5Sselect_none(memory)), H5_OK(H5Sselect_none(place));
    char nothing = 0; // HDF5 refuses NULL even where nothing is selected
    herr_t bad = H5Dread(d, t->type, memory, place, dxpl, rows.count ? mine : &nothing);
    H5_OK(H5Pclose(dxpl));
    H5_OK(H5Sclose(place));
    H5_OK(H5Sclose(memory));
    return bad;
}

static hid_t create(const array_file_t *f, const char *name, const array_t *t)
{
    hid_t lcpl = (hid_t)H5_OK(H5Pcreate(H5P_LINK_CREATE)), dcpl = (hid_t)H5_OK(H5Pcreate(H5P_DATASET_CREATE));
    hid_t space = (hid_t)H5_OK(H5Screate_simple(t->rank, t->dim, NULL));
    H5_OK(H5Pset_create_intermediate_group(lcpl, 1));
    H5_OK(H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_EARLY));
    H5_OK(H5Pset_fill_time(dcpl, H5D_FILL_TIME_NEVER));
    hid_t d = H5Dcreate2(f->file, name, t->type, space, lcpl, dcpl, H5P_DEFAULT);
    H5_OK(H5Sclose(space));
    H5_OK(H5Pclose(dcpl));
    H5_OK(H5Pclose(lcpl));
    return d;
}

// Where the dataset's bytes begin in the file; 0 where it has none.
static uint64_t place(hid_t d)
{
    haddr_t at = H5Dget_offset(d);
    return at == HADDR_UNDEF ? 0 : at;
}

int array_lay(const array_file_t *f, const char *name, const array_t *t, const uint64_t *sum,
              uint64_t *offset)
{
    hid_t d = create(f, name, t);
    bool bad = d < 0 || write_checksums(d, t, sum) < 0;
    if (d >= 0) *offset = place(d);
    if (d >= 0 && H5Dclose(d) < 0) bad = true;
    return bad || (!is_empty(t) && !*offset) ? fail("%s: %s cannot be laid out", f->path, name) : 0;
}

static int read_checksums(const array_file_t *f, hid_t d, const char *name, const array_t *t, uint64_t **sum)
{
    uint64_t rows = 0;
    hid_t a = H5Aopen(d, "block_rows", H5P_DEFAULT);
    bool bad = a < 0 || !array_is_one(a, H5T_INTEGER) || H5Aread(a, H5T_NATIVE_UINT64, &rows) < 0;
    if (a >= 0) H5_OK(H5Aclose(a));
    if (bad) return fail("%s: %s has no checksums", f->path, name);
    if (rows != t->block_rows)
        return fail("%s: %s has checksums of %llu rows, wanted %zu", f->path, name, (unsigned long long)rows,
                    t->block_rows);
    hsize_t n = array_blocks(t);
    *sum = alloc(n + 1, sizeof **sum);
    if (!n) return 0;
    a = H5Aopen(d, "xxh3", H5P_DEFAULT);
    hid_t space = a < 0 ? -1 : H5Aget_space(a);
    bad = space < 0 || (hsize_t)H5Sget_simple_extent_npoints(space) != n ||
          H5Aread(a, H5T_NATIVE_UINT64, *sum) < 0;
    if (space >= 0) H5_OK(H5Sclose(space));
    if (a >= 0) H5_OK(H5Aclose(a));
    return bad ? fail("%s: %s has no valid checksums", f->path, name) : 0;
}

static void shape_text(char *out, size_t size, int rank, const hsize_t *dim)
{
    size_t at = 0;
    out[0] = 0;
    for (int i = 0; i < rank && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%llu", i ? " x " : "", (unsigned long long)dim[i]);
}

int array_shape(const array_file_t *f, const char *name, array_t *t)
{
    hid_t d = array_exists(f, name) ? H5Dopen2(f->file, name, H5P_DEFAULT) : -1;
    if (d < 0) return fail("%s: has no dataset %s", f->path, name);
    hid_t space = H5Dget_space(d);
    int rank = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    if (rank < 1 || rank > ARRAY_RANK_MAX)
        rank = -1;
    else
        H5_OK(H5Sget_simple_extent_dims(space, t->dim, NULL));
    if (space >= 0) H5_OK(H5Sclose(space));
    H5_OK(H5Dclose(d));
    t->rank = rank;
    return rank < 0 ? fail("%s: %s has no usable shape", f->path, name) : 0;
}

// Equal types need no conversion, and none of a type that nobody foresaw.
static bool has_type(hid_t d, hid_t wanted)
{
    hid_t type = H5Dget_type(d);
    bool same = type >= 0 && H5Tequal(type, wanted) > 0;
    if (type >= 0) H5_OK(H5Tclose(type));
    return same;
}

// Opens a dataset of the wanted shape and reads its checksums, array_blocks(want) of them; 0, or -1 after
// fail().
static int find(const array_file_t *f, const char *name, const array_t *want, hid_t *d, uint64_t **stored)
{
    array_t found = *want;
    char a[128], b[128];
    if (array_shape(f, name, &found)) return -1;
    if (found.rank != want->rank || memcmp(found.dim, want->dim, (size_t)want->rank * sizeof *want->dim)) {
        shape_text(a, sizeof a, found.rank, found.dim);
        shape_text(b, sizeof b, want->rank, want->dim);
        return fail("%s: %s is %s, wanted %s", f->path, name, a, b);
    }
    *d = (hid_t)H5_OK(H5Dopen2(f->file, name, H5P_DEFAULT));
    if (!has_type(*d, want->type)) return fail("%s: %s holds numbers of another type", f->path, name);
    return read_checksums(f, *d, name, want, stored);
}

int array_read(const array_file_t *f, const char *name, const array_t *want, share_t rows, void *mine)
{
    hid_t d = -1;
    uint64_t *stored = NULL, *sum = NULL;
    comm_watch(f->comm, "opening %s of %s", name, f->path);
    int bad = find(f, name, want, &d, &stored);
    comm_watched(f->comm);
    bool is_sound = !comm_any(f->comm, bad);
    comm_watch(f->comm, "reading %s of %s", name, f->path);
    bool lost = is_sound && !is_empty(want) && read_rows(d, want, rows, mine) < 0;
    comm_watched(f->comm);
    // Reading may have failed on this rank alone.  The others then miss its sums.
    if (is_sound) sum = checksums(f, want, rows, mine);
    if (lost) bad = fail("%s: %s cannot be read", f->path, name);
    for (size_t i = 0; is_sound && !bad && i < array_blocks(want); i++)
        if (sum[i] != stored[i]) bad = fail("%s: %s, block %zu has a wrong checksum", f->path, name, i);
    free(sum);
    free(stored);
    if (d >= 0) H5_OK(H5Dclose(d));
    if (!comm_any(f->comm, bad)) return 0;
    return bad ? -1 : fail("%s", ""); // another rank has the text
}

int array_check(const array_file_t *f, const char *name, const array_t *want, const uint64_t *sum,
                uint64_t offset)
{
    hid_t d = -1;
    uint64_t *stored = NULL;
    int bad = find(f, name, want, &d, &stored);
    if (!bad && (place(d) != offset || memcmp(stored, sum, array_blocks(want) * sizeof *sum)))
        bad = fail("%s: %s is not described as it was written", f->path, name);
    free(stored);
    if (d >= 0) H5_OK(H5Dclose(d));
    return bad;
}
