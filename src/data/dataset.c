// A split of a domain in HDF5, read once: every rank opens the file by itself, checks it, and keeps its
// share of the rows for all.  Ranks agree after each thing that may fail on some of them only.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "classes.h"
#include "dataset.h"

size_t dataset_row_bytes(const dataset_t *d)
{
    return 3 * (size_t)d->h * (size_t)d->w + (size_t)d->n_labels * sizeof(int16_t);
}

void dataset_get(dataset_t *d, size_t row, void *to)
{
    store_get(d->rows, row, to);
    store_wait(d->rows);
}

// Reads rows [row, row + count) of the images and spreads them over the store's records, which are longer.
// Reading into the records at once takes HDF5 ten times as long: where the selections in memory and in the
// file have different shapes it walks from element to element.
static int read_images(const dataset_t *d, hid_t images, size_t row, size_t count, char *to, uint64_t *sum)
{
    hsize_t start[4] = { row }, block[4] = { count, (hsize_t)d->h, (hsize_t)d->w, 3 };
    size_t bytes = dataset_row_bytes(d), image = 3 * (size_t)d->h * (size_t)d->w;
    char *dense = alloc(count, image);
    hid_t file = H5Dget_space(images), memory = H5Screate_simple(4, block, NULL);
    H5_OK(H5Sselect_hyperslab(file, H5S_SELECT_SET, start, NULL, block, NULL));
    herr_t got = H5Dread(images, H5T_NATIVE_UINT8, memory, file, H5P_DEFAULT, dense);
    H5_OK(H5Sclose(memory));
    H5_OK(H5Sclose(file));
    for (size_t i = 0; i < count; i++) memcpy(to + i * bytes, dense + i * image, image);
    *sum += checksum_of(dense, row, count, image);
    free(dense);
    if (got >= 0) return 0;
    return fail("%s/images: rows %zu to %zu cannot be read (damaged file?)", d->name, row, row + count - 1);
}

// The same for label `i`, through 64 bits so that no value wraps into the range of the classes.
static int read_labels(const dataset_t *d, hid_t labels, int i, size_t row, size_t count, char *to,
                       uint64_t *sum)
{
    size_t bytes = dataset_row_bytes(d), at = bytes - (size_t)(d->n_labels - i) * sizeof(int16_t);
    const char *name = d->label[i].name;
    hsize_t start = row, block = count;
    int64_t *value = alloc(count, sizeof *value);
    hid_t file = H5Dget_space(labels), memory = H5Screate_simple(1, &block, NULL);
    H5_OK(H5Sselect_hyperslab(file, H5S_SELECT_SET, &start, NULL, &block, NULL));
    herr_t got = H5Dread(labels, H5T_NATIVE_INT64, memory, file, H5P_DEFAULT, value);
    H5_OK(H5Sclose(memory));
    H5_OK(H5Sclose(file));
    int bad = 0;
    if (got < 0) bad = fail("%s/labels/%s: cannot be read (damaged file?)", d->name, name);
    for (size_t k = 0; k < count && !bad; k++) {
        if (value[k] < -1 || value[k] >= d->n_classes[i])
            bad = fail("%s/labels/%s: row %zu is %lld, wanted -1 to %d", d->name, name, row + k,
                       (long long)value[k], d->n_classes[i] - 1);
        int16_t v = (int16_t)value[k];
        memcpy(to + k * bytes + at, &v, sizeof v);
        *sum += checksum_of(&v, row + k, 1, sizeof v);
    }
    free(value);
    return bad;
}

// Some MiB at a time: HDF5 keeps a record of every chunk of a selection, and images are copied once.  `sum`:
// of the images, then of each label.
static int read_share(const dataset_t *d, const split_t *s, share_t mine, char *to, uint64_t *sum)
{
    size_t bytes = dataset_row_bytes(d), most = ((size_t)8 << 20) / bytes + 1;
    for (size_t done = 0, count; done < mine.count; done += count, to += count * bytes) {
        size_t row = mine.first + done;
        count = mine.count - done < most ? mine.count - done : most;
        if (read_images(d, s->images, row, count, to, &sum[0])) return -1;
        for (int i = 0; i < d->n_labels; i++)
            if (read_labels(d, s->label[i], i, row, count, to, &sum[1 + i])) return -1;
    }
    return 0;
}

// Compares what the ranks have read with the checksums in the file.  Collective; 0, or -1 after fail().
static int check_sums(const dataset_t *d, const split_t *s, const comm_t *c, uint64_t *sum)
{
    char name[CONF_TEXT_MAX + 128];
    int bad = 0;
    for (int i = 0; i <= d->n_labels; i++) {
        checksum_add_up(&sum[i], c);
        snprintf(name, sizeof name, "%s/%s%s", d->name, i ? "labels/" : "images",
                 i ? d->label[i - 1].name : "");
        if (!bad) bad = checksum_check(i ? s->label[i - 1] : s->images, name, sum[i]);
    }
    return bad;
}

