// ranks: 1
// Networks, losses, gradients and ten steps are those of an independent program in PyTorch, whose numbers
// golden/golden.h5 holds.  golden/README.md says how far rounding goes and why each tolerance is what it is.

#include "golden.h"

#include "../src/train/side.h"

// Direct sums round to 1e-5 at most; these leave room for convolutions by Winograd, which err by 2e-6 of
// their output: ten times what such convolutions do to losses and wires.
static const double TOL_LOSS = 1e-4, TOL_WIRE = 1e-3, TOL_LOSS10 = 1.6e-2;
// A gradient jumps where rounding moves a unit across a kink of relu or l1.  At the root's weights rounding
// moves none; in the norm cases Winograd's does, and one such unit moves whole tensors.
static const double TOL_GRAD = 1e-3, TOL_GRAD_KINK = 3e-2;
// A softmax does not see dae.loc.out.bias: its gradient is nothing but rounding.  So the scale of a gradient
// is at least this share of its network's largest.
static const double GRAD_FLOOR = 1e-3;
// Adam's first step is one rate times the gradient's sign, so a gradient near 0 may send its weight two rates
// astray; together they stay within 0.1 rates rms.  Ten steps add up: rough convolutions drift by 0.36 (DAE,
// G) and 0.12 (D1, D2), while D1, D2 updated on a second forward pass are off by 0.9.
static const double TOL_AFTER = 0.1, TOL_AFTER10_F = 0.5, TOL_AFTER10_D = 0.25;
static const char BLIND[] = "dae.loc.out.bias"; // Adam steps by its sign: not compared after a step

enum { STEPS = 10, WIRES = 14 };

static const char *const wire[WIRES] = { "s_centres",   "t_centres",   "sf_centres",   "tf_centres",
                                         "s_instances", "t_instances", "sf_instances", "tf_instances",
                                         "s_fake",      "t_fake",      "d1_fake",      "d2_fake",
                                         "d1_real",     "d2_real" };

static struct {
    double loss, wire, grad, kink, after, after10_f, after10_d, loss10;
} worst; // figures of all comparisons, printed at the end

// ---- the job of a group ----------------------------------------------------------------------------

typedef struct {
    const char *at; // "" or "/cases/NAME"
    config_t conf;
    model_t model;
    objective_t g, d;
    side_t f_side, d_side;
    int batch, leaf;
    size_t image;
    float *s, *t, *fakes; // (batch, H, W, 3), fakes (batch, 2, H, W, 3) by leaves
    int wires_seen;
} job_t;

static const char YAML[] =
    "data: {source: {file: none, group: s}, target: {file: none, group: t}, size: %g}\n"
    "model: {kind: %s, width: %g, norm: {dae: %s, g: %s, d: %s, groups: 4}}\n"
    "attention: {regions: %g, half: %g, sharpness: %g, mode: mask}\n"
    "loss: {gan: %s, distance: %s, weights: {gan_s: %g, gan_t: %g, cst: %g, sym: %g, pixel: %g, cycle: %g, "
    "identity: %g}}\n"
    "train: {steps: %d, batch: %g, microbatch: %d, rate_g: %g, rate_d: %g, beta1: 0.5, beta2: 0.999}\n"
    "comm: {bucket: 0.002}\n"; // several buckets to a network

static void configure(job_t *j)
{
    const char *at = *j->at ? j->at : "/";
    char text[2048];
    j->batch = (int)number(at, "pairs");
    int n = snprintf(text, sizeof text, YAML, number(at, "size"), word(at, "kind"), number(at, "width"),
                     word(at, "norm_dae"), word(at, "norm_g"), word(at, "norm_d"), number(at, "regions"),
                     number(at, "half"), number(at, "sharpness"), word(at, "gan"), word(at, "distance"),
                     number(at, "weight_gan_s"), number(at, "weight_gan_t"), number(at, "weight_cst"),
                     number(at, "weight_sym"), number(at, "weight_pixel"), number(at, "weight_cycle"),
                     number(at, "weight_identity"), STEPS, number(at, "pairs"), j->leaf, number(at, "rate_g"),
                     number(at, "rate_d"));
    if (config_parse(&j->conf, "golden", text, (size_t)n, NULL, 0)) fail_msg("%s", error_text());
    // The reference has 8 groups or, of fewer channels, as many; the configuration refuses such a width.
    j->conf.model.norm_groups = 8;
}

