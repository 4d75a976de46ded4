// A file as a data set: looked at by a mortal process, then opened and read here.  What that process survives
// must not end this one.
#ifndef TESTS_FUZZ_AS_DATASET_H
#define TESTS_FUZZ_AS_DATASET_H

#include "fuzz.h"

static void try_dataset(const char *path)
{
    static const label_t labels[] = { { "mark", CONF_REGION_ALL }, { "kind", 0 } };
    domain_conf_t where = { .group = "a" };
    dataset_t d;
    snprintf(where.file, sizeof where.file, "%s", path);
    if (dataset_open(&d, &comm, &where, "train", 16, labels, 2)) return;
    char *row = malloc(dataset_row_bytes(&d));
    dataset_get(&d, d.n - 1, row);
    free(row);
    for (int i = 0; i < 2; i++)
        CHECK(strlen(dataset_class(&d, i, d.n_classes[i] - 1)) < 5000, "a class without name");
    CHECK(dataset_same_classes(&d, &d) == 0, "%s", error_text());
    parts_t parts;
    if (parts_read(&parts, &comm, &where, "train", d.n) == 0) parts_free(&parts);
    dataset_has(&comm, &where, "test");
    dataset_close(&d);
}

#endif
