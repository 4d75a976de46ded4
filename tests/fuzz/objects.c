// HDF5 files that are well formed and mean nonsense: the input is a list of objects to make, by HDF5's own
// library, which then has no reason to fail.  As a data set, and for its attributes as a checkpoint.
#include "as_dataset.h"

#include <hdf5.h>

#include "../../src/data/hdf5_walk.h"
#include "dagan/run.h"

enum { OBJECTS_MAX = 24, RANK_MAX = 5, BYTES_MAX = 1 << 16 };

typedef struct {
    const uint8_t *at, *end;
} input_t;

static unsigned below(input_t *in, unsigned n)
{
    return in->at < in->end ? *in->at++ % n : 0;
}

static const char *const groups[] = { "/", "a", "a/train", "a/train/labels", "a/train/parts" };
static const char *const objects[] = { "/", "a/train/images", "a/train/labels/mark", "a/train/labels/kind",
                                       "a/train/parts/eyes" };
static const char *const names[] = { "images", "mark", "kind", "eyes", "labels", "test", "x" };
static const char *const keys[] = { "classes", "crc32", "format", "version", "complete", "config", "x" };
static const hsize_t sides[] = {
    0, 1, 2, 3, 4, 16, 17, 300, (hsize_t)1 << 20, (hsize_t)1 << 33, (hsize_t)1 << 60
};

#define PICK(in, table) ((table)[below(in, sizeof(table) / sizeof *(table))])

static hid_t make_type(input_t *in)
{
    hid_t text = H5Tcopy(H5T_C_S1);
    const hid_t plain[] = { H5T_NATIVE_UINT8, H5T_NATIVE_INT16, H5T_NATIVE_INT8,   H5T_NATIVE_INT64,
                            H5T_NATIVE_FLOAT, H5T_STD_I64BE,    H5T_NATIVE_DOUBLE, H5T_STD_REF_OBJ };
    unsigned kind = below(in, 12);
    if (kind < 8) {
        H5Tclose(text);
        return H5Tcopy(plain[kind]);
    }
    if (kind < 11) {
        const size_t widths[] = { H5T_VARIABLE, 17, 5000 };
        H5Tset_size(text, widths[kind - 8]);
        H5Tset_strpad(text, (H5T_str_t)below(in, 3));
        return text;
    }
    hid_t list = H5Tarray_create2(H5T_NATIVE_UINT8, 1, (hsize_t[]){ 3 });
    H5Tclose(text);
    return list;
}

// Sides that make a picture or a label where the input says nothing else.
static hid_t make_space(input_t *in, int *rank, hsize_t side[RANK_MAX])
{
    static const hsize_t usual[2][4] = { { 3, 16, 16, 3 }, { 3, 4 } };
    unsigned form = below(in, 4);
    *rank = form == 0 ? 4 : form == 1 ? 1 + (int)below(in, 2) : (int)below(in, RANK_MAX + 1);
    for (int i = 0; i < *rank; i++) side[i] = form < 2 ? usual[form][i] : PICK(in, sides);
    if (form == 3 && *rank == 0) return H5Screate(H5S_NULL);
    return *rank ? H5Screate_simple(*rank, side, NULL) : H5Screate(H5S_SCALAR);
}

static hid_t make_plist(input_t *in, int rank, const hsize_t side[])
{
    hid_t p = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk[RANK_MAX];
    unsigned form = below(in, 12);
    for (int i = 0; i < rank; i++) chunk[i] = i == 0 || side[i] == 0 || side[i] > 300 ? 1 : side[i];
    if (form == 1) H5Pset_layout(p, H5D_COMPACT);
    if (form >= 2 && rank) H5Pset_chunk(p, rank, chunk);
    if (form == 3 || form == 6) H5Pset_shuffle(p);
    if (form == 4 || form == 6) H5Pset_deflate(p, 1);
    if (form == 5 || form == 6) H5Pset_fletcher32(p);
    if (form == 7) H5Pset_nbit(p);
    if (form == 8) H5Pset_scaleoffset(p, H5Z_SO_INT, 0);
    if (form == 9) H5Pset_external(p, "raw", 0, H5F_UNLIMITED);
    return p;
}

