// A walk over an HDF5 file that nobody vouches for, in a process that may crash on it (hdf5_child.c).
// Every group is listed, every attribute read, every index of chunks followed, compressed data read: what
// HDF5 survives here it survives in the ranks.  What it would obey, though no data set of ours needs it, is
// refused: links and storage in other files, filters from plugins, sizes that the file cannot hold.  What
// fails to open, to be read or to close here is told by the ranks, which read it again.
#include "hdf5_walk.h"

#include <hdf5.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dagan/data.h"

enum { DEPTH_MAX = 16, OBJECTS_MAX = 1 << 16, LINKS_MAX = 1 << 17, NAME_BYTES = 512, DIMS_MAX = 8 };

static const hsize_t attribute_max = (hsize_t)16 << 20, // bytes
    chunk_max = (hsize_t)256 << 20,                     // bytes, unpacked
    sparse_max = (hsize_t)64 << 20,                     // bytes that a dataset may claim without holding them
    inflation_max = 1100,                               // deflate packs 1032 zeros into a byte at best
    read_most = (hsize_t)32 << 20, read_block = (hsize_t)8 << 20; // bytes of compressed data to read

typedef struct {
    const char *path; // of the file
    hsize_t bytes;    // of the file
    hid_t file;
    haddr_t seen[2 * OBJECTS_MAX]; // a hash table of addresses, each plus 1
    int n_objects, n_links;
    bool bad; // after fail(), where a callback cannot say so
} walk_t;

// An object or link and the groups around it, for messages.
typedef struct {
    char text[NAME_BYTES];
} place_t;

static place_t inside(const place_t *p, const char *name)
{
    place_t q;
    snprintf(q.text, sizeof q.text, "%.*s/%.*s", NAME_BYTES / 2 - 1, p->text, NAME_BYTES / 2 - 1, name);
    return q;
}

// True at an object's first visit: hard links may lead in circles.
static bool is_new(walk_t *w, haddr_t address)
{
    size_t i = (size_t)(address * 0x9e3779b97f4a7c15u >> 40) % (2 * OBJECTS_MAX);
    for (; w->seen[i]; i = (i + 1) % (2 * OBJECTS_MAX))
        if (w->seen[i] == address + 1) return false;
    w->seen[i] = address + 1;
    return true;
}

// count * size, or HSIZE_UNDEF where that is more than 64 bits hold.
static hsize_t times(hsize_t count, hsize_t size)
{
    unsigned long long product;
    return __builtin_mul_overflow(count, size, &product) ? HSIZE_UNDEF : product;
}

static hsize_t times_all(hsize_t size, int rank, const hsize_t *side)
{
    for (int i = 0; i < rank && size != HSIZE_UNDEF; i++) size = times(size, side[i]);
    return size;
}

// ---- attributes ------------------------------------------------------------------------------------

static int read_attribute(walk_t *w, const place_t *p, hid_t a, hid_t type, hid_t space)
{
    H5T_class_t class = H5Tget_class(type);
    hssize_t n = H5Sget_simple_extent_npoints(space);
    hsize_t bytes = n < 0 ? 0 : times((hsize_t)n, H5Tget_size(type));
    if (bytes > attribute_max)
        return fail("%s: attribute %s takes %llu bytes, wanted at most %llu", w->path, p->text,
                    (unsigned long long)bytes, (unsigned long long)attribute_max);
    if (n <= 0 || (class != H5T_INTEGER && class != H5T_FLOAT && class != H5T_STRING)) return 0;
    char *value = alloc((size_t)bytes, 1);
    if (H5Aread(a, type, value) >= 0 && H5Tis_variable_str(type) > 0)
        (void)H5Dvlen_reclaim(type, space, H5P_DEFAULT,
                              value); // a text of damaged length: the ranks read it, too
    free(value);
    return 0;
}

typedef struct {
    walk_t *walk;
    const place_t *place;
    int depth;
} here_t;

static herr_t on_attribute(hid_t object, const char *name, const H5A_info_t *info, void *data)
{
    (void)info;
    here_t *here = data;
    place_t p = inside(here->place, name);
    hid_t a = H5Aopen(object, name, H5P_DEFAULT);
    if (a < 0) return 0;
    hid_t type = H5Aget_type(a), space = H5Aget_space(a);
    if (type >= 0 && space >= 0 && read_attribute(here->walk, &p, a, type, space)) here->walk->bad = true;
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    H5Aclose(a);
    return here->walk->bad;
}

// ---- datasets --------------------------------------------------------------------------------------

typedef struct {
    hid_t id, type, space, plist;
    int rank;
    hsize_t side[DIMS_MAX], chunk[DIMS_MAX];
    hsize_t bytes; // claimed
    H5D_layout_t layout;
} array_t;

