// ranks: 1
// Pictures of every kind become RGB, resizing keeps areas and gradients, damaged files are refused.
#include "test.h"

#include "files.h"

#include <jpeglib.h>
#include <png.h>

enum { H = 11, W = 13 };

// Value of channel `k` at (y, x), 0..255, smooth enough for JPEG.
static int value(int y, int x, int k)
{
    return k == 3 ? 255 * x / (W - 1) : 20 + 9 * y + 5 * x + 15 * k;
}

// A PNG whose rows hold 1 to 4 channels of 8 or 16 bits, or 4-bit indices into a palette of greys.
static void write_png(const char *path, int colour, int depth, int interlace)
{
    FILE *f = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_init_io(png, f);
    png_set_IHDR(png, info, W, H, depth, colour, interlace, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_color palette[16];
    png_byte alpha[16];
    for (int i = 0; i < 16; i++) {
        palette[i] = (png_color){ (png_byte)(17 * i), (png_byte)(255 - i), 7 };
        alpha[i] = i == 3 ? 0 : 255;
    }
    if (colour == PNG_COLOR_TYPE_PALETTE) {
        png_set_PLTE(png, info, palette, 16);
        png_set_tRNS(png, info, alpha, 16, NULL);
    }
    png_write_info(png, info);
    if (depth < 8) png_set_packing(png);
    int passes = interlace ? png_set_interlace_handling(png) : 1, channels = png_get_channels(png, info);
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < H; y++) {
            png_byte row[W * 8], *to = row;
            for (int x = 0; x < W; x++)
                for (int c = 0; c < channels; c++) {
                    bool is_alpha = (colour & PNG_COLOR_MASK_ALPHA) && c == channels - 1;
                    int v = depth < 8 ? (y + x) % 16 : value(y, x, is_alpha ? 3 : c);
                    *to++ = (png_byte)v;
                    if (depth == 16) *to++ = (png_byte)v; // 257 v
                }
            png_write_row(png, row);
        }
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(f);
}

static void write_jpeg(const char *path, int channels, bool progressive)
{
    struct jpeg_compress_struct j;
    struct jpeg_error_mgr error;
    FILE *f = fopen(path, "wb");
    j.err = jpeg_std_error(&error);
    jpeg_create_compress(&j);
    jpeg_stdio_dest(&j, f);
    j.image_width = W;
    j.image_height = H;
    j.input_components = channels;
    j.in_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&j);
    jpeg_set_quality(&j, 100, TRUE);
    for (int c = 0; c < j.num_components; c++)
        j.comp_info[c].h_samp_factor = j.comp_info[c].v_samp_factor = 1;
    if (progressive) jpeg_simple_progression(&j);
    jpeg_start_compress(&j, TRUE);
    for (int y = 0; y < H; y++) {
        JSAMPLE row[W * 4];
        for (int x = 0; x < W; x++)
            for (int c = 0; c < channels; c++) // CMYK: no black, ink inverted as Adobe does
                row[x * channels + c] = (JSAMPLE)(c == 3 ? 255 : value(y, x, c));
        JSAMPROW rows = row;
        jpeg_write_scanlines(&j, &rows, 1);
    }
    jpeg_finish_compress(&j);
    jpeg_destroy_compress(&j);
    fclose(f);
}

static void expect_values(const char *path, bool grey, bool alpha, double tolerance)
{
    picture_t p;
    if (picture_read(&p, path)) print_error("%s\n", error_text());
    EXPECT(p.rgb && p.h == H && p.w == W);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int k = 0; k < 3; k++) {
                double v = value(y, x, grey ? 0 : k), a = alpha ? value(y, x, 3) / 255. : 1;
                double got = p.rgb[3 * (y * W + x) + k];
                EXPECT(fabs(got - (v * a + 255 * (1 - a))) <= tolerance);
            }
    picture_free(&p);
}

