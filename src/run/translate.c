// translate: F on a data set or on pictures, over all ranks; pictures with regions, or HDF5 with centres and
// outputs.

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dagan/array.h"
#include "dagan/eval.h"
#include "dagan/run.h"
#include "draw.h"

enum { SCALE = 4 }; // of the pictures that show regions

typedef struct {
    const comm_t *comm;
    comm_t ranks; // *comm: with the configuration's comm.timeout
    const translate_t *what;
    config_t conf;
    model_t model;
    translator_t f;
    bool is_dataset;
    dataset_t set;
    files_t files;
    char *names[CONF_LABELS_MAX]; // of the classes of what DAE tells, as checkpoint_names gives them
    int n_names[CONF_LABELS_MAX];
    long step;       // of the checkpoint
    size_t n, bytes; // images of the input; bytes of one
    share_t mine;
    // Of those that could be read:
    size_t n_read;     // over all ranks
    share_t rows;      // this rank's
    size_t *item;      // (rows.count) which of the input they are
    uint8_t *in, *out; // (rows.count, h, w, 3)
    float *centres;    // (rows.count, N', 2)
    int16_t *told;     // (labels, mine.count): classes that DAE tells
} job_t;

static bool has_suffix(const char *text, const char *suffix)
{
    size_t n = strlen(text), k = strlen(suffix);
    return n >= k && strcmp(text + n - k, suffix) == 0;
}

// The file, group and split of FILE.h5 or of FILE.h5:/GROUP/SPLIT, as data sets are named everywhere.
static const char *find_dataset(const translate_t *w, domain_conf_t *where)
{
    const char *group = strstr(w->input, ":/"), *split = group ? strchr(group + 2, '/') : NULL;
    snprintf(where->file, sizeof where->file, "%.*s", group ? (int)(group - w->input) : -1, w->input);
    if (group)
        snprintf(where->group, sizeof where->group, "%.*s", split ? (int)(split - group) - 2 : -1, group + 2);
    if (w->group) snprintf(where->group, sizeof where->group, "%s", w->group);
    return w->split ? w->split : split ? split + 1 : "test";
}

static int open_input(job_t *j)
{
    const translate_t *w = j->what;
    domain_conf_t where = j->conf.data.source;
    const char *split = find_dataset(w, &where);
    j->is_dataset = has_suffix(where.file, ".h5") || has_suffix(where.file, ".hdf5");
    const char *const input[] = { w->checkpoint, j->is_dataset ? where.file : NULL };
    if (comm_agree(j->comm, output_spares("--output", w->output, input, 2), error_text())) return -1;
    if (j->is_dataset) {
        if (dataset_open(&j->set, j->comm, &where, split, j->conf.data.size, NULL, 0)) return -1;
        j->n = j->set.n;
    } else {
        if (files_find(&j->files, j->comm, &w->input, 1)) return -1;
        j->n = j->files.n;
    }
    int bad = j->n ? 0 : fail("%s: holds no picture", w->input);
    return comm_agree(j->comm, bad, error_text()) ? -1 : 0;
}

static int read_image(job_t *j, size_t i, uint8_t *to)
{
    picture_t whole, part;
    if (j->is_dataset) {
        dataset_get(&j->set, i, to);
        return 0;
    }
    if (picture_read(&whole, j->files.item[i].path)) return -1;
    picture_fit(&part, &whole, j->conf.data.size);
    memcpy(to, part.rgb, j->bytes);
    picture_free(&part);
    picture_free(&whole);
    return 0;
}

static void note_labels(job_t *j, size_t i)
{
    for (int k = 0; k < j->conf.n_labels; k++)
        if (j->f.logits[k])
            j->told[(size_t)k * j->mine.count + i] = eval_largest(j->f.logits[k]->x, j->f.logits[k]->dim.c);
}

// Where this rank's rows stand among those of all ranks.  Collective.
static void count_rows(job_t *j)
{
    int size = j->comm->size;
    double *count = alloc((size_t)size, sizeof *count); // exact up to 2^53
    count[j->comm->rank] = (double)j->rows.count;
    comm_sum(j->comm, count, (size_t)size);
    for (int r = 0; r < size; r++) {
        if (r < j->comm->rank) j->rows.first += (size_t)count[r];
        j->n_read += (size_t)count[r];
    }
    free(count);
}

