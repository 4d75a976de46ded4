// Class names of a label: read from the attribute `classes`, hashed, compared between domains.
// Writers differ: h5py stores strings of variable length, h5wasm and pack of fixed length; both are
// brought to one text of names that each end in a zero byte.
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "classes.h"

enum { NAME_MAX_BYTES = 4096 };

// Names as HDF5 holds them: (n) pointers, or (n, width) bytes padded with zeros or spaces.
typedef struct {
    bool varies;
    size_t width, n;
    char *bytes;
} names_t;

static size_t name_at(const names_t *s, size_t i, const char **name)
{
    if (s->varies) {
        *name = ((char **)(void *)s->bytes)[i];
        return *name ? strlen(*name) : 0;
    }
    *name = s->bytes + i * s->width;
    return strnlen(*name, s->width);
}

static int gather(dataset_t *d, int label, const names_t *s, const char *where)
{
    size_t length = 0;
    const char *name;
    for (size_t i = 0; i < s->n; i++) {
        size_t l = name_at(s, i, &name);
        if (l > NAME_MAX_BYTES)
            return fail("%s: attribute 'classes' has a name of %zu bytes, wanted at most %d", where, l,
                        NAME_MAX_BYTES);
        length += l + 1;
    }
    d->n_classes[label] = (int)s->n;
    char *to = d->classes[label] = alloc(length, 1);
    for (size_t i = 0; i < s->n; i++) {
        size_t l = name_at(s, i, &name);
        if (l) memcpy(to, name, l);
        to += l + 1;
    }
    d->classes_hash[label] = XXH3_64bits(d->classes[label], length);
    return 0;
}

static int read_names(dataset_t *d, int label, hid_t attribute, hid_t type, hid_t space, const char *where)
{
    hssize_t n = H5Sget_simple_extent_npoints(space);
    if (H5Tget_class(type) != H5T_STRING || H5Sget_simple_extent_ndims(space) != 1)
        return fail("%s: attribute 'classes' is not a list of strings", where);
    if (n < 1 || n > INT16_MAX)
        return fail("%s: attribute 'classes' has %lld names, wanted 1 to %d", where, (long long)n, INT16_MAX);
    names_t s = { .varies = H5Tis_variable_str(type) > 0, .width = H5Tget_size(type), .n = (size_t)n };
    if (!s.varies && s.width > NAME_MAX_BYTES)
        return fail("%s: attribute 'classes' has names of %zu bytes, wanted at most %d", where, s.width,
                    NAME_MAX_BYTES);
    hid_t memory = H5Tcopy(H5T_C_S1);
    H5_OK(H5Tset_cset(memory, H5Tget_cset(type)));
    H5_OK(H5Tset_strpad(memory, H5T_STR_NULLPAD)); // drops the spaces of Fortran's strings
    H5_OK(H5Tset_size(memory, s.varies ? H5T_VARIABLE : s.width));
    s.bytes = alloc(s.n, s.varies ? sizeof(char *) : s.width);
    int bad =
        H5Aread(attribute, memory, s.bytes) < 0 ? fail("%s: attribute 'classes' cannot be read", where) : 0;
    bool was_read = !bad;
    if (was_read) bad = gather(d, label, &s, where);
    if (was_read && s.varies) H5_OK(H5Dvlen_reclaim(memory, space, H5P_DEFAULT, s.bytes));
    free(s.bytes);
    H5_OK(H5Tclose(memory));
    return bad;
}

int classes_read(dataset_t *d, int label, hid_t labels, const char *where)
{
    if (H5Aexists(labels, "classes") <= 0)
        return fail("%s: has no attribute 'classes' (the class names)", where);
    hid_t attribute = H5Aopen(labels, "classes", H5P_DEFAULT);
    if (attribute < 0) return fail("%s: attribute 'classes' cannot be read", where);
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    int bad = read_names(d, label, attribute, type, space, where);
    if (space >= 0) H5_OK(H5Sclose(space));
    if (type >= 0) H5_OK(H5Tclose(type));
    H5_OK(H5Aclose(attribute));
    return bad;
}

const char *dataset_class(const dataset_t *d, int label, int k)
{
    const char *name = d->classes[label];
    while (k-- > 0) name += strlen(name) + 1;
    return name;
}

int dataset_same_classes(const dataset_t *a, const dataset_t *b)
{
    for (int i = 0; i < a->n_labels; i++) {
        const char *label = a->label[i].name;
        if (a->n_classes[i] != b->n_classes[i])
            return fail("%s/labels/%s: has %d classes, %s has %d", b->name, label, b->n_classes[i], a->name,
                        a->n_classes[i]);
        for (int k = 0; a->classes_hash[i] != b->classes_hash[i] && k < a->n_classes[i]; k++)
            if (strcmp(dataset_class(a, i, k), dataset_class(b, i, k)))
                return fail("%s/labels/%s: class %d is '%s', in %s it is '%s'", b->name, label, k,
                            dataset_class(b, i, k), a->name, dataset_class(a, i, k));
    }
    return 0;
}
