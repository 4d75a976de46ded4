// The labels of `pack`: CSV against a fixed list of pictures.
#include "fuzz.h"

#include "../../src/data/pack.h"

static item_t items[] = { { SPLIT_TEST, "/p/test/a.png", "test/a.png" },
                          { SPLIT_TRAIN, "/p/train/a.png", "train/a.png" },
                          { SPLIT_TRAIN, "/p/train/b.jpg", "train/b.jpg" },
                          { SPLIT_TRAIN, "/p/c d.png", "c d.png" } };

static void begin(void)
{
}

static void try(const uint8_t *data, size_t size)
{
    files_t files = { .n = sizeof items / sizeof *items, .item = items };
    table_t t;
    if (table_read(&t, &comm, input_file("labels.csv", data, size), &files) == 0)
        for (size_t k = 0; k < t.n; k++)
            for (size_t i = 0; i < files.n; i++)
                CHECK(t.column[k].value[i] >= -1 && t.column[k].value[i] < t.column[k].n_classes,
                      "no such class");
    table_free(&t);
}
