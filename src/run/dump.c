// --dump-step: one step's batch, wires, losses, gradients and weights in a file, so that another framework
// can check it.
//
// The step is recomputed leaf by leaf with all wires kept; the update itself is the trainer's own.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dagan/array.h"
#include "dump.h"

// Everything of one leaf-wise quantity over the whole batch, collected while leaves run.
typedef struct {
    char name[NODE_NAME_MAX];
    int rank, dim[ARRAY_RANK_MAX]; // of the file, batch first
    size_t row;                    // floats for one pair
    float *x;                      // (batch, row); this rank's rows are filled
} record_t;

enum { RECORDS_MAX = 64 };

typedef struct {
    record_t record[RECORDS_MAX];
    int n;
} dump_t;

static record_t *record_of(dump_t *d, const trainer_t *tr, const char *name, var_t v, int leaf_pairs)
{
    for (int i = 0; i < d->n; i++)
        if (strcmp(d->record[i].name, name) == 0) return &d->record[i];
    CHECK(d->n < RECORDS_MAX, "more than %d wires", RECORDS_MAX);
    record_t *r = &d->record[d->n++];
    int batch = tr->plan.batch, regions = v->dim.n / leaf_pairs;
    shape_t s = v->dim;
    *r = (record_t){ .row = numel(s) / (size_t)leaf_pairs };
    snprintf(r->name, sizeof r->name, "%s", name);
    bool is_centres = s.h == 1 && s.c == 2;
    if (is_centres)
        memcpy(r->dim, (int[]){ batch, s.w, 2 }, 3 * sizeof(int));
    else if (regions > 1)
        memcpy(r->dim, (int[]){ batch, regions, s.c, s.h, s.w }, 5 * sizeof(int));
    else
        memcpy(r->dim, (int[]){ batch, s.c, s.h, s.w }, 4 * sizeof(int));
    r->rank = is_centres ? 3 : regions > 1 ? 5 : 4;
    r->x = alloc((size_t)batch * r->row, sizeof(float));
    return r;
}

// NHWC in memory, NCHW in the file.
static void take(dump_t *d, const trainer_t *tr, const char *name, var_t v, int leaf, int leaf_pairs)
{
    record_t *r = record_of(d, tr, name, v, leaf_pairs);
    float *to = r->x + (size_t)(tr->plan.first_leaf + leaf) * (size_t)leaf_pairs * r->row;
    size_t pixels = (size_t)v->dim.h * (size_t)v->dim.w, c = (size_t)v->dim.c;
    if (r->rank == 3) {
        memcpy(to, v->x, numel(v->dim) * sizeof(float));
        return;
    }
    for (size_t n = 0; n < (size_t)v->dim.n; n++)
        for (size_t p = 0; p < pixels; p++)
            for (size_t k = 0; k < c; k++) to[(n * c + k) * pixels + p] = v->x[(n * pixels + p) * c + k];
}

static bool is_wire(const node_t *v)
{
    static const char *const wires[] = { "s_centres",   "t_centres",   "sf_centres",   "tf_centres",
                                         "s_instances", "t_instances", "sf_instances", "tf_instances",
                                         "s_fake",      "t_fake",      "d1_fake",      "d2_fake",
                                         "d1_real",     "d2_real",     "s_cycle",      "t_cycle" };
    for (size_t i = 0; i < sizeof wires / sizeof *wires; i++)
        if (strcmp(v->name, wires[i]) == 0) return true;
    return false;
}

static void take_leaf(void *arg, const trainer_t *tr, const objective_t *o, int leaf)
{
    dump_t *d = arg;
    for (int i = 0; i < o->tape.n; i++) {
        var_t v = o->tape.node[i];
        if (is_wire(v)) take(d, tr, v->name, v, leaf, o->n);
    }
    if (o->step & STEPS_OF_D) return;
    take(d, tr, "/batch/s", o->wires.s, leaf, o->n);
    take(d, tr, "/batch/t", o->wires.t, leaf, o->n);
}

