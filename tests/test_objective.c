// ranks: 1
// What each step's objective computes and whom it teaches.

#include "objective.h"

// No two alike.
static const char WEIGHTED[] =
    "data: {source: {file: none, group: s}, target: {file: none, group: t}, size: 32}\n"
    "model: {width: 4}\n"
    "attention: {regions: 2, half: 8}\n"
    "labels: {eyes: 1, skin: all}\n"
    "loss: {weights: {gan_s: 2, gan_t: 3, cst: 5, sym: 7, label: 11, label_fake: 13, label_d: 17,\n"
    "  pixel: 19, overlap: 23, lecam: 29, cycle: 31, identity: 37}}\n"
    "train: {steps: 1}\n";

// D's terms are Eqs. 7 and 8 and labels as they stand, whatever weight F gives them.
static double weight_of(const char *term)
{
    static const struct {
        const char *term;
        double weight;
    } known[] = { { "gan_s", 2 },    { "gan_t", 3 },    { "cst", 5 },         { "sym", 7 },
                  { "label", 11 },   { "label_d", 17 }, { "label_fake", 13 }, { "pixel", 19 },
                  { "overlap", 23 }, { "lecam", 29 },   { "cycle", 31 },      { "identity", 37 },
                  { "d1", 1 },       { "d2", 1 },       { "d1_label", 1 } };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].term, term)) return known[i].weight;
    fail_msg("nobody says the weight of %s", term);
    return 0;
}

static void expect_total(int step, const char *set, int n_terms)
{
    case_t e;
    double total = 0, size = 0;
    open_case_with(&e, WEIGHTED, step, set);
    fill(&e, 3);
    tape_forward(&e.o.tape, 0, e.o.tape.n);
    assert_int_equal(e.o.n_terms, n_terms);
    for (int i = 0; i < e.o.n_terms; i++) {
        double part = weight_of(e.o.term[i]->name) * *e.o.value[i]->x;
        total += part;
        size += fabs(part);
        EXPECT(part != 0);
    }
    EXPECT_NEAR(*e.o.total->x, total, 1e-6 * size); // one rounding to float32
    close_case(&e);
}

TEST(the_objective_is_the_sum_of_its_terms_by_their_weights)
{
    expect_total(STEP_G, NULL, 9);
    expect_total(STEP_D, NULL, 4);
    expect_total(STEP_LABEL, NULL, 2);
    expect_total(STEP_LABEL_D, NULL, 1);
    expect_total(STEP_G, "model.kind=cyclegan", 4);
    expect_total(STEP_D, "model.kind=cyclegan", 3);
}

TEST(jitter_displaces_the_regions_of_d1)
{
    case_t e;
    float told[2];
    open_case_with(&e, TOLD, STEP_LABEL_D, "attention.jitter=0.5");
    for (int far = 0; far < 2; far++) {
        fill(&e, 3);
        for (size_t i = 0; i < numel(e.o.jitter->dim); i++) e.o.jitter->x[i] = far ? 5 : 0;
        tape_forward(&e.o.tape, 0, e.o.tape.n);
        told[far] = *e.o.total->x;
    }
    EXPECT(told[0] != told[1]);
    close_case(&e);
}

static double mean_difference(const node_t *a, const node_t *b)
{
    double sum = 0;
    for (size_t i = 0; i < numel(a->dim); i++) sum += fabs((double)a->x[i] - (double)b->x[i]);
    return sum / (double)numel(a->dim);
}

// Windows of two sizes: one region, then two.
TEST(regions_as_d_sees_them_count_alike_whatever_their_windows)
{
    case_t e;
    int found = 0;
    open_case(&e, EVERYTHING, STEP_G);
    fill(&e, 3);
    tape_forward(&e.o.tape, 0, e.o.tape.n);
    for (int i = 0; i < e.o.n_terms; i++) {
        if (strcmp(e.o.term[i]->name, "cst") && strcmp(e.o.term[i]->name, "sym")) continue;
        const node_t *y = e.o.value[i];
        double wanted = 0;
        assert_int_equal(y->n_in, 2);
        for (int g = 0; g < 2; g++) {
            const node_t *of = y->in[g];
            EXPECT(of->n_in == 2 && of->in[0]->dim.n == PAIRS * (g + 1));
            wanted += (g + 1) / 3.0 * mean_difference(of->in[0], of->in[1]);
        }
        EXPECT(wanted > 0);
        EXPECT_NEAR(*y->x, wanted, 1e-5 * wanted); // float32 sums of hundreds
        found++;
    }
    assert_int_equal(found, 2);
    close_case(&e);
}

static void mark(bool *used, const node_t *y)
{
    if (used[y->index]) return;
    used[y->index] = true;
    for (int k = 0; k < y->n_in; k++) mark(used, y->in[k]);
}

// With a term switched off, what only that term needs is not computed: every array leads to the total, to a
// figure of the log, to the centres or to the fakes.
static void expect_nothing_in_vain(const char *yaml, int step, const char *set)
{
    case_t e;
    open_case_with(&e, yaml, step, set);
    const wires_t *w = &e.o.wires;
    bool *used = alloc((size_t)e.o.tape.n, sizeof *used);
    const var_t ends[] = { e.o.total, w->right[0], w->right[1], w->z.centres, w->fs, w->ft };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends[i]) mark(used, ends[i]);
    for (int i = 0; i < e.o.tape.n; i++) {
        const node_t *y = e.o.tape.node[i];
        if (y->n_in && !y->op->is_view && !used[i])
            fail_msg("%s: node %d, %s, leads nowhere", set ? set : "everything", i, y->op->name);
    }
    free(used);
    close_case(&e);
}

