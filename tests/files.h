// Files for tests: a folder shared by all ranks that vanishes at exit, and small data sets.
#ifndef TESTS_FILES_H
#define TESTS_FILES_H

#include <fcntl.h>
#include <fts.h>
#include <hdf5.h>
#include <sys/stat.h>

#include "stderr.h"

#include "dagan/data.h"

#define UNUSED __attribute__((unused))

static char folder[64]; // empty until the first at()

static void remove_folder(void)
{
    FTS *tree = fts_open((char *[]){ folder, NULL }, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *e; tree && (e = fts_read(tree));)
        if (e->fts_info != FTS_D) remove(e->fts_accpath);
    if (tree) fts_close(tree);
}

// Path of `name` in the temporary folder; the first call is collective.  Eight results stay valid.
static UNUSED const char *at(const char *name)
{
    static char path[8][512];
    static int next;
    if (!folder[0]) {
        strcpy(folder, "/tmp/dagan_test.XXXXXX");
        if (comm.rank == 0 && mkdtemp(folder)) atexit(remove_folder);
        comm_bcast(&comm, folder, sizeof folder, 0);
    }
    next = (next + 1) % 8;
    snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
    return path[next];
}

static UNUSED void write_bytes(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite(bytes, 1, n, f) == n && !fclose(f), "%s: cannot be written", path);
}

static UNUSED size_t read_bytes(const char *path, void *bytes, size_t most)
{
    FILE *f = fopen(path, "rb");
    CHECK(f, "%s: cannot be read", path);
    size_t n = fread(bytes, 1, most, f);
    fclose(f);
    return n;
}

// Rank 0 prints exactly one line, which contains `fragment`; the others print nothing.
static UNUSED void expect_line(const char *text, const char *fragment)
{
    const char *end = strchr(text, '\n');
    if (comm.rank == 0 ? strstr(text, fragment) && end && !end[1] : !text[0]) return;
    print_error("rank %d printed '%s', wanted one line with '%s'\n", comm.rank, text, fragment);
    _fail(__FILE__, __LINE__);
}

// ---- data sets -----------------------------------------------------------------------------------

static UNUSED void write_array(hid_t parent, const char *name, hid_t type, int rank, const hsize_t *side,
                               const void *values)
{
    hid_t links = H5Pcreate(H5P_LINK_CREATE), space = H5Screate_simple(rank, side, NULL);
    H5_OK(H5Pset_create_intermediate_group(links, 1));
    hid_t d = (hid_t)H5_OK(H5Dcreate2(parent, name, type, space, links, H5P_DEFAULT, H5P_DEFAULT));
    if (values) H5_OK(H5Dwrite(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values));
    H5Dclose(d);
    H5Sclose(space);
    H5Pclose(links);
}

// `classes` of the dataset `name`: fixed-length strings where width > 0, else of variable length.
static UNUSED void write_classes(hid_t parent, const char *name, hsize_t n, size_t width, const void *names)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &n, NULL);
    H5Tset_size(type, width ? width : H5T_VARIABLE);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    hid_t d = (hid_t)H5_OK(H5Dopen2(parent, name, H5P_DEFAULT));
    hid_t a = (hid_t)H5_OK(H5Acreate2(d, "classes", type, space, H5P_DEFAULT, H5P_DEFAULT));
    H5_OK(H5Awrite(a, type, names));
    H5Aclose(a);
    H5Dclose(d);
    H5Sclose(space);
    H5Tclose(type);
}

// Byte `i` of the image of row `row`, and its labels.
static UNUSED uint8_t pixel_of(size_t row, size_t i)
{
    return (uint8_t)(37 * row + i);
}

static UNUSED int16_t eyes_of(size_t row)
{
    return (int16_t)(row % 4) - 1;
}

static UNUSED int16_t hair_of(size_t row)
{
    return row & 1;
}

// /faces/train: n images of size x size, labels eyes (3 classes, fixed strings) and hair (2, variable).
static UNUSED void write_dataset(const char *path, size_t n, size_t size)
{
    hid_t file = (hid_t)H5_OK(H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
    size_t bytes = 3 * size * size;
    uint8_t *image = alloc(n, bytes);
    int16_t *eyes = alloc(n, sizeof *eyes), *hair = alloc(n, sizeof *hair);
    for (size_t r = 0; r < n; r++) {
        for (size_t i = 0; i < bytes; i++) image[r * bytes + i] = pixel_of(r, i);
        eyes[r] = eyes_of(r);
        hair[r] = hair_of(r);
    }
    write_array(file, "faces/train/images", H5T_NATIVE_UINT8, 4, (hsize_t[]){ n, size, size, 3 }, image);
    write_array(file, "faces/train/labels/eyes", H5T_NATIVE_INT16, 1, (hsize_t[]){ n }, eyes);
    write_array(file, "faces/train/labels/hair", H5T_NATIVE_INT16, 1, (hsize_t[]){ n }, hair);
    write_classes(file, "faces/train/labels/eyes", 3, 6,
                  "closed"
                  "open\0\0"
                  "wink\0\0");
    write_classes(file, "faces/train/labels/hair", 2, 0, (const char *[]){ "long", "short" });
    H5_OK(H5Fclose(file));
    free(hair);
    free(eyes);
    free(image);
}

static UNUSED const label_t both_labels[2] = { { "hair", 1 }, { "eyes", CONF_REGION_ALL } };

static UNUSED domain_conf_t domain_at(const char *path, const char *group)
{
    domain_conf_t d;
    snprintf(d.file, sizeof d.file, "%s", path);
    snprintf(d.group, sizeof d.group, "%s", group);
    return d;
}

#endif
