// HDF5 files of arrays: opening, closing, attributes.

#define _GNU_SOURCE // fallocate, memfd_create
#include "dagan/array.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ALIGNMENT = 1024 * 1024, TEXT_MAX = 2 << 20 };

// ---- files -----------------------------------------------------------------------------------------

// For one rank alone: HDF5's own locks off, as many file systems of clusters have none.
static hid_t alone(void)
{
    H5_OK(H5Eset_auto2(H5E_DEFAULT, NULL, NULL)); // our one line says it
    hid_t fapl = (hid_t)H5_OK(H5Pcreate(H5P_FILE_ACCESS));
    setenv("HDF5_USE_FILE_LOCKING", "FALSE", 0);
    H5_OK(H5Pset_alignment(fapl, ALIGNMENT, ALIGNMENT));
    H5_OK(H5Pset_libver_bounds(fapl, H5F_LIBVER_V18, H5F_LIBVER_LATEST)); // attributes beyond 64 KiB
    return fapl;
}

static hid_t together(const comm_t *c)
{
    hid_t fapl = alone();
    H5_OK(H5Pset_fapl_mpio(fapl, c->all, MPI_INFO_NULL));
    H5_OK(H5Pset_all_coll_metadata_ops(fapl, true));
    return fapl;
}

static int keep(array_file_t *f, const comm_t *c, const char *path, hid_t file, const char *verb)
{
    *f = (array_file_t){ .comm = c, .file = file };
    snprintf(f->path, sizeof f->path, "%s", path);
    return file < 0 ? fail("%s: cannot be %s as HDF5", path, verb) : 0;
}

static int open_by(array_file_t *f, const comm_t *c, const char *path, hid_t fapl)
{
    comm_watch(c, "opening %s", path);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, fapl);
    H5_OK(H5Pclose(fapl));
    comm_watched(c);
    int bad = keep(f, c, path, file, "read");
    return bad && access(path, R_OK) ? fail("%s: cannot be read: %s", path, strerror(errno)) : bad;
}

int array_open(array_file_t *f, const comm_t *c, const char *path)
{
    comm_barrier(c);
    return open_by(f, c, path, together(c));
}

int array_create(array_file_t *f, const comm_t *c, const char *path)
{
    hid_t fapl = alone();
    errno = 0;
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
    int why = errno, bad = keep(f, c, path, file, "created");
    H5_OK(H5Pclose(fapl));
    f->is_ours = true;
    return bad && why ? fail("%s: cannot be created: %s", path, strerror(why)) : bad;
}

int array_open_alone(array_file_t *f, const comm_t *c, const char *path)
{
    return open_by(f, c, path, alone());
}

// 0, or -1 and errno where there is none.  NFS before 4.2 reserves nothing: zeros take the room there, and
// only fsync tells whether there was any.
static int take_room(int fd, off_t bytes)
{
    int bad;
    while ((bad = fallocate(fd, 0, 0, bytes)) && errno == EINTR) continue;
    if (!bad || (errno != EOPNOTSUPP && errno != ENOSYS)) return bad;
    while ((errno = posix_fallocate(fd, 0, bytes)) == EINTR) continue;
    return errno ? -1 : fsync(fd);
}

int array_reserve(const char *path, size_t bytes)
{
    int fd = open(path, O_WRONLY), bad = fd < 0 || take_room(fd, (off_t)bytes);
    if (bad) fail("%s: cannot be written: %s", path, strerror(errno));
    if (fd >= 0) close(fd); // nothing was written by it
    return bad ? -1 : 0;
}

// Takes the room that the file needs before HDF5 writes to it.  HDF5 cannot let go of a file that it failed
// to write: it keeps it half released and crashes on it when the program ends.  So where there is no room,
// what it still writes goes to memory.
static int reserve(const array_file_t *f)
{
    haddr_t end;
    int *fd = NULL;
    H5_OK(H5Fget_eoa(f->file, &end));
    H5_OK(H5Fget_vfd_handle(f->file, H5P_DEFAULT, (void **)&fd));
    if (!take_room(*fd, (off_t)end)) return 0;
    int why = errno,
        memory = why == EFBIG ? -1 : memfd_create("no room", MFD_CLOEXEC); // ulimit -f is for both
    CHECK(memory >= 0 && dup2(memory, *fd) >= 0, "%s: cannot be written: %s", f->path, strerror(why));
    close(memory);
    return fail("%s: cannot be written: %s", f->path, strerror(why));
}

