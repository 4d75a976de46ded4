// ranks: 1 2 3
// A data set is opened, checked and spread over the ranks; each mistake in a file gives its one line.
#include "test.h"

#include "files.h"

#include "../src/data/dataset.h"

enum { ROWS = 7, SIZE = 8 };

static int open_it(dataset_t *d, const char *file, const char *group, const char *split, int size,
                   int n_labels)
{
    domain_conf_t where = domain_at(file, group);
    return dataset_open(d, &comm, &where, split, size, both_labels, n_labels);
}

static const char *fresh(const char *name)
{
    const char *path = at(name);
    comm_barrier(&comm);
    if (comm.rank == 0) write_dataset(path, ROWS, SIZE);
    comm_barrier(&comm);
    return path;
}

TEST(every_rank_fetches_every_row)
{
    dataset_t d;
    assert_int_equal(open_it(&d, fresh("good.h5"), "/faces", "train", SIZE, 2), 0);
    assert_int_equal(d.n, ROWS);
    size_t image = 3 * SIZE * SIZE;
    assert_int_equal(dataset_row_bytes(&d), image + 4);
    uint8_t *row = alloc(dataset_row_bytes(&d), 1);
    for (size_t r = 0; r < ROWS; r++) {
        dataset_get(&d, r, row);
        for (size_t i = 0; i < image; i++) assert_int_equal(row[i], pixel_of(r, i));
        int16_t label[2];
        memcpy(label, row + image, sizeof label);
        assert_int_equal(label[0], hair_of(r)); // in the order asked for, not the file's
        assert_int_equal(label[1], eyes_of(r));
    }
    free(row);
    dataset_close(&d);
}

TEST(class_names_come_from_fixed_and_variable_strings)
{
    dataset_t d;
    assert_int_equal(open_it(&d, fresh("names.h5"), "faces", "train", SIZE, 2), 0);
    assert_int_equal(d.n_classes[0], 2);
    assert_int_equal(d.n_classes[1], 3);
    assert_string_equal(dataset_class(&d, 0, 0), "long");
    assert_string_equal(dataset_class(&d, 0, 1), "short");
    assert_string_equal(dataset_class(&d, 1, 0), "closed");
    assert_string_equal(dataset_class(&d, 1, 1), "open");
    assert_string_equal(dataset_class(&d, 1, 2), "wink");
    dataset_close(&d);
}

TEST(domains_must_mean_the_same_by_a_class)
{
    const char *one = fresh("one.h5"), *other = fresh("other.h5");
    if (comm.rank == 0) {
        hid_t file = H5Fopen(other, H5F_ACC_RDWR, H5P_DEFAULT),
              hair = H5Dopen2(file, "faces/train/labels/hair", 0);
        H5_OK(H5Adelete(hair, "classes"));
        H5Dclose(hair);
        write_classes(file, "faces/train/labels/hair", 2, 5,
                      "long\0"
                      "SHORT");
        H5Fclose(file);
    }
    comm_barrier(&comm);
    dataset_t a, b;
    assert_int_equal(open_it(&a, one, "faces", "train", SIZE, 2), 0);
    assert_int_equal(open_it(&b, other, "faces", "train", SIZE, 2), 0);
    assert_int_equal(dataset_same_classes(&a, &a), 0);
    assert_int_equal(dataset_same_classes(&a, &b), -1);
    EXPECT(strstr(error_text(), "labels/hair: class 1 is 'SHORT', in "));
    dataset_close(&b);
    dataset_close(&a);
}

// ---- checksums -----------------------------------------------------------------------------------

TEST(a_checksum_weighs_the_crc32_of_each_row_with_its_number)
{
    const char *rows = "123456789"
                       "abcdefghi";
    EXPECT(checksum_of(rows, 0, 1, 9) == 0xcbf43926); // the check value that every CRC-32 is told by
    EXPECT(checksum_of(rows, 0, 2, 9) == 0xcbf43926 + 2 * 0x8da988afull); // Python's zlib.crc32(b"abcdefghi")
    EXPECT(checksum_of(rows + 9, 1, 1, 9) == 2 * 0x8da988afull);
}

TEST(ranks_add_checksums_beyond_32_bits_and_wrap_at_64)
{
    uint64_t sum = comm.rank == 0 ? UINT64_MAX - 2 : 0x100000002;
    checksum_add_up(&sum, &comm);
    EXPECT(sum == (uint64_t)0x100000002 * (uint64_t)(comm.size - 1) - 3);
}

// Gives the images of `path` the checksum `sum`, and opens it.
static int with_checksum(const char *path, uint64_t sum, const char *name)
{
    comm_barrier(&comm);
    if (comm.rank == 0) {
        hid_t file = (hid_t)H5_OK(H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT)),
              d = (hid_t)H5_OK(H5Dopen2(file, name, H5P_DEFAULT));
        checksum_write(d, sum);
        H5_OK(H5Dclose(d));
        H5_OK(H5Fclose(file));
    }
    comm_barrier(&comm);
    dataset_t d;
    listen();
    int bad = open_it(&d, path, "faces", "train", SIZE, 2);
    if (!bad) dataset_close(&d);
    return bad;
}