// Reads this rank's share.  Collective.
static bool read_rows(dataset_t *d, const split_t *s, const comm_t *c)
{
    uint64_t sum[1 + DATASET_LABELS_MAX] = { 0 };
    d->rows = store_new(c, d->n, dataset_row_bytes(d));
    int bad = read_share(d, s, share_of(d->n, c->rank, c->size), store_mine(d->rows), sum);
    return comm_agree(c, bad, error_text()) || comm_agree(c, check_sums(d, s, c, sum), error_text());
}

// A path may name another file on another node.
static int same_everywhere(const dataset_t *d, const comm_t *c)
{
    struct {
        size_t n;
        uint64_t classes[DATASET_LABELS_MAX];
    } mine = { .n = d->n }, first;
    memcpy(mine.classes, d->classes_hash, sizeof mine.classes);
    first = mine;
    comm_bcast(c, &first, sizeof first, 0);
    if (!memcmp(&mine, &first, sizeof mine)) return 0;
    return fail("%s: rank %d sees another file than rank 0 (%zu rows, %zu there)", d->name, c->rank, mine.n,
                first.n);
}

hdf5_printer_t hdf5_mute(void)
{
    hdf5_printer_t p;
    H5_OK(H5Eget_auto2(H5E_DEFAULT, &p.print, &p.data));
    H5_OK(H5Eset_auto2(H5E_DEFAULT, NULL, NULL));
    return p;
}

void hdf5_unmute(hdf5_printer_t p)
{
    H5_OK(H5Eset_auto2(H5E_DEFAULT, p.print, p.data));
}

int dataset_look(dataset_t *d, const comm_t *c, const domain_conf_t *where, const char *split, int size,
                 const label_t *labels, int n_labels)
{
    hdf5_printer_t printer = hdf5_mute();
    split_t s = { 0 };
    char object[2 * CONF_TEXT_MAX];
    snprintf(object, sizeof object, "/%s/%s", where->group, split);
    *d = (dataset_t){ 0 };
    int bad = hdf5_inspect(c, where->file, object);
    if (!comm_any(c, bad)) bad = split_open(&s, d, where, split, size, labels, n_labels);
    split_close(&s);
    hdf5_unmute(printer);
    if (!comm_any(c, bad)) return 0;
    return bad ? -1 : fail("%s: another rank does not see what this one sees", where->file);
}

bool dataset_has(const comm_t *c, const domain_conf_t *where, const char *split)
{
    hdf5_printer_t printer = hdf5_mute();
    int has = 0;
    if (c->rank == 0) {
        hid_t file = H5Fopen(where->file, H5F_ACC_RDONLY, H5P_DEFAULT);
        hid_t domain = file < 0 ? -1 : H5Gopen2(file, where->group, H5P_DEFAULT);
        has = domain >= 0 && H5Lexists(domain, split, H5P_DEFAULT) > 0;
        if (domain >= 0) H5_OK(H5Gclose(domain));
        if (file >= 0) H5_OK(H5Fclose(file));
    }
    hdf5_unmute(printer);
    comm_bcast(c, &has, sizeof has, 0);
    return has;
}

int dataset_open(dataset_t *d, const comm_t *c, const domain_conf_t *where, const char *split, int size,
                 const label_t *labels, int n_labels)
{
    hdf5_printer_t printer = hdf5_mute();
    split_t s = { 0 };
    char object[2 * CONF_TEXT_MAX];
    snprintf(object, sizeof object, "/%s/%s", where->group, split);
    *d = (dataset_t){ 0 };
    bool bad = comm_agree(c, hdf5_inspect(c, where->file, object), error_text());
    if (!bad) bad = comm_agree(c, split_open(&s, d, where, split, size, labels, n_labels), error_text());
    if (!bad) bad = comm_agree(c, same_everywhere(d, c), error_text());
    bad = bad || read_rows(d, &s, c);
    split_close(&s);
    hdf5_unmute(printer);
    if (bad)
        dataset_close(d);
    else
        store_publish(d->rows);
    return bad ? -1 : 0;
}

void dataset_close(dataset_t *d)
{
    if (d->rows) store_free(d->rows);
    for (int i = 0; i < d->n_labels; i++) free(d->classes[i]);
    *d = (dataset_t){ 0 };
}

void pixels_to_float(float *out, const uint8_t *in, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = (float)in[i] / 127.5f - 1;
}

void pixels_to_byte(uint8_t *out, const float *in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float v = (in[i] + 1) * 127.5f;
        out[i] = v > 0 ? v < 255 ? (uint8_t)lrintf(v) : 255 : 0;
    }
}
