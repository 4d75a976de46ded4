// The rows of a data set as evaluation wants them: images shared among ranks, labels known to all.

#include <stdlib.h>
#include <string.h>

#include "dagan/evaluate.h"

void rows_read(rows_t *r, dataset_t *d, const comm_t *c)
{
    size_t bytes = dataset_row_bytes(d), image = 3 * (size_t)d->h * (size_t)d->w,
           labels = (size_t)d->n_labels;
    *r = (rows_t){ .n = d->n, .mine = share_of(d->n, c->rank, c->size) };
    r->image = alloc(r->mine.count + 1, image);
    r->label = alloc(d->n * labels + 1, sizeof *r->label);
    char *row = alloc(bytes, 1);
    for (size_t i = 0; i < r->mine.count; i++) {
        dataset_get(d, r->mine.first + i, row);
        memcpy(r->image + i * image, row, image);
        for (size_t k = 0; k < labels; k++)
            memcpy(r->label + k * d->n + r->mine.first + i, row + image + k * sizeof(int16_t),
                   sizeof(int16_t));
    }
    free(row);
    for (size_t k = 0; k < labels; k++) comm_complete(c, r->label + k * d->n, r->mine, sizeof(int16_t));
}

void rows_free(rows_t *r)
{
    free(r->label);
    free(r->image);
    *r = (rows_t){ 0 };
}
