// ranks: 1
// What each step's objective computes and whom it teaches.

#include "objective.h"

static bool is_zero(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (x[i] != 0) return false;
    return true;
}

static void learn(case_t *e)
{
    fill(e, 3);
    tape_forward(&e->o.tape, 0, e->o.tape.n);
    tape_backward_start(&e->o.tape, 1);
    tape_backward_until(&e->o.tape, 0);
}

// How many views whose name begins with `prefix` learn the same from both; NULL: all.
static int count_same(const params_t *a, const params_t *b, const char *prefix)
{
    int same = 0;
    for (int i = 0; i < a->n_views; i++) {
        const view_t *v = &a->view[i];
        same += (!prefix || !strncmp(v->name, prefix, strlen(prefix))) &&
                !memcmp(a->g + v->offset, b->g + v->offset, v->n * sizeof(float));
    }
    return same;
}

// Of a translation, by whom `key` names: it teaches G and DAE, but no head of either.
static void expect_labels_teach(const char *key)
{
    case_t without, with;
    char zero[64], one[64];
    snprintf(zero, sizeof zero, "%s=0", key);
    snprintf(one, sizeof one, "%s=1", key);
    open_case_with(&without, TOLD, STEP_G, zero);
    open_case_with(&with, TOLD, STEP_G, one);
    learn(&without);
    learn(&with);
    EXPECT(with.model.f.n == without.model.f.n);
    int same = count_same(&with.model.f, &without.model.f, NULL);
    assert_int_equal(count_same(&with.model.f, &without.model.f, "dae.head."), 4); // weight and bias of two
    EXPECT(with.model.f.n_views - same > 20);                                      // layers of G and DAE
    for (size_t i = 0; i < with.model.d.n; i++) EXPECT(with.model.d.g[i] == 0);
    close_case(&with);
    close_case(&without);
}

TEST(the_labels_of_a_translation_teach_what_made_it_and_no_head)
{
    expect_labels_teach("loss.weights.label_fake");
    expect_labels_teach("loss.weights.label_d");
}

// -log softmax(logits)[label] of row n, where the label is known.
static double entropy_of(const node_t *logits, int n, int label)
{
    const float *logit = logits->x + n * logits->dim.c;
    double sum = 0;
    for (int c = 0; c < logits->dim.c; c++) sum += exp(logit[c]);
    return label < 0 ? 0 : log(sum) - logit[label];
}

static double value_of(const case_t *e, const char *term)
{
    for (int i = 0; i < e->o.n_terms; i++)
        if (!strcmp(e->o.term[i]->name, term)) return *e->o.value[i]->x;
    fail_msg("there is no term %s", term);
    return 0;
}

// Of the first `n` images of the pair: s, then t.
static double mean_entropy(const case_t *e, const var_t logits[], int n)
{
    double sum = 0;
    for (int k = 0; k < e->conf.n_labels; k++) {
        assert_int_equal(logits[k]->dim.n, n);
        for (int i = 0; i < n; i++) sum += entropy_of(logits[k], i, (int)e->o.wires.label[k]->x[i]);
    }
    return sum / (n * e->conf.n_labels);
}

TEST(losses_of_labels_are_means_over_labels_and_images)
{
    static const int steps[] = { STEP_G, STEP_LABEL };
    for (int i = 0; i < 2; i++) {
        case_t e;
        open_case(&e, TOLD, steps[i]);
        fill(&e, 3);
        tape_forward(&e.o.tape, 0, e.o.tape.n);
        const wires_t *w = &e.o.wires;
        // Sums of few float32 of about 1.
        EXPECT_NEAR(value_of(&e, "label"), mean_entropy(&e, w->logits, 2 * PAIRS), 1e-6);
        if (steps[i] == STEP_G) {
            EXPECT_NEAR(value_of(&e, "label_fake"), mean_entropy(&e, w->logits_fs, PAIRS), 1e-6);
            EXPECT_NEAR(value_of(&e, "label_d"), mean_entropy(&e, w->d1_label_fs, PAIRS), 1e-6);
        }
        close_case(&e);
    }
}

// What is told of each label where the instance of `region` is another; -1: as it is.
static void tell(case_t *e, int region, float told[][2 * PAIRS * 3])
{
    const node_t *instances = e->o.wires.z.instances;
    int of_image = instances->dim.n / (2 * PAIRS);
    size_t one = numel(instances->dim) / (size_t)instances->dim.n;
    tape_forward(&e->o.tape, 0, instances->index + 1);
    for (int n = region; n < instances->dim.n && region >= 0; n += of_image)
        for (size_t i = 0; i < one; i++) instances->x[(size_t)n * one + i] += 1;
    tape_forward(&e->o.tape, instances->index + 1, e->o.tape.n);
    for (int k = 0; k < e->conf.n_labels; k++) memcpy(told[k], e->o.wires.logits[k]->x, sizeof told[k]);
}

