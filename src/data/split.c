// The checks on a split of a data set: each mistake a user can make in a file has its plain line here.
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "classes.h"
#include "dataset.h"

// A chunk is read once even where it holds many rows and slices of them are asked for.
static const size_t chunk_cache = (size_t)64 << 20;

static int open_file(split_t *s, const char *path)
{
    if (!path[0]) return fail("no data file is named (data.source.file, data.target.file)");
    if (access(path, R_OK)) return fail("%s: cannot be read: %s", path, strerror(errno));
    setenv("HDF5_USE_FILE_LOCKING", "FALSE", 0); // file systems of clusters often have no locks
    hid_t access = H5_OK(H5Pcreate(H5P_FILE_ACCESS));
    H5_OK(H5Pset_fapl_sec2(access));
    H5_OK(H5Pset_cache(access, 0, 12421, chunk_cache, 1));
    s->file = H5Fopen(path, H5F_ACC_RDONLY, access);
    H5_OK(H5Pclose(access));
    if (s->file >= 0) return 0;
    return H5Fis_hdf5(path) > 0 ? fail("%s: damaged HDF5 file", path) : fail("%s: not an HDF5 file", path);
}

typedef struct {
    char text[512];
    size_t length;
} list_t;

static herr_t add_name(hid_t group, const char *name, const H5L_info_t *info, void *list)
{
    (void)group;
    (void)info;
    list_t *l = list;
    if (l->length + strlen(name) + 8 > sizeof l->text) {
        l->length += (size_t)snprintf(l->text + l->length, sizeof l->text - l->length, ", ...");
        return 1;
    }
    l->length +=
        (size_t)snprintf(l->text + l->length, sizeof l->text - l->length, l->length ? ", %s" : "%s", name);
    return 0;
}

// What there is instead of the thing the user named.
static list_t names_in(hid_t group)
{
    list_t l = { 0 };
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, add_name, &l) < 0 || !l.length)
        strcpy(l.text, "nothing");
    return l;
}

static int open_group(split_t *s, dataset_t *d, const domain_conf_t *where, const char *split)
{
    const char *group = where->group + strspn(where->group, "/");
    int length = snprintf(d->name, sizeof d->name, "%s:/%s/%s", where->file, group, split);
    if (length >= (int)sizeof d->name) return fail("%s: names of file and group are too long", where->file);
    hid_t domain = group[0] ? H5Gopen2(s->file, group, H5P_DEFAULT) : -1;
    if (domain < 0)
        return fail("%s: has no group '%s' (it holds: %s)", where->file, group, names_in(s->file).text);
    s->group = H5Gopen2(domain, split, H5P_DEFAULT);
    int bad = 0;
    if (s->group < 0)
        bad = fail("%s:/%s: has no split '%s' (it holds: %s)", where->file, group, split,
                   names_in(domain).text);
    H5Gclose(domain);
    return bad;
}

// Rank and sides of a dataset of at most 8 dimensions; -1 where it has none or more.
static int extent(hid_t dataset, hsize_t side[8])
{
    hid_t space = H5Dget_space(dataset);
    int rank = H5Sget_simple_extent_ndims(space);
    rank = rank >= 1 && rank <= 8 ? H5Sget_simple_extent_dims(space, side, NULL) : -1;
    H5_OK(H5Sclose(space));
    return rank;
}

static bool has_type(hid_t dataset, H5T_class_t class, bool bytes)
{
    hid_t type = H5Dget_type(dataset);
    bool ok = H5Tget_class(type) == class;
    if (ok && bytes) ok = H5Tget_size(type) == 1 && H5Tget_sign(type) == H5T_SGN_NONE;
    H5_OK(H5Tclose(type));
    return ok;
}

static int open_images(split_t *s, dataset_t *d, int size)
{
    hsize_t side[8];
    s->images = H5Dopen2(s->group, "images", H5P_DEFAULT);
    if (s->images < 0) return fail("%s: has no dataset 'images'", d->name);
    if (!has_type(s->images, H5T_INTEGER, true)) return fail("%s/images: wanted bytes (uint8)", d->name);
    int rank = extent(s->images, side);
    if (rank != 4)
        return fail("%s/images: has %d dimensions, wanted 4 (n, h, w, 3)", d->name, rank < 0 ? 0 : rank);
    if (side[3] != 3)
        return fail("%s/images: last dimension is %llu, wanted 3 (n, h, w, 3)", d->name,
                    (unsigned long long)side[3]);
    if (side[0] == 0) return fail("%s/images: has no rows", d->name);
    if (side[1] != (hsize_t)size || side[2] != (hsize_t)size)
        return fail("%s/images: images are %llux%llu, data.size is %d", d->name, (unsigned long long)side[1],
                    (unsigned long long)side[2], size);
    if (side[0] > INT_MAX)
        return fail("%s/images: has %llu rows, wanted at most %d", d->name, (unsigned long long)side[0],
                    INT_MAX);
    d->n = side[0];
    d->h = d->w = size;
    return 0;
}

static int open_label(split_t *s, dataset_t *d, int i)
{
    char where[CONF_TEXT_MAX + 128], path[128];
    hsize_t side[8];
    snprintf(path, sizeof path, "labels/%s", d->label[i].name);
    snprintf(where, sizeof where, "%s/%s", d->name, path);
    s->label[i] = H5Dopen2(s->group, path, H5P_DEFAULT);
    if (s->label[i] < 0) {
        hid_t labels = H5Gopen2(s->group, "labels", H5P_DEFAULT);
        list_t l = labels < 0 ? (list_t){ "nothing", 7 } : names_in(labels);
        if (labels >= 0) H5Gclose(labels);
        return fail("%s: has no labels '%s' (it holds: %s)", d->name, d->label[i].name, l.text);
    }
    if (!has_type(s->label[i], H5T_INTEGER, false)) return fail("%s: wanted integers (int16)", where);
    int rank = extent(s->label[i], side);
    if (rank != 1) return fail("%s: has %d dimensions, wanted 1 (n)", where, rank < 0 ? 0 : rank);
    if (side[0] != d->n)
        return fail("%s: has %llu rows, images have %zu", where, (unsigned long long)side[0], d->n);
    return classes_read(d, i, s->label[i], where);
}

int split_open(split_t *s, dataset_t *d, const domain_conf_t *where, const char *split, int size,
               const label_t *labels, int n_labels)
{
    *s = (split_t){ 0 };
    *d = (dataset_t){ .n_labels = n_labels };
    CHECK(n_labels <= DATASET_LABELS_MAX, "%d labels, room for %d", n_labels, DATASET_LABELS_MAX);
    for (int i = 0; i < n_labels; i++) d->label[i] = labels[i];
    if (open_file(s, where->file) || open_group(s, d, where, split) || open_images(s, d, size)) return -1;
    for (int i = 0; i < n_labels; i++)
        if (open_label(s, d, i)) return -1;
    return 0;
}

void split_close(split_t *s)
{
    for (int i = DATASET_LABELS_MAX - 1; i >= 0; i--)
        if (s->label[i] > 0) H5Dclose(s->label[i]);
    if (s->images > 0) H5Dclose(s->images);
    if (s->group > 0) H5Gclose(s->group);
    if (s->file > 0) H5Fclose(s->file);
    *s = (split_t){ 0 };
}