// NCHW in the file, NHWC here.
static float *read_images(const job_t *j, const char *name)
{
    size_t n = (size_t)j->batch, pixels = j->image / 3;
    float *in = read_floats(place(j->at, "batch", name), n * j->image), *x = alloc(n * j->image, sizeof *x);
    for (size_t i = 0; i < n; i++)
        for (size_t p = 0; p < pixels; p++)
            for (size_t c = 0; c < 3; c++) x[(i * pixels + p) * 3 + c] = in[(i * 3 + c) * pixels + p];
    free(in);
    return x;
}

static void read_weights(const job_t *j, params_t *p)
{
    for (int i = 0; i < p->n_views; i++) {
        const view_t *v = &p->view[i];
        float *w = read_floats(place(j->at, "weights", v->name), v->n);
        view_from_file(v, p->w, w, 0, v->shape[0]);
        free(w);
    }
}

static void plan(objective_t *o, const side_t *side)
{
    o->tape.keeps_all = true;
    side_plan(side, o);
}

static void job_open(job_t *j, const char *at, int leaf)
{
    open_file();
    *j = (job_t){ .at = at, .leaf = leaf };
    configure(j);
    j->image = 3 * (size_t)j->conf.data.size * (size_t)j->conf.data.size;
    j->model.conf = &j->conf;
    objective_build(&j->g, &j->model, STEP_G, leaf);
    objective_build(&j->d, &j->model, STEP_D, leaf);
    params_alloc(&j->model.f, 1, SUMS);
    params_alloc(&j->model.d, 1, SUMS);
    side_init(&j->f_side, &comm, &j->conf, &j->model.f, "F", j->batch / leaf, 1);
    side_init(&j->d_side, &comm, &j->conf, &j->model.d, "D", j->batch / leaf, 1);
    plan(&j->g, &j->f_side);
    plan(&j->d, &j->d_side);
    read_weights(j, &j->model.f);
    read_weights(j, &j->model.d);
    j->s = read_images(j, "s");
    j->t = read_images(j, "t");
    j->fakes = alloc(2 * (size_t)j->batch * j->image, sizeof *j->fakes);
}

static void job_close(job_t *j)
{
    free(j->fakes);
    free(j->t);
    free(j->s);
    side_free(&j->d_side);
    side_free(&j->f_side);
    objective_free(&j->d);
    objective_free(&j->g);
    params_free(&j->model.d);
    params_free(&j->model.f);
}

// ---- comparing -------------------------------------------------------------------------------------

static void judge(double error, double allowed, double *figure, const job_t *j, const char *what)
{
    if (!(error <= allowed))
        fail_msg("%s %s, leaves of %d, %s kernels: off by %.2e, allowed %.1e", *j->at ? j->at : "root", what,
                 j->leaf, op_plain ? "plain" : "fast", error, allowed);
    if (error > *figure) *figure = error;
}

static double largest(const float *x, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs((double)x[i]));
    return most;
}

static double distance(const float *x, const float *y, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)x[i] - y[i]);
        if (!(d <= most)) most = d; // a NaN stays
        if (isnan(d)) return d;
    }
    return most;
}

// The rows of this leaf against the file's, relative to the largest entry of all rows.
static void check_wire(job_t *j, const char *name, var_t v, int leaf)
{
    size_t n = numel(v->dim), all = n * (size_t)(j->batch / j->leaf), c = (size_t)v->dim.c;
    size_t pixels = (size_t)v->dim.h * (size_t)v->dim.w, images = (size_t)v->dim.n;
    bool is_centres = strstr(name, "_centres") != NULL; // (n, 1, N', 2) here, (n, N', 2) there
    float *want = read_floats(place(j->at, "wires", name), all), *x = alloc(n, sizeof *x);
    for (size_t i = 0; i < images; i++)
        for (size_t p = 0; p < pixels; p++)
            for (size_t k = 0; k < c; k++)
                x[is_centres ? (i * pixels + p) * c + k : (i * c + k) * pixels + p] =
                    v->x[(i * pixels + p) * c + k];
    judge(distance(x, want + n * (size_t)leaf, n) / largest(want, all), TOL_WIRE, &worst.wire, j, name);
    free(x);
    free(want);
}

static void check_wires(job_t *j, const objective_t *o, int leaf)
{
    for (int i = 0; i < WIRES; i++) {
        var_t v = tape_find(&o->tape, wire[i]);
        if (!v || !exists(place(j->at, "wires", wire[i]))) continue;
        check_wire(j, wire[i], v, leaf);
        j->wires_seen |= 1 << i;
    }
}

