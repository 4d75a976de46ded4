// loss.distance classifier: which network it is that looks, and its weights.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dagan/array.h"
#include "dagan/train.h"

static const char *const places[] = { "", "/model_weights" }; // of weights alone; of a whole Keras model

// ---- VGG16 as Keras saves it -------------------------------------------------------------------------

static hid_t open_layer(hid_t file, const char *layer)
{
    char path[VIEW_NAME_MAX + 32];
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (i && H5Lexists(file, places[i], H5P_DEFAULT) <= 0) continue;
        snprintf(path, sizeof path, "%s/%s", places[i], layer);
        if (H5Lexists(file, path, H5P_DEFAULT) > 0) return H5Gopen2(file, path, H5P_DEFAULT);
    }
    return -1;
}

// A dataset of the layer's group or below it: versions of Keras differ in how they name it.
typedef struct {
    int rank;
    hsize_t dim[4];
    float *to;
    bool found;
} wanted_t;

static herr_t look(hid_t group, const char *name, const H5O_info_t *info, void *arg)
{
    wanted_t *w = arg;
    hsize_t dim[4];
    if (info->type != H5O_TYPE_DATASET) return 0;
    hid_t d = H5Dopen2(group, name, H5P_DEFAULT), space = d < 0 ? -1 : H5Dget_space(d);
    bool fits = space >= 0 && H5Sget_simple_extent_ndims(space) == w->rank &&
                H5Sget_simple_extent_dims(space, dim, NULL) == w->rank &&
                memcmp(dim, w->dim, (size_t)w->rank * sizeof *dim) == 0;
    w->found = fits && H5Dread(d, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, w->to) >= 0;
    if (space >= 0) H5_OK(H5Sclose(space));
    if (d >= 0) H5_OK(H5Dclose(d));
    return w->found;
}

// A view "vgg16.LAYER.weight" or ".bias"; a kernel lies in the file as in memory, (kh, kw, in, out).
static int read_view(hid_t file, const char *path, const view_t *v, float *w)
{
    char layer[VIEW_NAME_MAX];
    const char *first = strchr(v->name, '.') + 1;
    snprintf(layer, sizeof layer, "%.*s", (int)strcspn(first, "."), first);
    wanted_t want = { .rank = v->rank, .dim = { (hsize_t)v->shape[0] }, .to = w + v->offset };
    if (v->rank == 4)
        for (int i = 0; i < 4; i++) want.dim[i] = (hsize_t)v->shape[(int[]){ 2, 3, 1, 0 }[i]];
    hid_t group = open_layer(file, layer);
    if (group >= 0) {
        (void)H5Ovisit2(group, H5_INDEX_NAME, H5_ITER_INC, look, &want, H5O_INFO_BASIC); // `found` tells
        H5_OK(H5Gclose(group));
    }
    if (want.found) return 0;
    return v->rank == 4 ? fail("%s: %s has no readable kernel of 3 x 3 x %d x %d, wanted VGG16's", path,
                               layer, v->shape[1], v->shape[0])
                        : fail("%s: %s has no readable bias of %d, wanted VGG16's", path, layer, v->shape[0]);
}

// 127.5 (x + 1) less the mean, of blue, green and red.
static void set_input(const view_t *v, float *w)
{
    static const float mean[] = { 103.939f, 116.779f, 123.68f };
    bool is_bias = v->rank == 1;
    for (size_t out = 0; out < 3; out++) {
        if (is_bias) w[v->offset + out] = 127.5f - mean[out];
        for (size_t in = 0; in < 3 && !is_bias; in++)
            w[v->offset + in * 3 + out] = in == 2 - out ? 127.5f : 0;
    }
}

static int read_keras(const comm_t *c, const char *path, params_t *p)
{
    array_file_t f;
    int bad = array_open_alone(&f, c, path);
    for (int i = 0; i < p->n_views && !bad; i++)
        if (strstr(p->view[i].name, ".input."))
            set_input(&p->view[i], p->w);
        else
            bad = read_view(f.file, path, &p->view[i], p->w);
    return array_close(&f) || bad ? -1 : 0;
}

// ---- either network ------------------------------------------------------------------------------------

// Rank 0's: 1 if the file is Keras', 0 if not, -1 after fail().
static int is_keras(const comm_t *c, const char *path)
{
    array_file_t f;
    if (hdf5_inspect(c, path, "/") || array_open_alone(&f, c, path)) return -1;
    hid_t group = open_layer(f.file, "block1_conv1");
    if (group >= 0) H5_OK(H5Gclose(group));
    return array_close(&f) ? -1 : group >= 0;
}

int loss_net_find(model_t *m, const comm_t *c)
{
    const char *path = m->conf->loss.classifier;
    if (!kind_has_loss_net(m->conf)) return 0;
    int keras = c->rank == 0 ? is_keras(c, path) : 0;
    if (comm_agree(c, keras < 0, error_text())) return -1;
    comm_bcast(c, &keras, sizeof keras, 0);
    if (keras) return 0;
    m->loss_net_conf = alloc(1, sizeof *m->loss_net_conf);
    if (judge_config(c, path, m->loss_net_conf)) return -1;
    return comm_agree(c, net_check_loss_net(m->conf, m->loss_net_conf), error_text()) ? -1 : 0;
}

scope_t loss_net_scope(tape_t *t, model_t *m)
{
    config_t *conf = m->loss_net_conf;
    scope_t s =
        scope_new(t, &m->loss_net, conf, conf ? "cls" : "vgg16", conf ? conf->model.norm_dae : "none");
    s.frozen = true;
    return s;
}

// Nothing else would tell: a relu makes 0 of NaN.
static int check_finite(const char *path, const params_t *p)
{
    for (int i = 0; i < p->n_views; i++)
        for (size_t k = 0; k < p->view[i].n; k++)
            if (!isfinite(p->w[p->view[i].offset + k]))
                return fail("%s: a weight of %s is not finite", path, p->view[i].name);
    return 0;
}

int loss_net_load(model_t *m, const comm_t *c)
{
    params_t *p = &m->loss_net;
    const char *path = m->conf->loss.classifier;
    long step;
    if (!p->n) return 0;
    params_alloc(p, 0, 0);
    params_freeze(p);
    if (m->loss_net_conf) {
        if (checkpoint_model(c, path, &(model_t){ .f = *p }, &step)) return -1;
    } else {
        int bad = c->rank == 0 ? read_keras(c, path, p) : 0;
        if (comm_agree(c, bad, error_text())) return -1;
        comm_bcast(c, p->w, p->n * sizeof(float), 0);
    }
    return comm_agree(c, check_finite(path, p), error_text()) ? -1 : 0;
}

void loss_net_free(model_t *m)
{
    params_free(&m->loss_net);
    free(m->loss_net_conf);
    m->loss_net_conf = NULL;
}
