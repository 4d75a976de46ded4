// data: image files, data sets in HDF5, and the rows of each step.
#ifndef DAGAN_DATA_H
#define DAGAN_DATA_H

#include "dagan/comm.h"

// ---- pictures ------------------------------------------------------------------------------------

typedef struct {
    int h, w;
    uint8_t *rgb; // (h, w, 3), owned
} picture_t;

// Reads a PNG or JPEG file (told by its content), alpha over white, a photo upright as its EXIF tells.  0, or
// -1 after fail().
int picture_read(picture_t *p, const char *path);
// The same of a file of picture_write, which may be wider and higher than those of strangers.
int picture_read_back(picture_t *p, const char *path);
// Writes a PNG file.  0, or -1 after fail().
int picture_write(const picture_t *p, const char *path);
void picture_init(picture_t *p, int h, int w); // white
void picture_free(picture_t *p);
// Centre crop to a square, then resize to (size, size): area mean when shrinking, bilinear when growing.
void picture_fit(picture_t *out, const picture_t *in, int size);

// ---- HDF5 files that nobody vouches for ------------------------------------------------------------

// A process of its own goes through what ranks may read at and below `object` ("/": all), so that a file on
// which HDF5 crashes or hangs ends in a message; it also refuses links out of the file, filters from plugins,
// and sizes that the file cannot hold.  Rank 0 looks, for at most half of c->timeout; others return 0. Local.
// 0, or -1 after fail().  What is missing is not its business.
int hdf5_inspect(const comm_t *c, const char *path, const char *object);
// True in that process, which is this program started anew: main() asks before MPI starts, and ends with
// *status.
bool hdf5_is_child(int argc, char **argv, int *status);

// ---- data sets -----------------------------------------------------------------------------------

enum { DATASET_LABELS_MAX = CONF_LABELS_MAX };

// One split of one domain, its rows spread over the ranks: /<group>/<split> of an HDF5 file.
typedef struct {
    char name[CONF_TEXT_MAX]; // "file:/group/split", for messages
    size_t n;                 // rows over all ranks
    int h, w;
    int n_labels; // the label attributes asked for, in their order
    label_t label[DATASET_LABELS_MAX];
    int n_classes[DATASET_LABELS_MAX];
    char *classes[DATASET_LABELS_MAX];         // names one after the other, each ends in a zero byte
    uint64_t classes_hash[DATASET_LABELS_MAX]; // XXH3 of these bytes
    size_t held_out; // last rows, which the loader does not serve; set by the caller
    store_t *rows;   // h*w*3 image bytes, then n_labels int16
} dataset_t;

// Opens and checks the split, reads this rank's share of rows once.  Collective: all ranks return the
// same, 0 or -1; the message has been printed where it is -1.
int dataset_open(dataset_t *d, const comm_t *c, const domain_conf_t *where, const char *split, int size,
                 const label_t *labels, int n_labels);
void dataset_close(dataset_t *d); // collective

// Opens and checks the split without reading rows: all of `d` but them.  Every rank looks.  To be closed
// either way. Collective: all return the same, 0, or -1 after fail(), with nothing printed.
int dataset_look(dataset_t *d, const comm_t *c, const domain_conf_t *where, const char *split, int size,
                 const label_t *labels, int n_labels);
// Whether the domain holds that split.  Collective: rank 0 looks.
bool dataset_has(const comm_t *c, const domain_conf_t *where, const char *split);
size_t dataset_row_bytes(const dataset_t *d);

// Fetches one row at once (samples, translate); `to` has dataset_row_bytes().
void dataset_get(dataset_t *d, size_t row, void *to);

// Name of class `k` of the label `label` (an index into d->label).
const char *dataset_class(const dataset_t *d, int label, int k);
// Whether two data sets opened with the same labels also mean the same by a class number.  0, or -1 after
// fail() naming the first difference.  Local, with the same result on all ranks.
int dataset_same_classes(const dataset_t *a, const dataset_t *b);

