// ranks: 1
// DAE encodes its instances some at a time, as many as the cache holds: what comes out is what E makes of all
// of them at once.  And with which weights F translates.

#include "test.h"

#include "dagan/train.h"

typedef struct {
    config_t *conf;
    params_t params;
    tape_t t;
    var_t instances;
} case_t;

// The instances of two images of the reference job, and the gradient of their mean square.
static void open_case(case_t *e, bool at_once)
{
    rng_t r = rng_at(11, STREAM_TEST, 0, 0);
    *e = (case_t){ .conf = alloc(1, sizeof *e->conf) };
    if (config_load(e->conf, "configs/reference.yaml", NULL, 0)) fail_msg("%s", error_text());
    scope_t s = scope_new(&e->t, &e->params, e->conf, "dae", "instance"), enc = scope_in(&s, "enc");
    var_t x = tape_input(&e->t, "x", (shape_t){ 2, 64, 64, 3 });
    dae_t z = dae(&s, x, NULL);
    e->instances = at_once ? encode(&enc, z.regions[0]) : z.instances;
    tape_name(e->instances, "instances", true);
    var_t zero = tape_input(&e->t, "zero", e->instances->dim), loss = mean_square(e->instances, zero);
    params_alloc(&e->params, 1, 0);
    tape_plan(&e->t, loss);
    for (size_t i = 0; i < numel(x->dim); i++) x->x[i] = rng_normal(&r);
    tape_forward(&e->t, 0, e->t.n);
    tape_backward_start(&e->t, 1);
    tape_backward_until(&e->t, 0);
}

static int count_nodes(const tape_t *t, const char *op)
{
    int n = 0;
    for (int i = 0; i < t->n; i++) n += strcmp(t->node[i]->op->name, op) == 0;
    return n;
}

static void close_case(case_t *e)
{
    tape_free(&e->t);
    params_free(&e->params);
    free(e->conf);
}

TEST(instances_encoded_in_parts_are_those_encoded_at_once)
{
    case_t parts, whole;
    double off = 0, largest = 0;
    open_case(&parts, false);
    open_case(&whole, true);
    EXPECT(count_nodes(&parts.t, "stack") > 0); // some layers see fewer images at a time
    size_t n = numel(parts.instances->dim);
    EXPECT(memcmp(parts.instances->x, whole.instances->x, n * sizeof(float)) == 0);
    // Gradients of weights are added up in another order: rounding, 1e-6 of the largest.
    for (size_t i = 0; i < parts.params.n; i++) {
        EXPECT(isfinite(parts.params.g[i])); // fmax would pass NaN over
        off = fmax(off, fabs((double)parts.params.g[i] - whole.params.g[i]));
        largest = fmax(largest, fabs((double)whole.params.g[i]));
    }
    print_message("gradients differ by %.1e of the largest\n", off / largest);
    EXPECT(largest > 0 && off < 1e-5 * largest);
    close_case(&whole);
    close_case(&parts);
}

// attention.jitter moves what is looked at; what is predicted, kept and shown stays.
TEST(jitter_displaces_regions_and_leaves_centres)
{
    enum { N = 2, REGIONS = 4 };
    static const float jitter[N * REGIONS * 2] = { 3, -2, 0.5f, 0, [8] = -6, 6 };
    rng_t r = rng_at(12, STREAM_TEST, 0, 0);
    config_t *conf = alloc(1, sizeof *conf);
    if (config_load(conf, "configs/reference.yaml", NULL, 0)) fail_msg("%s", error_text());
    params_t params = { 0 };
    tape_t t = { 0 };
    scope_t s = scope_new(&t, &params, conf, "dae", "instance");
    var_t x = tape_input(&t, "x", (shape_t){ N, 64, 64, 3 });
    var_t by = tape_input(&t, "jitter", (shape_t){ N, 1, REGIONS, 2 });
    dae_t still = dae(&s, x, NULL), moved = dae(&s, x, by);
    var_t there = mask(x, moved.at, &conf->attention.half, conf->attention.sharpness);
    var_t keep[] = { still.centres, moved.centres, moved.at, moved.regions[0], there };
    for (size_t i = 0; i < sizeof keep / sizeof *keep; i++) tape_name(keep[i], "kept", true);
    params_alloc(&params, 1, 0);
    tape_plan(&t, NULL);
    for (size_t i = 0; i < numel(x->dim); i++) x->x[i] = rng_normal(&r);
    memcpy(by->x, jitter, sizeof jitter);
    tape_forward(&t, 0, t.n);
    EXPECT(memcmp(still.centres->x, moved.centres->x, sizeof jitter) == 0);
    for (int i = 0; i < N * REGIONS * 2; i++) EXPECT(moved.at->x[i] == moved.centres->x[i] + jitter[i]);
    EXPECT(memcmp(moved.regions[0]->x, there->x, numel(there->dim) * sizeof(float)) == 0);
    tape_free(&t);
    params_free(&params);
    free(conf);
}

static void expect_translation(translator_t *tr, const float *fx, const float *centres, bool is_same)
{
    tape_forward(&tr->tape, 0, tr->tape.n);
    EXPECT((memcmp(fx, tr->fx->x, numel(tr->fx->dim) * sizeof *fx) == 0) == is_same);
    EXPECT((memcmp(centres, tr->z.centres->x, numel(tr->z.centres->dim) * sizeof *centres) == 0) == is_same);
}

TEST(a_translator_reads_averaged_weights_alone)
{
    enum { PIXELS = 64 * 64 * 3, CENTRES = 4 * 2 };
    static float fx[PIXELS], centres[CENTRES];
    rng_t r = rng_at(13, STREAM_TEST, 0, 0);
    config_t *conf = alloc(1, sizeof *conf);
    if (config_load(conf, "configs/reference.yaml", NULL, 0)) fail_msg("%s", error_text());
    model_t m = { .conf = conf };
    translator_t tr;
    translator_build(&tr, &m, 1);
    EXPECT(numel(tr.fx->dim) == PIXELS && numel(tr.z.centres->dim) == CENTRES);
    params_alloc(&m.f, 1, 0);
    tape_plan(&tr.tape, NULL);
    for (int i = 0; i < PIXELS; i++) tr.x->x[i] = rng_normal(&r);
    tape_forward(&tr.tape, 0, tr.tape.n);
    memcpy(fx, tr.fx->x, sizeof fx);
    memcpy(centres, tr.z.centres->x, sizeof centres);
    memset(m.f.w, 0, m.f.n * sizeof *m.f.w);
    params_changed(&m.f);
    expect_translation(&tr, fx, centres, true);
    memset(m.f.ema, 0, m.f.n * sizeof *m.f.ema);
    params_changed(&m.f);
    expect_translation(&tr, fx, centres, false);
    translator_free(&tr);
    params_free(&m.f);
    free(conf);
}
