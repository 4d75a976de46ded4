// A CSV file cut into cells in place: commas, lines, "quoted ""cells"", with commas".  Blanks around a cell
// and empty lines do not count; lines that are shorter or longer than the header are mistakes.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pack.h"

enum { COLUMNS_MAX = 1024 };

int csv_load(csv_t *csv, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) return fail("%s: cannot be read: %s", path, strerror(errno));
    size_t room = 1 << 16, n = 0, got;
    char *text = malloc(room);
    while (text && (got = fread(text + n, 1, room - 1 - n, file)) > 0) {
        n += got;
        if (n == room - 1) text = realloc(text, room *= 2);
    }
    CHECK(text, "no memory for %zu bytes of %s", room, path);
    int bad = ferror(file) ? fail("%s: cannot be read: %s", path, strerror(errno)) : 0;
    fclose(file);
    text[n] = 0;
    if (!bad && strlen(text) != n) bad = fail("%s: is not text", path);
    csv->text = text;
    csv->length = n + 1;
    return bad;
}

void csv_free(csv_t *csv)
{
    free(csv->cell);
    free(csv->line);
    free(csv->text);
    *csv = (csv_t){ 0 };
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

// Cuts the cell at *at off and steps behind it; *end becomes what ended it: ',', '\n' or 0.  NULL where a
// quote is left open on its line.
static char *cut(char **at, char *end)
{
    char *from = *at;
    while (blank(*from)) from++;
    char *cell = from, *to = from;
    if (*from == '"') {
        for (from++; *from != '"' || from[1] == '"'; *to++ = *from++) {
            if (!*from || *from == '\n') return NULL;
            if (*from == '"') from++;
        }
        from++;
    }
    while (*from && *from != ',' && *from != '\n') *to++ = *from++;
    *end = *from;
    *at = *from ? from + 1 : from;
    while (to > cell && blank(to[-1])) to--;
    *to = 0;
    return cell;
}

// A table has at most one cell per comma or line, and one more.
static void make_room(csv_t *csv)
{
    size_t cells = 1, lines = 1;
    for (const char *c = csv->text; *c; c++) {
        cells += *c == ',' || *c == '\n';
        lines += *c == '\n';
    }
    csv->cell = alloc(cells, sizeof *csv->cell);
    csv->line = alloc(lines, sizeof *csv->line);
}

int csv_cut(csv_t *csv, const char *path)
{
    char *at = csv->text, end = '\n', **cell;
    if (!strncmp(at, "\xef\xbb\xbf", 3)) at += 3; // a byte order mark
    make_room(csv);
    cell = csv->cell;
    for (size_t line = 1; *at; line++) {
        size_t count = 0, lead = strspn(at, " \t\r");
        if (at[lead] == '\n' || !at[lead]) {
            at += lead + (at[lead] == '\n');
            continue;
        }
        do {
            if (!(cell[count++] = cut(&at, &end))) return fail("%s:%zu: a quote is left open", path, line);
        } while (end == ',');
        if (!csv->columns) csv->columns = count;
        if (count > COLUMNS_MAX) return fail("%s:%zu: more than %d columns", path, line, COLUMNS_MAX);
        if (count != csv->columns)
            return fail("%s:%zu: has %zu cells, the header has %zu", path, line, count, csv->columns);
        csv->line[csv->rows++] = line;
        cell += count;
    }
    return csv->columns ? 0 : fail("%s: is empty", path);
}
