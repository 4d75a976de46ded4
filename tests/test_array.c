// ranks: 1 2 4
// What checkpoints are made of: arrays that all ranks write together, the same file whatever their number,
// and in which a single wrong byte is found and named.

#include "test.h"

#include "files.h"

#include "dagan/array.h"

// Rows of 1200 bytes, 54 to a block: 10 blocks, the last one short.
enum { ROWS = 500, REGIONS = 150, ROW = 2 * REGIONS };

static array_t centres(void)
{
    return array_of(H5T_NATIVE_FLOAT, 3, (int[]){ ROWS, REGIONS, 2 });
}

static float value_of(size_t i)
{
    rng_t r = rng_at(1, STREAM_TEST, i, 0);
    return rng_normal(&r);
}

static array_file_t create(const char *name)
{
    array_file_t f;
    if (array_create(&f, &comm, at(name))) fail_msg("%s", error_text());
    return f;
}

static array_file_t open_as(const comm_t *c, const char *path)
{
    array_file_t f;
    if (array_open(&f, c, path)) fail_msg("%s", error_text());
    return f;
}

// Each rank its share of value_of().
static void write_centres(const array_file_t *f, const char *name)
{
    array_t t = centres();
    share_t mine = array_share(&t, &comm);
    float *x = alloc(mine.count * ROW + 1, sizeof *x);
    for (size_t i = 0; i < mine.count * ROW; i++) x[i] = value_of(mine.first * ROW + i);
    if (array_write(f, name, &t, mine, x)) fail_msg("%s", error_text());
    free(x);
}

static int read_centres(const array_file_t *f, const char *name)
{
    array_t t = centres();
    share_t mine = array_share(&t, f->comm);
    float *x = alloc(mine.count * ROW + 1, sizeof *x);
    int bad = array_read(f, name, &t, mine, x);
    for (size_t i = 0; i < mine.count * ROW && !bad; i++) EXPECT(x[i] == value_of(mine.first * ROW + i));
    free(x);
    return bad;
}

static comm_t alone(void)
{
    comm_t c = comm;
    c.all = MPI_COMM_SELF;
    c.rank = 0;
    c.size = 1;
    return c;
}

TEST(blocks_are_spread_whole_and_each_once)
{
    array_t t = centres();
    share_t mine = array_share(&t, &comm);
    double rows = (double)mine.count;
    comm_sum(&comm, &rows, 1);
    assert_int_equal((int)rows, ROWS);
    assert_int_equal(t.block_rows, 65536 / (ROW * sizeof(float)));
    assert_int_equal(mine.first % t.block_rows, 0);
}

TEST(what_ranks_write_together_they_read_together_and_any_rank_alone)
{
    array_file_t f = create("whole.h5");
    write_centres(&f, "/attention/source/centres");
    assert_int_equal(array_close(&f), 0);
    f = open_as(&comm, at("whole.h5"));
    EXPECT(array_exists(&f, "/attention/source/centres"));
    EXPECT(!array_exists(&f, "/attention/target/centres"));
    assert_int_equal(read_centres(&f, "/attention/source/centres"), 0);
    assert_int_equal(array_close(&f), 0);

    comm_t one = alone();
    f = open_as(&one, at("whole.h5"));
    assert_int_equal(read_centres(&f, "/attention/source/centres"), 0);
    assert_int_equal(array_close(&f), 0);
}

TEST(arrays_smaller_than_the_ranks_and_empty_ones_come_back)
{
    static const int sizes[] = { 0, 1, 3 };
    static const char *const names[] = { "/a/none", "/a/one", "/a/three" };
    array_file_t f = create("small.h5");
    for (int pass = 0; pass < 2; pass++) {
        for (int k = 0; k < 3; k++) {
            int64_t x[3] = { 0 };
            array_t t = array_of(H5T_NATIVE_INT64, 1, &sizes[k]);
            share_t mine = array_share(&t, &comm);
            for (size_t i = 0; i < mine.count && pass == 0; i++) x[i] = (int64_t)(mine.first + i) - 7;
            int bad =
                pass == 0 ? array_write(&f, names[k], &t, mine, x) : array_read(&f, names[k], &t, mine, x);
            if (bad) fail_msg("%s", error_text());
            for (size_t i = 0; i < mine.count; i++) assert_int_equal(x[i], (int64_t)(mine.first + i) - 7);
        }
        assert_int_equal(array_close(&f), 0);
        if (pass == 0) f = open_as(&comm, at("small.h5"));
    }
}

