// Arrays with checksums in parallel HDF5.
//
// A flipped byte in a contiguous dataset is silent to HDF5, hence the checksums.  All calls are collective:
// every rank creates the same objects in the same order and passes the same attributes.

#include "array.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { BLOCK_BYTES = 64 * 1024, ALIGNMENT = 1024 * 1024, TEXT_MAX = 2 << 20 };

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

static size_t n_blocks(const array_t *t)
{
    return (t->dim[0] + t->block_rows - 1) / t->block_rows;
}

share_t array_share(const array_t *t, const comm_t *c)
{
    share_t b = share_of(n_blocks(t), c->rank, c->size);
    size_t first = b.first * t->block_rows, end = (b.first + b.count) * t->block_rows, n = t->dim[0];
    first = first < n ? first : n;
    return (share_t){ first, (end < n ? end : n) - first };
}

// ---- files -----------------------------------------------------------------------------------------

static hid_t parallel_access(const comm_t *c)
{
    H5_OK(H5Eset_auto2(H5E_DEFAULT, NULL, NULL)); // our one line says it
    hid_t fapl = (hid_t)H5_OK(H5Pcreate(H5P_FILE_ACCESS));
    H5_OK(H5Pset_fapl_mpio(fapl, c->all, MPI_INFO_NULL));
    H5_OK(H5Pset_all_coll_metadata_ops(fapl, true));
    H5_OK(H5Pset_coll_metadata_write(fapl, true));
    H5_OK(H5Pset_alignment(fapl, ALIGNMENT, ALIGNMENT));
    H5_OK(H5Pset_libver_bounds(fapl, H5F_LIBVER_V18, H5F_LIBVER_LATEST)); // attributes beyond 64 KiB
    return fapl;
}

static int keep(array_file_t *f, const comm_t *c, const char *path, hid_t file, const char *verb)
{
    *f = (array_file_t){ .comm = c, .file = file };
    snprintf(f->path, sizeof f->path, "%s", path);
    return file < 0 ? fail("%s: cannot be %s as HDF5", path, verb) : 0;
}

int array_create(array_file_t *f, const comm_t *c, const char *path)
{
    hid_t fapl = parallel_access(c), file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
    H5_OK(H5Pclose(fapl));
    return keep(f, c, path, file, "created");
}

int array_open(array_file_t *f, const comm_t *c, const char *path)
{
    hid_t fapl = parallel_access(c), file = H5Fopen(path, H5F_ACC_RDONLY, fapl);
    H5_OK(H5Pclose(fapl));
    return keep(f, c, path, file, "read");
}

int array_close(array_file_t *f)
{
    herr_t bad = f->file > 0 ? H5Fclose(f->file) : 0;
    f->file = 0;
    return bad < 0 ? fail("%s: cannot be closed: is the disk full?", f->path) : 0;
}

bool array_exists(const array_file_t *f, const char *name)
{
    char part[256];
    for (size_t i = 1; name[i - 1]; i++) { // H5Lexists wants every group on the way to exist
        if (name[i] && name[i] != '/') continue;
        CHECK(i < sizeof part, "the name %s is too long", name);
        memcpy(part, name, i);
        part[i] = 0;
        if (H5Lexists(f->file, part, H5P_DEFAULT) <= 0) return false;
        if (!name[i]) break;
    }
    return true;
}

// ---- checksums -------------------------------------------------------------------------------------

// The checksums of this rank's blocks, completed to those of the whole array.
static uint64_t *checksums(const array_file_t *f, const array_t *t, share_t rows, const void *mine)
{
    uint64_t *sum = alloc(n_blocks(t) + 1, sizeof *sum);
    size_t first = rows.count ? rows.first / t->block_rows : 0, n = 0, row = array_row_bytes(t);
    for (size_t r = 0; r < rows.count; r += t->block_rows, n++) {
        size_t count = rows.count - r < t->block_rows ? rows.count - r : t->block_rows;
        sum[first + n] = XXH3_64bits((const char *)mine + r * row, count * row);
    }
    comm_complete(f->comm, sum, (share_t){ first, n }, sizeof *sum);
    return sum;
}

// Rank 0: a scalar.
static herr_t write_attribute(hid_t at, const char *key, hid_t type, int rank, const hsize_t n[],
                              const void *value)
{
    hid_t space = rank ? H5Screate_simple(rank, n, NULL) : H5Screate(H5S_SCALAR);
    hid_t a = H5Acreate2(at, key, type, space, H5P_DEFAULT, H5P_DEFAULT);
    herr_t bad = a < 0 ? -1 : H5Awrite(a, type, value);
    if (a >= 0 && H5Aclose(a) < 0) bad = -1;
    H5_OK(H5Sclose(space));
    return bad;
}

