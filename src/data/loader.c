// The rows of a step, fetched from their owners while the step before computes.
// Rows arrive as records (image bytes, then labels) in a raw buffer; loader_wait takes them apart into
// the batch.  The raw buffer is free again from then on, so the next step's rows travel while the
// batch is in use.
#include <stdlib.h>
#include <string.h>

#include "dagan/data.h"

// One domain's half of the loader.
typedef struct {
    dataset_t *data;
    order_t order;
    size_t *coming; // (count) rows under way
    char *raw;      // (count, dataset_row_bytes)
    size_t *row;    // what the batch points to
    uint8_t *image;
    int16_t *label;
} lane_t;

struct loader {
    lane_t s, t;
    uint64_t batch, first;
    size_t count;
    long started; // the step under way, -1: none
    batch_t out;
};

static void lane_init(lane_t *l, dataset_t *d, uint64_t seed, stream_t stream, size_t count)
{
    size_t image = 3 * (size_t)d->h * (size_t)d->w;
    *l = (lane_t){
        .data = d,
        .coming = alloc(count, sizeof *l->coming),
        .raw = alloc(count, dataset_row_bytes(d)),
        .row = alloc(count, sizeof *l->row),
        .image = alloc(count, image),
        .label = alloc(count * (size_t)d->n_labels, sizeof *l->label),
    };
    order_init(&l->order, d->n - d->held_out, seed, stream);
}

static void lane_free(lane_t *l)
{
    order_free(&l->order);
    free(l->label);
    free(l->image);
    free(l->row);
    free(l->raw);
    free(l->coming);
}

static void lane_start(lane_t *l, uint64_t p, size_t count)
{
    size_t bytes = dataset_row_bytes(l->data);
    for (size_t i = 0; i < count; i++) {
        l->coming[i] = order_row(&l->order, p + i);
        store_get(l->data->rows, l->coming[i], l->raw + i * bytes);
    }
}

static void lane_unpack(lane_t *l, size_t count)
{
    size_t bytes = dataset_row_bytes(l->data), labels = (size_t)l->data->n_labels;
    size_t image = bytes - labels * sizeof *l->label;
    for (size_t i = 0; i < count; i++) {
        const char *from = l->raw + i * bytes;
        l->row[i] = l->coming[i];
        memcpy(l->image + i * image, from, image);
        memcpy(l->label + i * labels, from + image, bytes - image); // `from` need not be aligned
    }
}

loader_t *loader_new(dataset_t *s, dataset_t *t, uint64_t seed, int batch, int first, int count)
{
    loader_t *l = alloc(1, sizeof *l);
    *l = (loader_t){
        .batch = (uint64_t)batch, .first = (uint64_t)first, .count = (size_t)count, .started = -1
    };
    lane_init(&l->s, s, seed, STREAM_ORDER_SOURCE, l->count);
    lane_init(&l->t, t, seed, STREAM_ORDER_TARGET, l->count);
    l->out = (batch_t){ l->s.row, l->t.row, l->s.image, l->t.image, l->s.label, l->t.label };
    return l;
}

static double arrive(loader_t *l)
{
    if (l->started < 0) return 0;
    l->started = -1;
    return store_wait(l->s.data->rows) + store_wait(l->t.data->rows);
}

void loader_free(loader_t *l)
{
    if (!l) return;
    arrive(l); // rows under way still write into the buffers
    lane_free(&l->t);
    lane_free(&l->s);
    free(l);
}

void loader_start(loader_t *l, long step)
{
    if (l->started == step) return;
    arrive(l);
    uint64_t p = (uint64_t)step * l->batch + l->first;
    lane_start(&l->s, p, l->count);
    lane_start(&l->t, p, l->count);
    l->started = step;
}

void loader_reseed(loader_t *l, uint64_t seed)
{
    arrive(l);
    order_t *order[] = { &l->s.order, &l->t.order };
    for (int i = 0; i < 2; i++) {
        order[i]->seed = seed;
        order[i]->epoch = -1;
    }
}

void loader_poll(loader_t *l)
{
    if (l->started < 0) return;
    store_poll(l->s.data->rows);
    store_poll(l->t.data->rows);
}

const batch_t *loader_wait(loader_t *l, long step, double *waited)
{
    double before = now();
    loader_start(l, step);
    arrive(l);
    *waited += now() - before;
    lane_unpack(&l->s, l->count);
    lane_unpack(&l->t, l->count);
    return &l->out;
}
