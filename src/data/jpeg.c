// JPEG in through libjpeg-turbo: grey, YCbCr, RGB and the two kinds of CMYK become 8-bit RGB.
// A warning (data cut off, corrupt or left over) makes the picture unreadable: the library would go
// on with grey pixels, and nobody wants those in a training set.
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "picture.h"

#include <jpeglib.h> // needs stdio.h and size_t before it

// A hostile progressive file of some kilobytes may ask for thousands of passes over all pixels.
enum { SCANS_MAX = 500 };

enum { EXIF_MARKER = JPEG_APP0 + 1, EXIF_BYTES = 0xffff };

typedef struct {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr error;
    struct jpeg_progress_mgr progress;
    uint8_t *rgb, *cmyk; // (h, w, 3) and one row (w, 4)
    int orientation;     // of EXIF
    bool done;
    char why[JMSG_LENGTH_MAX];
    jmp_buf back;
} decoder_t;

static _Noreturn void leave(decoder_t *d, const char *why)
{
    snprintf(d->why, sizeof d->why, "%s", why);
    longjmp(d->back, 1);
}

static void on_error(j_common_ptr jpeg)
{
    char why[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, why);
    leave(jpeg->client_data, why);
}

static void on_message(j_common_ptr jpeg, int level)
{
    if (level < 0) on_error(jpeg);
}

static void on_progress(j_common_ptr jpeg)
{
    decoder_t *d = jpeg->client_data;
    if (d->jpeg.input_scan_number > SCANS_MAX) leave(d, "more than 500 scans");
}

// Adobe's files hold inverted ink: 255 is none.
static void row_from_cmyk(uint8_t *rgb, const uint8_t *cmyk, int w, bool inverted)
{
    for (int x = 0; x < w; x++, rgb += 3, cmyk += 4)
        for (int k = 0; k < 3; k++) {
            int ink = inverted ? cmyk[k] : 255 - cmyk[k], black = inverted ? cmyk[3] : 255 - cmyk[3];
            rgb[k] = (uint8_t)((ink * black + 127) / 255);
        }
}

static void read_pixels(decoder_t *d, FILE *file)
{
    struct jpeg_decompress_struct *j = &d->jpeg;
    jpeg_stdio_src(j, file);
    jpeg_save_markers(j, EXIF_MARKER, EXIF_BYTES);
    jpeg_read_header(j, TRUE);
    d->orientation = 1;
    for (jpeg_saved_marker_ptr m = j->marker_list; m && d->orientation == 1; m = m->next)
        d->orientation = exif_orientation(m->data, m->data_length);
    if (j->image_width > PICTURE_SIDE_MAX || j->image_height > PICTURE_SIDE_MAX)
        leave(d, "sides are limited to 16384 pixels");
    bool cmyk = j->jpeg_color_space == JCS_CMYK || j->jpeg_color_space == JCS_YCCK;
    j->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    j->dct_method = JDCT_ISLOW; // exact integers: the same pixels on every machine
    jpeg_start_decompress(j);

    size_t w = j->output_width, h = j->output_height;
    d->rgb = malloc(3 * w * h);
    d->cmyk = malloc(4 * w);
    if (!d->rgb || !d->cmyk) leave(d, "no memory for its pixels");
    while (j->output_scanline < j->output_height) {
        uint8_t *to = d->rgb + 3 * w * j->output_scanline;
        JSAMPROW row = cmyk ? d->cmyk : to;
        if (jpeg_read_scanlines(j, &row, 1) != 1) leave(d, "data cut off");
        if (cmyk) row_from_cmyk(to, d->cmyk, (int)w, j->saw_Adobe_marker);
    }
    jpeg_finish_decompress(j);
}

int picture_from_jpeg(picture_t *p, FILE *file, const char *path)
{
    decoder_t *d = alloc(1, sizeof *d); // not a local: longjmp would leave its members undefined
    d->jpeg.err = jpeg_std_error(&d->error);
    d->error.error_exit = on_error;
    d->error.emit_message = on_message;
    d->progress.progress_monitor = on_progress;
    d->jpeg.client_data = d;
    if (!setjmp(d->back)) {
        jpeg_create_decompress(&d->jpeg); // keeps err and client_data
        d->jpeg.progress = &d->progress;
        read_pixels(d, file);
        *p = (picture_t){ .h = (int)d->jpeg.output_height, .w = (int)d->jpeg.output_width, .rgb = d->rgb };
        d->done = true;
    }
    jpeg_destroy_decompress(&d->jpeg);
    int bad = d->done ? 0 : fail("%s: damaged JPEG: %s", path, d->why);
    if (bad)
        free(d->rgb);
    else
        picture_turn(p, d->orientation);
    free(d->cmyk);
    free(d);
    return bad;
}