static herr_t write_checksums(hid_t d, const array_t *t, const uint64_t *sum)
{
    hsize_t n = n_blocks(t);
    uint64_t rows = t->block_rows;
    if (write_attribute(d, "block_rows", H5T_NATIVE_UINT64, 0, NULL, &rows) < 0) return -1;
    return n ? write_attribute(d, "xxh3", H5T_NATIVE_UINT64, 1, &n, sum) : 0;
}

// ---- rows ------------------------------------------------------------------------------------------

typedef herr_t (*transfer_t)(hid_t d, hid_t memory, hid_t place, hid_t dxpl, void *mine, hid_t type);

static herr_t transfer_write(hid_t d, hid_t memory, hid_t place, hid_t dxpl, void *mine, hid_t type)
{
    return H5Dwrite(d, type, memory, place, dxpl, mine);
}

static herr_t transfer_read(hid_t d, hid_t memory, hid_t place, hid_t dxpl, void *mine, hid_t type)
{
    return H5Dread(d, type, memory, place, dxpl, mine);
}

// Moves this rank's rows between memory and file in one collective transfer.
static herr_t move(hid_t d, const array_t *t, share_t rows, void *mine, transfer_t transfer)
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
    herr_t bad = transfer(d, memory, place, dxpl, rows.count ? mine : &nothing, t->type);
    H5_OK(H5Pclose(dxpl));
    H5_OK(H5Sclose(place));
    H5_OK(H5Sclose(memory));
    return bad;
}

int array_write(const array_file_t *f, const char *name, const array_t *t, share_t rows, const void *mine)
{
    hid_t lcpl = (hid_t)H5_OK(H5Pcreate(H5P_LINK_CREATE));
    hid_t space = (hid_t)H5_OK(H5Screate_simple(t->rank, t->dim, NULL));
    H5_OK(H5Pset_create_intermediate_group(lcpl, 1));
    hid_t d = H5Dcreate2(f->file, name, t->type, space, lcpl, H5P_DEFAULT, H5P_DEFAULT);
    uint64_t *sum = checksums(f, t, rows, mine);
    bool bad = d < 0 || (!is_empty(t) && move(d, t, rows, (void *)mine, transfer_write) < 0);
    if (d >= 0 && write_checksums(d, t, sum) < 0) bad = true;
    if (d >= 0 && H5Dclose(d) < 0) bad = true;
    free(sum);
    H5_OK(H5Sclose(space));
    H5_OK(H5Pclose(lcpl));
    return bad ? fail("%s: %s cannot be written", f->path, name) : 0;
}

// Whether an attribute is one value of that class.  Reading one that is more would write behind its variable.
static bool is_one(hid_t a, H5T_class_t class)
{
    hid_t space = H5Aget_space(a), type = H5Aget_type(a);
    bool one = space >= 0 && H5Sget_simple_extent_npoints(space) == 1 && H5Tget_class(type) == class;
    if (type >= 0) H5_OK(H5Tclose(type));
    if (space >= 0) H5_OK(H5Sclose(space));
    return one;
}

