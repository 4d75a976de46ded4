// array: arrays in an HDF5 file that all ranks write and read, with checksums.  A file is laid out by one
// rank and filled by each, which may go on while they train; it is read together.
//
// An array is cut along its first dimension into blocks of `block_rows` rows.  A rank's rows are whole
// blocks, so the 64-bit XXH3 of each block, kept in the dataset's attribute `xxh3`, does not depend on the
// number of ranks.
#ifndef DAGAN_ARRAY_H
#define DAGAN_ARRAY_H

#include <hdf5.h>

#include "dagan/comm.h"

enum { ARRAY_RANK_MAX = 5 };

typedef struct {
    const comm_t *comm;
    hid_t file;
    bool is_ours; // created by this rank alone
    char path[2 * CONF_TEXT_MAX];
} array_file_t;

typedef struct {
    hid_t type; // in memory and in the file: little-endian native
    int rank;
    hsize_t dim[ARRAY_RANK_MAX];
    size_t block_rows;
} array_t;

// An array of that shape with blocks of about 64 KiB.
array_t array_of(hid_t type, int rank, const int dim[]);
// The rows of this rank where every rank could hold any: whole blocks, evenly.
share_t array_share(const array_t *t, const comm_t *c);
size_t array_row_bytes(const array_t *t);
size_t array_blocks(const array_t *t); // checksums of the whole array
// The checksums of the blocks that `mine` holds, at their places among those of the whole array.
void array_sums(uint64_t *sum, const array_t *t, share_t rows, const void *mine);

// Collective.  0, or -1 after fail().
int array_open(array_file_t *f, const comm_t *c, const char *path);
int array_close(array_file_t *f); // of array_create and array_open_alone: by their one rank

// Reads this rank's `rows`, compares shape and checksums.  Collective; 0, or -1 on all ranks after fail() on
// those that found a fault.
int array_read(const array_file_t *f, const char *name, const array_t *t, share_t rows, void *mine);
// By one rank on a file of its own: an empty dataset with intermediate groups and the checksums, and where in
// the file its bytes belong; whether a file holds it so.  0, or -1 after fail().
int array_create(array_file_t *f, const comm_t *c, const char *path);
int array_open_alone(array_file_t *f, const comm_t *c, const char *path);
int array_lay(const array_file_t *f, const char *name, const array_t *t, const uint64_t *sum,
              uint64_t *offset);
int array_check(const array_file_t *f, const char *name, const array_t *t, const uint64_t *sum,
                uint64_t offset);
// Room on the disk for the first `bytes` of the file, before anybody writes there: HDF5 does not always tell
// of a full disk, and may then wait for ever.  Local; 0, or -1 after fail().
int array_reserve(const char *path, size_t bytes);
// Before an HDF5 file that holds the dataset or group `name` is written to `path`: 0, or -1 after fail()
// where a file stands there that does not.  For one rank; NULL is well.
int array_replaces(const comm_t *c, const char *path, const char *name);
bool array_exists(const array_file_t *f, const char *name);
// The shape of a dataset; 0, or -1 after fail().
int array_shape(const array_file_t *f, const char *name, array_t *t);

// An attribute of an open object; rank 0: a scalar.
herr_t array_put(hid_t at, const char *key, hid_t type, int rank, const hsize_t n[], const void *value);
// Texts as strings of one fixed length: parallel HDF5 writes no others.  A list, or the one text of a scalar.
herr_t texts_put(hid_t at, const char *key, const char *const text[], int n, bool is_list);
// A list of texts, of fixed or variable length, as one text in which each ends in a zero byte; to be released
// with free().  `where` is for messages.  0, or -1 after fail().
int texts_read(char **texts, int *n, hid_t at, const char *key, const char *where);
// Whether an attribute is one value of that class.  Reading one that is more would write behind its variable.
bool array_is_one(hid_t a, H5T_class_t class);
// Attributes of the group or dataset `name`: put by the rank that lays the file out, read by all together.
int array_put_long(const array_file_t *f, const char *name, const char *key, long value);
int array_put_double(const array_file_t *f, const char *name, const char *key, double value);
// One number where it is that of all regions along x and y, else (N', 2).
int array_put_sides(const array_file_t *f, const char *name, const char *key, const sides_t *sides,
                    int regions);
int array_put_text(const array_file_t *f, const char *name, const char *key, const char *value);
// n texts, one after the other, each of which ends in a zero byte, of an object that is there.
int array_put_texts(const array_file_t *f, const char *name, const char *key, const char *texts, int n);
int array_get_long(const array_file_t *f, const char *name, const char *key, long *value);
int array_get_double(const array_file_t *f, const char *name, const char *key, double *value);
// As array_put_texts takes them; to be released with free().
int array_get_texts(const array_file_t *f, const char *name, const char *key, char **texts, int *n);
// To be released with free().
int array_get_text(const array_file_t *f, const char *name, const char *key, char **value);

// ---- a file on its way to the disk -------------------------------------------------------------------

typedef struct save save_t;

// Borrows c.
save_t *save_new(const comm_t *c, const char *path);
// Waits for its thread, if there is one.
void save_free(save_t *s);
// Memory for a copy of this rank's rows of a dataset, to be filled before the file is laid out.  The same
// datasets in the same order on all ranks.
void *save_add(save_t *s, const char *name, const array_t *t, share_t rows);
// The same with a copy of `mine`.
void save_rows(save_t *s, const char *name, const array_t *t, share_t rows, const void *mine);
// Puts attributes, and what else the file has but rows, by the rank that lays it out; 0, or -1 after fail().
typedef int save_attributes_t(const array_file_t *f, const void *arg);
// Everything below at once, under a temporary name: what stood at `path` stays until the new file is whole.
// Collective; 0, or -1 on all ranks after fail() on those that failed.
int save_whole(save_t *s, save_attributes_t *attributes, const void *arg);
// Lays the file out by one rank.  Collective; 0, or -1 on all ranks after fail() on one.
int save_lay_out(save_t *s, save_attributes_t *attributes, const void *arg);
// Writes this rank's rows, brings them to disk and reads them back: at once, or by a thread.  Local.
void save_write(save_t *s, bool by_thread);
// Whether that is over.  Local.
bool save_is_over(const save_t *s);
// Waits for it.  Local; 0, or -1 after fail().
int save_wait(save_t *s);
double save_written(const save_t *s); // now() when this rank's rows were on disk; after save_wait
// Reads back once more where other ranks' rows may have begun on the same page, after all have written: hosts
// that share a file over the network send pages.  Local; 0, or -1 after fail().
int save_read_seams(save_t *s);
// Compares the layout on disk with what was meant.  For one rank; 0, or -1 after fail().
int save_check(const save_t *s);

#endif
