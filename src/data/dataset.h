// Private to data/: a split as it lies in HDF5, opened and checked.
#ifndef DATA_DATASET_H
#define DATA_DATASET_H

#include <hdf5.h>

#include "dagan/data.h"

typedef struct {
    hid_t file, group, images, label[DATASET_LABELS_MAX]; // 0 or negative: not open
} split_t;

// Opens /<group>/<split> of a file and checks whatever can be checked without reading rows; fills `d` but for
// its rows.  Local.  0, or -1 after fail(); close both either way.
int split_open(split_t *s, dataset_t *d, const domain_conf_t *where, const char *split, int size,
               const label_t *labels, int n_labels);
void split_close(split_t *s);

// HDF5 prints its stack of errors, unless muted where one line of ours says it.
typedef struct {
    H5E_auto2_t print;
    void *data;
} hdf5_printer_t;
hdf5_printer_t hdf5_mute(void);
void hdf5_unmute(hdf5_printer_t p);

// The part of a dataset's checksum that `count` rows from `first` on make up; parts are added.
uint64_t checksum_of(const void *rows, size_t first, size_t count, size_t bytes);
// Sums what the ranks found, modulo 2^64.  Collective.
void checksum_add_up(uint64_t *sum, const comm_t *c);
void checksum_write(hid_t dataset, uint64_t sum);
// Whether the dataset's own checksum is `sum`; one that has none passes.  Local.  0, or -1 after fail().
int checksum_check(hid_t dataset, const char *name, uint64_t sum);

#endif