// Values are bytes of the input, or texts that are such bytes.
static void *make_values(input_t *in, hid_t type, hid_t space)
{
    hssize_t n = H5Sget_simple_extent_npoints(space);
    size_t bytes = n > 0 && n < BYTES_MAX ? (size_t)n * H5Tget_size(type) : 0;
    if (bytes == 0 || bytes > BYTES_MAX || H5Tget_class(type) == H5T_REFERENCE) return NULL;
    static const char *const texts[] = { "", "no", "yes", "dagan-checkpoint", "train: {steps: 1}\n" };
    uint8_t *values = alloc(bytes, 1);
    unsigned one = below(in, 256);
    if (H5Tis_variable_str(type) > 0)
        for (hssize_t i = 0; i < n; i++) ((const char **)(void *)values)[i] = PICK(in, texts);
    else
        for (size_t i = 0; i < bytes; i++)
            values[i] = i < 64 && one & 1 ? (uint8_t)below(in, 256) : (uint8_t)(one >> 1);
    return values;
}

static void make_dataset(input_t *in, hid_t group)
{
    hsize_t side[RANK_MAX];
    int rank;
    const char *name = PICK(in, names);
    hid_t type = make_type(in), space = make_space(in, &rank, side), plist = make_plist(in, rank, side);
    hid_t d = H5Dcreate2(group, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    void *values = d < 0 ? NULL : make_values(in, type, space);
    if (values) H5Dwrite(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    free(values);
    if (d >= 0) H5Dclose(d);
    H5Pclose(plist);
    H5Sclose(space);
    H5Tclose(type);
}

static void make_attribute(input_t *in, hid_t file)
{
    hsize_t side[RANK_MAX];
    int rank;
    hid_t o = H5Oopen(file, PICK(in, objects), H5P_DEFAULT);
    const char *key = PICK(in, keys);
    hid_t type = make_type(in), space = make_space(in, &rank, side);
    hid_t a = o < 0 ? -1 : H5Acreate2(o, key, type, space, H5P_DEFAULT, H5P_DEFAULT);
    void *values = a < 0 ? NULL : make_values(in, type, space);
    if (values) H5Awrite(a, type, values);
    free(values);
    if (a >= 0) H5Aclose(a);
    if (o >= 0) H5Oclose(o);
    H5Sclose(space);
    H5Tclose(type);
}

static void make_link(input_t *in, hid_t group)
{
    const char *name = PICK(in, names), *to = PICK(in, objects);
    char path[64];
    snprintf(path, sizeof path, "/%s", to);
    unsigned kind = below(in, 3);
    if (kind == 0) H5Lcreate_soft(path, group, name, H5P_DEFAULT, H5P_DEFAULT);
    if (kind == 1) H5Lcreate_hard(group, path, group, name, H5P_DEFAULT, H5P_DEFAULT);
    if (kind == 2) H5Lcreate_external("objects.h5", path, group, name, H5P_DEFAULT, H5P_DEFAULT);
}

static void make_file(input_t *in, const char *path)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (below(in, 2)) H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    hid_t f = (hid_t)H5_OK(H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access));
    for (size_t i = 1; i < sizeof groups / sizeof *groups; i++)
        H5Gclose(H5Gcreate2(f, groups[i], H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    for (int i = 0; i < OBJECTS_MAX && in->at < in->end; i++) {
        unsigned kind = below(in, 8);
        hid_t group = H5Gopen2(f, PICK(in, groups), H5P_DEFAULT);
        if (kind < 4 && group >= 0) make_dataset(in, group);
        if (kind >= 4 && kind < 7) make_attribute(in, f);
        if (kind == 7 && group >= 0) make_link(in, group);
        if (group >= 0) H5Gclose(group);
    }
    H5_OK(H5Fclose(f));
    H5Pclose(access);
}

// In the place of hdf5_inspect() (--wrap), and without a process: HDF5 gets what it has written itself.
int __wrap_hdf5_inspect(const comm_t *c, const char *path, const char *object);
int __wrap_hdf5_inspect(const comm_t *c, const char *path, const char *object)
{
    (void)c;
    return hdf5_walk(path, object);
}

static void begin(void)
{
    H5_OK(H5Eset_auto2(H5E_DEFAULT, NULL, NULL));
}

static void try(const uint8_t *data, size_t size)
{
    static config_t conf;
    input_t in = { data, data + size };
    make_file(&in, "objects.h5");
    try_dataset("objects.h5");
    checkpoint_config(&comm, "objects.h5", &conf);
}
