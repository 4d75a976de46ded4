// ranks: 1 2 4
// Numbers that are not finite, too large, or differ between ranks: found before they do harm, and named.

#include "job.h"

#include "../src/run/desync.h"

static config_t conf;

// A tiny job of 4 leaves and 4 steps that uses everything which keeps state; `sets` end with NULL.
static void configure(char *const sets[])
{
    static const char yaml[] = "data: {source: {group: faces}, target: {group: faces}, size: 16}\n"
                               "model: {width: 4, residuals: 0}\n"
                               "attention: {regions: 2, half: 4}\n"
                               "loss: {gan: hinge}\n"
                               "train: {steps: 4, batch: 4, microbatch: 1, ema: 0.99, pool: 8, clip: 10}\n"
                               "checkpoint: {every: 2, keep: 9}\n"
                               "log: {every: 1}\n"
                               "samples: {every: 0, count: 1}\n"
                               "comm: {timeout: 60}\n";
    job_parse(&conf, yaml, sets);
}

// What is to be injected: where, and when.
typedef struct {
    const char *tensor; // a weight of this name, or NULL: a pixel of a leaf
    int objective;      // STEP_*, for a leaf
    int leaf;           // of the whole batch
    long step;
    bool again; // in every later step, too
    float value;
    bool done;
} fault_t;

static float *find(trainer_t *tr, const char *tensor)
{
    params_t *side[] = { &tr->model.f, &tr->model.d };
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < side[s]->n_views; i++)
            if (strcmp(side[s]->view[i].name, tensor) == 0) {
                params_changed(side[s]);
                return side[s]->w + side[s]->view[i].offset;
            }
    fail_msg("no weight %s", tensor);
    return NULL;
}

static void at_step(void *arg, trainer_t *tr)
{
    fault_t *f = arg;
    if (!f->tensor || tr->step != f->step || f->done) return;
    find(tr, f->tensor)[0] = f->value;
    f->done = true;
}

static void at_leaf(void *arg, trainer_t *tr, objective_t *o, int leaf)
{
    fault_t *f = arg;
    long step = o->step & STEPS_OF_D ? tr->pending.step : tr->step;
    if (f->tensor || o->step != f->objective || tr->plan.first_leaf + leaf != f->leaf) return;
    if (step == f->step || (f->again && step > f->step)) o->x->x[numel(o->x->dim) / 2 + 7] = f->value; // of t
}

static int run_with(fault_t *fault)
{
    return job_run(&conf, &(observer_t){ .step = at_step, .filled = at_leaf, .arg = fault });
}

static void expect_said(const char *text)
{
    if (!strstr(said, text)) fail_msg("'%s' is not in: %s", text, said);
}

static void expect_file(const char *name, bool is_there)
{
    char path[2 * CONF_TEXT_MAX];
    snprintf(path, sizeof path, "%s/%s", conf.run.dir, name);
    if ((access(path, F_OK) == 0) != is_there) fail_msg("%s is %sthere", path, is_there ? "not " : "");
    comm_barrier(&comm);
}

static int owner(int leaf)
{
    return share_owner(4, (size_t)leaf, comm.size);
}

TEST(a_weight_that_is_not_finite_ends_the_run_and_is_named)
{
    static const char *const tensor[] = { "dae.enc.c0.weight", "g.fuse.weight", "d1.c0.weight",
                                          "d2.c0.weight" };
    for (int i = 0; i < 4; i++) {
        char text[128];
        fault_t f = { .tensor = tensor[i], .step = 3, .value = i % 2 ? INFINITY : NAN };
        configure((char *[]){ (char *)"train.nonfinite=stop", NULL });
        expect_status(run_with(&f), EXIT_RUN_FAILED);
        snprintf(text, sizeof text, "step 4: weight %s is not finite on rank 0 on ", tensor[i]);
        expect_said(text);
        expect_said("(4 of 4 leaves); the run ends\n");
        expect_file("ckpt-00000002.h5", true);
        expect_file("ckpt-00000004.h5", false);
    }
}

// The rows that leaf `leaf` of step 3 is made of, at one pair to a leaf.
static void expect_rows(int leaf)
{
    char text[128];
    order_t s, t;
    uint64_t pair = 2 * 4 + (uint64_t)leaf;
    order_init(&s, ROWS, conf.run.seed, STREAM_ORDER_SOURCE);
    order_init(&t, ROWS, conf.run.seed, STREAM_ORDER_TARGET);
    snprintf(text, sizeof text, ", source rows %zu, target rows %zu ", order_row(&s, pair),
             order_row(&t, pair));
    expect_said(text);
    order_free(&t);
    order_free(&s);
}

