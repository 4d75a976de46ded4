// How the pictures of samples/ are laid out, private to run/: cells of one image each, SAMPLES_GAP pixels
// of white between them; the first row shows s, the second its regions, the third s', then the same of t.
#ifndef DAGAN_RUN_SAMPLES_H
#define DAGAN_RUN_SAMPLES_H

#include "dagan/train.h"

enum { SAMPLES_SCALE = 2, SAMPLES_GAP = 4 };

// Pixels from one cell to the next for images of `size`.
static inline int samples_cell(int size)
{
    return size * SAMPLES_SCALE + SAMPLES_GAP;
}

// samples/step-NNN.png from a fixed set of test images, and samples/progress.png, the sheet of all of them.
// Collective; 0, or -1 after the message was printed.
int samples_write(trainer_t *tr, const char *dir);
// samples/progress.png from the pictures of samples/ up to `step`.  Rank 0; 0, or -1 after fail().
int progress_write(const char *dir, int size, long step);

#endif
