// What a checkpoint holds: one HDF5 file of a run's whole state, written and read by all ranks together.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "checkpoint.h"

enum { VERSION = 2 }; // of what its configuration and its weights mean
// Whatever a file says: the run behind it ends before train.pairs' largest value.
static const int64_t STEPS_MAX = 1000000000000;
enum { BATCH_MAX = 1 << 24 };
static const char FORMAT[] = "dagan-checkpoint";

// A pass over everything in the file, into it or out of it: each part is named once for both.
typedef struct {
    save_t *save; // NULL: reading
    array_file_t file;
    const comm_t *comm;
    int bad;
} pass_t;

// ---- parts -----------------------------------------------------------------------------------------

// Rows spread over ranks.
static void pass_rows(pass_t *p, const char *name, const array_t *t, share_t rows, void *mine)
{
    if (p->save)
        save_rows(p->save, name, t, rows, mine);
    else if (!p->bad)
        p->bad = array_read(&p->file, name, t, rows, mine);
}

// Rows that every rank holds: each moves its share, readers complete theirs from the others.
static void pass_copies(pass_t *p, const char *name, const array_t *t, void *all)
{
    share_t rows = array_share(t, p->comm);
    size_t row = array_row_bytes(t);
    pass_rows(p, name, t, rows, (char *)all + rows.first * row);
    if (!p->save && !p->bad) comm_complete(p->comm, all, rows, row);
}

static void read_view(pass_t *p, const char *name, const array_t *t, const view_t *v, float *array)
{
    float *copy = alloc(v->n, sizeof *copy);
    pass_copies(p, name, t, copy);
    if (!p->bad) view_from_file(v, array, copy, 0, v->shape[0]);
    free(copy);
}

void checkpoint_path(char path[2 * VIEW_NAME_MAX], const char *prefix, const char *view, const char *suffix)
{
    snprintf(path, 2 * VIEW_NAME_MAX, "%s/%s%s", prefix, view, suffix);
    for (char *c = path + strlen(prefix); *c; c++)
        if (*c == '.') *c = '/';
}

// One view of a parameter array, in PyTorch's shape.
static void pass_view(pass_t *p, const char *prefix, const char *suffix, const view_t *v, float *array)
{
    char name[2 * VIEW_NAME_MAX];
    array_t t = array_of(H5T_NATIVE_FLOAT, v->rank, v->shape);
    share_t rows = array_share(&t, p->comm);
    checkpoint_path(name, prefix, v->name, suffix);
    if (p->save)
        view_to_file(v, save_add(p->save, name, &t, rows), array, (int)rows.first, (int)rows.count);
    else
        read_view(p, name, &t, v, array);
}

static void pass_params(pass_t *p, params_t *params, bool has_ema)
{
    for (int i = 0; i < params->n_views; i++) {
        const view_t *v = &params->view[i];
        if (has_ema)
            pass_view(p, "/ema", "", v, params->ema); // first: without an average it is the weights' array
        pass_view(p, "/weights", "", v, params->w);
        pass_view(p, "/optimizer", "/m", v, params->m);
        pass_view(p, "/optimizer", "/v", v, params->v);
    }
    if (!p->save) params_changed(params);
}

static void pass_attention(pass_t *p, const char *domain, attention_map_t *a)
{
    char name[64];
    if (!a->regions) return; // a kind without attention
    array_t centres = array_of(H5T_NATIVE_FLOAT, 3, (int[]){ (int)a->n, a->regions, 2 });
    array_t step = array_of(H5T_NATIVE_INT64, 1, (int[]){ (int)a->n });
    centres.block_rows = step.block_rows = ATTENTION_BLOCK;
    snprintf(name, sizeof name, "/attention/%s/centres", domain);
    pass_rows(p, name, &centres, a->mine, a->centres);
    snprintf(name, sizeof name, "/attention/%s/step", domain);
    pass_rows(p, name, &step, a->mine, a->step);
}

static void pass_pool(pass_t *p, trainer_t *tr)
{
    int side = tr->conf->data.size;
    array_t t = array_of(H5T_NATIVE_FLOAT, 5, (int[]){ tr->plan.batch, tr->pool.depth, side, side, 3 });
    share_t rows = { (size_t)tr->pool.first, (size_t)tr->pool.samples };
    t.block_rows = (size_t)tr->conf->train.microbatch; // ranks hold whole leaves
    if (!tr->pool.depth) return;
    pass_rows(p, "/state/pool/s", &t, rows, tr->pool.s);
    pass_rows(p, "/state/pool/t", &t, rows, tr->pool.t);
}