TEST(a_leaf_that_is_not_finite_is_named_with_its_rank_and_rows)
{
    static const int steps[] = { STEP_G, STEP_D, STEP_LABEL, STEP_LABEL_D };
    for (int s = 0; s < 4; s++)
        for (int leaf = 0; leaf < 4; leaf += 3) {
            char text[128], *labels = (char *)(s < 2 ? "train.label_warmup=0" : "train.label_warmup=3");
            fault_t f = { .objective = steps[s], .leaf = leaf, .step = 2, .value = NAN };
            configure((char *[]){ (char *)"train.nonfinite=stop", (char *)"labels.eyes=0",
                                  (char *)"loss.weights.label=1", (char *)"loss.weights.label_d=1", labels,
                                  NULL });
            expect_status(run_with(&f), EXIT_RUN_FAILED);
            snprintf(text, sizeof text, " on rank %d on ", owner(leaf));
            expect_said("step 3: "); // relu takes NaN for 0: it may show in gradients alone
            expect_said(text);
            expect_rows(leaf);
            expect_said("(1 of 4 leaves); the run ends\n");
        }
}

// The state after a skipped step, and the one before it.
static float *copy[4];
static size_t changed;
static int compared;

typedef struct {
    fault_t fault;
    bool is_d;
} watch_t;

static void compare_step(void *arg, trainer_t *tr)
{
    const watch_t *w = arg;
    const params_t *p = w->is_d ? &tr->model.d : &tr->model.f;
    size_t pool = (size_t)tr->pool.samples * (size_t)tr->pool.depth * tr->pool.image;
    const float *now_is[] = { p->w, p->m, p->v, w->is_d ? tr->pool.s : p->ema };
    size_t n[] = { p->n, p->n, p->n, w->is_d ? pool : p->n };
    bool is_before = tr->step == w->fault.step, is_after = tr->step == w->fault.step + 1;
    if (w->is_d && (is_before || is_after)) EXPECT(!trainer_settle(tr)); // D's update comes late
    for (int i = 0; i < 4; i++) {
        if (is_before) {
            copy[i] = alloc(n[i], sizeof(float));
            memcpy(copy[i], now_is[i], n[i] * sizeof(float));
        }
        if (is_after) {
            for (size_t j = 0; j < n[i]; j++) changed += copy[i][j] != now_is[i][j];
            free(copy[i]);
        }
    }
    if (is_after) EXPECT(p->net[0].updates == w->fault.step && tr->skipped == 1);
    if (is_after && w->is_d) EXPECT(tr->gan_steps == w->fault.step);
    if (is_after) EXPECT(!desync_check(tr));
    compared += is_after;
}

TEST(a_skipped_step_changes_nothing_and_the_run_goes_on)
{
    for (int d = 0; d < 2; d++) {
        watch_t w = { .fault = { .objective = d ? STEP_D : STEP_G, .leaf = 2, .step = 2, .value = NAN },
                      .is_d = d };
        configure((char *[]){ (char *)"train.ema=0.9", NULL });
        changed = 0;
        compared = 0;
        expect_status(job_run(&conf, &(observer_t){ .step = compare_step, .filled = at_leaf, .arg = &w }),
                      EXIT_DONE);
        assert_int_equal(compared, 1);
        if (changed) fail_msg("%zu numbers of %s changed in a skipped step", changed, d ? "D" : "F");
        expect_file("ckpt-00000004.h5", true);
    }
}

TEST(too_many_skipped_steps_end_the_run)
{
    fault_t f = { .objective = STEP_G, .leaf = 3, .step = 1, .again = true, .value = INFINITY };
    configure((char *[]){ (char *)"train.nonfinite_max=2", NULL });
    expect_status(run_with(&f), EXIT_RUN_FAILED);
    expect_said("the step is skipped, 1 in a row of at most 2\n");
    expect_said("the step is skipped, 2 in a row of at most 2\n");
    expect_said("step 4: "); // F and D of steps 2 and 3 were skipped, which are two steps
    expect_said("the run ends\n");
}

// Source rows of the leaves of step 3, each time it is taken.
static size_t row_taken[8];
static int n_taken;

static void note_row(void *arg, trainer_t *tr, objective_t *o, int leaf)
{
    (void)arg;
    if (o->step == STEP_G && tr->step == 2 && n_taken < 8) row_taken[n_taken++] = tr->batch->row_s[leaf];
}

TEST(rollback_reloads_and_goes_on_in_another_order)
{
    static const size_t before[] = { 19, 16, 9, 8 }, after[] = { 11, 18, 8, 22 }; // on any number of ranks
    fault_t f = { .tensor = "g.fuse.weight", .step = 3, .value = NAN };
    int mine = 4 / comm.size;
    configure((char *[]){ (char *)"train.nonfinite=rollback", NULL });
    n_taken = 0;
    expect_status(job_run(&conf, &(observer_t){ .step = at_step, .filled = note_row, .arg = &f }), EXIT_DONE);
    assert_int_equal(n_taken, 2 * mine);
    for (int i = 0; i < mine; i++) {
        EXPECT(row_taken[i] == before[mine * comm.rank + i]);
        EXPECT(row_taken[mine + i] == after[mine * comm.rank + i]);
    }
    expect_said("step 4: weight g.fuse.weight is not finite");
    expect_said("back to the last checkpoint, 1 in a row of at most 10\n");
    expect_file("ckpt-00000004.h5", true);
}