// What cannot be read is told and left out.
static int compute(job_t *j)
{
    size_t numbers = 2 * (size_t)translator_regions(&j->f), room = j->mine.count + 1;
    lines_t skipped = { 0 };
    j->item = alloc(room, sizeof *j->item);
    j->told = alloc(room * (size_t)j->conf.n_labels + 1, sizeof *j->told);
    j->in = alloc(room, j->bytes);
    j->out = alloc(room, j->bytes);
    j->centres = alloc(room, numbers * sizeof(float));
    for (size_t k = 0; k < j->mine.count; k++) {
        size_t i = j->rows.count;
        if (read_image(j, j->mine.first + k, j->in + i * j->bytes)) {
            lines_add(&skipped, "dagan_mpi: skipped: %s", error_text());
            continue;
        }
        pixels_to_float(j->f.x->x, j->in + i * j->bytes, j->bytes);
        tape_forward(&j->f.tape, 0, j->f.tape.n);
        pixels_to_byte(j->out + i * j->bytes, j->f.fx->x, j->bytes);
        if (numbers) memcpy(j->centres + i * numbers, j->f.z.centres->x, numbers * sizeof(float));
        note_labels(j, i);
        j->item[j->rows.count++] = j->mine.first + k;
    }
    comm_print(j->comm, skipped.text);
    free(skipped.text);
    count_rows(j);
    int bad = j->n_read ? 0 : fail("%s: holds no picture that can be read", j->what->input);
    return comm_agree(j->comm, bad, error_text()) ? -1 : 0;
}

// ---- output ----------------------------------------------------------------------------------------

static const char *path_of_told(char path[CONF_TEXT_MAX], const job_t *j, int label)
{
    snprintf(path, CONF_TEXT_MAX, "/told/%s", j->conf.labels[label].name);
    return path;
}

static int put_attributes(const array_file_t *f, const void *job)
{
    const job_t *j = job;
    char labels[LABELS_TEXT], path[CONF_TEXT_MAX];
    labels_text(labels, sizeof labels, &j->conf);
    int bad = array_put_text(f, "/", "checkpoint", j->what->checkpoint) |
              array_put_long(f, "/", "step", j->step) | array_put_text(f, "/", "input", j->what->input) |
              array_put_text(f, "/", "labels", labels) |
              array_put_sides(f, "/", "half", &j->conf.attention.half, translator_regions(&j->f)) |
              array_put_double(f, "/", "sharpness", j->conf.attention.sharpness);
    for (int k = 0; k < j->conf.n_labels; k++)
        if (j->names[k])
            bad |= array_put_texts(f, path_of_told(path, j, k), "classes", j->names[k], j->n_names[k]);
    return bad;
}

static int write_hdf5(const job_t *j)
{
    char path[CONF_TEXT_MAX];
    int size = j->conf.data.size, n = (int)j->n_read;
    array_t images = array_of(H5T_NATIVE_UINT8, 4, (int[]){ n, size, size, 3 });
    array_t centres = array_of(H5T_NATIVE_FLOAT, 3, (int[]){ n, translator_regions(&j->f), 2 });
    array_t told = array_of(H5T_NATIVE_INT16, 1, (int[]){ n });
    images.block_rows = centres.block_rows = told.block_rows = 1; // ranks hold any number of rows
    save_t *s = save_new(j->comm, j->what->output);
    save_rows(s, "/inputs", &images, j->rows, j->in);
    save_rows(s, "/outputs", &images, j->rows, j->out);
    save_rows(s, "/centres", &centres, j->rows, j->centres);
    for (int k = 0; k < j->conf.n_labels; k++)
        if (j->f.logits[k])
            save_rows(s, path_of_told(path, j, k), &told, j->rows, j->told + (size_t)k * j->mine.count);
    int bad = save_whole(s, put_attributes, j);
    save_free(s);
    return comm_agree(j->comm, bad, error_text()) ? -1 : 0;
}