TEST(a_label_is_told_from_the_instance_of_its_region_or_of_all)
{
    static const int steps[] = { STEP_G, STEP_LABEL };
    for (int i = 0; i < 2; i++) {
        case_t e;
        float before[3][2 * PAIRS * 3], after[3][2 * PAIRS * 3];
        open_case_with(&e, TOLD, steps[i], "labels.mouth=0");
        assert_int_equal(e.conf.n_labels, 3); // eyes 1, skin all, mouth 0
        fill(&e, 3);
        tell(&e, -1, before);
        for (int region = 0; region < 2; region++) {
            tell(&e, region, after);
            for (int k = 0; k < 3; k++) {
                bool reads = e.conf.labels[k].region == CONF_REGION_ALL || e.conf.labels[k].region == region;
                for (int n = 0; n < 2 * PAIRS; n++) // of every image
                    if (!memcmp(before[k] + 3 * n, after[k] + 3 * n, 3 * sizeof(float)) == reads)
                        fail_msg("region %d and label %s", region, e.conf.labels[k].name);
            }
        }
        close_case(&e);
    }
}

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

// Its step has nothing else that knows of labels.
TEST(d1_learns_the_labels_of_targets_and_that_fakes_have_none)
{
    case_t e, other;
    open_case(&e, TOLD, STEP_D);
    open_case(&other, TOLD, STEP_D);
    learn(&e);
    fill(&other, 3);
    for (int i = 0; i < PAIRS; i++)
        for (int k = 0; k < 2; k++) other.o.wires.label[k]->x[i] = 2; // of s, from which the fakes were made
    tape_forward(&other.o.tape, 0, other.o.tape.n);
    EXPECT(*other.o.total->x == *e.o.total->x);

    double entropy = 0;
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < PAIRS; i++) {
            var_t of_t = e.o.wires.d1_label_t[k], of_fs = e.o.wires.d1_label_fs[k];
            EXPECT(of_t->dim.c == 4 && of_fs->dim.c == 4); // three classes, and none
            entropy +=
                (entropy_of(of_t, i, (int)e.o.wires.label[k]->x[PAIRS + i]) + entropy_of(of_fs, i, 3)) /
                (2 * PAIRS);
        }
    EXPECT_NEAR(value_of(&e, "d1_label"), entropy, 1e-6); // sums of few float32 of about 1
    close_case(&other);
    close_case(&e);
}

TEST(told_rightly_is_counted_of_what_is_known)
{
    case_t e;
    open_case(&e, TOLD, STEP_G);
    fill(&e, 3);
    tape_forward(&e.o.tape, 0, e.o.tape.n);
    for (int k = 0; k < 2; k++) {
        float right = 0, known = 0;
        for (int i = 0; i < 2 * PAIRS; i++) {
            const float *logit = e.o.wires.logits[k]->x + 3 * i;
            int label = (int)e.o.wires.label[k]->x[i], told = logit[0] >= logit[1] && logit[0] >= logit[2] ? 0
                                                              : logit[1] >= logit[2]                       ? 1
                                                                                     : 2;
            known += label >= 0;
            right += label == told;
        }
        EXPECT(known < 2 * PAIRS || k == 0); // some are not
        EXPECT(e.o.wires.right[k]->x[0] == right && e.o.wires.right[k]->x[1] == known);
    }
    close_case(&e);
}

static bool begins(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

TEST(while_labels_are_learnt_alone_d1_sees_targets_and_moves_no_further_than_to_its_heads)
{
    case_t e;
    open_case(&e, TOLD, STEP_LABEL_D);
    learn(&e);
    for (int i = 0; i < e.model.d.n_views; i++) {
        const view_t *v = &e.model.d.view[i];
        bool is_of_score =
            begins(v->name, "d1.c2.") || begins(v->name, "d1.n2.") || begins(v->name, "d1.out.");
        EXPECT(is_zero(e.model.d.g + v->offset, v->n) == is_of_score);
    }
    float told = *e.o.total->x;
    fill(&e, 3);                                                        // as learn() does
    for (size_t i = 0; i < numel(e.o.x->dim) / 2; i++) e.o.x->x[i] = 0; // s
    tape_forward(&e.o.tape, 0, e.o.tape.n);
    EXPECT(*e.o.total->x == told);
    close_case(&e);
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
