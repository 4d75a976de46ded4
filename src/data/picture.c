// Pictures in memory: told by content, cropped and resized.
// Resizing is done in integers, so a picture packs to the same bytes on every machine: along each axis
// an output pixel is a sum of source pixels with whole weights that add up to one known number.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "picture.h"

void picture_init(picture_t *p, int h, int w)
{
    size_t bytes = 3 * (size_t)h * (size_t)w;
    *p = (picture_t){ .h = h, .w = w, .rgb = alloc(bytes, 1) };
    memset(p->rgb, 255, bytes);
}

void picture_free(picture_t *p)
{
    free(p->rgb);
    *p = (picture_t){ 0 };
}

static int read_up_to(picture_t *p, const char *path, int side_max)
{
    static const uint8_t png[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' },
                         jpeg[3] = { 0xff, 0xd8, 0xff };
    *p = (picture_t){ 0 };
    struct stat st;
    if (stat(path, &st)) return fail("%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode)) return fail("%s: not a file", path); // opening a pipe would wait for ever
    FILE *file = fopen(path, "rb");
    if (!file) return fail("%s: cannot be read: %s", path, strerror(errno));
    uint8_t head[8] = { 0 };
    size_t got = fread(head, 1, sizeof head, file);
    rewind(file);
    int bad;
    if (got == 0)
        bad = fail("%s: empty file", path);
    else if (!memcmp(head, png, sizeof png))
        bad = picture_from_png(p, file, path, side_max);
    else if (!memcmp(head, jpeg, sizeof jpeg))
        bad = picture_from_jpeg(p, file, path);
    else
        bad = fail("%s: neither PNG nor JPEG", path);
    fclose(file);
    return bad;
}

int picture_read(picture_t *p, const char *path)
{
    return read_up_to(p, path, PICTURE_SIDE_MAX);
}

int picture_read_back(picture_t *p, const char *path)
{
    return read_up_to(p, path, PICTURE_OWN_SIDE_MAX);
}

// The source pixels [first, last] that make output pixel `i` of one axis, `from` pixels long before and
// `to` after, and the weight of source pixel `j` among them.  Weights of one `i` add up to total().
typedef struct {
    int from, to;
} axis_t;

static bool shrinks(axis_t a)
{
    return a.to <= a.from;
}

static int total(axis_t a)
{
    return shrinks(a) ? a.from : 2 * a.to;
}

// Centre of output pixel i in units of 1 / (2 to) source pixels, from the centre of source pixel 0.
static int centre(axis_t a, int i)
{
    int c = (2 * i + 1) * a.from - a.to, end = 2 * a.to * (a.from - 1);
    return c < 0 ? 0 : c > end ? end : c;
}

static int first(axis_t a, int i)
{
    return (int)(shrinks(a) ? (int64_t)i * a.from / a.to : centre(a, i) / (2 * a.to));
}

static int last(axis_t a, int i)
{
    if (shrinks(a)) return (int)(((int64_t)(i + 1) * a.from - 1) / a.to);
    int c = centre(a, i);
    return c / (2 * a.to) + (c % (2 * a.to) > 0);
}

// Shrinking: the length of the overlap, output pixels being `from` long and source pixels `to`.
// Growing: linear between the two neighbours.
static int weight(axis_t a, int i, int j)
{
    if (shrinks(a)) {
        int low = i * a.from > j * a.to ? i * a.from : j * a.to;
        int high = (i + 1) * a.from < (j + 1) * a.to ? (i + 1) * a.from : (j + 1) * a.to;
        return high - low;
    }
    return 2 * a.to - abs(centre(a, i) - 2 * a.to * j);
}

void picture_fit(picture_t *out, const picture_t *in, int size)
{
    int side = in->h < in->w ? in->h : in->w;
    const uint8_t *corner =
        in->rgb + 3 * ((size_t)((in->h - side) / 2) * (size_t)in->w + (size_t)((in->w - side) / 2));
    axis_t a = { side, size };
    picture_init(out, size, size);
    uint8_t *to = out->rgb;
    uint64_t norm = (uint64_t)total(a) * (uint64_t)total(a); // at most 2^30: sums stay below 2^38
    for (int i = 0; i < size; i++)
        for (int j = 0; j < size; j++, to += 3) {
            uint64_t sum[3] = { norm / 2, norm / 2, norm / 2 };
            for (int y = first(a, i); y <= last(a, i); y++) {
                uint64_t wy = (uint64_t)weight(a, i, y);
                const uint8_t *row = corner + 3 * (size_t)y * (size_t)in->w;
                for (int x = first(a, j), end = last(a, j); x <= end; x++) {
                    uint64_t wt = wy * (uint64_t)weight(a, j, x);
                    for (int k = 0; k < 3; k++) sum[k] += wt * row[3 * x + k];
                }
            }
            for (int k = 0; k < 3; k++) to[k] = (uint8_t)(sum[k] / norm);
        }
}
