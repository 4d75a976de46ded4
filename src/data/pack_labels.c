// Labels from a CSV file: a header "file,attribute,...", then a line per picture with class names, empty
// where unknown.  A picture is named by its path below the folder given, or by any end of it that only one
// picture has ("train/a.png", "a.png").  Classes are numbered in the order of their sorted names, over both
// splits.
#include <stdlib.h>
#include <string.h>

#include "pack.h"

enum { CLASSES_BYTES_MAX = 60000 }; // HDF5 keeps an attribute within 64 KiB

// ---- names to pictures ---------------------------------------------------------------------------

// Names written backwards and sorted: an end of a name is a beginning here.
typedef struct {
    char *name;
    size_t item;
} back_t;

static void reverse(char *to, const char *from)
{
    size_t n = strlen(from);
    for (size_t i = 0; i < n; i++) to[i] = from[n - 1 - i];
    to[n] = 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const back_t *)a)->name, ((const back_t *)b)->name);
}

static back_t *backwards(const files_t *f)
{
    back_t *back = alloc(f->n, sizeof *back);
    for (size_t i = 0; i < f->n; i++) {
        back[i] = (back_t){ alloc(strlen(f->item[i].name) + 1, 1), i };
        reverse(back[i].name, f->item[i].name);
    }
    qsort(back, f->n, sizeof *back, by_name);
    return back;
}

// The first entry not before `name`.
static size_t lower(const back_t *back, size_t n, const char *name)
{
    size_t low = 0;
    while (low < n) {
        size_t middle = low + (n - low) / 2;
        if (strcmp(back[middle].name, name) < 0)
            low = middle + 1;
        else
            n = middle;
    }
    return low;
}

static bool begins(const back_t *back, size_t n, size_t i, const char *with, bool whole)
{
    return i < n && !(whole ? strcmp(back[i].name, with) : strncmp(back[i].name, with, strlen(with)));
}

// The picture that `name` means, in *item.  How many it could mean: 0, 1, or 2 for several.
static int look_up(size_t *item, const back_t *back, size_t n, const char *name)
{
    while (!strncmp(name, "./", 2)) name += 2;
    char *wanted = alloc(strlen(name) + 2, 1);
    reverse(wanted, name);
    bool whole = true;
    size_t i = lower(back, n, wanted);
    if (!begins(back, n, i, wanted, true)) {
        whole = false;
        strcat(wanted, "/"); // only whole parts of a path count
        i = lower(back, n, wanted);
    }
    int found = begins(back, n, i, wanted, whole) ? 1 + begins(back, n, i + 1, wanted, whole) : 0;
    if (found) *item = back[i].item;
    free(wanted);
    return found;
}

// For each row of the CSV its picture.
static int match(size_t *picture, const csv_t *csv, const char *path, const files_t *f)
{
    back_t *back = backwards(f);
    size_t *taken = alloc(f->n, sizeof *taken); // by which line
    int bad = 0;
    for (size_t r = 1; r < csv->rows && !bad; r++) {
        const char *name = csv->cell[r * csv->columns];
        int found = look_up(&picture[r], back, f->n, name);
        if (found == 0)
            bad = fail("%s:%zu: '%s' is not among the pictures", path, csv->line[r], name);
        else if (found > 1)
            bad = fail("%s:%zu: several pictures are called '%s'", path, csv->line[r], name);
        else if (taken[picture[r]])
            bad = fail("%s:%zu: '%s' has labels in line %zu already", path, csv->line[r], name,
                       taken[picture[r]]);
        else
            taken[picture[r]] = csv->line[r];
    }
    free(taken);
    for (size_t i = 0; i < f->n; i++) free(back[i].name);
    free(back);
    return bad;
}