static void pass_state(pass_t *p, trainer_t *tr)
{
    enum { STEP, GAN_STEPS, SKIPPED, UPDATES, N = UPDATES + 2 * PARAMS_NETS_MAX };
    int64_t x[N] = { tr->step, tr->gan_steps, tr->skipped };
    params_t *sides[] = { &tr->model.f, &tr->model.d };
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < sides[s]->n_nets; i++)
            x[UPDATES + s * PARAMS_NETS_MAX + i] = sides[s]->net[i].updates;
    array_t t = array_of(H5T_NATIVE_INT64, 1, (int[]){ N });
    pass_copies(p, "/state/counters", &t, x);
    if (p->save || p->bad) return;
    for (int i = 0; i < N && !p->bad; i++) { // older programs counted a step that F and D skipped twice
        int64_t most = i == STEP ? STEPS_MAX : 2 * x[STEP];
        if (x[i] < 0 || x[i] > most)
            p->bad = fail("%s: /state/counters: number %d is %lld, wanted 0 to %lld", p->file.path, i,
                          (long long)x[i], (long long)most);
    }
    if (p->bad) return;
    tr->step = x[STEP];
    tr->gan_steps = x[GAN_STEPS];
    tr->skipped = (int)x[SKIPPED];
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < sides[s]->n_nets; i++)
            sides[s]->net[i].updates = x[UPDATES + s * PARAMS_NETS_MAX + i];
}

// Another figure, by another classifier or of other rows, is no larger and no smaller.  Older files do not
// tell.
static bool is_best_by_another(const pass_t *p, const trainer_t *tr)
{
    char *by = NULL;
    bool other = !array_get_text(&p->file, "/", "best_by", &by) && strcmp(by, tr->best_by) != 0;
    free(by);
    return comm_any(p->comm, other);
}

// The best figure so far.  A run that asks for it the first time has none.
static void pass_best(pass_t *p, trainer_t *tr)
{
    double x[] = { tr->best_figure, (double)tr->best_step };
    array_t t = array_of(H5T_NATIVE_DOUBLE, 1, (int[]){ 2 });
    if (tr->conf->checkpoint.best == BEST_NONE || p->bad) return;
    if (!p->save && !comm_any(p->comm, array_exists(&p->file, "/state/best"))) return;
    if (!p->save && is_best_by_another(p, tr)) return;
    pass_copies(p, "/state/best", &t, x);
    if (p->save || p->bad) return;
    if (isnan(x[0]) || !(x[1] >= 0 && x[1] <= (double)STEPS_MAX)) { // after a rollback of a later step
        p->bad = fail("%s: /state/best: found %g at step %g, wanted a figure of a step up to %lld",
                      p->file.path, x[0], x[1], (long long)STEPS_MAX);
        return;
    }
    tr->best_figure = x[0];
    tr->best_step = (long)x[1];
}

// Absent where a run without faults was written by an older program.
static void pass_faults(pass_t *p, trainer_t *tr)
{
    enum { ROLLBACKS, D_FINITE, N };
    int64_t x[N] = { tr->rollbacks, tr->d_finite };
    array_t t = array_of(H5T_NATIVE_INT64, 1, (int[]){ N });
    if (!p->save && !comm_any(p->comm, array_exists(&p->file, "/state/faults"))) return;
    pass_copies(p, "/state/faults", &t, x);
    if (p->save || p->bad) return;
    tr->rollbacks = tr->rollbacks_kept = x[ROLLBACKS];
    tr->d_finite = x[D_FINITE];
}

// Of a run that has made `step` steps.
static void pass_metrics(pass_t *p, metrics_t *m, long step)
{
    char name[64];
    array_t t = array_of(H5T_NATIVE_DOUBLE, 1, (int[]){ (int)m->n_rows });
    size_t columns = (size_t)m->n_columns;
    if (!p->save) {
        if (!p->bad) p->bad = comm_any(p->comm, array_shape(&p->file, "/metrics/step", &t));
        if (!p->bad && (t.rank != 1 || t.dim[0] > (hsize_t)step || t.dim[0] > INT_MAX))
            p->bad = fail("%s: /metrics/step has %llu rows, wanted at most one for each of %ld steps",
                          p->file.path, (unsigned long long)t.dim[0], step);
        if (p->bad) return;
        t = array_of(H5T_NATIVE_DOUBLE, 1, (int[]){ (int)t.dim[0] });
        m->n_rows = 0;
        for (hsize_t r = 0; r < t.dim[0]; r++) metrics_add(m);
    }
    double *column = alloc(m->n_rows + 1, sizeof *column);
    for (size_t c = 0; c < columns; c++) {
        snprintf(name, sizeof name, "/metrics/%s", m->name[c]);
        // A loss that this run has and the one before had not keeps zeros for its past.
        if (!p->save && !comm_any(p->comm, array_exists(&p->file, name))) continue;
        for (size_t r = 0; r < m->n_rows; r++) column[r] = m->row[r * columns + c];
        pass_copies(p, name, &t, column);
        for (size_t r = 0; r < m->n_rows; r++) m->row[r * columns + c] = column[r];
    }
    free(column);
}