// "test/anna.jpg" -> "test-anna", row 7 of a data set -> "00007".
static void name_of(const job_t *j, size_t i, char *name, size_t size)
{
    if (j->is_dataset) {
        snprintf(name, size, "%05zu", i);
        return;
    }
    const char *from = j->files.item[i].name, *slash = strrchr(from, '/');
    bool is_path = from == j->files.item[i].path; // named on the command line, not found in a folder
    snprintf(name, size, "%s", is_path && slash ? slash + 1 : from);
    char *dot = strrchr(name, '.');
    if (dot && dot != name) *dot = 0;
    for (char *c = name; *c; c++)
        if (*c == '/') *c = '-';
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_input(const job_t *j, size_t i, const char *path)
{
    return !j->is_dataset && is_same_file(path, j->files.item[i].path);
}

// Before anything is computed: no picture may take the place of another or of an input.
static int check_names(const job_t *j)
{
    char name[CONF_TEXT_MAX], path[3 * CONF_TEXT_MAX];
    size_t n = 0, each = translator_regions(&j->f) ? 2 : 1;
    char **all = alloc(each * j->n + 1, sizeof *all);
    int bad = 0;
    for (size_t i = 0; i < j->n; i++) {
        name_of(j, i, name, sizeof name);
        for (size_t k = 0; k < each; k++) {
            snprintf(path, sizeof path, "%s/%s%s.png", j->what->output, name, k ? "-regions" : "");
            if (!bad && is_input(j, i, path))
                bad = fail("--output: %s would take the place of the input, wanted another folder", path);
            all[n] = alloc(strlen(path) + 1, 1);
            strcpy(all[n++], path);
        }
    }
    qsort(all, n, sizeof *all, by_text);
    for (size_t i = 1; i < n && !bad; i++)
        if (strcmp(all[i - 1], all[i]) == 0)
            bad = fail("--input: two pictures become %s, wanted other names or an output of one .h5", all[i]);
    for (size_t i = 0; i < n; i++) free(all[i]);
    free(all);
    return bad;
}

// Before anything is computed.
static int open_output(const job_t *j, bool is_hdf5)
{
    const char *path = j->what->output;
    if (is_hdf5) return array_replaces(j->comm, path, "/outputs") || output_opens(path);
    if (check_names(j)) return -1;
    return mkdir(path, 0777) && errno != EEXIST ? fail("%s: %s", path, strerror(errno)) : 0;
}

static int write_pictures(const job_t *j)
{
    char path[3 * CONF_TEXT_MAX], name[CONF_TEXT_MAX];
    int size = j->conf.data.size, regions = translator_regions(&j->f), bad = 0;
    for (size_t i = 0; i < j->rows.count && !bad; i++) {
        picture_t out = { size, size, j->out + i * j->bytes }, shown;
        name_of(j, j->item[i], name, sizeof name);
        snprintf(path, sizeof path, "%s/%s.png", j->what->output, name);
        bad = picture_write(&out, path);
        if (!regions) continue;
        picture_init(&shown, size * SCALE, size * SCALE);
        draw_image(&shown, j->in + i * j->bytes, size, size, 0, 0, SCALE);
        draw_regions(&shown, j->centres + i * 2 * (size_t)regions, regions, &j->conf.attention.half, 0, 0,
                     size, SCALE);
        snprintf(path, sizeof path, "%s/%s-regions.png", j->what->output, name);
        if (!bad) bad = picture_write(&shown, path);
        picture_free(&shown);
    }
    return comm_agree(j->comm, bad, error_text()) ? -1 : 0;
}

static void report(const job_t *j)
{
    printf("%zu images translated into %s", j->n_read, j->what->output);
    if (j->n_read < j->n) printf(", %zu skipped", j->n - j->n_read);
    printf("\n");
}

static void close_job(job_t *j)
{
    free(j->told);
    free(j->item);
    free(j->centres);
    free(j->out);
    free(j->in);
    for (int k = 0; k < j->conf.n_labels; k++) free(j->names[k]);
    if (j->is_dataset) dataset_close(&j->set);
    files_free(&j->files);
    translator_free(&j->f);
    params_free(&j->model.f);
    free(j);
}

int translate(const comm_t *c, const translate_t *what)
{
    job_t *j = alloc(1, sizeof *j);
    *j = (job_t){ .comm = &j->ranks, .ranks = *c, .what = what };
    int bad = checkpoint_config(c, what->checkpoint, &j->conf);
    c = j->comm;
    if (!bad) j->ranks.timeout = j->conf.comm.timeout;
    if (!bad) bad = comm_agree(c, kind_translates(&j->conf, what->checkpoint), error_text());
    j->model.conf = &j->conf;
    if (!bad) bad = checkpoint_heads(c, what->checkpoint, "dae", &j->model);
    if (!bad) {
        translator_build(&j->f, &j->model, 1);
        params_alloc(&j->model.f, 0, 0);
        tape_plan(&j->f.tape, NULL);
        j->bytes = numel(j->f.x->dim);
        bad = checkpoint_model(c, what->checkpoint, &j->model, &j->step) || open_input(j);
        j->mine = share_of(j->n, c->rank, c->size);
    }
    bool is_hdf5 = has_suffix(what->output, ".h5") || has_suffix(what->output, ".hdf5");
    if (!bad) bad = comm_agree(c, c->rank == 0 && open_output(j, is_hdf5), error_text());
    int status = bad || compute(j) ? EXIT_USER : EXIT_DONE;
    if (status == EXIT_DONE && is_hdf5)
        (void)checkpoint_names(c, what->checkpoint, &j->conf, j->names, j->n_names);
    if (status == EXIT_DONE && (is_hdf5 ? write_hdf5(j) : write_pictures(j))) status = EXIT_RUN_FAILED;
    if (status == EXIT_DONE && c->rank == 0) report(j);
    close_job(j);
    return status;
}
