// Private to data/: the class names of one label attribute.
#ifndef DATA_CLASSES_H
#define DATA_CLASSES_H

#include <hdf5.h>

#include "dagan/data.h"

// Reads the attribute `classes` of `labels` into label `label` of `d`: strings of fixed or variable length.
// `where` is for messages.  0, or -1 after fail().
int classes_read(dataset_t *d, int label, hid_t labels, const char *where);

#endif
