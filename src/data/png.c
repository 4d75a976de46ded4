// PNG in and out through libpng.  Any colour type and depth becomes 8-bit RGB, alpha over white.
// libpng leaves by longjmp, which makes locals changed after setjmp undefined: all state that must
// survive lives on the heap.
#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "picture.h"

typedef struct {
    png_structp png;
    png_infop info;
    uint8_t *rgba; // (h, w, 4), squeezed to (h, w, 3) at the end
    int h, w, side_max;
    bool done;
    char warned[80], why[160]; // the last warning, which often tells more than the error
    jmp_buf back;
} coder_t;

static _Noreturn void on_error(png_structp png, png_const_charp why)
{
    coder_t *c = png_get_error_ptr(png);
    snprintf(c->why, sizeof c->why, c->warned[0] ? "%s (%s)" : "%s", why, c->warned);
    longjmp(c->back, 1);
}

// Warnings alone are about colour profiles, dates and the like; damaged pixels are errors.
static void on_warning(png_structp png, png_const_charp why)
{
    coder_t *c = png_get_error_ptr(png);
    snprintf(c->warned, sizeof c->warned, "%s", why);
}

static void read_pixels(coder_t *c, FILE *file)
{
    png_init_io(c->png, file);
    png_set_user_limits(c->png, (png_uint_32)c->side_max, (png_uint_32)c->side_max);
    png_set_chunk_malloc_max(c->png, 8u << 20);
    png_set_chunk_cache_max(c->png, 128);
    png_read_info(c->png, c->info);
    c->h = (int)png_get_image_height(c->png, c->info);
    c->w = (int)png_get_image_width(c->png, c->info);

    png_set_expand(c->png); // palette to RGB, few bits to 8, transparent colour to alpha
    png_set_scale_16(c->png);
    png_set_gray_to_rgb(c->png);
    png_set_add_alpha(c->png, 0xff, PNG_FILLER_AFTER);
    int passes = png_set_interlace_handling(c->png);
    png_read_update_info(c->png, c->info);
    size_t stride = 4 * (size_t)c->w; // sides below 2^20, so 2^42 for the whole: no overflow
    if (png_get_rowbytes(c->png, c->info) != stride) png_error(c->png, "unknown pixel layout");

    c->rgba = malloc(stride * (size_t)c->h);
    if (!c->rgba) png_error(c->png, "no memory for its pixels");
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < c->h; y++) png_read_row(c->png, c->rgba + stride * (size_t)y, NULL);
    png_read_end(c->png, NULL); // finds files cut off behind the last pixel
}

static uint8_t over_white(int v, int alpha)
{
    return (uint8_t)((v * alpha + 255 * (255 - alpha) + 127) / 255);
}

// (n, 4) to (n, 3) in the same place.
static void squeeze(uint8_t *rgba, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *from = rgba + 4 * i;
        int alpha = from[3];
        for (size_t k = 0; k < 3; k++) rgba[3 * i + k] = over_white(from[k], alpha);
    }
}

int picture_from_png(picture_t *p, FILE *file, const char *path, int side_max)
{
    coder_t *c = alloc(1, sizeof *c);
    c->side_max = side_max;
    if (!setjmp(c->back)) {
        c->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, c, on_error, on_warning);
        c->info = c->png ? png_create_info_struct(c->png) : NULL;
        CHECK(c->info, "no memory for libpng");
        read_pixels(c, file);
        c->done = true;
    }
    png_destroy_read_struct(&c->png, &c->info, NULL);
    int bad = c->done ? 0 : fail("%s: damaged PNG: %s", path, c->why);
    if (bad) {
        free(c->rgba);
    } else {
        size_t n = (size_t)c->h * (size_t)c->w;
        squeeze(c->rgba, n);
        uint8_t *less = realloc(c->rgba, 3 * n);
        *p = (picture_t){ .h = c->h, .w = c->w, .rgb = less ? less : c->rgba };
    }
    free(c);
    return bad;
}

static void write_pixels(coder_t *c, FILE *file, const picture_t *p)
{
    png_init_io(c->png, file);
    png_set_IHDR(c->png, c->info, (png_uint_32)p->w, (png_uint_32)p->h, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(c->png, c->info);
    for (int y = 0; y < p->h; y++) png_write_row(c->png, p->rgb + 3 * (size_t)p->w * (size_t)y);
    png_write_end(c->png, NULL);
}

// Not a device, which is nobody's to remove.
static bool is_regular(FILE *file)
{
    struct stat s;
    return fstat(fileno(file), &s) == 0 && S_ISREG(s.st_mode);
}

int picture_write(const picture_t *p, const char *path)
{
    FILE *file = fopen(path, "wb");
    if (!file) return fail("%s: cannot be written: %s", path, strerror(errno));
    coder_t *c = alloc(1, sizeof *c);
    errno = 0;
    if (!setjmp(c->back)) {
        c->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, c, on_error, on_warning);
        c->info = c->png ? png_create_info_struct(c->png) : NULL;
        CHECK(c->info, "no memory for libpng");
        write_pixels(c, file, p);
        c->done = true;
    }
    png_destroy_write_struct(&c->png, &c->info);
    int bad = c->done ? 0 : fail("%s: cannot be written: %s", path, errno ? strerror(errno) : c->why);
    bool is_ours = is_regular(file);
    if (fclose(file) && !bad) bad = fail("%s: cannot be written: %s", path, strerror(errno));
    if (bad && is_ours) unlink(path); // a half of it is of no use
    free(c);
    return bad;
}