// Boxes of parts x0 y0 x1 y1 in pixels, half open, -1: absent.  For evaluation only.
enum { PARTS_MAX = 32 };
typedef struct {
    char name[64];
    int16_t *box; // (n, 4)
} part_t;
typedef struct {
    size_t n;
    int n_parts; // 0 where the data set has none
    part_t part[PARTS_MAX];
} parts_t;

// Of a split of n rows.  Collective; 0, or -1 after the message was printed.
int parts_read(parts_t *p, const comm_t *c, const domain_conf_t *where, const char *split, size_t n);
const int16_t *parts_find(const parts_t *p, const char *name); // NULL: none of that name
void parts_free(parts_t *p);

// n bytes 0..255 to floats in [-1, 1] and back (rounded and clipped; NaN becomes 0).
void pixels_to_float(float *out, const uint8_t *in, size_t n);
void pixels_to_byte(uint8_t *out, const float *in, size_t n);

// ---- the order of an epoch -----------------------------------------------------------------------

// Row that stands at global position `p` (p = 0, 1, ... over all epochs) of a data set of n rows: one
// permutation per epoch p / n, from (seed, stream, epoch) alone.
typedef struct {
    size_t n;
    uint64_t seed;
    stream_t stream;
    long epoch; // whose permutation `row` holds, -1: none
    uint32_t *row;
} order_t;

void order_init(order_t *o, size_t n, uint64_t seed, stream_t stream);
void order_free(order_t *o);
size_t order_row(order_t *o, uint64_t p);

// ---- the rows of a step --------------------------------------------------------------------------

// The pairs [first, first + count) of a step, fetched while the step before computes.
typedef struct {
    size_t *row_s, *row_t;      // (count) data-set rows
    uint8_t *image_s, *image_t; // (count, h, w, 3)
    int16_t *label_s, *label_t; // (count, n_labels), -1 unknown
} batch_t;

typedef struct loader loader_t;

// Serves pairs [first, first + count) of every step of `batch` pairs.  Borrows s and t.
loader_t *loader_new(dataset_t *s, dataset_t *t, uint64_t seed, int batch, int first, int count);
void loader_free(loader_t *l);
// Starts fetching the rows of `step`.
void loader_start(loader_t *l, long step);
// Another order from here on; forgets rows that were started.
void loader_reseed(loader_t *l, uint64_t seed);
// Moves what can be moved; local.
void loader_poll(loader_t *l);
// The rows of `step` (started before, or started now); adds the seconds waited to *waited.  Valid until
// the next loader_wait on the same loader.
const batch_t *loader_wait(loader_t *l, long step, double *waited);

// ---- picture files ---------------------------------------------------------------------------------

enum { SPLIT_TRAIN, SPLIT_TEST, N_SPLITS };

typedef struct {
    int split;               // of the subfolder train/ or test/, else SPLIT_TRAIN
    const char *path, *name; // name: the end of path below the folder the user gave
} item_t;

typedef struct {
    size_t n, n_ignored; // n_ignored: files in the folders that are not named like pictures
    item_t *item;        // sorted by split, then name: the same on all ranks
    char *text;          // what the items point into
} files_t;

// The PNG and JPEG files among `n_inputs` files and folders.  Rank 0 looks, all ranks hold the list.
// Collective. 0, or -1 after the message was printed.
int files_find(files_t *f, const comm_t *c, const char *const inputs[], int n_inputs);
void files_free(files_t *f);

// ---- pack ----------------------------------------------------------------------------------------

typedef struct {
    const char *const *inputs; // folders or files
    int n_inputs;
    const char *output;
    const char *group;  // domain to write, default: the output's base name
    const char *labels; // CSV: file,attribute,... with class names; NULL: none
    int size;
    bool strict;   // an unreadable file is fatal
    bool progress; // draw a bar on a terminal
} pack_t;

// Packs pictures into the data-set format.  Collective; the exit status.
int pack(const comm_t *c, const pack_t *p);

#endif
