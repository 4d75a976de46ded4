// Pictures of what was learned: images enlarged, regions outlined in colours that tell them apart, with their
// numbers.

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "draw.h"

// Okabe and Ito's palette: distinct also for colour-blind eyes; reused beyond eight regions.
static const uint8_t COLOUR[8][3] = { { 213, 94, 0 },   { 0, 114, 178 },  { 0, 158, 115 }, { 204, 121, 167 },
                                      { 240, 228, 66 }, { 86, 180, 233 }, { 230, 159, 0 }, { 0, 0, 0 } };

// 3 x 5 digits, a row in three bits.
static const uint8_t DIGIT[10][5] = { { 7, 5, 5, 5, 7 }, { 2, 6, 2, 2, 7 }, { 7, 1, 7, 4, 7 },
                                      { 7, 1, 7, 1, 7 }, { 5, 5, 7, 1, 1 }, { 7, 4, 7, 1, 7 },
                                      { 7, 4, 7, 5, 7 }, { 7, 1, 1, 1, 1 }, { 7, 5, 7, 5, 7 },
                                      { 7, 5, 7, 1, 7 } };

static void dot(picture_t *p, int y, int x, const uint8_t rgb[3])
{
    if (y >= 0 && y < p->h && x >= 0 && x < p->w)
        memcpy(p->rgb + ((size_t)y * (size_t)p->w + (size_t)x) * 3, rgb, 3);
}

void draw_image(picture_t *p, const uint8_t *rgb, int h, int w, int top, int left, int scale)
{
    for (int y = 0; y < h * scale; y++)
        for (int x = 0; x < w * scale; x++)
            dot(p, top + y, left + x, rgb + ((y / scale) * w + x / scale) * 3);
}

static void box(picture_t *p, int top, int left, int bottom, int right, const uint8_t rgb[3])
{
    for (int x = left; x <= right; x++) {
        dot(p, top, x, rgb);
        dot(p, bottom, x, rgb);
    }
    for (int y = top; y <= bottom; y++) {
        dot(p, y, left, rgb);
        dot(p, y, right, rgb);
    }
}

static bool is_ink(int digit, int y, int x)
{
    return y >= 0 && y < 5 && x >= 0 && x < 3 && (DIGIT[digit][y] >> (2 - x) & 1);
}

// White on the colour of its region.
static void region_number(picture_t *p, int n, int top, int left, const uint8_t rgb[3])
{
    static const uint8_t white[3] = { 255, 255, 255 };
    for (int y = -1; y < 6; y++)
        for (int x = -1; x < 4; x++) dot(p, top + y, left + x, is_ink(n % 10, y, x) ? white : rgb);
}

void draw_number(picture_t *p, long n, int top, int left, int scale)
{
    static const uint8_t black[3] = { 0, 0, 0 };
    char text[24];
    int length = snprintf(text, sizeof text, "%ld", n);
    for (int i = 0; i < length; i++)
        for (int y = 0; y < 5 * scale; y++)
            for (int x = 0; x < 3 * scale; x++)
                if (is_ink(text[i] - '0', y / scale, x / scale))
                    dot(p, top + y, left + 4 * scale * i + x, black);
}

void draw_regions(picture_t *p, const float *centres, int regions, const sides_t *half, int top, int left,
                  int size, int scale)
{
    picture_t part; // outlines are clipped to the image they belong to
    picture_init(&part, size * scale, size * scale);
    for (int y = 0; y < part.h; y++)
        memcpy(part.rgb + (size_t)y * (size_t)part.w * 3,
               p->rgb + ((size_t)(top + y) * (size_t)p->w + (size_t)left) * 3, (size_t)part.w * 3);
    for (int r = 0; r < regions; r++) {
        double cx = (centres[2 * r] + 0.5) * scale, cy = (centres[2 * r + 1] + 0.5) * scale;
        if (!isfinite(cx) || !isfinite(cy)) continue;
        double w = half->side[r][0] * scale, h = half->side[r][1] * scale;
        int x0 = (int)fmax(cx - w, 0), y0 = (int)fmax(cy - h, 0);
        int x1 = (int)fmin(cx + w, part.w - 1), y1 = (int)fmin(cy + h, part.h - 1);
        box(&part, y0, x0, y1, x1, COLOUR[r % 8]);
        box(&part, y0 + 1, x0 + 1, y1 - 1, x1 - 1, COLOUR[r % 8]);
        region_number(&part, r, (int)cy - 2, (int)cx - 1, COLOUR[r % 8]);
    }
    draw_image(p, part.rgb, part.h, part.w, top, left, 1);
    picture_free(&part);
}