static int read_checksums(const array_file_t *f, hid_t d, const char *name, const array_t *t, uint64_t **sum)
{
    uint64_t rows = 0;
    hid_t a = H5Aopen(d, "block_rows", H5P_DEFAULT);
    bool bad = a < 0 || !is_one(a, H5T_INTEGER) || H5Aread(a, H5T_NATIVE_UINT64, &rows) < 0;
    if (a >= 0) H5_OK(H5Aclose(a));
    if (bad) return fail("%s: %s has no checksums", f->path, name);
    if (rows != t->block_rows)
        return fail("%s: %s has checksums of %llu rows, wanted %zu", f->path, name, (unsigned long long)rows,
                    t->block_rows);
    hsize_t n = n_blocks(t);
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

int array_read(const array_file_t *f, const char *name, const array_t *want, share_t rows, void *mine)
{
    array_t found = *want;
    char a[128], b[128];
    if (array_shape(f, name, &found)) return -1;
    if (found.rank != want->rank || memcmp(found.dim, want->dim, (size_t)want->rank * sizeof *want->dim)) {
        shape_text(a, sizeof a, found.rank, found.dim);
        shape_text(b, sizeof b, want->rank, want->dim);
        return fail("%s: %s is %s, wanted %s", f->path, name, a, b);
    }
    hid_t d = (hid_t)H5_OK(H5Dopen2(f->file, name, H5P_DEFAULT));
    uint64_t *stored = NULL, *sum = NULL;
    int bad = has_type(d, want->type) ? read_checksums(f, d, name, want, &stored)
                                      : fail("%s: %s holds numbers of another type", f->path, name);
    bool lost = !bad && !is_empty(want) && move(d, want, rows, mine, transfer_read) < 0;
    // Collective, so also where reading failed: it may have failed on this rank alone.  The others then miss
    // its sums.
    if (!bad) sum = checksums(f, want, rows, mine);
    if (lost) bad = fail("%s: %s cannot be read", f->path, name);
    for (size_t i = 0; !bad && i < n_blocks(want); i++)
        if (sum[i] != stored[i]) bad = fail("%s: %s, block %zu has a wrong checksum", f->path, name, i);
    free(sum);
    free(stored);
    H5_OK(H5Dclose(d));
    return bad;
}

// ---- attributes ------------------------------------------------------------------------------------

// The object of that name, made as a group if it is not there.
static hid_t object(const array_file_t *f, const char *name)
{
    if (strcmp(name, "/") == 0 || array_exists(f, name)) return H5Oopen(f->file, name, H5P_DEFAULT);
    hid_t lcpl = (hid_t)H5_OK(H5Pcreate(H5P_LINK_CREATE));
    H5_OK(H5Pset_create_intermediate_group(lcpl, 1));
    hid_t g = H5Gcreate2(f->file, name, lcpl, H5P_DEFAULT, H5P_DEFAULT);
    H5_OK(H5Pclose(lcpl));
    return g;
}

static int put(const array_file_t *f, const char *name, const char *key, hid_t type, int rank,
               const hsize_t n[], const void *value)
{
    hid_t o = object(f, name);
    bool bad = o < 0 || write_attribute(o, key, type, rank, n, value) < 0;
    if (o >= 0 && H5Oclose(o) < 0) bad = true;
    return bad ? fail("%s: attribute %s of %s cannot be written", f->path, key, name) : 0;
}

int array_put_long(const array_file_t *f, const char *name, const char *key, long value)
{
    return put(f, name, key, H5T_NATIVE_LONG, 0, NULL, &value);
}

int array_put_double(const array_file_t *f, const char *name, const char *key, double value)
{
    return put(f, name, key, H5T_NATIVE_DOUBLE, 0, NULL, &value);
}

int array_put_half(const array_file_t *f, const char *name, const sides_t *half, int regions)
{
    hsize_t n[] = { (hsize_t)regions, 2 };
    bool one = half->given == 1 && half->side[0][0] == half->side[0][1];
    return put(f, name, "half", H5T_NATIVE_DOUBLE, one ? 0 : 2, n, half->side);
}

int array_put_text(const array_file_t *f, const char *name, const char *key, const char *value)
{
    hid_t type = (hid_t)H5_OK(H5Tcopy(H5T_C_S1));
    H5_OK(H5Tset_size(type, strlen(value) + 1));
    H5_OK(H5Tset_cset(type, H5T_CSET_UTF8));
    int bad = put(f, name, key, type, 0, NULL, value);
    H5_OK(H5Tclose(type));
    return bad;
}

static int get(const array_file_t *f, const char *name, const char *key, hid_t type, void *value)
{
    hid_t o = array_exists(f, name) || strcmp(name, "/") == 0 ? H5Oopen(f->file, name, H5P_DEFAULT) : -1;
    hid_t a = o >= 0 && H5Aexists(o, key) > 0 ? H5Aopen(o, key, H5P_DEFAULT) : -1;
    bool bad = a < 0 || !is_one(a, H5Tget_class(type)) || H5Aread(a, type, value) < 0;
    if (a >= 0) H5_OK(H5Aclose(a));
    if (o >= 0) H5_OK(H5Oclose(o));
    return bad ? fail("%s: %s has no attribute %s", f->path, name, key) : 0;
}

int array_get_long(const array_file_t *f, const char *name, const char *key, long *value)
{
    return get(f, name, key, H5T_NATIVE_LONG, value);
}

int array_get_double(const array_file_t *f, const char *name, const char *key, double *value)
{
    return get(f, name, key, H5T_NATIVE_DOUBLE, value);
}

int array_get_text(const array_file_t *f, const char *name, const char *key, char **value)
{
    hid_t o = array_exists(f, name) || strcmp(name, "/") == 0 ? H5Oopen(f->file, name, H5P_DEFAULT) : -1;
    hid_t a = o >= 0 && H5Aexists(o, key) > 0 ? H5Aopen(o, key, H5P_DEFAULT) : -1;
    hid_t type = a >= 0 ? H5Aget_type(a) : -1;
    size_t n = type >= 0 ? H5Tget_size(type) : 0;
    bool bad = n == 0 || n > TEXT_MAX || !is_one(a, H5T_STRING) || H5Tis_variable_str(type) != 0;
    *value = bad ? NULL : alloc(n + 1, 1);
    bad = bad || H5Aread(a, type, *value) < 0;
    if (type >= 0) H5_OK(H5Tclose(type));
    if (a >= 0) H5_OK(H5Aclose(a));
    if (o >= 0) H5_OK(H5Oclose(o));
    return bad ? fail("%s: %s has no text attribute %s", f->path, name, key) : 0;
}