// metrics.csv is on a disk that is full when the run goes back.
static void fill_disk(void *arg, trainer_t *tr)
{
    fault_t *f = arg;
    char path[2 * CONF_TEXT_MAX];
    snprintf(path, sizeof path, "%s/metrics.csv", conf.run.dir);
    if (tr->step == f->step && !f->done && comm.rank == 0)
        assert_int_equal(unlink(path) | symlink("/dev/full", path), 0);
    at_step(f, tr);
}

TEST(rollback_goes_on_without_metrics_csv)
{
    fault_t f = { .tensor = "g.fuse.weight", .step = 3, .value = NAN };
    if (access("/dev/full", W_OK)) return;
    configure((char *[]){ (char *)"train.nonfinite=rollback", NULL });
    expect_status(job_run(&conf, &(observer_t){ .step = fill_disk, .arg = &f }), EXIT_DONE);
    expect_said("metrics.csv: No space left on device");
    expect_file("ckpt-00000004.h5", true);
}

// A better figure than the checkpoint's comes just before the fault.
static void find_best(void *arg, trainer_t *tr)
{
    fault_t *f = arg;
    if (tr->step == 0) conf.checkpoint.best = BEST_KID; // saved, though nothing is looked at
    if (tr->step == 1) tr->best_figure = 0.5, tr->best_step = 1;
    if (tr->step == f->step && !f->done) tr->best_figure = 0.25, tr->best_step = f->step;
    if (tr->step == f->step || f->done) EXPECT(tr->best_figure == 0.25 && tr->best_step == f->step);
    at_step(f, tr);
}

TEST(rollback_keeps_the_best_figure_that_best_h5_has)
{
    fault_t f = { .tensor = "g.fuse.weight", .step = 3, .value = NAN };
    configure((char *[]){ (char *)"train.nonfinite=rollback", (char *)"checkpoint.every=1", NULL });
    expect_status(job_run(&conf, &(observer_t){ .step = find_best, .arg = &f }), EXIT_DONE);
    EXPECT(f.done);
    conf.checkpoint.best = BEST_NONE;
}

TEST(rollback_works_before_the_first_checkpoint_and_has_an_end)
{
    fault_t f = { .objective = STEP_D, .leaf = 2, .step = 1, .again = true, .value = NAN };
    configure((char *[]){ (char *)"train.nonfinite=rollback", (char *)"train.nonfinite_max=2", NULL });
    expect_status(run_with(&f), EXIT_RUN_FAILED);
    expect_said("back to the last checkpoint, 2 in a row of at most 2\n");
    expect_said("the run ends\n");
    expect_file("ckpt-00000000.h5", true);
    expect_file("ckpt-00000002.h5", false);
}

static double length(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

// Adam's first moment after one step is (1 - beta1) times the gradient.
static void expect_clipped(void *arg, trainer_t *tr)
{
    int *seen = arg;
    if (tr->step != 1) return;
    EXPECT(!trainer_settle(tr));
    double wanted = (1 - conf.train.beta1) * conf.train.clip;
    EXPECT_NEAR(length(tr->model.f.m, tr->model.f.n), wanted, 1e-5 * wanted); // float32 moments
    EXPECT_NEAR(length(tr->model.d.m, tr->model.d.n), wanted, 1e-5 * wanted);
    ++*seen;
}

TEST(clip_bounds_the_norm_of_all_gradients_of_a_side)
{
    int seen = 0;
    configure((char *[]){ (char *)"train.clip=0.001", NULL });
    expect_status(job_run(&conf, &(observer_t){ .step = expect_clipped, .arg = &seen }), EXIT_DONE);
    assert_int_equal(seen, 1);
}

// One bit of one number on one rank.
typedef struct {
    int rank;
    long step;
} flip_t;

static void flip_step(void *arg, trainer_t *tr)
{
    const flip_t *f = arg;
    if (tr->step != f->step || tr->comm->rank != f->rank) return;
    uint32_t *w = (uint32_t *)(find(tr, "g.fuse.weight") + 11);
    *w ^= 1;
}

// In a step with `sets`, from step 2 on.
static void expect_flip_found(int step, char *const sets[])
{
    char text[256];
    flip_t f = { .rank = comm.size - 1, .step = 2 };
    configure(sets);
    expect_status(job_run(&conf, &(observer_t){ .step = flip_step, .arg = &f }), EXIT_RUN_FAILED);
    snprintf(text, sizeof text,
             comm.size > 2 ? "step %d: weight g.fuse.weight differs from the other ranks' on rank %d on "
                           : "step %d: weight g.fuse.weight differs between ranks, there is no majority; not "
                             "as on rank 0: rank %d on ",
             step, f.rank);
    expect_said(text);
}

TEST(a_bit_that_differs_on_one_rank_is_found_when_ranks_are_compared)
{
    if (comm.size == 1) return; // nobody to compare with
    expect_flip_found(3, (char *[]){ (char *)"comm.verify_every=1", (char *)"checkpoint.every=1000", NULL });
}

TEST(a_bit_that_differs_on_one_rank_is_found_before_it_is_saved)
{
    if (comm.size == 1) return;
    expect_flip_found(4, (char *[]){ (char *)"comm.verify_every=1000", NULL });
    expect_file("ckpt-00000002.h5", true);
    expect_file("ckpt-00000004.h5", false);
}
