// Pictures with regions, private to run/.
#ifndef DAGAN_RUN_DRAW_H
#define DAGAN_RUN_DRAW_H

#include "dagan/data.h"

// Outlines N' regions (x, y centres in pixels of the image) on the image of `size` drawn at (top, left),
// enlarged `scale` times; region r has its own colour and carries its number at the centre.
void draw_regions(picture_t *p, const float *centres, int regions, const sides_t *half, int top, int left,
                  int size, int scale);
// Writes n >= 0 in black, digits 3 x 5 pixels enlarged `scale` times, 4 `scale` apart.
void draw_number(picture_t *p, long n, int top, int left, int scale);
// Copies (h, w, 3) bytes enlarged `scale` times to (top, left).
void draw_image(picture_t *p, const uint8_t *rgb, int h, int w, int top, int left, int scale);

#endif