static void save_records(save_t *s, const trainer_t *tr, dump_t *d)
{
    int leaf = tr->conf->train.microbatch;
    char name[2 * NODE_NAME_MAX];
    share_t mine = { (size_t)(tr->plan.first_leaf * leaf), (size_t)(tr->plan.my_leaves * leaf) };
    for (int i = 0; i < d->n; i++) {
        record_t *r = &d->record[i];
        array_t t = array_of(H5T_NATIVE_FLOAT, r->rank, r->dim);
        t.block_rows = (size_t)leaf;
        snprintf(name, sizeof name, "%s%s", r->name[0] == '/' ? "" : "/wires/", r->name);
        save_rows(s, name, &t, mine, r->x + mine.first * r->row);
    }
}

static void save_views(save_t *s, const comm_t *c, const char *prefix, const params_t *p, const float *array,
                       float scale)
{
    char name[2 * VIEW_NAME_MAX];
    for (int i = 0; i < p->n_views; i++) {
        const view_t *v = &p->view[i];
        array_t t = array_of(H5T_NATIVE_FLOAT, v->rank, v->shape);
        share_t rows = array_share(&t, c);
        snprintf(name, sizeof name, "%s/%s", prefix, v->name);
        for (char *dot = name + strlen(prefix); *dot; dot++)
            if (*dot == '.') *dot = '/';
        float *copy = save_add(s, name, &t, rows);
        view_to_file(v, copy, array, (int)rows.first, (int)rows.count);
        for (size_t j = 0; j < rows.count * view_row(v); j++) copy[j] *= scale;
    }
}

static int put_scalar(const array_file_t *f, const char *name, double value)
{
    hid_t space = (hid_t)H5_OK(H5Screate(H5S_SCALAR)), lcpl = (hid_t)H5_OK(H5Pcreate(H5P_LINK_CREATE));
    H5_OK(H5Pset_create_intermediate_group(lcpl, 1));
    hid_t d = H5Dcreate2(f->file, name, H5T_NATIVE_DOUBLE, space, lcpl, H5P_DEFAULT, H5P_DEFAULT);
    bool bad = d < 0 || H5Dwrite(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value) < 0;
    if (d >= 0 && H5Dclose(d) < 0) bad = true;
    H5_OK(H5Pclose(lcpl));
    H5_OK(H5Sclose(space));
    return bad ? fail("%s: %s cannot be written", f->path, name) : 0;
}

static int put_losses(const array_file_t *f, const trainer_t *tr)
{
    int bad = 0;
    char name[64];
    for (int i = 0; losses[i]; i++) {
        if (!kind_has_loss(tr->conf, losses[i])) continue;
        snprintf(name, sizeof name, "/loss/%s", losses[i]->name);
        bad |= put_scalar(f, name, tr->loss[i]);
    }
    return bad;
}