// Flips one bit of element i, wherever the file holds it.
static void flip(const char *path, size_t i)
{
    enum { MOST = 1 << 22 };
    uint8_t *bytes = alloc(MOST, 1);
    float x[4] = { value_of(i), value_of(i + 1), value_of(i + 2), value_of(i + 3) };
    size_t n = read_bytes(path, bytes, MOST), at_byte = 0;
    while (at_byte + sizeof x < n && memcmp(bytes + at_byte, x, sizeof x)) at_byte += sizeof *x;
    EXPECT(n < MOST && at_byte + sizeof x < n);
    bytes[at_byte + 1] ^= 4;
    write_bytes(path, bytes, n);
    free(bytes);
}

TEST(a_flipped_bit_is_found_and_its_block_named_on_every_rank)
{
    static const struct {
        size_t row;
        const char *text;
    } e[] = { { 0, "/b/centres, block 0 has a wrong checksum" },
              { 54 * 3 + 53, "/b/centres, block 3 has a wrong checksum" },
              { ROWS - 1, "/b/centres, block 9 has a wrong checksum" } };
    for (int k = 0; k < 3; k++) {
        array_file_t f = create("flipped.h5");
        write_centres(&f, "/b/centres");
        assert_int_equal(array_close(&f), 0);
        if (comm.rank == 0) flip(at("flipped.h5"), e[k].row * ROW + 20);
        comm_barrier(&comm);
        f = open_as(&comm, at("flipped.h5"));
        assert_int_equal(read_centres(&f, "/b/centres"), -1);
        if (!strstr(error_text(), e[k].text)) fail_msg("'%s', wanted '%s'", error_text(), e[k].text);
        EXPECT(strstr(error_text(), "flipped.h5: "));
        assert_int_equal(array_close(&f), 0);
    }
}

TEST(another_shape_or_nothing_at_all_is_said)
{
    array_t other = array_of(H5T_NATIVE_FLOAT, 2, (int[]){ ROWS, 3 });
    share_t mine = array_share(&other, &comm);
    float *x = alloc(mine.count * 3 + 1, sizeof *x);
    array_file_t f = create("shape.h5");
    write_centres(&f, "/c");
    assert_int_equal(array_read(&f, "/c", &other, mine, x), -1);
    EXPECT(strstr(error_text(), "/c is 500 x 150 x 2, wanted 500 x 3"));
    assert_int_equal(array_read(&f, "/d/e", &other, mine, x), -1);
    EXPECT(strstr(error_text(), "has no dataset /d/e"));
    assert_int_equal(array_close(&f), 0);
    free(x);
}

TEST(attributes_come_back)
{
    long step;
    double half;
    char *text;
    array_file_t f = create("attributes.h5");
    write_centres(&f, "/c");
    EXPECT(!array_put_long(&f, "/", "step", 1L << 40) && !array_put_double(&f, "/c", "half", 12.5));
    EXPECT(!array_put_text(&f, "/new/group", "config", "a: 1\nb: \xc3\xa9\n"));
    static const char classes[] = "wide open\0\0\xc3\xa9";
    EXPECT(!array_put_texts(&f, "/c", "classes", classes, 3));
    assert_int_equal(array_close(&f), 0);
    f = open_as(&comm, at("attributes.h5"));
    EXPECT(!array_get_long(&f, "/", "step", &step) && step == 1L << 40);
    EXPECT(!array_get_double(&f, "/c", "half", &half) && half == 12.5);
    EXPECT(!array_get_text(&f, "/new/group", "config", &text));
    EXPECT(strcmp(text, "a: 1\nb: \xc3\xa9\n") == 0);
    free(text);
    int n;
    EXPECT(!array_get_texts(&f, "/c", "classes", &text, &n) && n == 3 &&
           !memcmp(text, classes, sizeof classes));
    free(text);
    EXPECT(array_get_texts(&f, "/new/group", "config", &text, &n) && !text && n == 0); // one text is no list
    EXPECT(array_get_texts(&f, "/c", "half", &text, &n) &&
           array_get_texts(&f, "/none", "classes", &text, &n));
    assert_int_equal(array_get_long(&f, "/c", "step", &step), -1);
    EXPECT(strstr(error_text(), "/c has no attribute step"));
    assert_int_equal(array_close(&f), 0);
}

