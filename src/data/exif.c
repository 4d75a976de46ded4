// The orientation of a photo: cameras store rows as the sensor read them and note in EXIF, tag 0x0112 of its
// first directory, which side was up.  Orientation 1 is upright, 6 a camera turned to the left, 2 a mirror
// image. Whatever is damaged or unknown counts as upright, as other programs take it.
#include <stdlib.h>
#include <string.h>

#include "picture.h"

enum { TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3, ENTRY = 12 };

static uint32_t number(const uint8_t *at, int bytes, bool is_big)
{
    uint32_t x = 0;
    for (int i = 0; i < bytes; i++) x = x << 8 | at[is_big ? i : bytes - 1 - i];
    return x;
}

int exif_orientation(const uint8_t *app1, size_t n)
{
    if (n < 16 || memcmp(app1, "Exif\0\0", 6)) return 1;
    const uint8_t *x = app1 + 6; // offsets count from here
    bool is_big = x[0] == 'M';
    n -= 6;
    if (memcmp(x, is_big ? "MM\0*" : "II*\0", 4)) return 1;
    size_t at = number(x + 4, 4, is_big);
    if (at > n - 2) return 1;
    uint32_t entries = number(x + at, 2, is_big);
    for (at += 2; entries && n - at >= ENTRY; entries--, at += ENTRY) {
        if (number(x + at, 2, is_big) != TAG_ORIENTATION) continue;
        uint32_t value = number(x + at + 8, 2, is_big);
        return number(x + at + 2, 2, is_big) == TYPE_SHORT && value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

void picture_turn(picture_t *p, int orientation)
{
    // Where row 0 and column 0 belong: row 0 at the top and column 0 on the left but for these.
    bool is_lying = orientation >= 5; // row 0 on the left or right, column 0 at the top or bottom
    bool from_end_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    bool from_end_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    if (orientation == 1) return;
    picture_t out;
    picture_init(&out, is_lying ? p->w : p->h, is_lying ? p->h : p->w);
    for (int y = 0; y < p->h; y++)
        for (int x = 0; x < p->w; x++) {
            int a = from_end_y ? p->h - 1 - y : y, b = from_end_x ? p->w - 1 - x : x;
            size_t to =
                is_lying ? (size_t)b * (size_t)out.w + (size_t)a : (size_t)a * (size_t)out.w + (size_t)b;
            memcpy(out.rgb + 3 * to, p->rgb + 3 * ((size_t)y * (size_t)p->w + (size_t)x), 3);
        }
    free(p->rgb);
    *p = out;
}
