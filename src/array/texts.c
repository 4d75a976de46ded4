// Lists of texts as attributes.  Writers differ: h5py stores strings of variable length, h5wasm and we of
// fixed length.  Read, both are one text of texts that each end in a zero byte.

#include <stdlib.h>
#include <string.h>

#include "dagan/array.h"

enum { TEXT_BYTES_MAX = 4096 };

// As HDF5 holds them: (n) pointers, or (n, width) bytes padded with zeros or spaces.
typedef struct {
    bool varies;
    size_t width, n;
    char *bytes;
} list_t;

static size_t text_at(const list_t *s, size_t i, const char **text)
{
    if (s->varies) {
        *text = ((char **)(void *)s->bytes)[i];
        return *text ? strlen(*text) : 0;
    }
    *text = s->bytes + i * s->width;
    return strnlen(*text, s->width);
}

static int gather(char **texts, const list_t *s, const char *key, const char *where)
{
    size_t length = 0;
    const char *text;
    for (size_t i = 0; i < s->n; i++) {
        size_t l = text_at(s, i, &text);
        if (l > TEXT_BYTES_MAX)
            return fail("%s: attribute '%s' has a name of %zu bytes, wanted at most %d", where, key, l,
                        TEXT_BYTES_MAX);
        length += l + 1;
    }
    char *to = *texts = alloc(length, 1);
    for (size_t i = 0; i < s->n; i++) {
        size_t l = text_at(s, i, &text);
        if (l) memcpy(to, text, l);
        to += l + 1;
    }
    return 0;
}

static int read_list(char **texts, int *n_texts, hid_t attribute, hid_t type, hid_t space, const char *key,
                     const char *where)
{
    hssize_t n = H5Sget_simple_extent_npoints(space);
    if (H5Tget_class(type) != H5T_STRING || H5Sget_simple_extent_ndims(space) != 1)
        return fail("%s: attribute '%s' is not a list of strings", where, key);
    if (n < 1 || n > INT16_MAX)
        return fail("%s: attribute '%s' has %lld names, wanted 1 to %d", where, key, (long long)n, INT16_MAX);
    list_t s = { .varies = H5Tis_variable_str(type) > 0, .width = H5Tget_size(type), .n = (size_t)n };
    if (!s.varies && s.width > TEXT_BYTES_MAX)
        return fail("%s: attribute '%s' has names of %zu bytes, wanted at most %d", where, key, s.width,
                    TEXT_BYTES_MAX);
    hid_t memory = H5Tcopy(H5T_C_S1);
    H5_OK(H5Tset_cset(memory, H5Tget_cset(type)));
    H5_OK(H5Tset_strpad(memory, H5T_STR_NULLPAD)); // drops the spaces of Fortran's strings
    H5_OK(H5Tset_size(memory, s.varies ? H5T_VARIABLE : s.width));
    s.bytes = alloc(s.n, s.varies ? sizeof(char *) : s.width);
    int bad =
        H5Aread(attribute, memory, s.bytes) < 0 ? fail("%s: attribute '%s' cannot be read", where, key) : 0;
    bool was_read = !bad;
    if (was_read) bad = gather(texts, &s, key, where);
    if (was_read && s.varies) H5_OK(H5Dvlen_reclaim(memory, space, H5P_DEFAULT, s.bytes));
    free(s.bytes);
    H5_OK(H5Tclose(memory));
    *n_texts = bad ? 0 : (int)n;
    return bad;
}

int texts_read(char **texts, int *n, hid_t at, const char *key, const char *where)
{
    *texts = NULL;
    *n = 0;
    hid_t attribute = H5Aexists(at, key) > 0 ? H5Aopen(at, key, H5P_DEFAULT) : -1;
    if (attribute < 0) return fail("%s: has no attribute '%s' that can be read", where, key);
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    int bad = read_list(texts, n, attribute, type, space, key, where);
    if (space >= 0) H5_OK(H5Sclose(space));
    if (type >= 0) H5_OK(H5Tclose(type));
    H5_OK(H5Aclose(attribute));
    return bad;
}

herr_t texts_put(hid_t at, const char *key, const char *const text[], int n, bool is_list)
{
    size_t width = 1;
    for (int i = 0; i < n; i++)
        if (strlen(text[i]) > width) width = strlen(text[i]);
    char *bytes = alloc((size_t)n, width);
    for (int i = 0; i < n; i++) memcpy(bytes + (size_t)i * width, text[i], strlen(text[i]));
    hid_t type = (hid_t)H5_OK(H5Tcopy(H5T_C_S1));
    H5_OK(H5Tset_size(type, width));
    H5_OK(H5Tset_strpad(type, H5T_STR_NULLPAD));
    H5_OK(H5Tset_cset(type, H5T_CSET_UTF8));
    herr_t bad = array_put(at, key, type, is_list, (hsize_t[]){ (hsize_t)n }, bytes);
    H5_OK(H5Tclose(type));
    free(bytes);
    return bad;
}

int array_put_texts(const array_file_t *f, const char *name, const char *key, const char *texts, int n)
{
    const char **text = alloc((size_t)n, sizeof *text);
    for (int i = 0; i < n; i++, texts += strlen(texts) + 1) text[i] = texts;
    comm_watch(f->comm, "writing attributes of %s", f->path);
    hid_t o = array_exists(f, name) ? H5Oopen(f->file, name, H5P_DEFAULT) : -1;
    bool bad = o < 0 || texts_put(o, key, text, n, true) < 0;
    if (o >= 0 && H5Oclose(o) < 0) bad = true;
    comm_watched(f->comm);
    free(text);
    return bad ? fail("%s: attribute %s of %s cannot be written", f->path, key, name) : 0;
}

int array_get_texts(const array_file_t *f, const char *name, const char *key, char **texts, int *n)
{
    char where[3 * CONF_TEXT_MAX];
    snprintf(where, sizeof where, "%s: %s", f->path, name);
    *texts = NULL;
    *n = 0;
    comm_watch(f->comm, "reading attributes of %s", f->path);
    hid_t o = array_exists(f, name) ? H5Oopen(f->file, name, H5P_DEFAULT) : -1;
    int bad = o >= 0 ? texts_read(texts, n, o, key, where) : fail("%s is not there", where);
    if (o >= 0) H5_OK(H5Oclose(o));
    comm_watched(f->comm);
    return bad;
}