static void pass_all(pass_t *p, trainer_t *tr)
{
    pass_state(p, tr);
    pass_best(p, tr);
    pass_faults(p, tr);
    pass_params(p, &tr->model.f, true);
    pass_params(p, &tr->model.d, false);
    pass_attention(p, "source", &tr->seen_s);
    pass_attention(p, "target", &tr->seen_t);
    pass_pool(p, tr);
    pass_metrics(p, &tr->metrics, tr->step);
}

// ---- attributes ------------------------------------------------------------------------------------

enum { WAYS_TEXT = 17 };

// How each pass of each convolution is computed, as one number: another version may do it in other last bits.
static void ways_text(char text[WAYS_TEXT], const trainer_t *tr)
{
    const tape_t *tape[] = { &tr->g->tape, &tr->d->tape };
    uint64_t hash = 0;
    for (int t = 0; t < 2; t++)
        for (int i = 0; i < tape[t]->n; i++) {
            char how[64];
            if (tape[t]->node[i]->op != &op_conv) continue;
            conv_kernel_text(how, sizeof how, tape[t]->node[i]);
            hash = XXH3_64bits_withSeed(how, strlen(how), hash);
        }
    snprintf(text, WAYS_TEXT, "%016llx", (unsigned long long)hash);
}

static int put_attributes(const array_file_t *f, const void *trainer)
{
    const trainer_t *tr = trainer;
    const config_t *conf = tr->conf;
    static const char *const domain[] = { "/attention/source", "/attention/target" };
    char *yaml = config_yaml(conf), regions[LABELS_TEXT], ways[WAYS_TEXT];
    ways_text(ways, tr);
    labels_text(regions, sizeof regions, conf);
    int bad = array_put_text(f, "/", "format", FORMAT) | array_put_long(f, "/", "version", VERSION) |
              array_put_long(f, "/", "step", tr->step) | array_put_long(f, "/", "steps", tr->plan.steps) |
              array_put_long(f, "/", "batch", tr->plan.batch) |
              array_put_long(f, "/", "epoch",
                             tr->step * tr->plan.batch / (long)(tr->source.n - tr->source.held_out)) |
              array_put_long(f, "/", "seed", conf->run.seed) | array_put_text(f, "/", "config", yaml) |
              array_put_text(f, "/", "program", "dagan_mpi " DAGAN_VERSION) |
              array_put_text(f, "/", "kernels", kernel_text()) | array_put_text(f, "/", "ways", ways) |
              checkpoint_put_classes(f, &tr->source) | array_put_long(f, "/", "ranks", tr->comm->size) |
              (tr->best_by[0] ? array_put_text(f, "/", "best_by", tr->best_by) : 0) |
              array_put_double(f, "/", "seconds", tr->seconds + now() - tr->began);
    for (int d = 0; d < 2 && tr->seen_s.regions; d++)
        bad |= array_put_sides(f, domain[d], "half", &conf->attention.half, conf->attention.regions) |
               array_put_double(f, domain[d], "sharpness", conf->attention.sharpness) |
               array_put_long(f, domain[d], "image_size", conf->data.size) |
               array_put_text(f, domain[d], "labels", regions) |
               array_put_text(f, domain[d], "data", d ? tr->target.name : tr->source.name);
    free(yaml);
    return bad | array_put_long(f, "/", "complete", 1);
}

static int check_format(const array_file_t *f)
{
    char *format = NULL;
    long version = 0, complete = 0;
    int bad = array_get_text(f, "/", "format", &format) || strcmp(format, FORMAT)
                  ? fail("%s: is no checkpoint of dagan_mpi", f->path)
                  : 0;
    if (!bad)
        bad = array_get_long(f, "/", "version", &version) || array_get_long(f, "/", "complete", &complete);
    if (!bad && version != VERSION) bad = fail("%s: version is %ld, wanted %d", f->path, version, VERSION);
    if (!bad && !complete) bad = fail("%s: is not complete", f->path);
    free(format);
    return bad;
}