static double flops_with(const char *set)
{
    case_t e;
    open_case_with(&e, REFERENCE, STEP_G, set);
    double flops = tape_flops(&e.o.tape);
    close_case(&e);
    return flops;
}

TEST(what_is_switched_off_is_not_computed)
{
    static const char *const off[] = { NULL,
                                       "loss.weights.cst=0",
                                       "loss.weights.sym=0",
                                       "loss.weights.gan_t=0",
                                       "loss.weights.gan_s=0",
                                       "loss.weights.label=0" };
    for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
        expect_nothing_in_vain(REFERENCE, STEP_G, off[i]);
        expect_nothing_in_vain(REFERENCE, STEP_D, off[i]);
        expect_nothing_in_vain(EVERYTHING, STEP_D, off[i]);
        expect_nothing_in_vain(WHOLE, STEP_G, off[i]);
        expect_nothing_in_vain(CYCLEGAN, STEP_G, off[i]);
        expect_nothing_in_vain(CYCLEGAN, STEP_D, off[i]);
    }
    expect_nothing_in_vain(CYCLEGAN, STEP_G, "loss.weights.identity=0");
    expect_nothing_in_vain(CYCLEGAN, STEP_G, "loss.weights.cycle=0");
    // Each of L_cst and L_sym takes DAE of its own images only.
    double all = flops_with(NULL), no_cst = flops_with("loss.weights.cst=0"),
           no_sym = flops_with("loss.weights.sym=0");
    case_t e;
    open_case(&e, REFERENCE, STEP_G);
    double dae_of_pair = 0;
    for (int i = 0; i <= e.o.wires.z.instances->index; i++) {
        const node_t *y = e.o.tape.node[i];
        if (y->op->flops) dae_of_pair += y->op->flops(y);
    }
    close_case(&e);
    EXPECT(dae_of_pair > 0 && all - no_cst == dae_of_pair / 2 && all - no_sym == dae_of_pair / 2);

    open_case_with(&e, REFERENCE, STEP_D, "loss.weights.gan_t=0");
    EXPECT(e.model.d.n_nets == 1); // no D2
    close_case(&e);
    open_case(&e, WHOLE, STEP_G);
    for (int i = 0; i < e.model.f.n_views; i++) EXPECT(strncmp(e.model.f.view[i].name, "dae.loc", 7) != 0);
    close_case(&e);
}

TEST(each_step_moves_its_own_networks_only)
{
    static const int steps[] = { STEP_G, STEP_D, STEP_LABEL };
    for (int s = 0; s < 3; s++) {
        case_t e;
        open_case(&e, EVERYTHING, steps[s]);
        fill(&e, 1);
        run(&e);
        tape_backward_until(&e.o.tape, 0);
        params_t *mine = steps[s] == STEP_D ? &e.model.d : &e.model.f;
        params_t *other = steps[s] == STEP_D ? &e.model.f : &e.model.d;
        for (int i = 0; i < mine->n_nets; i++)
            EXPECT(!is_zero(mine->g + mine->net[i].first, mine->net[i].end - mine->net[i].first));
        EXPECT(is_zero(other->g, other->n));
        for (int i = 0; i < e.o.tape.n; i++)
            EXPECT(e.o.tape.node[i]->params != other || !e.o.tape.node[i]->g);
        EXPECT(!e.o.x->g && !e.o.wires.t->g); // nobody wants a gradient of images
        EXPECT(tape_final_at(&e.o.tape, other, 0, other->n) == e.o.tape.n);
        close_case(&e);
    }
}

// A checkpoint takes them when a leaf is done; memory of what nobody wants any more is used again on the way
// back.
TEST(centres_outlive_the_sweep_back)
{
    static const char settled[] =
        "data: {source: {file: none, group: s}, target: {file: none, group: t}, size: 32}\n"
        "model: {width: 4}\n"
        "attention: {regions: 4, half: 5, settle: 1 2 0 0, jitter: 0.5, mode: crop}\n"
        "labels: {eyes: 0, mouth: 1, skin: 1, glasses: 2, hair: 3, hair_color: 3}\n"
        "loss: {weights: {label: 1}}\n"
        "train: {steps: 1}\n";
    static const int steps[] = { STEP_LABEL, STEP_G };
    for (int i = 0; i < 2; i++) {
        case_t e;
        open_case(&e, settled, steps[i]);
        var_t centres = e.o.wires.z.centres;
        float before[2 * PAIRS * 4 * 2];
        assert_int_equal(numel(centres->dim), sizeof before / sizeof *before);
        fill(&e, 1);
        run(&e);
        memcpy(before, centres->x, sizeof before);
        tape_backward_until(&e.o.tape, 0);
        assert_memory_equal(centres->x, before, sizeof before);
        close_case(&e);
    }
}

TEST(lecam_holds_each_side_near_the_average_of_the_other)
{
    tape_t t = { 0 };
    shape_t two = { 1, 2, 1, 1 };
    var_t real = tape_input(&t, "real", two), fake = tape_input(&t, "fake", two);
    var_t averages = tape_input(&t, "averages", (shape_t){ 1, 1, 1, 2 }), y = lecam(real, fake, averages);
    tape_plan(&t, NULL);
    memcpy(real->x, (float[]){ 1, 2 }, 2 * sizeof(float));
    memcpy(fake->x, (float[]){ 0, -1 }, 2 * sizeof(float));
    memcpy(averages->x, (float[]){ 0.5f, -0.25f }, 2 * sizeof(float)); // of real, of fake images
    tape_forward(&t, 0, t.n);
    EXPECT_NEAR(y->x[0], (1.25 * 1.25 + 2.25 * 2.25) / 2 + (0.5 * 0.5 + 1.5 * 1.5) / 2, 1e-6);
    tape_free(&t);
}
