// An HDF5 file, byte by byte, as a data set.  What a process that walks through it survives must not end this
// one.
#include "as_dataset.h"
#include "child.h"

static void begin(void)
{
}

static void try(const uint8_t *data, size_t size)
{
    try_dataset(input_file("data.h5", data, size));
}