TEST(every_kind_of_png_becomes_rgb_over_white)
{
    static const int colours[] = { PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                                   PNG_COLOR_TYPE_RGB_ALPHA };
    for (int i = 0; i < 4; i++)
        for (int depth = 8; depth <= 16; depth += 8)
            for (int interlace = 0; interlace < 2; interlace++) {
                write_png(at("kind.png"), colours[i], depth, interlace);
                expect_values(at("kind.png"), i < 2, i % 2, 0.5); // rounding of the blend
            }
}

TEST(a_palette_and_its_transparency_are_applied)
{
    picture_t p;
    write_png(at("palette.png"), PNG_COLOR_TYPE_PALETTE, 4, PNG_INTERLACE_ADAM7);
    assert_int_equal(picture_read(&p, at("palette.png")), 0);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            int i = (y + x) % 16;
            const uint8_t *got = p.rgb + 3 * (y * W + x);
            EXPECT(got[0] == (i == 3 ? 255 : 17 * i) && got[1] == (i == 3 ? 255 : 255 - i));
        }
    picture_free(&p);
}

TEST(every_kind_of_jpeg_becomes_rgb)
{
    for (int progressive = 0; progressive < 2; progressive++)
        for (int channels = 1; channels <= 4; channels += channels == 1 ? 2 : 1) {
            write_jpeg(at("kind.jpg"), channels, progressive);
            expect_values(at("kind.jpg"), channels == 1, false, 3); // quality 100 is not lossless
        }
}

// ---- orientation ---------------------------------------------------------------------------------

static char bytes[1 << 16];

// A JPEG whose EXIF tells `orientation` as its second entry, in either byte order.
static void write_photo(const char *path, int orientation, bool is_big)
{
    static const char little[] = "\xff\xe1\0\x2a"
                                 "Exif\0\0"
                                 "II*\0\x08\0\0\0"
                                 "\x02\0"
                                 "\x00\x01\x04\0\x01\0\0\0\x0d\0\0\0"
                                 "\x12\x01\x03\0\x01\0\0\0";
    static const char big[] = "\xff\xe1\0\x2a"
                              "Exif\0\0"
                              "MM\0*\0\0\0\x08"
                              "\0\x02"
                              "\x01\x00\0\x04\0\0\0\x01\0\0\0\x0d"
                              "\x01\x12\0\x03\0\0\0\x01";
    write_jpeg(path, 3, false);
    size_t n = read_bytes(path, bytes, sizeof bytes), head = sizeof little - 1;
    memmove(bytes + 2 + head + 4, bytes + 2, n - 2);
    memcpy(bytes + 2, is_big ? big : little, head);
    memset(bytes + 2 + head, 0, 4);
    bytes[2 + head + is_big] = (char)orientation;
    write_bytes(path, bytes, n + head + 4);
}

// Row and column of the stored picture that are seen at (y, x).
static void stored_at(int orientation, int y, int x, int *row, int *column)
{
    const int where[9][2] = {
        { 0 },    { y, x },         { y, W - 1 - x },         { H - 1 - y, W - 1 - x }, { H - 1 - y, x },
        { x, y }, { H - 1 - x, y }, { H - 1 - x, W - 1 - y }, { x, W - 1 - y }
    };
    *row = where[orientation][0];
    *column = where[orientation][1];
}

static void expect_turned(int orientation, int wanted)
{
    picture_t stored, seen;
    write_jpeg(at("stored.jpg"), 3, false);
    assert_int_equal(picture_read(&stored, at("stored.jpg")), 0);
    for (int is_big = 0; is_big < 2; is_big++) {
        write_photo(at("photo.jpg"), orientation, is_big);
        if (picture_read(&seen, at("photo.jpg"))) fail_msg("%s", error_text());
        assert_int_equal(seen.h, wanted < 5 ? H : W);
        assert_int_equal(seen.w, wanted < 5 ? W : H);
        for (int y = 0; y < seen.h; y++)
            for (int x = 0; x < seen.w; x++) {
                int row, column;
                stored_at(wanted, y, x, &row, &column);
                assert_memory_equal(seen.rgb + 3 * (y * seen.w + x), stored.rgb + 3 * (row * W + column), 3);
            }
        picture_free(&seen);
    }
    picture_free(&stored);
}

