// What a data set carries against silent damage: its images and each of its labels have an attribute `crc32`,
// the sum over their rows of (row + 1) x CRC-32 of the row, modulo 2^64.  HDF5 itself checks neither labels
// nor where its chunks lie.  A sum, so that neither chunks nor ranks matter; CRC-32, since whatever writes
// data sets has it: in Python
//   sum((i + 1) * zlib.crc32(x) for i, x in enumerate(rows)) % 2**64
#include <zlib.h>

#include "dataset.h"

static const char attribute[] = "crc32";

uint64_t checksum_of(const void *rows, size_t first, size_t count, size_t bytes)
{
    uint64_t sum = 0;
    const unsigned char *row = rows;
    for (size_t i = 0; i < count; i++, row += bytes) sum += (first + i + 1) * crc32_z(0, row, bytes);
    return sum;
}

void checksum_add_up(uint64_t *sum, const comm_t *c)
{
    double half[2] = { (double)(*sum & UINT32_MAX),
                       (double)(*sum >> 32) }; // exact: ranks are fewer than 2^20
    comm_sum(c, half, 2);
    *sum = (uint64_t)half[0] + ((uint64_t)half[1] << 32);
}

void checksum_write(hid_t dataset, uint64_t sum)
{
    hid_t space = (hid_t)H5_OK(H5Screate(H5S_SCALAR));
    hid_t a = (hid_t)H5_OK(H5Acreate2(dataset, attribute, H5T_STD_U64LE, space, H5P_DEFAULT, H5P_DEFAULT));
    H5_OK(H5Awrite(a, H5T_NATIVE_UINT64, &sum));
    H5_OK(H5Aclose(a));
    H5_OK(H5Sclose(space));
}

int checksum_check(hid_t dataset, const char *name, uint64_t sum)
{
    uint64_t wanted = 0;
    htri_t has = H5Aexists(dataset, attribute);
    if (has == 0) return 0; // written by others
    hid_t a = has > 0 ? H5Aopen(dataset, attribute, H5P_DEFAULT) : -1;
    hid_t space = a >= 0 ? H5Aget_space(a) : -1;
    bool bad =
        space < 0 || H5Sget_simple_extent_npoints(space) != 1 || H5Aread(a, H5T_NATIVE_UINT64, &wanted) < 0;
    if (space >= 0) H5_OK(H5Sclose(space));
    if (a >= 0) H5_OK(H5Aclose(a));
    if (bad) return fail("%s: attribute '%s' is not a number", name, attribute);
    if (sum == wanted) return 0;
    return fail(
        "%s: its checksum is %llu, wanted %llu as its attribute '%s' says (damaged, or changed since?)", name,
        (unsigned long long)sum, (unsigned long long)wanted, attribute);
}
