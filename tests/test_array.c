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

static array_file_t open_as(const comm_t *c, const char *path)
{
    array_file_t f;
    if (array_open(&f, c, path)) fail_msg("%s", error_text());
    return f;
}

static int no_attributes(const array_file_t *f, const void *arg)
{
    (void)f, (void)arg;
    return 0;
}

static void finish(save_t *s, save_attributes_t *attributes)
{
    if (save_whole(s, attributes, NULL)) fail_msg("%s", error_text());
    save_free(s);
}

// A file of one dataset, each rank its share of value_of().
static void write_centres(const char *file, const char *name, save_attributes_t *attributes)
{
    save_t *s = save_new(&comm, at(file));
    array_t t = centres();
    share_t mine = array_share(&t, &comm);
    float *x = alloc(mine.count * ROW + 1, sizeof *x);
    for (size_t i = 0; i < mine.count * ROW; i++) x[i] = value_of(mine.first * ROW + i);
    save_rows(s, name, &t, mine, x);
    finish(s, attributes);
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
    write_centres("whole.h5", "/attention/source/centres", no_attributes);
    array_file_t f = open_as(&comm, at("whole.h5"));
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
    save_t *s = save_new(&comm, at("small.h5"));
    array_file_t f;
    for (int pass = 0; pass < 2; pass++) {
        for (int k = 0; k < 3; k++) {
            int64_t x[3] = { 0 };
            array_t t = array_of(H5T_NATIVE_INT64, 1, &sizes[k]);
            share_t mine = array_share(&t, &comm);
            for (size_t i = 0; i < mine.count && pass == 0; i++) x[i] = (int64_t)(mine.first + i) - 7;
            if (pass == 0)
                save_rows(s, names[k], &t, mine, x);
            else if (array_read(&f, names[k], &t, mine, x))
                fail_msg("%s", error_text());
            for (size_t i = 0; i < mine.count; i++) assert_int_equal(x[i], (int64_t)(mine.first + i) - 7);
        }
        if (pass) break;
        finish(s, no_attributes);
        f = open_as(&comm, at("small.h5"));
    }
    assert_int_equal(array_close(&f), 0);
}

// Flips a bit of the first place in the file that holds these bytes.
static void flip_bytes(const char *path, const void *wanted, size_t size)
{
    enum { MOST = 1 << 22 };
    uint8_t *bytes = alloc(MOST, 1);
    size_t n = read_bytes(path, bytes, MOST), at_byte = 0;
    while (at_byte + size < n && memcmp(bytes + at_byte, wanted, size)) at_byte += 4;
    EXPECT(n < MOST && at_byte + size <= n);
    bytes[at_byte + 1] ^= 4;
    write_bytes(path, bytes, n);
    free(bytes);
}

static void flip(const char *path, size_t i)
{
    float x[4] = { value_of(i), value_of(i + 1), value_of(i + 2), value_of(i + 3) };
    flip_bytes(path, x, sizeof x);
}

static void flip_number(const char *path, int64_t x)
{
    flip_bytes(path, &x, sizeof x);
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
        write_centres("flipped.h5", "/b/centres", no_attributes);
        if (comm.rank == 0) flip(at("flipped.h5"), e[k].row * ROW + 20);
        comm_barrier(&comm);
        array_file_t f = open_as(&comm, at("flipped.h5"));
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
    write_centres("shape.h5", "/c", no_attributes);
    array_file_t f = open_as(&comm, at("shape.h5"));
    assert_int_equal(array_read(&f, "/c", &other, mine, x), -1);
    EXPECT(strstr(error_text(), "/c is 500 x 150 x 2, wanted 500 x 3"));
    assert_int_equal(array_read(&f, "/d/e", &other, mine, x), -1);
    EXPECT(strstr(error_text(), "has no dataset /d/e"));
    assert_int_equal(array_close(&f), 0);
    free(x);
}

static const char classes[] = "wide open\0\0\xc3\xa9";

static int put_some(const array_file_t *f, const void *arg)
{
    (void)arg;
    return array_put_long(f, "/", "step", 1L << 40) | array_put_double(f, "/c", "half", 12.5) |
           array_put_text(f, "/new/group", "config", "a: 1\nb: \xc3\xa9\n") |
           array_put_texts(f, "/c", "classes", classes, 3);
}

TEST(attributes_come_back)
{
    long step;
    double half;
    char *text;
    write_centres("attributes.h5", "/c", put_some);
    array_file_t f = open_as(&comm, at("attributes.h5"));
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

static int refuse(const array_file_t *f, const void *arg)
{
    (void)f, (void)arg;
    return fail("no such attribute");
}

TEST(a_file_that_cannot_be_written_leaves_the_one_that_stood_there)
{
    write_centres("kept.h5", "/c", no_attributes);
    save_t *s = save_new(&comm, at("kept.h5"));
    assert_int_equal(save_whole(s, refuse, NULL), -1);
    save_free(s);
    comm_barrier(&comm);
    EXPECT(access(at("kept.h5.tmp"), F_OK) != 0);
    array_file_t f = open_as(&comm, at("kept.h5"));
    assert_int_equal(read_centres(&f, "/c"), 0);
    assert_int_equal(array_close(&f), 0);
}

// Another host that shares the file over the network sends whole pages, and with them what lay beside its
// rows.
TEST(rows_that_another_rank_overwrites_are_found_on_the_page_where_they_meet)
{
    enum { N = 3000 };
    save_t *s = save_new(&comm, at("seams.h5"));
    array_t t = array_of(H5T_NATIVE_INT64, 1, (int[]){ N });
    int64_t *x = alloc(N, sizeof *x);
    for (int i = 0; i < N; i++) x[i] = 1000 + i;
    t.block_rows = 1;
    share_t mine = share_of(N, comm.rank, comm.size);
    save_rows(s, "/x", &t, mine, x + mine.first);
    assert_int_equal(save_lay_out(s, no_attributes, NULL), 0);
    save_write(s, false);
    assert_int_equal(save_wait(s), 0);
    comm_barrier(&comm);
    assert_int_equal(save_read_seams(s), 0);
    comm_barrier(&comm);
    if (comm.rank == 0) flip_number(at("seams.h5"), 1000 + N - 1); // the last rank's
    comm_barrier(&comm);
    bool finds = comm.size > 1 && comm.rank == comm.size - 1;
    assert_int_equal(save_read_seams(s), finds ? -1 : 0);
    if (finds) EXPECT(strstr(error_text(), "/x read back: not what was written"));
    save_free(s);
    free(x);
}
