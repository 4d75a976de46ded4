// Private to data/: the stages of pack, in the order they run.
#ifndef DATA_PACK_H
#define DATA_PACK_H

#include "dagan/data.h"

extern const char *const split_name[N_SPLITS];

// ---- labels (pack_csv.c, pack_labels.c) ----------------------------------------------------------

typedef struct {
    char *text; // the file, which the cells point into
    size_t length, rows, columns;
    char **cell;  // (rows, columns), header first
    size_t *line; // (rows) of the file, from 1
} csv_t;

int csv_load(csv_t *csv, const char *path); // text and length.  0, or -1 after fail(); free either way
int csv_cut(csv_t *csv, const char *path);  // the rest, from the text; `path` is for messages
void csv_free(csv_t *csv);

typedef struct {
    const char *name;
    int n_classes;
    const char **class; // sorted
    int16_t *value;     // (files.n), -1 unknown
} column_t;

typedef struct {
    size_t n;
    column_t *column;
    csv_t csv; // what names and classes point into
} table_t;

// Reads the CSV file `path` (NULL: no labels).  Collective; all ranks hold the whole table.
// 0, or -1 after the message was printed; free it either way.
int table_read(table_t *t, const comm_t *c, const char *path, const files_t *f);
void table_free(table_t *t);

// ---- the data set (pack_write.c) -----------------------------------------------------------------

// This rank's pictures that could be read.
typedef struct {
    int size;
    size_t n[N_SPLITS];     // on this rank
    size_t first[N_SPLITS]; // rows of lower ranks
    size_t total[N_SPLITS]; // over all ranks
    size_t *item;           // (sum of n) indices into files_t
    uint8_t *rgb;           // (sum of n, size, size, 3)
} kept_t;

// Writes `path` with all ranks.  Collective; 0, or -1 after the message was printed where there is no room; a
// disk that fails later ends the run.
int pack_write(const comm_t *c, const char *path, const char *group, const char *source, const kept_t *k,
               const table_t *t);

#endif