int array_close(array_file_t *f)
{
    if (f->file <= 0) return 0;
    comm_watch(f->comm, "closing %s", f->path);
    int bad = f->is_ours ? reserve(f) : 0;
    errno = 0;
    CHECK(H5Fclose(f->file) >= 0, "%s: cannot be closed: %s", f->path,
          errno ? strerror(errno) : "HDF5 fails");
    comm_watched(f->comm);
    f->file = 0;
    return bad;
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

int array_replaces(const comm_t *c, const char *path, const char *name)
{
    struct stat s;
    array_file_t f;
    if (!path || stat(path, &s) || (S_ISREG(s.st_mode) && s.st_size == 0)) return 0;
    bool same = S_ISREG(s.st_mode) && H5Fis_hdf5(path) > 0 && !array_open_alone(&f, c, path);
    if (same) {
        same = array_exists(&f, name);
        array_close(&f);
    }
    return same ? 0 : fail("%s: exists and is another kind of file; remove it first, or name another", path);
}

// ---- attributes ------------------------------------------------------------------------------------

herr_t array_put(hid_t at, const char *key, hid_t type, int rank, const hsize_t n[], const void *value)
{
    hid_t space = rank ? H5Screate_simple(rank, n, NULL) : H5Screate(H5S_SCALAR);
    hid_t a = H5Acreate2(at, key, type, space, H5P_DEFAULT, H5P_DEFAULT);
    herr_t bad = a < 0 ? -1 : H5Awrite(a, type, value);
    if (a >= 0 && H5Aclose(a) < 0) bad = -1;
    H5_OK(H5Sclose(space));
    return bad;
}

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
    comm_watch(f->comm, "writing attributes of %s", f->path);
    hid_t o = object(f, name);
    bool bad = o < 0 || array_put(o, key, type, rank, n, value) < 0;
    if (o >= 0 && H5Oclose(o) < 0) bad = true;
    comm_watched(f->comm);
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

int array_put_sides(const array_file_t *f, const char *name, const char *key, const sides_t *sides,
                    int regions)
{
    hsize_t n[] = { (hsize_t)regions, 2 };
    bool one = sides->given == 1 && sides->side[0][0] == sides->side[0][1];
    return put(f, name, key, H5T_NATIVE_DOUBLE, one ? 0 : 2, n, sides->side);
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

bool array_is_one(hid_t a, H5T_class_t class)
{
    hid_t space = H5Aget_space(a), type = H5Aget_type(a);
    bool one = space >= 0 && H5Sget_simple_extent_npoints(space) == 1 && H5Tget_class(type) == class;
    if (type >= 0) H5_OK(H5Tclose(type));
    if (space >= 0) H5_OK(H5Sclose(space));
    return one;
}

static int get(const array_file_t *f, const char *name, const char *key, hid_t type, void *value)
{
    comm_watch(f->comm, "reading attributes of %s", f->path);
    hid_t o = array_exists(f, name) || strcmp(name, "/") == 0 ? H5Oopen(f->file, name, H5P_DEFAULT) : -1;
    hid_t a = o >= 0 && H5Aexists(o, key) > 0 ? H5Aopen(o, key, H5P_DEFAULT) : -1;
    bool bad = a < 0 || !array_is_one(a, H5Tget_class(type)) || H5Aread(a, type, value) < 0;
    if (a >= 0) H5_OK(H5Aclose(a));
    if (o >= 0) H5_OK(H5Oclose(o));
    comm_watched(f->comm);
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
    comm_watch(f->comm, "reading attributes of %s", f->path);
    hid_t o = array_exists(f, name) || strcmp(name, "/") == 0 ? H5Oopen(f->file, name, H5P_DEFAULT) : -1;
    hid_t a = o >= 0 && H5Aexists(o, key) > 0 ? H5Aopen(o, key, H5P_DEFAULT) : -1;
    hid_t type = a >= 0 ? H5Aget_type(a) : -1;
    size_t n = type >= 0 ? H5Tget_size(type) : 0;
    bool bad = n == 0 || n > TEXT_MAX || !array_is_one(a, H5T_STRING) || H5Tis_variable_str(type) != 0;
    *value = bad ? NULL : alloc(n + 1, 1);
    bad = bad || H5Aread(a, type, *value) < 0;
    if (type >= 0) H5_OK(H5Tclose(type));
    if (a >= 0) H5_OK(H5Aclose(a));
    if (o >= 0) H5_OK(H5Oclose(o));
    comm_watched(f->comm);
    return bad ? fail("%s: %s has no text attribute %s", f->path, name, key) : 0;
}
