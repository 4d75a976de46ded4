// ranks: 1 2
// What a leaf's tape is given beside its images, and at which rate each side of a step moves.

#include "job.h"

enum { PAIRS = 2, REGIONS = 2 };
static const double HALF[REGIONS][2] = { { 5, 3 }, { 4, 7 } };
static const float JITTER = 0.5f;

static const char yaml[] = "data: {source: {group: faces}, target: {group: faces}, size: 16}\n"
                           "model: {width: 4, residuals: 0}\n"
                           "attention: {regions: 2, half: 5x3 4x7, jitter: 0.5}\n"
                           "labels: {eyes: 0, hair: all}\n"
                           "loss: {weights: {label: 1, label_d: 1}}\n"
                           "train: {steps: 4, batch: 4, microbatch: 2, label_warmup: 2}\n"
                           "checkpoint: {every: 100}\n"
                           "samples: {every: 0}\n";
static config_t conf;

static void train(const observer_t *o, char *const sets[])
{
    job_parse(&conf, yaml, sets);
    expect_status(job_run(&conf, o), EXIT_DONE);
}

// Leaves seen of each step, and labels that were wrong; nothing may fail before the job has ended.
typedef struct {
    int leaves[STEP_LABEL_D + 1], wrong, unlike;
} told_t;

static void compare_labels(void *arg, trainer_t *tr, objective_t *o, int leaf)
{
    told_t *told = arg;
    bool is_d = o->step & STEPS_OF_D;
    const size_t *of_s = is_d ? tr->pending.rows : tr->batch->row_s,
                 *of_t = is_d ? tr->pending.rows + tr->plan.my_leaves * PAIRS : tr->batch->row_t;
    told->leaves[o->step]++;
    for (int i = 0; i < PAIRS; i++) {
        size_t s = of_s[leaf * PAIRS + i], t = of_t[leaf * PAIRS + i];
        const float *eyes = o->wires.label[0]->x + i, *hair = o->wires.label[1]->x + i;
        told->wrong += eyes[0] != eyes_of(s) || eyes[PAIRS] != eyes_of(t);
        told->wrong += hair[0] != hair_of(s) || hair[PAIRS] != hair_of(t);
        told->unlike += eyes[0] != eyes[PAIRS] && hair[0] != hair[PAIRS];
    }
}

TEST(labels_are_those_of_the_rows_of_s_and_of_t)
{
    static const int steps[] = { STEP_G, STEP_D, STEP_LABEL, STEP_LABEL_D };
    told_t told = { 0 };
    train(&(observer_t){ .filled = compare_labels, .arg = &told }, NULL);
    for (int i = 0; i < 4; i++) EXPECT(told.leaves[steps[i]] > 0);
    EXPECT(told.unlike > 0);
    assert_int_equal(told.wrong, 0);
}

// Of each region and axis, the farthest to both sides, in half-sides.
static void take_farthest(void *arg, trainer_t *tr, objective_t *o, int leaf)
{
    double(*far)[2][2] = arg; // (regions, axes, sides)
    (void)tr, (void)leaf;
    for (int i = 0; i < o->jitter->dim.n * REGIONS * 2; i++) {
        int region = i / 2 % REGIONS, axis = i % 2;
        double by = o->jitter->x[i] / HALF[region][axis], *to = far[region][axis];
        to[by > 0] = fmax(to[by > 0], fabs(by));
    }
}

TEST(jitter_reaches_its_share_of_each_half_side_and_no_farther)
{
    double far[REGIONS][2][2] = { 0 };
    train(&(observer_t){ .filled = take_farthest, .arg = far }, (char *[]){ (char *)"train.steps=16", NULL });
    comm_max(&comm, &far[0][0][0], sizeof far / sizeof far[0][0][0]);
    for (int i = 0; i < REGIONS * 2 * 2; i++) {
        double found = (&far[0][0][0])[i];
        EXPECT(found <= JITTER * (1 + 1e-6)); // divided in double what was multiplied in float
        EXPECT(found > 0.9 * JITTER);         // 5 % of 128 draws are beyond: none of them in 0.1 % of seeds
    }
}

enum { CUT_X = 5, CUT_SIZE = 7 }; // of the numbers of DiffAugment

typedef struct {
    int n;
    bool drawn[AUGMENT_NUMBERS]; // another number than that of an image that stays
} augmented_t;

static void note_augment(void *arg, trainer_t *tr, objective_t *o, int leaf)
{
    static const float neutral[AUGMENT_NUMBERS] = { 0, 1, 1 };
    augmented_t *a = arg;
    (void)tr, (void)leaf;
    for (int k = 0; k < o->n_augment; k++)
        for (int i = 0; i < o->augment[k]->dim.n; i++, a->n++)
            for (int j = 0; j < AUGMENT_NUMBERS; j++)
                a->drawn[j] |= o->augment[k]->x[i * AUGMENT_NUMBERS + j] != neutral[j];
}

TEST(each_augmentation_draws_its_own_numbers)
{
    static const char *const key[] = { "train.augment.colour=true", "train.augment.shift=true",
                                       "train.augment.cutout=true" };
    for (int k = 0; k < 3; k++) {
        augmented_t a = { 0 };
        train(&(observer_t){ .filled = note_augment, .arg = &a }, (char *[]){ (char *)key[k], NULL });
        EXPECT(a.n > 0);
        for (int j = 0; j < CUT_X; j++) EXPECT(a.drawn[j] == ((k == 0 && j < 3) || (k == 1 && j >= 3)));
        EXPECT(a.drawn[CUT_SIZE] == (k == 2));
    }
}

// The weights of F and D as the run begins, and whether the steps moved them.
typedef struct {
    float *before[2];
    bool moved[2];
} sides_moved_t;

static void compare_weights(void *arg, trainer_t *tr)
{
    sides_moved_t *m = arg;
    const params_t *p[] = { &tr->model.f, &tr->model.d };
    if (trainer_settle(tr)) return; // D's update comes late
    for (int i = 0; i < 2; i++) {
        size_t bytes = p[i]->n * sizeof(float);
        if (tr->step == 0) memcpy(m->before[i] = alloc(p[i]->n, sizeof(float)), p[i]->w, bytes);
        m->moved[i] |= memcmp(m->before[i], p[i]->w, bytes) != 0;
    }
}

// Steps of all four sorts.
static void expect_moves(const char *rate, bool moves_f, bool moves_d)
{
    sides_moved_t m = { 0 };
    train(&(observer_t){ .step = compare_weights, .arg = &m }, (char *[]){ (char *)rate, NULL });
    EXPECT(m.moved[0] == moves_f && m.moved[1] == moves_d);
    free(m.before[1]);
    free(m.before[0]);
}

TEST(each_side_moves_at_its_own_rate)
{
    expect_moves("train.rate_d=0", true, false);
    expect_moves("train.rate_g=0", false, true);
}
