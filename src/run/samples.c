// samples/step-NNN.png: for a fixed set of test images the rows s, its regions, s'; t, its regions, t'.

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"
#include "samples.h"

enum { SCALE = SAMPLES_SCALE, GAP = SAMPLES_GAP, ROWS = 3 };

// What one image became; ranks compute their share of all of them.
typedef struct {
    uint8_t *image, *translated; // (n, h, w, 3)
    float *centres;              // (n, N', 2)
    size_t n, bytes;
} sheet_t;

static void translate_one(trainer_t *tr, sheet_t *s, size_t i)
{
    size_t half = s->n / 2;
    dataset_t *d = tr->shown[i >= half];
    translator_t *f = &tr->translator;
    uint8_t *row = alloc(dataset_row_bytes(d), 1); // the image, then its labels
    dataset_get(d, i % half, row);
    memcpy(s->image + i * s->bytes, row, s->bytes);
    free(row);
    pixels_to_float(f->x->x, s->image + i * s->bytes, s->bytes);
    tape_forward(&f->tape, 0, f->tape.n);
    pixels_to_byte(s->translated + i * s->bytes, f->fx->x, s->bytes);
    if (!f->z.centres) return; // no regions: their row shows the image
    size_t n = numel(f->z.centres->dim);
    memcpy(s->centres + i * n, f->z.centres->x, n * sizeof(float));
}

static void draw_cell(picture_t *p, const trainer_t *tr, const sheet_t *s, size_t i, int block, int column)
{
    int size = tr->conf->data.size, cell = samples_cell(size), left = GAP + column * cell;
    int top = GAP + block * (ROWS * cell + GAP), regions = translator_regions(&tr->translator);
    const uint8_t *x = s->image + i * s->bytes;
    draw_image(p, x, size, size, top, left, SCALE);
    draw_image(p, x, size, size, top + cell, left, SCALE);
    draw_regions(p, s->centres + i * (size_t)regions * 2, regions, &tr->conf->attention.half, top + cell,
                 left, size, SCALE);
    draw_image(p, s->translated + i * s->bytes, size, size, top + 2 * cell, left, SCALE);
}

static int draw_sheet(const trainer_t *tr, const sheet_t *s, const char *path)
{
    int size = tr->conf->data.size, cell = samples_cell(size), half = (int)(s->n / 2);
    picture_t p;
    picture_init(&p, 2 * ROWS * cell + 2 * GAP, half * cell + GAP);
    for (int i = 0; i < half; i++) {
        draw_cell(&p, tr, s, (size_t)i, 0, i);
        draw_cell(&p, tr, s, (size_t)(half + i), 1, i);
    }
    int bad = picture_write(&p, path);
    picture_free(&p);
    return bad;
}

int samples_write(trainer_t *tr, const char *dir)
{
    char path[2 * CONF_TEXT_MAX];
    if (!tr->translator.x) return 0; // a kind that makes no images
    size_t count = (size_t)tr->conf->samples.count, size = (size_t)tr->conf->data.size;
    size_t fewest = tr->shown[0]->n < tr->shown[1]->n ? tr->shown[0]->n : tr->shown[1]->n;
    if (count > fewest) count = fewest;
    sheet_t s = { .n = 2 * count, .bytes = size * size * 3 };
    s.image = alloc(s.n, s.bytes);
    s.translated = alloc(s.n, s.bytes);
    s.centres = alloc(s.n * (size_t)translator_regions(&tr->translator), 2 * sizeof(float));
    share_t mine = share_of(s.n, tr->comm->rank, tr->comm->size);
    for (size_t i = mine.first; i < mine.first + mine.count; i++) translate_one(tr, &s, i);
    comm_complete(tr->comm, s.image, mine, s.bytes);
    comm_complete(tr->comm, s.translated, mine, s.bytes);
    comm_complete(tr->comm, s.centres, mine, (size_t)translator_regions(&tr->translator) * 2 * sizeof(float));
    int bad = 0;
    if (tr->comm->rank == 0) {
        snprintf(path, sizeof path, "%s/samples/step-%08ld.png", dir, tr->step);
        bad = draw_sheet(tr, &s, path) || progress_write(dir, (int)size, tr->step);
    }
    free(s.centres);
    free(s.translated);
    free(s.image);
    return comm_agree(tr->comm, bad, error_text()) ? -1 : 0;
}
