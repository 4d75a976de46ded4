// ranks: 1 2
// HDF5 files that nobody vouches for: what a process of its own finds in them becomes a line of text, and
// what kills that process kills no rank.

#include "test.h"

#include <errno.h>
#include <sys/wait.h>

#include "files.h"

static const domain_conf_t *faces(const char *name)
{
    static domain_conf_t d;
    d = domain_at(at(name), "faces");
    return &d;
}

static hid_t create(const char *name)
{
    return (hid_t)H5_OK(H5Fcreate(at(name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
}

// A dataset of bytes by a property list, which it closes, and without values.
static void put(hid_t parent, const char *name, int rank, const hsize_t *side, hid_t plist)
{
    hid_t space = (hid_t)H5_OK(H5Screate_simple(rank, side, NULL));
    hid_t d =
        (hid_t)H5_OK(H5Dcreate2(parent, name, H5T_NATIVE_UINT8, space, H5P_DEFAULT, plist, H5P_DEFAULT));
    H5Dclose(d);
    H5Sclose(space);
    H5Pclose(plist);
}

// A property list for chunks of 64 bytes.
static hid_t chunked(void)
{
    hid_t p = (hid_t)H5_OK(H5Pcreate(H5P_DATASET_CREATE));
    H5_OK(H5Pset_chunk(p, 1, (hsize_t[]){ 64 }));
    return p;
}

// The file is refused by one line that holds `text`; closes it first.
static void is_refused(hid_t file, const char *name, const char *text)
{
    H5_OK(H5Fclose(file));
    bool refused = hdf5_inspect(&comm, at(name), "/") != 0;
    if (refused != (comm.rank == 0)) fail_msg("%s: refused %d", name, refused);
    if (refused && !strstr(error_text(), text)) fail_msg("'%s', wanted '%s'", error_text(), text);
}

// Only rank 0 makes files and looks at them.
#define RANK_0_ALONE \
    if (comm.rank) return

TEST(sound_files_pass_and_so_does_what_is_not_there)
{
    const char *good = at("good.h5"), *text = at("text.h5");
    if (comm.rank == 0) {
        write_dataset(good, 5, 16);
        write_bytes(text, "no such thing", 13);
    }
    comm_barrier(&comm);
    assert_int_equal(hdf5_inspect(&comm, good, "/"), 0);
    assert_int_equal(hdf5_inspect(&comm, good, "/faces/train"), 0);
    assert_int_equal(hdf5_inspect(&comm, good, "faces//none"), 0);
    assert_int_equal(hdf5_inspect(&comm, text, "/"), 0);
    assert_int_equal(hdf5_inspect(&comm, at("none.h5"), "/"), 0);
}

TEST(links_that_stay_inside_the_file_pass_and_circles_end)
{
    at("");
    RANK_0_ALONE;
    hid_t f = create("circles.h5"), g = H5Gcreate2(f, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5_OK(H5Lcreate_hard(f, "/", g, "up", H5P_DEFAULT, H5P_DEFAULT));
    H5_OK(H5Lcreate_soft("/g/up/g", f, "around", H5P_DEFAULT, H5P_DEFAULT));
    H5_OK(H5Lcreate_soft("nowhere", f, "dangling", H5P_DEFAULT, H5P_DEFAULT));
    H5Gclose(g);
    H5_OK(H5Fclose(f));
    assert_int_equal(hdf5_inspect(&comm, at("circles.h5"), "/"), 0);
    assert_int_equal(hdf5_inspect(&comm, at("circles.h5"), "/around/up/g"), 0);

    f = create("self.h5");
    H5_OK(H5Lcreate_soft("b", f, "a", H5P_DEFAULT, H5P_DEFAULT));
    H5_OK(H5Lcreate_soft("a", f, "b", H5P_DEFAULT, H5P_DEFAULT));
    is_refused(f, "self.h5", "deeper than 16 groups and links");
}

TEST(links_and_storage_outside_the_file_are_refused)
{
    at("");
    RANK_0_ALONE;
    hid_t f = create("external.h5");
    H5_OK(H5Lcreate_external("/etc/other.h5", "/x", f, "away", H5P_DEFAULT, H5P_DEFAULT));
    is_refused(f, "external.h5", "/away is a link to another file");

    f = create("through.h5");
    hid_t g = H5Gcreate2(f, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5_OK(H5Lcreate_external("good.h5", "/", g, "away", H5P_DEFAULT, H5P_DEFAULT));
    H5_OK(H5Lcreate_soft("/g/away/faces", f, "faces", H5P_DEFAULT, H5P_DEFAULT));
    H5Gclose(g);
    H5_OK(H5Fclose(f));
    assert_int_equal(hdf5_inspect(&comm, at("through.h5"), "/faces/train"), -1);
    EXPECT(strstr(error_text(), "/g/away is a link to another file"));

    hid_t p = H5Pcreate(H5P_DATASET_CREATE);
    H5_OK(H5Pset_external(p, "raw", 0, H5F_UNLIMITED));
    f = create("storage.h5");
    put(f, "x", 1, (hsize_t[]){ 8 }, p);
    is_refused(f, "storage.h5", "/x lies in other files");

    p = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(1, (hsize_t[]){ 8 }, NULL);
    H5_OK(H5Pset_virtual(p, space, "good.h5", "/x", space));
    H5Sclose(space);
    f = create("virtual.h5");
    put(f, "x", 1, (hsize_t[]){ 8 }, p);
    is_refused(f, "virtual.h5", "/x lies in other files");
}

TEST(filters_from_elsewhere_and_impossible_sizes_are_refused)
{
    at("");
    RANK_0_ALONE;
    hid_t p = chunked(), f = create("filter.h5");
    H5_OK(H5Pset_nbit(p));
    put(f, "x", 1, (hsize_t[]){ 64 }, p);
    is_refused(f, "filter.h5", "/x is packed by filter 5 (nbit), wanted gzip");

    f = create("large.h5");
    put(f, "x", 1, (hsize_t[]){ (hsize_t)1 << 60 }, chunked());
    is_refused(f, "large.h5", "/x claims to hold more than this file");

    p = chunked();
    H5_OK(H5Pset_chunk(p, 1, (hsize_t[]){ (hsize_t)1 << 30 }));
    f = create("chunk.h5");
    put(f, "x", 1, (hsize_t[]){ (hsize_t)1 << 30 }, p);
    is_refused(f, "chunk.h5", "/x has chunks of 1073741824 bytes");

    p = H5Pcreate(H5P_FILE_ACCESS);
    H5_OK(H5Pset_libver_bounds(p, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST));
    f = (hid_t)H5_OK(H5Fcreate(at("attribute.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, p));
    H5Pclose(p);
    hid_t space = H5Screate_simple(1, (hsize_t[]){ 17 << 20 }, NULL);
    hid_t a = (hid_t)H5_OK(H5Acreate2(f, "a", H5T_NATIVE_UINT8, space, H5P_DEFAULT, H5P_DEFAULT));
    char *zeros = alloc(17 << 20, 1);
    H5_OK(H5Awrite(a, H5T_NATIVE_UINT8, zeros));
    free(zeros);
    H5Aclose(a);
    H5Sclose(space);
    is_refused(f, "attribute.h5", "attribute /a takes 17825792 bytes");
}

TEST(what_takes_too_long_is_ended_and_leaves_no_process)
{
    write_dataset(at("slow.h5"), 5, 16);
    RANK_0_ALONE;
    comm_t hasty = comm;
    hasty.timeout = 0.004; // HDF5 alone takes longer to start
    assert_int_equal(hdf5_inspect(&hasty, at("slow.h5"), "/"), -1);
    EXPECT(strstr(error_text(), "slow.h5: HDF5 has not come to its end within 0.002 s"));
    EXPECT(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

TEST(a_pipe_is_not_waited_for)
{
    const char *pipe = at("pipe.h5");
    if (comm.rank == 0) EXPECT(mkfifo(pipe, 0600) == 0);
    comm_barrier(&comm);
    dataset_t d;
    listen();
    assert_int_equal(dataset_open(&d, &comm, faces("pipe.h5"), "train", 16, NULL, 0), -1);
    expect_line(heard(), "pipe.h5: not a file");
}

// Gives the class name `long` a place far behind the names that the file has: HDF5 1.10.8 ends by signal 11.
static void write_killer(const char *path)
{
    static uint8_t bytes[1 << 16];
    write_dataset(path, 5, 16);
    size_t n = read_bytes(path, bytes, sizeof bytes), names = 0, i = 0;
    EXPECT(n < sizeof bytes);
    while (names < n && memcmp(bytes + names, "GCOL", 4)) names++;
    uint8_t reference[12] = { [8] = 1 }; // the address of the names, the first of them
    memcpy(reference, &(uint64_t){ names }, 8);
    while (i < n && memcmp(bytes + i, reference, sizeof reference)) i++;
    EXPECT(i < n);
    bytes[i + 11] = 0x7f;
    write_bytes(path, bytes, n);
}

TEST(a_file_that_kills_hdf5_ends_in_a_message_on_all_ranks)
{
    dataset_t d;
    const domain_conf_t *where = faces("killer.h5");
    if (comm.rank == 0) write_killer(where->file);
    listen();
    assert_int_equal(dataset_open(&d, &comm, where, "train", 16, both_labels, 2), -1);
    expect_line(heard(), "killer.h5: is damaged: HDF5 fails on it ("); // signal 11, or a sanitizer's status
}