// An attribute of n numbers, or of a text of n bytes where n < 0.
static void put_attribute(hid_t at_object, const char *key, long n)
{
    hid_t type = H5Tcopy(n < 0 ? H5T_C_S1 : H5T_NATIVE_UINT64);
    hid_t space = n < 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, (hsize_t[]){ (hsize_t)n }, NULL);
    char *zeros = alloc((size_t)labs(n), sizeof(uint64_t));
    if (n < 0) H5_OK(H5Tset_size(type, (size_t)-n));
    hid_t a = (hid_t)H5_OK(H5Acreate2(at_object, key, type, space, H5P_DEFAULT, H5P_DEFAULT));
    H5_OK(H5Awrite(a, type, zeros));
    free(zeros);
    H5Aclose(a);
    H5Sclose(space);
    H5Tclose(type);
}

// Who writes such a file wants a variable of ours to be too small for it.
TEST(attributes_and_checksums_of_hostile_sizes_are_refused)
{
    const char *path = at("hostile.h5");
    if (comm.rank == 0) {
        hid_t late = H5Pcreate(H5P_FILE_ACCESS);
        H5_OK(H5Pset_libver_bounds(late, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST)); // attributes beyond 64 KiB
        hid_t f = (hid_t)H5_OK(H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, late));
        put_attribute(f, "step", 100000);
        put_attribute(f, "none", 0);
        put_attribute(f, "format", 100000);
        put_attribute(f, "config", -(3 << 20));
        hsize_t side[] = { 4 };
        write_array(f, "ints", H5T_NATIVE_INT64, 1, side, (int64_t[4]){ 0 });
        write_array(f, "floats", H5T_NATIVE_FLOAT, 1, side, (float[4]){ 0 });
        hid_t d = H5Dopen2(f, "ints", H5P_DEFAULT);
        put_attribute(d, "block_rows", 100000);
        H5Dclose(d);
        H5_OK(H5Fclose(f));
        H5Pclose(late);
    }
    comm_barrier(&comm);
    struct {
        long step;
        int64_t x[4];
        char guard[64];
    } s = { 0 };
    char *text = NULL;
    double none;
    array_t t = array_of(H5T_NATIVE_INT64, 1, (int[]){ 4 });
    array_file_t f = open_as(&comm, path);
    assert_int_equal(array_get_long(&f, "/", "step", &s.step), -1);
    assert_int_equal(array_get_double(&f, "/", "none", &none), -1);
    assert_int_equal(array_get_text(&f, "/", "format", &text), -1);
    EXPECT(!text);
    assert_int_equal(array_get_text(&f, "/", "config", &text), -1);
    EXPECT(!text);
    assert_int_equal(array_read(&f, "/ints", &t, array_share(&t, &comm), s.x), -1);
    EXPECT(strstr(error_text(), "/ints has no checksums"));
    assert_int_equal(array_read(&f, "/floats", &t, array_share(&t, &comm), s.x), -1);
    EXPECT(strstr(error_text(), "/floats holds numbers of another type"));
    for (size_t i = 0; i < sizeof s.guard; i++) EXPECT(!s.guard[i]);
    assert_int_equal(array_close(&f), 0);
}

TEST(a_file_that_is_not_hdf5_is_no_checkpoint)
{
    array_file_t f;
    const char *path = at("text.h5");
    if (comm.rank == 0) write_bytes(path, "no such thing", 13);
    comm_barrier(&comm);
    assert_int_equal(array_open(&f, &comm, path), -1);
    EXPECT(strstr(error_text(), "cannot be read as HDF5"));
}
