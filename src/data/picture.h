// Private to data/: the two file formats behind picture_read.
#ifndef DATA_PICTURE_H
#define DATA_PICTURE_H

#include <stdio.h>

#include "dagan/data.h"

// The longest side that is read; of our own pictures it is what libpng writes.
enum { PICTURE_SIDE_MAX = 16384, PICTURE_OWN_SIDE_MAX = 1000000 };

// Decode from the beginning of `file`; `path` is for messages.  `p` is all zero before, and owns its
// pixels after 0; after -1 it owns nothing.
int picture_from_png(picture_t *p, FILE *file, const char *path, int side_max);
int picture_from_jpeg(picture_t *p, FILE *file, const char *path);

// 1 to 8, from the n bytes of a JPEG's APP1 marker; 1 where they tell none.
int exif_orientation(const uint8_t *app1, size_t n);
// Turns a picture of that orientation upright.
void picture_turn(picture_t *p, int orientation);

#endif
