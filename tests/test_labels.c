// ranks: 1
// What labels teach whom: told by DAE of images and of translations, and by D1.

#include "objective.h"

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