static int check_filters(const walk_t *w, const place_t *p, const array_t *d)
{
    for (int i = 0, n = H5Pget_nfilters(d->plist); i < n; i++) {
        char name[64] = "";
        unsigned flags;
        size_t none = 0;
        H5Z_filter_t f = H5Pget_filter2(d->plist, (unsigned)i, &flags, &none, NULL, sizeof name, name, NULL);
        if (f != H5Z_FILTER_DEFLATE && f != H5Z_FILTER_SHUFFLE && f != H5Z_FILTER_FLETCHER32)
            return fail("%s: %s is packed by filter %d (%.60s), wanted gzip, shuffle, fletcher32 or none",
                        w->path, p->text, (int)f, name[0] ? name : "no name");
    }
    return 0;
}

static int check_storage(const walk_t *w, const place_t *p, const array_t *d)
{
    hsize_t stored = H5Dget_storage_size(d->id);
    if (d->layout == H5D_VIRTUAL || H5Pget_external_count(d->plist) > 0)
        return fail("%s: %s lies in other files, wanted all data in this one", w->path, p->text);
    hsize_t chunk = d->layout == H5D_CHUNKED ? times_all(H5Tget_size(d->type), d->rank, d->chunk) : 0;
    if (chunk > chunk_max)
        return fail("%s: %s has chunks of %llu bytes, wanted at most %llu", w->path, p->text,
                    (unsigned long long)chunk, (unsigned long long)chunk_max);
    if (d->bytes == HSIZE_UNDEF || stored > w->bytes ||
        (d->bytes > sparse_max && d->bytes / inflation_max > stored))
        return fail("%s: %s claims to hold more than this file of %llu bytes can", w->path, p->text,
                    (unsigned long long)w->bytes);
    haddr_t at = d->layout == H5D_CONTIGUOUS ? H5Dget_offset(d->id) : HADDR_UNDEF;
    if (at != HADDR_UNDEF && (at > w->bytes || stored > w->bytes - at))
        return fail("%s: %s ends behind the end of the file", w->path, p->text);
    return 0;
}

// Reads rows from the first on, as the ranks will: bytes as bytes, other numbers through the widest type.
// What cannot be read is told by the ranks.
static void read_rows(const array_t *d, hid_t as)
{
    hsize_t row = times_all(H5Tget_size(as), d->rank - 1, d->side + 1), start[DIMS_MAX] = { 0 },
            block[DIMS_MAX];
    if (row == 0 || row > read_block) return;
    hsize_t n = d->side[0] < read_most / row ? d->side[0] : read_most / row;
    hsize_t step = n < read_block / row ? n : read_block / row;
    char *to = alloc((size_t)(step * row), 1);
    memcpy(block, d->side, sizeof block);
    for (; start[0] < n; start[0] += step) {
        block[0] = n - start[0] < step ? n - start[0] : step;
        hid_t memory = (hid_t)H5_OK(H5Screate_simple(d->rank, block, NULL));
        H5_OK(H5Sselect_hyperslab(d->space, H5S_SELECT_SET, start, NULL, block, NULL));
        bool lost = H5Dread(d->id, as, memory, d->space, H5P_DEFAULT, to) < 0;
        H5Sclose(memory);
        if (lost) break;
    }
    free(to);
}

static int check_dataset(walk_t *w, const place_t *p, array_t *d)
{
    H5T_class_t class = H5Tget_class(d->type);
    d->rank = H5Sget_simple_extent_ndims(d->space);
    if (d->rank < 0 || d->rank > DIMS_MAX) return 0;
    if (H5Sget_simple_extent_dims(d->space, d->side, NULL) < 0) return 0;
    d->layout = H5Pget_layout(d->plist);
    if (d->layout == H5D_CHUNKED && H5Pget_chunk(d->plist, d->rank, d->chunk) != d->rank) return 0;
    d->bytes = times_all(H5Tget_size(d->type), d->rank, d->side);
    if (check_filters(w, p, d) || check_storage(w, p, d)) return -1;
    hsize_t chunks;
    if (d->layout == H5D_CHUNKED && H5Dget_num_chunks(d->id, d->space, &chunks) < 0)
        return fail("%s: %s cannot be read (damaged file?)", w->path, p->text);
    if (d->rank < 1 || d->bytes == 0 || d->layout == H5D_CONTIGUOUS) return 0;
    if (class == H5T_INTEGER && H5Tget_size(d->type) == 1) read_rows(d, H5T_NATIVE_UINT8);
    if (class == H5T_INTEGER && d->rank <= 2) read_rows(d, H5T_NATIVE_INT64);
    if (class == H5T_FLOAT) read_rows(d, H5T_NATIVE_DOUBLE);
    return 0;
}

static int visit_dataset(walk_t *w, const place_t *p, hid_t id)
{
    array_t d = {
        .id = id, .type = H5Dget_type(id), .space = H5Dget_space(id), .plist = H5Dget_create_plist(id)
    };
    int bad = d.type < 0 || d.space < 0 || d.plist < 0 ? 0 : check_dataset(w, p, &d);
    if (d.plist >= 0) H5Pclose(d.plist);
    if (d.space >= 0) H5Sclose(d.space);
    if (d.type >= 0) H5Tclose(d.type);
    return bad;
}

