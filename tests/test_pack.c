// ranks: 1 2 3 5
// pack writes what dataset_open reads, the same on any number of ranks; each mistake gives its one line.
#include "test.h"

#include "files.h"

enum { SIZE = 4 };

static void make_folder(const char *name)
{
    if (comm.rank == 0) mkdir(at(name), 0777);
}

// A picture of one colour, twice as large as SIZE.
static void make_picture(const char *name, int colour)
{
    const char *path = at(name);
    if (comm.rank != 0) return;
    picture_t p;
    picture_init(&p, 2 * SIZE, 3 * SIZE);
    memset(p.rgb, colour, 2 * SIZE * 3 * SIZE * 3);
    CHECK(!picture_write(&p, path), "%s", error_text());
    picture_free(&p);
}

static void make_text(const char *name, const char *text)
{
    const char *path = at(name);
    if (comm.rank == 0) write_bytes(path, text, strlen(text));
}

// in/: train/a.png .. train/g.png of colours 10, 20, ...; train/deep/a.png 80; test/y.png 90, test/z.png 100;
// flat/: p.png 1 and q.jpg, which is damaged; empty/; beside/: train/a.png and a loose picture.
static void make_pictures(void)
{
    static bool made;
    if (made) return;
    made = true;
    static const char *const folders[] = { "in",   "in/train",   "in/train/deep", "in/test",
                                           "flat", "empty",      "beside",        "beside/train",
                                           "half", "half/train", "half/test" };
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) make_folder(folders[i]);
    for (int i = 0; i < 7; i++) {
        char name[] = "in/train/a.png";
        name[9] = (char)('a' + i);
        make_picture(name, 10 * (i + 1));
    }
    make_picture("in/train/deep/a.png", 80);
    make_picture("in/test/y.png", 90);
    make_picture("in/test/z.png", 100);
    make_text("in/train/notes.txt", "not a picture");
    make_picture("flat/p.png", 1);
    make_text("flat/q.jpg", "\xff\xd8\xff\xe0");
    make_text("empty/notes.txt", "nothing");
    make_picture("beside/train/a.png", 1);
    make_picture("beside/loose.png", 1);
    make_picture("half/train/a.png", 1);
    make_text("half/test/b.png", "no picture");
    comm_barrier(&comm);
}

// Packs; what rank 0 prints to stdout about a success is kept out of the test's report.
static int pack_quietly(const pack_t *p)
{
    fflush(stdout);
    int before = dup(1), null = open("/dev/null", O_WRONLY);
    dup2(null, 1);
    int bad = pack(&comm, p);
    dup2(before, 1);
    close(null);
    close(before);
    comm_barrier(&comm);
    return bad;
}

static int pack_it(const char *input, const char *output, const char *labels, bool strict)
{
    const char *inputs[] = { input };
    return pack_quietly(&(pack_t){ .inputs = inputs,
                                   .n_inputs = 1,
                                   .output = output,
                                   .labels = labels,
                                   .size = SIZE,
                                   .strict = strict });
}

static void expect_row(dataset_t *d, size_t row, int colour, int eyes, int hair)
{
    uint8_t got[3 * SIZE * SIZE + 4];
    int16_t label[2] = { -1, -1 };
    size_t image = 3 * SIZE * SIZE, bytes = dataset_row_bytes(d);
    dataset_get(d, row, got);
    memcpy(label, got + image, bytes - image);
    for (size_t i = 0; i < image; i++) assert_int_equal(got[i], colour);
    assert_int_equal(label[0], eyes);
    assert_int_equal(label[1], hair);
}

static void open_packed(dataset_t *d, const char *path, const char *group, const char *split, int n_labels)
{
    static const label_t labels[] = { { "eyes", 0 }, { "hair", 0 } };
    domain_conf_t where = domain_at(path, group);
    assert_int_equal(dataset_open(d, &comm, &where, split, SIZE, labels, n_labels), 0);
}

// That it has one; that it is right is seen where the file is opened.
static void expect_checksum(const char *path, const char *name)
{
    hid_t file = (hid_t)H5_OK(H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT));
    EXPECT(H5Aexists_by_name(file, name, "crc32", H5P_DEFAULT) > 0);
    H5_OK(H5Fclose(file));
}

TEST(pictures_and_labels_come_back_in_the_order_of_names)
{
    make_pictures();
    // A byte order mark, \r\n, quotes, an empty line, paths of three kinds, and a missing class.
    make_text("good.csv", "\xef\xbb\xbf"
                          "file, eyes,hair\r\n"
                          "train/a.png,open,short\r\n"
                          "./b.png,,\"long, \"\"curly\"\"\"\r\n"
                          "\r\n"
                          "deep/a.png, closed ,short\r\n"
                          "y.png,\"wink\",short");
    const char *out = at("faces.v1.h5");
    assert_int_equal(pack_it(at("in/"), out, at("good.csv"), true), 0);
    EXPECT(access(at("faces.v1.h5.tmp"), F_OK) != 0);
    expect_checksum(out, "faces.v1/train/images");
    expect_checksum(out, "faces.v1/test/labels/hair");
    dataset_t d;
    open_packed(&d, out, "faces.v1", "train", 2);
    assert_int_equal(d.n, 8);
    assert_int_equal(d.n_classes[0], 3);
    assert_string_equal(dataset_class(&d, 0, 0), "closed");
    assert_string_equal(dataset_class(&d, 0, 1), "open");
    assert_string_equal(dataset_class(&d, 0, 2), "wink"); // only test has it, train numbers it too
    assert_string_equal(dataset_class(&d, 1, 0), "long, \"curly\"");
    expect_row(&d, 0, 10, 1, 1);
    expect_row(&d, 1, 20, -1, 0);
    expect_row(&d, 2, 30, -1, -1);
    expect_row(&d, 3, 40, -1, -1);
    expect_row(&d, 4, 80, 0, 1); // train/deep/a.png
    expect_row(&d, 7, 70, -1, -1);
    dataset_close(&d);
    open_packed(&d, out, "faces.v1", "test", 2);
    assert_int_equal(d.n, 2);
    expect_row(&d, 0, 90, 2, 1);
    expect_row(&d, 1, 100, -1, -1);
    dataset_close(&d);
}