static void check_losses(job_t *j, const char *kind, double allowed, double *figure)
{
    int found = 0;
    for (int i = 0; losses[i]; i++) {
        const char *term = losses[i]->name;
        if (!kind_has_loss(&j->conf, losses[i])) continue;
        const params_t *p = losses[i]->steps & STEP_D ? &j->model.d : &j->model.f;
        double want, x = (double)p->g[p->n + (size_t)side_sum(term, losses[i]->steps)] * j->leaf / j->batch;
        read_data(&want, H5T_NATIVE_DOUBLE, 1, place(j->at, kind, term));
        judge(fabs(x - want) / fabs(want), allowed, figure, j, place("", kind, term));
        found++;
    }
    EXPECT(found == (strcmp(j->conf.model.kind, "dagan") == 0 ? 7 : 6));
}

static const net_t *net_of(const params_t *p, const view_t *v)
{
    const net_t *net = p->net;
    while (net->end <= v->offset) net++;
    return net;
}

// Gradients in file order against the file's; returns how many tensors there were to compare.
static int check_gradients(job_t *j, const params_t *p, double allowed, double *figure)
{
    int found = 0;
    for (int i = 0; i < p->n_views; i++) {
        const view_t *v = &p->view[i];
        const net_t *net = net_of(p, v);
        if (!exists(place(j->at, "grad", v->name))) continue;
        float *want = read_floats(place(j->at, "grad", v->name), v->n), *g = alloc(v->n, sizeof *g);
        double mean = (double)j->leaf / j->batch; // p->g is the sum over leaves
        double floor = GRAD_FLOOR * mean * largest(p->g + net->first, net->end - net->first);
        view_to_file(v, g, p->g, 0, v->shape[0]);
        for (size_t k = 0; k < v->n; k++) g[k] *= (float)mean;
        judge(distance(g, want, v->n) / fmax(largest(want, v->n), floor), allowed, figure, j,
              place("", "grad", v->name));
        free(g);
        free(want);
        found++;
    }
    return found;
}

// Root mean square distance of a network's weights from the file's, in rates.
static double drift(const job_t *j, const char *kind, const params_t *p, const net_t *net, double rate)
{
    double sum = 0, n = 0;
    for (int i = 0; i < p->n_views; i++) {
        const view_t *v = &p->view[i];
        if (net_of(p, v) != net || strcmp(v->name, BLIND) == 0) continue;
        float *want = read_floats(place(j->at, kind, v->name), v->n), *w = alloc(v->n, sizeof *w);
        view_to_file(v, w, p->w, 0, v->shape[0]);
        for (size_t k = 0; k < v->n; k++) sum += pow(((double)w[k] - want[k]) / rate, 2);
        n += (double)v->n;
        free(w);
        free(want);
    }
    return sqrt(sum / n);
}

static void check_weights(const job_t *j, const char *kind, const params_t *p, double rate, double allowed,
                          double *figure)
{
    for (int i = 0; i < p->n_nets; i++)
        judge(drift(j, kind, p, &p->net[i], rate), allowed, figure, j, place("", kind, p->net[i].name));
}

// ---- the step --------------------------------------------------------------------------------------

// As in train/step.c: DAE and G against the current D1, D2; D1 and D2 on the fakes of the same pass.
static void run_leaves(job_t *j, bool checks)
{
    size_t images = (size_t)j->leaf * j->image, bytes = images * sizeof(float);
    for (int leaf = 0; leaf < j->batch / j->leaf; leaf++) {
        float *fakes = j->fakes + 2 * (size_t)leaf * images;
        memcpy(j->g.x->x, j->s + (size_t)leaf * images, bytes);
        memcpy(j->g.x->x + images, j->t + (size_t)leaf * images, bytes);
        side_leaves(&j->f_side, &j->g, leaf, 1, 0);
        if (checks) check_wires(j, &j->g, leaf);
        memcpy(fakes, j->g.wires.fs->x, bytes);
        memcpy(fakes + images, j->g.wires.ft->x, bytes);
        memcpy(j->d.x->x, fakes, 2 * bytes);
        memcpy(j->d.wires.t->x, j->t + (size_t)leaf * images, bytes);
        if (j->d.wires.s) memcpy(j->d.wires.s->x, j->s + (size_t)leaf * images, bytes);
        side_leaves(&j->d_side, &j->d, leaf, 1, 0);
        if (checks) check_wires(j, &j->d, leaf);
    }
    reduce_finish(j->f_side.reduce);
    reduce_finish(j->d_side.reduce);
}