// ---- groups and links --------------------------------------------------------------------------------

static int visit(walk_t *w, const place_t *p, hid_t object, int depth);
static int follow(walk_t *w, const place_t *p, hid_t group, const char *path, int depth);

// Where the link `name` of `group` leads: *to, negative where to nothing.
static int follow_link(walk_t *w, const place_t *p, hid_t group, const char *name, int depth, hid_t *to)
{
    H5L_info_t info;
    char target[NAME_BYTES];
    *to = -1;
    if (depth > DEPTH_MAX)
        return fail("%s: %s lies deeper than %d groups and links", w->path, p->text, DEPTH_MAX);
    if (H5Lget_info(group, name, &info, H5P_DEFAULT) < 0) return 0;
    if (info.type != H5L_TYPE_HARD && info.type != H5L_TYPE_SOFT)
        return fail("%s: %s is a link to another file, wanted all data in this one", w->path, p->text);
    if (info.type == H5L_TYPE_SOFT) { // its path may in turn hold links of any kind
        if (info.u.val_size > sizeof target ||
            H5Lget_val(group, name, target, sizeof target, H5P_DEFAULT) < 0)
            return fail("%s: %s is a link of %zu bytes, wanted at most %d", w->path, p->text, info.u.val_size,
                        NAME_BYTES);
        target[sizeof target - 1] = 0;
        if (follow(w, p, group, target, depth + 1)) return -1;
    }
    *to = H5Oopen(group, name, H5P_DEFAULT);
    return 0;
}

static herr_t on_link(hid_t group, const char *name, const H5L_info_t *info, void *data)
{
    (void)info;
    here_t *here = data;
    walk_t *w = here->walk;
    place_t p = inside(here->place, name);
    hid_t to = -1;
    int bad = ++w->n_links > LINKS_MAX ? fail("%s: holds more than %d links", w->path, LINKS_MAX)
                                       : follow_link(w, &p, group, name, here->depth + 1, &to);
    if (!bad && to >= 0) bad = visit(w, &p, to, here->depth + 1);
    if (to >= 0) H5Oclose(to);
    if (bad) w->bad = true;
    return w->bad;
}

static herr_t on_name(hid_t group, const char *name, const H5L_info_t *info, void *data)
{
    (void)group;
    (void)name;
    (void)info;
    return ++((walk_t *)data)->n_links > LINKS_MAX;
}

static int visit(walk_t *w, const place_t *p, hid_t object, int depth)
{
    H5O_info_t info;
    here_t here = { w, p, depth };
    if (H5Oget_info2(object, &info, H5O_INFO_BASIC) < 0 || !is_new(w, info.addr)) return 0;
    if (++w->n_objects >= OBJECTS_MAX) return fail("%s: holds more than %d objects", w->path, OBJECTS_MAX);
    (void)H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, on_attribute, &here);
    if (w->bad) return -1;
    if (info.type == H5O_TYPE_DATASET) return visit_dataset(w, p, object);
    if (info.type == H5O_TYPE_GROUP)
        (void)H5Literate(object, H5_INDEX_NAME, H5_ITER_INC, NULL, on_link, &here);
    return w->bad ? -1 : 0;
}

// Opens what `path` names, link by link; lists the groups on the way, as messages do; visits its end.
static int follow(walk_t *w, const place_t *p, hid_t group, const char *path, int depth)
{
    char name[NAME_BYTES];
    int bad = 0;
    hid_t at = path[0] == '/' ? H5Gopen2(w->file, "/", H5P_DEFAULT) : H5Oopen(group, ".", H5P_DEFAULT);
    place_t here = *p;
    if (path[0] == '/') here.text[0] = 0;
    while (at >= 0 && !bad) {
        path += strspn(path, "/");
        size_t n = strcspn(path, "/");
        if (!n) break;
        if (n >= sizeof name) bad = fail("%s: a name of %zu bytes is too long", w->path, n);
        snprintf(name, sizeof name, "%.*s", (int)n, path);
        path += n;
        here = inside(&here, name);
        (void)H5Literate(at, H5_INDEX_NAME, H5_ITER_INC, NULL, on_name, w);
        hid_t next = -1;
        if (!bad) bad = follow_link(w, &here, at, name, depth, &next);
        H5Oclose(at);
        at = next;
    }
    if (at >= 0 && !bad) bad = visit(w, &here, at, depth);
    if (at >= 0) H5Oclose(at);
    return bad;
}

int hdf5_walk(const char *path, const char *object)
{
    struct stat st;
    walk_t *w = alloc(1, sizeof *w);
    H5_OK(H5Eset_auto2(H5E_DEFAULT, NULL, NULL));
    H5_OK(H5PLset_loading_state(0));
    w->path = path;
    w->bytes = stat(path, &st) ? 0 : (hsize_t)st.st_size;
    w->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    int bad = w->file < 0 ? 0 : follow(w, &(place_t){ "" }, w->file, object, 0);
    if (w->file >= 0) H5Fclose(w->file);
    free(w);
    return bad;
}