static int put_losses_and_attributes(const array_file_t *f, const void *trainer)
{
    const trainer_t *tr = trainer;
    static const char *const gan[] = { "minimax", "nonsaturating", "lsgan", "hinge" };
    static const char *const distance[] = { "l1", "l2", "discriminator", "classifier" };
    const config_t *c = tr->conf;
    char *yaml = config_yaml(c);
    int bad = array_put_text(f, "/", "format", "dagan-step") | array_put_long(f, "/", "step", tr->step - 1) |
              array_put_text(f, "/", "config", yaml) | array_put_text(f, "/", "kind", c->model.kind) |
              array_put_long(f, "/", "width", c->model.width) | array_put_long(f, "/", "size", c->data.size) |
              array_put_long(f, "/", "regions", c->attention.regions) |
              array_put_sides(f, "/", "half", &c->attention.half, c->attention.regions) |
              array_put_sides(f, "/", "settle", &c->attention.settle, c->attention.regions) |
              array_put_double(f, "/", "sharpness", c->attention.sharpness) |
              array_put_text(f, "/", "gan", gan[c->loss.gan]) |
              array_put_text(f, "/", "distance", distance[c->loss.distance]) |
              array_put_text(f, "/", "norm_dae", c->model.norm_dae) |
              array_put_text(f, "/", "norm_g", c->model.norm_g) |
              array_put_text(f, "/", "norm_d", c->model.norm_d) |
              array_put_double(f, "/", "rate_g", rate_of_f(c, &tr->plan, tr->step - 1)) |
              array_put_double(f, "/", "rate_d", rate_of_d(c, &tr->plan, tr->step - 1)) |
              array_put_double(f, "/", "weight_gan_s", c->loss.weights.gan_s) |
              array_put_double(f, "/", "weight_gan_t", c->loss.weights.gan_t) |
              array_put_double(f, "/", "weight_cst", c->loss.weights.cst) |
              array_put_double(f, "/", "weight_sym", c->loss.weights.sym) |
              array_put_double(f, "/", "weight_pixel", c->loss.weights.pixel) |
              array_put_double(f, "/", "weight_label", c->loss.weights.label) |
              array_put_double(f, "/", "weight_label_fake", c->loss.weights.label_fake) |
              array_put_double(f, "/", "weight_label_d", c->loss.weights.label_d) |
              array_put_double(f, "/", "weight_overlap", c->loss.weights.overlap) |
              array_put_long(f, "/", "spectral", c->model.spectral) |
              array_put_double(f, "/", "weight_lecam", c->loss.weights.lecam) |
              array_put_double(f, "/", "weight_cycle", c->loss.weights.cycle) |
              array_put_double(f, "/", "weight_identity", c->loss.weights.identity);
    free(yaml);
    return bad | put_losses(f, tr);
}

static float *copy_of(const float *x, size_t n)
{
    float *c = alloc(n, sizeof *c);
    memcpy(c, x, n * sizeof *c);
    return c;
}

// Kept when Adam is about to use them: the gradients over all ranks, before clipping.
static void take_gradients(void *arg, const params_t *p)
{
    float **to = arg;
    memcpy(*to, p->g, p->n * sizeof(float));
}

int dump_check(const trainer_t *tr, const char *path, const char *resume)
{
    const config_t *conf = tr->conf;
    char latest[2 * CONF_TEXT_MAX];
    snprintf(latest, sizeof latest, "%s/latest.h5", conf->run.dir);
    const char *const input[] = { resume,
                                  latest,
                                  conf->data.source.file,
                                  conf->data.target.file,
                                  conf->checkpoint.classifier,
                                  conf->loss.classifier };
    int bad = output_spares("--dump-step", path, input, 6);
    if (!bad && tr->comm->rank == 0) bad = array_replaces(tr->comm, path, "/grad") || output_opens(path);
    return comm_agree(tr->comm, bad, error_text()) ? -1 : 0;
}

int dump_step(trainer_t *tr, const char *path)
{
    dump_t d = { .n = 0 };
    params_t *p[2] = { &tr->model.f, &tr->model.d };
    float *before[2], *grad[2];
    for (int i = 0; i < 2; i++) {
        before[i] = copy_of(p[i]->w, p[i]->n);
        grad[i] = alloc(p[i]->n, sizeof(float));
    }
    tr->observer = (observer_t){ .leaf = take_leaf,
                                 .leaf_arg = &d,
                                 .gradients = take_gradients,
                                 .gradients_arg = { &grad[0], &grad[1] } };
    int bad = trainer_step(tr) || trainer_settle(tr);
    tr->observer = (observer_t){ 0 };

    bool failed = bad; // told, and the same on all ranks
    if (!failed) {
        const comm_t *c = tr->comm;
        float mean = 1.0f / (float)tr->plan.leaves;
        save_t *s = save_new(c, path);
        save_records(s, tr, &d);
        for (int i = 0; i < 2; i++) {
            save_views(s, c, "/weights", p[i], before[i], 1);
            save_views(s, c, "/grad", p[i], grad[i], mean);
            save_views(s, c, "/after", p[i], p[i]->w, 1);
        }
        failed = comm_agree(c, save_whole(s, put_losses_and_attributes, tr), error_text());
        save_free(s);
    }
    for (int i = 0; i < d.n; i++) free(d.record[i].x);
    for (int i = 0; i < 2; i++) {
        free(before[i]);
        free(grad[i]);
    }
    return failed ? -1 : 0;
}