static void update(job_t *j)
{
    adam_t a = { j->conf.train.rate_g, j->conf.train.beta1, j->conf.train.beta2, (double)j->leaf / j->batch,
                 0 };
    adam_update(&j->model.f, &a, ~0u);
    a.rate = j->conf.train.rate_d;
    adam_update(&j->model.d, &a, ~0u);
}

static void ten_steps(int leaf)
{
    job_t j;
    job_open(&j, "", leaf);
    double rate_g = j.conf.train.rate_g, rate_d = j.conf.train.rate_d;
    run_leaves(&j, true);
    EXPECT(j.wires_seen == (1 << WIRES) - 1);
    check_losses(&j, "loss", TOL_LOSS, &worst.loss);
    EXPECT(check_gradients(&j, &j.model.f, TOL_GRAD, &worst.grad) == j.model.f.n_views);
    EXPECT(check_gradients(&j, &j.model.d, TOL_GRAD, &worst.grad) == j.model.d.n_views);
    update(&j);
    check_weights(&j, "after", &j.model.f, rate_g, TOL_AFTER, &worst.after);
    check_weights(&j, "after", &j.model.d, rate_d, TOL_AFTER, &worst.after);
    for (int step = 1; step < STEPS; step++) {
        run_leaves(&j, false);
        if (step == STEPS - 1) check_losses(&j, "loss10", TOL_LOSS10, &worst.loss10);
        update(&j);
    }
    check_weights(&j, "after10", &j.model.f, rate_g, TOL_AFTER10_F, &worst.after10_f);
    check_weights(&j, "after10", &j.model.d, rate_d, TOL_AFTER10_D, &worst.after10_d);
    job_close(&j);
}

static herr_t check_case(hid_t group, const char *name, const H5L_info_t *info, void *arg)
{
    (void)group, (void)info;
    int *n_cases = arg;
    char at[PLACE_MAX];
    job_t j;
    snprintf(at, sizeof at, "/cases/%s", name);
    job_open(&j, at, 1);
    bool is_norm = strncmp(name, "norm", 4) == 0, kinks = is_norm && !op_plain;
    run_leaves(&j, false);
    check_losses(&j, "loss", TOL_LOSS, &worst.loss);
    double allowed = kinks ? TOL_GRAD_KINK : TOL_GRAD, *figure = kinks ? &worst.kink : &worst.grad;
    int n =
        check_gradients(&j, &j.model.f, allowed, figure) + check_gradients(&j, &j.model.d, allowed, figure);
    // The norm cases hold every gradient, the others the small ones.
    EXPECT(is_norm ? n == j.model.f.n_views + j.model.d.n_views : n > 40);
    job_close(&j);
    ++*n_cases;
    return 0;
}

static void all_cases(int unused)
{
    (void)unused;
    int n_cases = 0;
    open_file();
    H5_OK(H5Literate_by_name(file, "/cases", H5_INDEX_NAME, H5_ITER_INC, NULL, check_case, &n_cases,
                             H5P_DEFAULT));
    assert_int_equal(n_cases, 11);
}

// ---- the tests -------------------------------------------------------------------------------------

// With the plain loops, then with each instruction set of the machine.
static void with_all_kernels(void (*run)(int), int pairs)
{
    const kernels_t *best = kernel;
    for (int set = -1; set < n_kernel_sets; set++) {
        op_plain = set < 0;
        kernel = set < 0 ? best : kernel_sets[set];
        run(pairs);
    }
    kernel = best;
    op_plain = false;
}

TEST(ten_steps_over_leaves_of_one_pair_are_those_of_the_reference)
{
    with_all_kernels(ten_steps, 1);
}

TEST(ten_steps_over_one_leaf_of_four_pairs_are_those_of_the_reference)
{
    with_all_kernels(ten_steps, 4);
}

TEST(other_losses_masks_and_norms_are_those_of_the_reference)
{
    with_all_kernels(all_cases, 0);
    H5Fclose(file);
    print_message(
        "worst: loss %.1e, wires %.1e, gradients %.1e (norms with fast kernels %.1e), after one step %.1e, "
        "after ten %.2f (F) and %.2f (D) rates, loss then %.1e\n",
        worst.loss, worst.wire, worst.grad, worst.kink, worst.after, worst.after10_f, worst.after10_d,
        worst.loss10);
}