TEST(rows_that_are_not_those_of_the_checksum_are_refused)
{
    uint64_t images = 0, eyes = 0;
    for (size_t r = 0; r < ROWS; r++) {
        uint8_t image[3 * SIZE * SIZE];
        int16_t label = eyes_of(r);
        for (size_t i = 0; i < sizeof image; i++) image[i] = pixel_of(r, i);
        images += checksum_of(image, r, 1, sizeof image);
        eyes += checksum_of(&label, r, 1, sizeof label);
    }
    assert_int_equal(with_checksum(fresh("sum.h5"), images, "faces/train/images"), 0);
    assert_string_equal(heard(), "");
    assert_int_equal(with_checksum(fresh("sum.h5"), eyes, "faces/train/labels/eyes"), 0);
    assert_string_equal(heard(), "");
    assert_int_equal(with_checksum(fresh("sum.h5"), images + 1, "faces/train/images"), -1);
    expect_line(heard(), "sum.h5:/faces/train/images: its checksum is ");
    assert_int_equal(with_checksum(fresh("sum.h5"), eyes ^ (1ull << 60), "faces/train/labels/eyes"), -1);
    expect_line(heard(), "sum.h5:/faces/train/labels/eyes: its checksum is ");
}

// ---- mistakes ------------------------------------------------------------------------------------

static void replace(hid_t f, const char *name, hid_t type, int rank, const hsize_t *side)
{
    H5_OK(H5Ldelete(f, name, H5P_DEFAULT));
    write_array(f, name, type, rank, side, NULL);
}

#define IMAGES "faces/train/images"
#define EYES "faces/train/labels/eyes"

static void good(UNUSED hid_t f)
{
}
static void no_images(hid_t f)
{
    H5Ldelete(f, IMAGES, 0);
}
static void float_images(hid_t f)
{
    replace(f, IMAGES, H5T_NATIVE_FLOAT, 4, (hsize_t[]){ ROWS, SIZE, SIZE, 3 });
}
static void signed_images(hid_t f)
{
    replace(f, IMAGES, H5T_NATIVE_INT8, 4, (hsize_t[]){ ROWS, SIZE, SIZE, 3 });
}
static void flat_images(hid_t f)
{
    replace(f, IMAGES, H5T_NATIVE_UINT8, 2, (hsize_t[]){ ROWS, SIZE });
}
static void planar_images(hid_t f)
{
    replace(f, IMAGES, H5T_NATIVE_UINT8, 4, (hsize_t[]){ ROWS, 3, SIZE, SIZE });
}
static void zero_images(hid_t f)
{
    replace(f, IMAGES, H5T_NATIVE_UINT8, 4, (hsize_t[]){ 0, SIZE, SIZE, 3 });
}
static void no_labels(hid_t f)
{
    H5Ldelete(f, "faces/train/labels", 0);
}
static void no_eyes(hid_t f)
{
    H5Ldelete(f, EYES, 0);
}
static void float_eyes(hid_t f)
{
    replace(f, EYES, H5T_NATIVE_DOUBLE, 1, (hsize_t[]){ ROWS });
}
static void short_eyes(hid_t f)
{
    replace(f, EYES, H5T_NATIVE_INT16, 1, (hsize_t[]){ ROWS - 1 });
}
static void square_eyes(hid_t f)
{
    replace(f, EYES, H5T_NATIVE_INT16, 2, (hsize_t[]){ ROWS, 2 });
}
static void no_classes(hid_t f)
{
    replace(f, EYES, H5T_NATIVE_INT16, 1, (hsize_t[]){ ROWS });
}

static void number_classes(hid_t f)
{
    no_classes(f);
    hid_t d = H5Dopen2(f, EYES, 0), space = H5Screate_simple(1, (hsize_t[]){ 3 }, NULL);
    H5Aclose(H5Acreate2(d, "classes", H5T_NATIVE_INT, space, 0, 0));
    H5Sclose(space);
    H5Dclose(d);
}

static void wild_eyes(hid_t f) // 65539 would be 3 in 16 bits, -65536 would be 0
{
    int32_t value[ROWS] = { 0, 1, 2, -1, 0, 65539, -65536 };
    H5_OK(H5Ldelete(f, EYES, 0));
    write_array(f, EYES, H5T_NATIVE_INT32, 1, (hsize_t[]){ ROWS }, value);
    write_classes(f, EYES, 3, 1, "abc");
}