TEST(photos_are_turned_as_their_exif_says)
{
    for (int orientation = 1; orientation <= 8; orientation++) expect_turned(orientation, orientation);
    expect_turned(0, 1);
    expect_turned(9, 1);
}

TEST(a_picture_written_is_read_back_the_same)
{
    picture_t p, q;
    picture_init(&p, H, W);
    EXPECT(p.rgb[0] == 255 && p.rgb[3 * H * W - 1] == 255);
    for (int i = 0; i < 3 * H * W; i++) p.rgb[i] = (uint8_t)(i * i);
    assert_int_equal(picture_write(&p, at("again.jpg")), 0); // content counts, not the name
    assert_int_equal(picture_read(&q, at("again.jpg")), 0);
    assert_memory_equal(p.rgb, q.rgb, 3 * H * W);
    picture_free(&q);
    assert_int_equal(picture_write(&p, at("no/such/folder.png")), -1);
    EXPECT(strstr(error_text(), "folder.png: cannot be written: No such file"));
    if (!access("/dev/full", W_OK)) {
        assert_int_equal(picture_write(&p, "/dev/full"), -1);
        EXPECT(strstr(error_text(), "/dev/full: cannot be written: No space left on device"));
        EXPECT(!access("/dev/full", W_OK)); // a device is not removed, as half a picture is
    }
    picture_free(&p);
}

TEST(only_our_own_pictures_may_be_wider_than_16384)
{
    picture_t p, q;
    picture_init(&p, 2, 16400);
    assert_int_equal(picture_write(&p, at("wide.png")), 0);
    assert_int_equal(picture_read(&q, at("wide.png")), -1);
    EXPECT(strstr(error_text(), "exceeds user limit"));
    assert_int_equal(picture_read_back(&q, at("wide.png")), 0);
    EXPECT(q.h == 2 && q.w == 16400);
    picture_free(&q);
    picture_free(&p);
}

// ---- resizing ------------------------------------------------------------------------------------

static picture_t ramp(int h, int w)
{
    picture_t p;
    picture_init(&p, h, w);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            uint8_t *to = p.rgb + 3 * (y * w + x);
            to[0] = (uint8_t)(8 * x);
            to[1] = (uint8_t)(8 * y);
            to[2] = (uint8_t)(x == 4 && y == 4 ? 255 : 0);
        }
    return p;
}

TEST(fit_crops_the_centre)
{
    picture_t p = ramp(20, 8), q;
    picture_fit(&q, &p, 8);
    EXPECT(q.h == 8 && q.w == 8);
    for (int i = 0; i < 64; i++) EXPECT(q.rgb[3 * i] == 8 * (i % 8) && q.rgb[3 * i + 1] == 8 * (i / 8 + 6));
    picture_free(&q);
    picture_free(&p);
}

// Output pixel i of a ramp 8 x shrunk or grown lies at source position (i + 0.5) from / to - 0.5.
static void expect_ramp(int from, int to)
{
    picture_t p = ramp(from, from), q;
    picture_fit(&q, &p, to);
    double spot = 0;
    for (int y = 0; y < to; y++)
        for (int x = 0; x < to; x++) {
            const uint8_t *got = q.rgb + 3 * (y * to + x);
            double px = (x + 0.5) * from / to - 0.5, py = (y + 0.5) * from / to - 0.5;
            px = fmin(fmax(px, 0), from - 1), py = fmin(fmax(py, 0), from - 1);
            // Area means of a ramp of pixels differ from the ramp by less than an eighth of a step.
            double slack = to < from ? 0.5 + 1 : 0.5;
            EXPECT(fabs(got[0] - 8 * px) <= slack + 1e-9 && fabs(got[1] - 8 * py) <= slack + 1e-9);
            spot += got[2];
        }
    // The lone pixel's light is spread, not lost: rounding takes at most half a step of each pixel it meets.
    if (to < from) EXPECT(fabs(spot - 255. * to * to / (from * from)) <= 2);
    picture_free(&q);
    picture_free(&p);
}

