// samples/progress.png, a contact sheet that grows: on top the sources, below them what each had become when
// a picture was drawn, the step beside it.  It is put together from samples/step-*.png, so it needs no memory
// of its own and is right after any restart.  Of more pictures than ROWS_MAX, or than HEIGHT_MAX pixels hold,
// it shows an even choice with the first and last.

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"
#include "samples.h"

enum {
    ROWS_MAX = 24,
    HEIGHT_MAX = 16384,
    DIGITS = 8,
    DIGIT_SCALE = 3,
    MARGIN = 4 * DIGITS * DIGIT_SCALE,
    PATH_TEXT = 2 * CONF_TEXT_MAX
};

// The step of "step-00000300.png", -1 for any other name.
static long step_of(const char *name)
{
    long step;
    int end = 0;
    return sscanf(name, "step-%ld.png%n", &step, &end) == 1 && end && !name[end] ? step : -1;
}

static int is_picture(const struct dirent *e)
{
    return step_of(e->d_name) >= 0;
}

static int by_step(const struct dirent **a, const struct dirent **b)
{
    long x = step_of((*a)->d_name), y = step_of((*b)->d_name);
    return (x > y) - (x < y);
}

// Copies one row of cells of a picture of samples/ to row `row` of the sheet.
static void copy_row(picture_t *sheet, int row, const picture_t *from, int from_row, int cell)
{
    for (int y = 0; y < cell; y++)
        memcpy(sheet->rgb + ((size_t)(SAMPLES_GAP + row * cell + y) * (size_t)sheet->w + MARGIN) * 3,
               from->rgb + (size_t)(SAMPLES_GAP + from_row * cell + y) * (size_t)from->w * 3,
               (size_t)from->w * 3);
}

// The sheet of these steps.  Older pictures that are damaged, or of another layout since the configuration
// was changed, leave their row white.
static int draw(picture_t *sheet, const char *dir, const long *step, int n, int cell)
{
    char path[PATH_TEXT];
    picture_t p;
    for (int row = n; row > 0; row--) {
        snprintf(path, sizeof path, "%s/samples/step-%08ld.png", dir, step[row - 1]);
        bool fits = picture_read_back(&p, path) == 0;
        if (row == n) {
            if (!fits) return -1;
            picture_init(sheet, 2 * SAMPLES_GAP + (n + 1) * cell, MARGIN + p.w);
            copy_row(sheet, 0, &p, 0, cell);
        }
        fits = fits && p.w == sheet->w - MARGIN && p.h >= SAMPLES_GAP + 3 * cell;
        if (fits) copy_row(sheet, row, &p, 2, cell);
        draw_number(sheet, step[row - 1], SAMPLES_GAP + row * cell + cell / 2, SAMPLES_GAP, DIGIT_SCALE);
        picture_free(&p);
    }
    return 0;
}

int progress_write(const char *dir, int size, long step)
{
    char path[PATH_TEXT], fresh[PATH_TEXT];
    struct dirent **entry;
    long chosen[ROWS_MAX];
    snprintf(path, sizeof path, "%s/samples", dir);
    int n = scandir(path, &entry, is_picture, by_step), bad = 0;
    if (n < 0) return fail("%s: %s", path, strerror(errno));
    int until = 0; // a run that went back to an older checkpoint left pictures of later steps
    while (until < n && step_of(entry[until]->d_name) <= step) until++;
    int most = HEIGHT_MAX / samples_cell(size) - 1; // the sources take a row
    if (most > ROWS_MAX) most = ROWS_MAX;
    int rows = until < most ? until : most;
    for (int r = 0; r < rows; r++) {
        int i = rows > 1 ? (int)((long)r * (until - 1) / (rows - 1)) : 0;
        chosen[r] = step_of(entry[i]->d_name);
    }
    for (int i = 0; i < n; i++) free(entry[i]);
    free(entry);
    if (!rows) return 0;
    picture_t sheet = { 0 };
    snprintf(path, sizeof path, "%s/samples/progress.png", dir);
    snprintf(fresh, sizeof fresh, "%s/samples/.progress.png", dir); // whoever looks sees a whole one
    bad = draw(&sheet, dir, chosen, rows, samples_cell(size)) || picture_write(&sheet, fresh);
    if (!bad && rename(fresh, path)) bad = fail("%s: %s", path, strerror(errno));
    picture_free(&sheet);
    return bad ? -1 : 0;
}
