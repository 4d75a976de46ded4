// An HDF5 file as a data set: looked at by a process of its own, whose death is a message, then opened and
// read here. What that process survives must not end this one.
#include "child.h"

static void begin(void)
{
}

static void try(const uint8_t *data, size_t size)
{
    static const label_t labels[] = { { "mark", CONF_REGION_ALL }, { "kind", 0 } };
    domain_conf_t where = { .group = "a" };
    dataset_t d;
    snprintf(where.file, sizeof where.file, "%s", input_file("data.h5", data, size));
    if (dataset_open(&d, &comm, &where, "train", 16, labels, 2)) return;
    char *row = malloc(dataset_row_bytes(&d));
    dataset_get(&d, d.n - 1, row);
    free(row);
    for (int i = 0; i < 2; i++)
        CHECK(strlen(dataset_class(&d, i, d.n_classes[i] - 1)) < 5000, "a class without name");
    CHECK(dataset_same_classes(&d, &d) == 0, "%s", error_text());
    dataset_close(&d);
    dataset_has(&comm, &where, "test");
}