TEST(shrinking_takes_area_means_and_growing_interpolates)
{
    static const int sides[] = { 1, 2, 3, 5, 8, 9, 15, 16, 17, 27 };
    for (int i = 0; i < 10; i++) expect_ramp(9, sides[i]);
    expect_ramp(16, 8);
    expect_ramp(1, 4);
}

// ---- damage --------------------------------------------------------------------------------------

static void expect_bad(const char *path, const char *why)
{
    picture_t p;
    assert_int_equal(picture_read(&p, path), -1);
    EXPECT(p.rgb == NULL);
    if (!strstr(error_text(), why)) print_error("'%s', wanted '%s'\n", error_text(), why);
    EXPECT(strstr(error_text(), why));
}

static void expect_each_cut_refused(const char *path)
{
    size_t n = read_bytes(path, bytes, sizeof bytes);
    for (size_t cut = 0; cut < n; cut += 1 + cut / 64) {
        write_bytes(at("cut"), bytes, cut);
        expect_bad(at("cut"), "cut: ");
    }
    write_bytes(at("cut"), bytes, n - 1);
    expect_bad(at("cut"), "cut: damaged ");
}

// Anything may be decoded or refused; what counts is that nothing breaks (run it under ASan).
static void flip_bits(const char *path)
{
    size_t n = read_bytes(path, bytes, sizeof bytes);
    rng_t r = rng_at(7, STREAM_TEST, n, 0);
    for (int i = 0; i < 2000; i++) {
        uint32_t where = rng_below(&r, (uint32_t)n);
        char before = bytes[where];
        bytes[where] = (char)rng_u32(&r);
        write_bytes(at("flipped"), bytes, n);
        picture_t p;
        if (!picture_read(&p, at("flipped"))) picture_free(&p);
        bytes[where] = before;
    }
}

TEST(damaged_files_are_refused)
{
    write_photo(at("whole"), 6, true);
    flip_bits(at("whole"));
    write_png(at("whole"), PNG_COLOR_TYPE_RGB_ALPHA, 16, PNG_INTERLACE_ADAM7);
    expect_each_cut_refused(at("whole"));
    flip_bits(at("whole"));
    for (int progressive = 0; progressive < 2; progressive++) {
        write_jpeg(at("whole"), 3, progressive);
        expect_each_cut_refused(at("whole"));
        flip_bits(at("whole"));
    }
}

TEST(what_is_no_picture_is_refused)
{
    expect_bad(at("nowhere.png"), "nowhere.png: No such file or directory");
    expect_bad(folder, "not a file");
    write_bytes(at("empty.png"), "", 0);
    expect_bad(at("empty.png"), "empty.png: empty file");
    write_bytes(at("text.png"), "GIF89a or so", 12);
    expect_bad(at("text.png"), "text.png: neither PNG nor JPEG");
}

TEST(sides_beyond_the_limit_are_refused_before_memory_is_taken)
{
    write_png(at("wide.png"), PNG_COLOR_TYPE_RGB, 8, 0);
    size_t n = read_bytes(at("wide.png"), bytes, sizeof bytes);
    png_save_uint_32((png_bytep)bytes + 16, 16385); // width in IHDR, whose CRC covers bytes 12..28
    uint32_t crc = ~0u;
    for (int i = 12; i < 29; i++) {
        crc ^= (uint8_t)bytes[i];
        for (int k = 0; k < 8; k++) crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    }
    png_save_uint_32((png_bytep)bytes + 29, ~crc);
    write_bytes(at("wide.png"), bytes, n);
    expect_bad(at("wide.png"), "exceeds user limit");

    write_jpeg(at("tall.jpg"), 3, false);
    n = read_bytes(at("tall.jpg"), bytes, sizeof bytes);
    for (size_t i = 0; i + 6 < n; i++)
        if ((uint8_t)bytes[i] == 0xff && (uint8_t)bytes[i + 1] == 0xc0) {
            bytes[i + 5] = (char)0xff; // height in SOF0
            break;
        }
    write_bytes(at("tall.jpg"), bytes, n);
    expect_bad(at("tall.jpg"), "sides are limited to 16384 pixels");
}
