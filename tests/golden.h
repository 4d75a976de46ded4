// Reads golden/golden.h5: numbers and words at places such as /cases/NAME/weights/dae/enc/c0/weight.
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include "test.h"

#include <hdf5.h>

enum { PLACE_MAX = 256 };

static hid_t file;

static void open_file(void)
{
    if (!file) file = (hid_t)H5_OK(H5Fopen("tests/golden/golden.h5", H5F_ACC_RDONLY, H5P_DEFAULT));
}

// PREFIX/KIND/dae/enc/c0/weight for dae.enc.c0.weight.
static const char *place(const char *prefix, const char *kind, const char *name)
{
    static char path[PLACE_MAX];
    int n = snprintf(path, sizeof path, "%s/%s/", prefix, kind);
    for (; *name && n < PLACE_MAX - 1; name++) path[n++] = *name == '.' ? '/' : *name;
    path[n] = 0;
    return path;
}

static bool exists(const char *path) // H5Lexists wants every group on the way to exist
{
    char part[PLACE_MAX];
    for (size_t i = 1; i <= strlen(path); i++) {
        if (path[i] && path[i] != '/') continue;
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        if (H5Lexists(file, part, H5P_DEFAULT) <= 0) return false;
    }
    return true;
}

static void read_data(void *to, hid_t type, size_t n, const char *path)
{
    hid_t d = (hid_t)H5_OK(H5Dopen2(file, path, H5P_DEFAULT)), space = H5Dget_space(d);
    if ((size_t)H5Sget_simple_extent_npoints(space) != n)
        fail_msg("%s holds %lld numbers, wanted %zu", path, (long long)H5Sget_simple_extent_npoints(space),
                 n);
    H5_OK(H5Dread(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, to));
    H5Sclose(space);
    H5Dclose(d);
}

static float *read_floats(const char *path, size_t n)
{
    float *x = alloc(n, sizeof *x);
    read_data(x, H5T_NATIVE_FLOAT, n, path);
    return x;
}

static void read_attribute(const char *group, const char *key, hid_t type, void *value)
{
    hid_t a = (hid_t)H5_OK(H5Aopen_by_name(file, group, key, H5P_DEFAULT, H5P_DEFAULT));
    H5_OK(H5Aread(a, type, value));
    H5Aclose(a);
}

static double number(const char *group, const char *key)
{
    double value;
    read_attribute(group, key, H5T_NATIVE_DOUBLE, &value);
    return value;
}

static const char *word(const char *group, const char *key)
{
    static char text[8][32];
    static int next;
    char *value = text[next = (next + 1) % 8];
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, sizeof text[0]);
    read_attribute(group, key, type, value);
    H5Tclose(type);
    return value;
}

#endif