// ---- class names to numbers ----------------------------------------------------------------------

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int number_classes(column_t *k, const csv_t *csv, size_t column, const char *path)
{
    size_t n = 0, unique = 0, width = 1;
    k->class = alloc(csv->rows, sizeof *k->class);
    for (size_t r = 1; r < csv->rows; r++) {
        const char *name = csv->cell[r * csv->columns + column];
        if (name[0]) k->class[n++] = name;
    }
    qsort(k->class, n, sizeof *k->class, by_text);
    for (size_t i = 0; i < n; i++) {
        if (unique && !strcmp(k->class[i], k -> class[unique - 1])) continue;
        k->class[unique++] = k->class[i];
        if (strlen(k->class[i]) > width) width = strlen(k->class[i]);
    }
    k->n_classes = (int)unique;
    if (!unique) return fail("%s: column '%s' is empty", path, k->name);
    if (unique > INT16_MAX || unique * width > CLASSES_BYTES_MAX)
        return fail("%s: column '%s' has %zu classes of up to %zu bytes, wanted at most %d bytes in all",
                    path, k->name, unique, width, CLASSES_BYTES_MAX);
    return 0;
}

static int check_header(const csv_t *csv, const char *path)
{
    if (strcmp(csv->cell[0], "file"))
        return fail("%s:%zu: first column is '%s', wanted 'file'", path, csv->line[0], csv->cell[0]);
    if (csv->columns < 2) return fail("%s:%zu: has no column of labels", path, csv->line[0]);
    for (size_t k = 1; k < csv->columns; k++) {
        const char *name = csv->cell[k];
        if (!name[0] || name[0] == '.' || strchr(name, '/') || strlen(name) >= sizeof(label_t){ 0 }.name)
            return fail("%s:%zu: '%s' cannot name a label (1 to 63 bytes without '/', no leading dot)", path,
                        csv->line[0], name);
        for (size_t before = 1; before < k; before++)
            if (!strcmp(name, csv->cell[before]))
                return fail("%s:%zu: column '%s' comes twice", path, csv->line[0], name);
    }
    return 0;
}

static int fill(table_t *t, const char *path, const files_t *f)
{
    const csv_t *csv = &t->csv;
    if (csv_cut(&t->csv, path) || check_header(csv, path)) return -1;
    size_t *picture = alloc(csv->rows, sizeof *picture);
    int bad = match(picture, csv, path, f);
    t->n = csv->columns - 1;
    t->column = alloc(t->n, sizeof *t->column);
    for (size_t k = 0; k < t->n && !bad; k++) {
        column_t *column = &t->column[k];
        column->name = csv->cell[1 + k];
        column->value = alloc(f->n, sizeof *column->value);
        for (size_t i = 0; i < f->n; i++) column->value[i] = -1;
        bad = number_classes(column, csv, 1 + k, path);
        for (size_t r = 1; r < csv->rows && !bad; r++) {
            char **name = &csv->cell[r * csv->columns + 1 + k];
            if (!(*name)[0]) continue;
            const char **class =
                bsearch(name, column->class, (size_t)column->n_classes, sizeof *class, by_text);
            column->value[picture[r]] = (int16_t)(class - column->class);
        }
    }
    free(picture);
    return bad;
}

int table_read(table_t *t, const comm_t *c, const char *path, const files_t *f)
{
    *t = (table_t){ 0 };
    if (!path) return 0;
    int bad = c->rank == 0 ? csv_load(&t->csv, path) : 0;
    if (comm_agree(c, bad, error_text())) return -1;
    comm_bcast(c, &t->csv.length, sizeof t->csv.length, 0);
    if (!t->csv.text) t->csv.text = alloc(t->csv.length, 1);
    comm_bcast(c, t->csv.text, t->csv.length, 0);
    return comm_agree(c, fill(t, path, f), error_text()) ? -1 : 0;
}

void table_free(table_t *t)
{
    for (size_t k = 0; k < t->n; k++) {
        free(t->column[k].value);
        free(t->column[k].class);
    }
    free(t->column);
    csv_free(&t->csv);
    *t = (table_t){ 0 };
}