// ---- files -----------------------------------------------------------------------------------------

int checkpoint_lay_out(trainer_t *tr, save_t *save)
{
    pass_t p = { .save = save, .comm = tr->comm };
    pass_all(&p, tr);
    return save_lay_out(save, put_attributes, tr);
}

// Other kernels and ways go on with other last bits, which the log says.  Older files do not tell.
static void note_kernels(trainer_t *tr, const array_file_t *f)
{
    char *kernels = NULL, *before = NULL, ways[WAYS_TEXT];
    ways_text(ways, tr);
    tr->kernels_before[0] = 0;
    bool other_ways = !array_get_text(f, "/", "ways", &before) && strcmp(before, ways);
    if (!array_get_text(f, "/", "kernels", &kernels) && (other_ways || strcmp(kernels, kernel_text())))
        snprintf(tr->kernels_before, sizeof tr->kernels_before, "%s%s", kernels,
                 other_ways ? ", convolutions in other ways" : "");
    free(kernels);
    free(before);
}

int checkpoint_load(trainer_t *tr, const char *path)
{
    pass_t p = { .comm = tr->comm };
    p.bad = hdf5_inspect(tr->comm, path, "/");
    if (comm_any(tr->comm, p.bad)) return p.bad;
    p.bad = array_open(&p.file, tr->comm, path);
    if (comm_any(tr->comm, p.bad)) {
        array_close(&p.file);
        return p.bad;
    }
    p.bad = check_format(&p.file);
    free(tr->config_before);
    tr->config_before = NULL;
    if (!p.bad) p.bad = array_get_text(&p.file, "/", "config", &tr->config_before);
    if (!p.bad) p.bad = checkpoint_check_classes(&p.file, &tr->source);
    if (!p.bad)
        p.bad = checkpoint_check_nets(&p.file, &tr->model.f) || checkpoint_check_nets(&p.file, &tr->model.d);
    if (!comm_any(tr->comm, p.bad)) pass_all(&p, tr);
    if (!p.bad) p.bad = array_get_double(&p.file, "/", "seconds", &tr->seconds);
    if (!p.bad) note_kernels(tr, &p.file);
    if (array_close(&p.file)) p.bad = -1;
    return p.bad;
}

// Of all ranks, 0 on each, or on some -1 after fail().
static int read_config(const comm_t *c, const char *path, config_t *conf, long *batch)
{
    array_file_t f;
    char *yaml = NULL;
    int bad = hdf5_inspect(c, path, "/");
    if (comm_any(c, bad)) return bad;
    bad = array_open(&f, c, path);
    if (comm_any(c, bad)) {
        array_close(&f);
        return bad;
    }
    bad = check_format(&f) || array_get_text(&f, "/", "config", &yaml) ||
          config_parse(conf, path, yaml, strlen(yaml), NULL, 0) ||
          (kind_check(conf) && fail("%s: %s", path, error_text())) ||
          (batch && array_get_long(&f, "/", "batch", batch));
    free(yaml);
    return bad | array_close(&f);
}

int checkpoint_config(const comm_t *c, const char *path, config_t *conf)
{
    return comm_agree(c, read_config(c, path, conf, NULL), error_text()) ? -1 : 0;
}

int checkpoint_batch(const comm_t *c, const char *path, begun_t *begun)
{
    config_t *conf = alloc(1, sizeof *conf);
    long batch = 0;
    int bad = read_config(c, path, conf, &batch);
    if (comm_any(c, bad)) { // also where this rank found no fault it may not have read all
        free(conf);
        return bad;
    }
    int leaf = conf->train.microbatch;
    if (batch < leaf || batch % leaf || batch > BATCH_MAX)
        bad = fail("%s: batch is %ld, wanted a multiple of %d up to %d", path, batch, leaf, BATCH_MAX);
    else
        *begun = (begun_t){ (int)batch, batch > conf->train.batch };
    free(conf);
    return bad;
}

int checkpoint_model(const comm_t *c, const char *path, model_t *m, long *step)
{
    pass_t p = { .comm = c };
    p.bad = array_open(&p.file, c, path);
    if (comm_agree(c, p.bad, error_text())) {
        array_close(&p.file);
        return -1;
    }
    for (int i = 0; i < m->f.n_views; i++) pass_view(&p, "/ema", "", &m->f.view[i], m->f.ema);
    params_changed(&m->f);
    p.bad |= array_get_long(&p.file, "/", "step", step);
    p.bad |= array_close(&p.file);
    return comm_agree(c, p.bad, error_text()) ? -1 : 0;
}
