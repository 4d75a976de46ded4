// ranks: 1 2
// data.shift: what training sees of an image, and where its regions are said to be.

#include "job.h"

#include "../src/train/leaf.h"

enum { REGIONS = 2, MOST = 3, PAIRS = 2, PIXELS = SIDE * SIDE * 3, DRAWS = 64 };

typedef struct {
    bool seen;
    float centres[2 * REGIONS]; // in the displaced image
    int by[2];
} visit_t;

static char wrong[128]; // the first thing; stderr is not to be seen while the job runs
static visit_t visit[2][ROWS];
static float last_x[2][2 * PAIRS * PIXELS]; // of each leaf of this rank, as DAE and G saw them
static int drawn[DRAWS][2][2], n_drawn;     // displacements of s and t

static void expect(bool holds, const char *what)
{
    if (!holds && !wrong[0]) snprintf(wrong, sizeof wrong, "%s", what);
}

static int within(int i)
{
    return i < 0 ? 0 : i < SIDE ? i : SIDE - 1;
}

static void expect_displaced(const float *x, const uint8_t *image, const int by[2])
{
    expect(abs(by[0]) <= MOST && abs(by[1]) <= MOST, "displaced by more than data.shift");
    for (int i = 0; i < PIXELS; i++) {
        int row = i / 3 / SIDE - by[1], column = i / 3 % SIDE - by[0];
        uint8_t byte = image[(within(row) * SIDE + within(column)) * 3 + i % 3];
        expect(x[i] == (float)byte / 127.5f - 1, "a pixel is not where leaf_shift says");
    }
}

static void look_at_batch(trainer_t *tr, objective_t *o, int leaf)
{
    for (int i = 0; i < PAIRS; i++) {
        for (int domain = 0; domain < 2; domain++) {
            const uint8_t *image = domain ? tr->batch->image_t : tr->batch->image_s;
            int *by = drawn[n_drawn][domain];
            leaf_shift(tr, o, leaf, domain, i, by);
            expect_displaced(o->x->x + (domain * PAIRS + i) * PIXELS, image + (leaf * PAIRS + i) * PIXELS,
                             by);
        }
        n_drawn++;
    }
    memcpy(last_x[leaf], o->x->x, sizeof last_x[leaf]);
}

static void before_leaf(void *arg, trainer_t *tr, objective_t *o, int leaf)
{
    (void)arg;
    const float *t = last_x[leaf] + PAIRS * PIXELS;
    if (o->step == STEP_D)
        expect(memcmp(o->wires.t->x, t, PAIRS * PIXELS * sizeof *t) == 0, "D sees another t than G");
    else if (o->step == STEP_LABEL_D)
        expect(memcmp(o->x->x, last_x[leaf], sizeof last_x[leaf]) == 0, "D1 sees others than DAE");
    else
        look_at_batch(tr, o, leaf);
}

static void after_leaf(void *arg, const trainer_t *tr, const objective_t *o, int leaf)
{
    (void)arg;
    if (o->step & STEPS_OF_D) return;
    for (int i = 0; i < PAIRS; i++)
        for (int domain = 0; domain < 2; domain++) {
            const size_t *row = domain ? tr->batch->row_t : tr->batch->row_s;
            visit_t *v = &visit[domain][row[leaf * PAIRS + i]];
            v->seen = true;
            memcpy(v->centres, o->wires.z.centres->x + (domain * PAIRS + i) * 2 * REGIONS, sizeof v->centres);
            leaf_shift(tr, o, leaf, domain, i, v->by);
        }
}

// Region 0 is drawn to the lower left corner, to lie where the edge is repeated.
static void draw_to_corner(void *arg, trainer_t *tr)
{
    (void)arg;
    params_t *f = &tr->model.f;
    for (int i = 0; i < f->n_views && tr->step == 0; i++)
        if (strcmp(f->view[i].name, "dae.loc.out.bias") == 0) {
            f->w[f->view[i].offset] = -30;
            f->w[f->view[i].offset + 1] = 30;
            params_changed(f);
        }
}

static void read_centres(const char *name, float (*centres)[2 * REGIONS])
{
    hid_t f = H5Fopen(at("run/latest.h5"), H5F_ACC_RDONLY, H5P_DEFAULT), d = H5Dopen(f, name, H5P_DEFAULT);
    EXPECT(H5Dread(d, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, centres) >= 0);
    EXPECT(H5Dclose(d) >= 0 && H5Fclose(f) >= 0);
}

// One pass over both sets, so that each row is seen by one rank, once.
static void train(void)
{
    static const char yaml[] = "data: {source: {group: faces}, target: {group: faces}, size: 16, shift: 3}\n"
                               "model: {width: 4, residuals: 0, localiser: fc}\n"
                               "attention: {regions: 2, half: 4}\n"
                               "labels: {eyes: 0}\n"
                               "loss: {weights: {label: 1, label_d: 1}}\n"
                               "train: {steps: 6, batch: 4, microbatch: 2, label_warmup: 2}\n"
                               "checkpoint: {every: 100}\n"
                               "samples: {every: 0}\n";
    static config_t conf;
    job_parse(&conf, yaml, NULL);
    observer_t o = { .step = draw_to_corner, .filled = before_leaf, .leaf = after_leaf };
    expect_status(job_run(&conf, &o), EXIT_DONE);
    if (wrong[0]) fail_msg("%s", wrong);
}

static void expect_centres_of_the_stored_image(int domain, const char *name)
{
    float kept[ROWS][2 * REGIONS];
    int mine = 0, on_edge = 0;
    read_centres(name, kept);
    for (int row = 0; row < ROWS; row++) {
        const visit_t *v = &visit[domain][row];
        mine += v->seen;
        on_edge += v->seen && v->by[0] > 0 && kept[row][0] == -0.5f;
        for (int i = 0; v->seen && i < 2 * REGIONS; i++)
            EXPECT(kept[row][i] == fminf(fmaxf(v->centres[i] - (float)v->by[i % 2], -0.5f), SIDE - 0.5f));
    }
    assert_int_equal(mine, ROWS / comm.size);
    EXPECT(on_edge > 0);
}

TEST(all_of_a_step_see_the_same_displaced_images_and_centres_are_those_of_the_stored_ones)
{
    train();
    bool x_is_not_y = false, s_is_not_t = false, steps_differ = false;
    for (int i = 0; i < n_drawn; i++) {
        x_is_not_y |= drawn[i][0][0] != drawn[i][0][1];
        s_is_not_t |= drawn[i][0][0] != drawn[i][1][0];
        steps_differ |= drawn[i][0][0] != drawn[(i + n_drawn / 6) % n_drawn][0][0];
    }
    EXPECT(x_is_not_y && s_is_not_t && steps_differ);
    expect_centres_of_the_stored_image(0, "/attention/source/centres");
    expect_centres_of_the_stored_image(1, "/attention/target/centres");
}