TEST(unreadable_pictures_are_named_and_skipped)
{
    make_pictures();
    listen();
    int status = pack_it(at("flat"), at("flat.h5"), NULL, false);
    expect_line(heard(), "flat/q.jpg: damaged JPEG: ");
    assert_int_equal(status, EXIT_DONE);
    dataset_t d;
    open_packed(&d, at("flat.h5"), "flat", "train", 0);
    assert_int_equal(d.n, 1);
    expect_row(&d, 0, 1, -1, -1);
    dataset_close(&d);
}

TEST(strict_makes_unreadable_pictures_fatal)
{
    make_pictures();
    listen();
    int status = pack_it(at("flat"), at("strict.h5"), NULL, true);
    const char *text = heard();
    assert_int_equal(status, EXIT_USER);
    if (comm.rank == 0)
        EXPECT(strstr(text, "flat/q.jpg: damaged JPEG: ") && strstr(text, "1 of 2 pictures cannot be read"));
    EXPECT(access(at("strict.h5"), F_OK) != 0 && access(at("strict.h5.tmp"), F_OK) != 0);
}

TEST(files_may_be_named_one_by_one_and_the_group_chosen)
{
    make_pictures();
    const char *inputs[] = { at("in/test/z.png"), at("in/test/y.png") };
    pack_t p = {
        .inputs = inputs, .n_inputs = 2, .output = at("list.h5"), .group = "/art/faces", .size = SIZE
    };
    assert_int_equal(pack_quietly(&p), 0);
    dataset_t d;
    open_packed(&d, at("list.h5"), "art/faces", "train", 0);
    assert_int_equal(d.n, 2);
    expect_row(&d, 0, 90, -1, -1);
    expect_row(&d, 1, 100, -1, -1);
    dataset_close(&d);
}

// ---- mistakes ------------------------------------------------------------------------------------

static void expect_refused(const char *input, const char *output, const char *csv, const char *line)
{
    make_pictures();
    if (csv) make_text("bad.csv", csv);
    comm_barrier(&comm);
    listen();
    int status = pack_it(at(input), at(output), csv ? at("bad.csv") : NULL, false);
    expect_line(heard(), line);
    assert_int_equal(status, EXIT_USER);
    char tmp[600];
    snprintf(tmp, sizeof tmp, "%s.tmp", at(output));
    EXPECT(access(tmp, F_OK) != 0);
}

TEST(mistakes_about_files_are_refused)
{
    expect_refused("nowhere", "x.h5", NULL, "nowhere: No such file or directory");
    expect_refused("empty", "x.h5", NULL, "empty: holds no file named .png, .jpg or .jpeg");
    expect_refused("beside", "x.h5", NULL, "beside/loose.png: lies beside the splits ");
    expect_refused("in", "good.csv", NULL, "good.csv: exists; remove it first");
    expect_refused("in", "no/folder/x.h5", NULL, "no/folder/x.h5.tmp: cannot be written: No such file");
    expect_refused("in", "..", NULL, "pack: '.' cannot name a group");
}

TEST(a_split_without_a_readable_picture_is_refused)
{
    make_pictures();
    listen();
    int status = pack_it(at("half"), at("half.h5"), NULL, false);
    const char *text = heard();
    assert_int_equal(status, EXIT_USER);
    if (comm.rank == 0)
        EXPECT(strstr(text, "b.png: neither PNG nor JPEG") &&
               strstr(text, "none of the 1 pictures for 'test' can be read"));
}

TEST(mistakes_in_labels_are_refused_with_their_line)
{
    static const char *const mistakes[][2] = {
        { "", "bad.csv: is empty" },
        { "name,eyes\na.png,x\n", "bad.csv:1: first column is 'name', wanted 'file'" },
        { "file\na.png\n", "bad.csv:1: has no column of labels" },
        { "file,eyes,eyes\n", "bad.csv:1: column 'eyes' comes twice" },
        { "file,a/b\n", "bad.csv:1: 'a/b' cannot name a label" },
        { "file,eyes,\n", "bad.csv:1: '' cannot name a label" },
        { "file,eyes\n\nb.png,x\nc.png,x,y\n", "bad.csv:4: has 3 cells, the header has 2" },
        { "file,eyes\nb.png\n", "bad.csv:2: has 1 cells, the header has 2" },
        { "file,eyes\nb.png,\"x\n", "bad.csv:2: a quote is left open" },
        { "file,eyes\nb.png,x\nnope.png,x\n", "bad.csv:3: 'nope.png' is not among the pictures" },
        { "file,eyes\nng,x\n", "bad.csv:2: 'ng' is not among the pictures" },
        { "file,eyes\n,x\n", "bad.csv:2: '' is not among the pictures" },
        { "file,eyes\na.png,x\n", "bad.csv:2: several pictures are called 'a.png'" },
        { "file,eyes\nb.png,x\ntrain/b.png,y\n", "bad.csv:3: 'train/b.png' has labels in line 2 already" },
        { "file,eyes\nb.png,\n", "bad.csv: column 'eyes' is empty" },
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++)
        expect_refused("in", "x.h5", mistakes[i][0], mistakes[i][1]);
}