static void damaged_chunk(hid_t f) // says gzip and is not
{
    hid_t p = H5Pcreate(H5P_DATASET_CREATE),
          space = H5Screate_simple(4, (hsize_t[]){ ROWS, SIZE, SIZE, 3 }, NULL);
    H5Pset_chunk(p, 4, (hsize_t[]){ 1, SIZE, SIZE, 3 });
    H5Pset_deflate(p, 6);
    H5_OK(H5Ldelete(f, IMAGES, 0));
    hid_t d = (hid_t)H5_OK(H5Dcreate2(f, IMAGES, H5T_NATIVE_UINT8, space, 0, p, 0));
    H5_OK(H5Dwrite_chunk(d, H5P_DEFAULT, 0, (hsize_t[]){ ROWS - 1, 0, 0, 0 }, 9, "not gzip"));
    H5Dclose(d);
    H5Sclose(space);
    H5Pclose(p);
}

static const struct {
    void (*break_it)(hid_t file);
    const char *group, *split;
    int size;
    const char *line;
} mistakes[] = {
    { good, "faces", "train", 64, "broken.h5:/faces/train/images: images are 8x8, data.size is 64" },
    { good, "", "train", SIZE, "broken.h5: has no group '' (it holds: faces)" },
    { good, "faecs", "train", SIZE, "broken.h5: has no group 'faecs' (it holds: faces)" },
    { good, "faces", "test", SIZE, "broken.h5:/faces: has no split 'test' (it holds: train)" },
    { no_images, "faces", "train", SIZE, "/faces/train: has no dataset 'images'" },
    { float_images, "faces", "train", SIZE, "/faces/train/images: wanted bytes (uint8)" },
    { signed_images, "faces", "train", SIZE, "/faces/train/images: wanted bytes (uint8)" },
    { flat_images, "faces", "train", SIZE, "/images: has 2 dimensions, wanted 4 (n, h, w, 3)" },
    { planar_images, "faces", "train", SIZE, "/images: last dimension is 8, wanted 3 (n, h, w, 3)" },
    { zero_images, "faces", "train", SIZE, "/images: has no rows" },
    { no_labels, "faces", "train", SIZE, "/faces/train: has no labels 'hair' (it holds: nothing)" },
    { no_eyes, "faces", "train", SIZE, "/faces/train: has no labels 'eyes' (it holds: hair)" },
    { float_eyes, "faces", "train", SIZE, "/labels/eyes: wanted integers (int16)" },
    { short_eyes, "faces", "train", SIZE, "/labels/eyes: has 6 rows, images have 7" },
    { square_eyes, "faces", "train", SIZE, "/labels/eyes: has 2 dimensions, wanted 1 (n)" },
    { no_classes, "faces", "train", SIZE, "/labels/eyes: has no attribute 'classes' (the class names)" },
    { number_classes, "faces", "train", SIZE, "/labels/eyes: attribute 'classes' is not a list of strings" },
    { wild_eyes, "faces", "train", SIZE, "/labels/eyes: row 5 is 65539, wanted -1 to 2" },
    { damaged_chunk, "faces", "train", SIZE, "/images: rows " },
};

TEST(each_mistake_in_a_file_gives_its_line_once)
{
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        const char *path = fresh("broken.h5");
        if (comm.rank == 0) {
            hid_t file = (hid_t)H5_OK(H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT));
            mistakes[i].break_it(file);
            H5_OK(H5Fclose(file));
        }
        comm_barrier(&comm);
        dataset_t d;
        listen();
        int bad = open_it(&d, path, mistakes[i].group, mistakes[i].split, mistakes[i].size, 2);
        expect_line(heard(), mistakes[i].line);
        assert_int_equal(bad, -1);
    }
}

static void expect_refused(const char *path, const char *line)
{
    dataset_t d;
    comm_barrier(&comm);
    listen();
    int bad = open_it(&d, path, "faces", "train", SIZE, 0);
    expect_line(heard(), line);
    assert_int_equal(bad, -1);
}

TEST(files_that_are_no_hdf5_are_refused)
{
    expect_refused("", "no data file is named");
    expect_refused(at("nowhere.h5"), "nowhere.h5: cannot be read: No such file or directory");
    const char *path = at("text.h5");
    if (comm.rank == 0) write_bytes(path, "faces: here\n", 12);
    expect_refused(path, "text.h5: not an HDF5 file");
    static char half[1 << 20];
    path = fresh("half.h5");
    if (comm.rank == 0) write_bytes(path, half, read_bytes(path, half, sizeof half) / 2);
    expect_refused(path, "half.h5: damaged HDF5 file");
}

TEST(pixels_go_to_minus_one_to_one_and_back)
{
    uint8_t in[256], out[256];
    float x[256], wild[4] = { -3, 7, NAN, 0.004f };
    for (int i = 0; i < 256; i++) in[i] = (uint8_t)i;
    pixels_to_float(x, in, 256);
    EXPECT(x[0] == -1 && x[255] == 1);
    pixels_to_byte(out, x, 256);
    assert_memory_equal(in, out, 256);
    pixels_to_byte(out, wild, 4);
    EXPECT(out[0] == 0 && out[1] == 255 && out[2] == 0 && out[3] == 128);
}
