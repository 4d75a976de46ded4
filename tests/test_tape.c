// ranks: 1
// The tape's plan: arrays that share memory never meet, views cost nothing, frozen parameters stay still, and
// a bucket of gradients is final when the plan says so.

#include "test.h"

#include "dagan/train.h"

static const char REFERENCE[] =
    "data: {source: {file: none, group: s}, target: {file: none, group: t}, size: 32}\n"
    "model: {width: 4}\n"
    "attention: {regions: 3, half: 8}\n"
    "train: {steps: 1}\n";
// Every other branch of the objective: windows, labels, overlap, augmentation, D's features, no norm in D.
static const char EVERYTHING[] =
    "data: {source: {file: none, group: s}, target: {file: none, group: t}, size: 32}\n"
    "model: {width: 4, localiser: fc, norm: {dae: group, g: layer, d: none, groups: 2}, residuals: 1}\n"
    "attention: {regions: 3, half: 5x3 5 5, mode: crop}\n"
    "labels: {eyes: 1, skin: all}\n"
    "loss: {gan: hinge, distance: discriminator, weights: {label: 1, overlap: 1}}\n"
    "train: {steps: 1, augment: {colour: true, shift: true, cutout: true}}\n";
// Without attention: the whole image is the one instance.
static const char WHOLE[] =
    "data: {source: {file: none, group: s}, target: {file: none, group: t}, size: 32}\n"
    "model: {width: 4}\n"
    "attention: {regions: 0, half: 8}\n"
    "labels: {eyes: all, skin: all}\n"
    "loss: {weights: {label: 1, overlap: 1}}\n"
    "train: {steps: 1}\n";
static const char CYCLEGAN[] =
    "data: {source: {file: none, group: s}, target: {file: none, group: t}, size: 32}\n"
    "model: {kind: cyclegan, width: 4}\n"
    "loss: {gan: lsgan, weights: {identity: 5}}\n"
    "train: {steps: 1}\n";
// Labels told from F(s), by D1 too, and regions that differ.
static const char TOLD[] =
    "data: {source: {file: none, group: s}, target: {file: none, group: t}, size: 32}\n"
    "model: {width: 4}\n"
    "attention: {regions: 2, half: 5x8 7, grid: 1 2x3, mode: crop}\n"
    "labels: {eyes: 1, skin: all}\n"
    "loss: {weights: {label: 1, label_fake: 1, label_d: 1}}\n"
    "train: {steps: 1}\n";

enum { PAIRS = 2 };

typedef struct {
    config_t conf;
    model_t model;
    objective_t o;
    float *own; // arrays with a place each, see spread()
} case_t;

static void open_case_with(case_t *e, const char *yaml, int step, const char *set)
{
    char option[64], *sets[] = { option };
    *e = (case_t){ 0 };
    snprintf(option, sizeof option, "%s", set ? set : "");
    if (config_parse(&e->conf, "test", yaml, strlen(yaml), sets, set ? 1 : 0)) fail_msg("%s", error_text());
    e->model.conf = &e->conf;
    for (int i = 0; i < e->conf.n_labels; i++) e->model.n_classes[i] = 3;
    objective_build(&e->o, &e->model, step, PAIRS);
    params_alloc(&e->model.f, 1, 0);
    params_alloc(&e->model.d, 1, 0);
    tape_plan(&e->o.tape, e->o.total);
}

static void open_case(case_t *e, const char *yaml, int step)
{
    open_case_with(e, yaml, step, NULL);
}

static void close_case(case_t *e)
{
    free(e->own);
    objective_free(&e->o);
    params_free(&e->model.d);
    params_free(&e->model.f);
}

static bool is_zero(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (x[i] != 0) return false;
    return true;
}

// New inputs, the same in every tape.
static void fill(case_t *e, uint64_t seed)
{
    for (int i = 0; i < e->o.tape.n; i++) {
        var_t v = e->o.tape.node[i];
        if (v->n_in || v->params) continue;
        rng_t r = rng_at(seed, STREAM_TEST, (uint64_t)i, 0);
        for (size_t k = 0; k < numel(v->dim); k++)
            v->x[k] = numel(v->dim) == 2 * PAIRS ? (float)((int)rng_below(&r, 4) - 1) // labels
                                                 : 2 * rng_uniform(&r) - 1;
        for (int n = 0; n < v->dim.n && strncmp(v->name, "augment", 7) == 0; n++)
            augment_draw(v->x + n * AUGMENT_NUMBERS, &r, e->conf.data.size, true, true, true);
    }
}

static float *carve(float **next, size_t n)
{
    float *place = *next;
    *next += (n + 64 + 15) / 16 * 16; // kernels may read a little past the end
    return place;
}

// Gives every array a place of its own, instead of the plan's.
static void spread(case_t *e)
{
    const tape_t *t = &e->o.tape;
    size_t total = 0;
    for (int pass = 0; pass < 2; pass++) {
        float *next = e->own, *const from = next;
        for (int i = 0; i < t->n; i++) {
            node_t *y = t->node[i];
            if (y->params) continue;
            bool has_grad = y->g != NULL, is_view = y->op->is_view;
            float *x = is_view ? NULL : carve(&next, numel(y->dim));
            float *g = is_view || !has_grad ? NULL : carve(&next, numel(y->dim));
            float *saved = y->op->saved ? carve(&next, y->op->saved(y)) : NULL;
            float *scratch = y->op->scratch ? carve(&next, y->op->scratch(y)) : NULL;
            if (pass == 0) continue;
            y->x = is_view ? y->root->x + y->root_offset : x;
            y->g = is_view && has_grad ? y->root->g + y->root_offset : g;
            y->saved = saved;
            y->scratch = scratch;
        }
        total = (size_t)(next - from);
        if (pass == 0) e->own = alloc(total, sizeof(float));
    }
    memset(e->own, 0xff, total * sizeof(float)); // NaN: nothing may be read before it is written
}

static void expect_same(const float *a, const float *b, const node_t *y, const char *what)
{
    if (memcmp(a, b, numel(y->dim) * sizeof *a))
        fail_msg("%s of node %d, %s '%s', differs from that with memory of its own", what, y->index,
                 y->op->name, y->name);
}

// One sweep of both tapes side by side, each array compared as soon as it is written.
static void sweep_both(case_t *a, case_t *b)
{
    tape_t *ta = &a->o.tape, *tb = &b->o.tape;
    for (int i = 0; i < ta->n; i++) {
        tape_forward(ta, i, i + 1);
        tape_forward(tb, i, i + 1);
        expect_same(ta->node[i]->x, tb->node[i]->x, ta->node[i], "the value");
    }
    EXPECT(isfinite(a->o.total->x[0]));
    tape_backward_start(ta, 1);
    tape_backward_start(tb, 1);
    for (int i = ta->n - 1; i >= 0; i--) {
        tape_backward_until(ta, i);
        tape_backward_until(tb, i);
        const node_t *ya = ta->node[i], *yb = tb->node[i];
        for (int k = 0; k < ya->n_in && ya->g; k++) {
            EXPECT(!ya->in[k]->g == !yb->in[k]->g);
            if (ya->in[k]->g && !ya->op->is_view)
                expect_same(ya->in[k]->g, yb->in[k]->g, ya->in[k], "the gradient");
        }
    }
    for (int i = 0; i < ta->n; i++)
        if (ta->node[i]->is_kept || (ta->keeps_all && ta->node[i]->name[0]))
            expect_same(ta->node[i]->x, tb->node[i]->x, ta->node[i], "the kept value");
    assert_memory_equal(a->model.f.g, b->model.f.g, a->model.f.n * sizeof(float));
    assert_memory_equal(a->model.d.g, b->model.d.g, a->model.d.n * sizeof(float));
}

static void compare(const char *yaml, int step)
{
    case_t a, b;
    open_case(&a, yaml, step);
    open_case(&b, yaml, step);
    spread(&b);
    memset(a.o.tape.arena, 0xff, a.o.tape.arena_floats * sizeof(float));
    for (uint64_t leaf = 0; leaf < 2; leaf++) { // the second meets what the first left behind
        fill(&a, leaf);
        fill(&b, leaf);
        sweep_both(&a, &b);
    }
    close_case(&b);
    close_case(&a);
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
        for (int i = 0; i < 2 * PAIRS; i++) {
            bool is_fake = i >= PAIRS;
            var_t told = is_fake ? e.o.wires.d1_label_fs[k] : e.o.wires.d1_label_t[k];
            int right = is_fake ? 3 : (int)e.o.wires.label[k]->x[PAIRS + i], n = i % PAIRS;
            double sum = 0;
            assert_int_equal(told->dim.c, 4); // three classes, and none
            for (int c = 0; c < 4; c++) sum += exp(told->x[n * 4 + c]);
            if (right >= 0) entropy += (log(sum) - told->x[n * 4 + right]) / (2 * PAIRS);
        }
    bool found = false;
    for (int i = 0; i < e.o.n_terms; i++) {
        if (strcmp(e.o.term[i]->name, "d1_label")) continue;
        found = true;
        EXPECT_NEAR(*e.o.value[i]->x, entropy, 1e-6); // sums of few float32 of about 1
    }
    EXPECT(found);
    close_case(&other);
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

TEST(shared_memory_changes_no_bit)
{
    for (int plain = 0; plain < 2; plain++) {
        op_plain = plain;
        compare(REFERENCE, STEP_G);
        compare(REFERENCE, STEP_D);
        compare(EVERYTHING, STEP_G);
        compare(EVERYTHING, STEP_D);
        compare(EVERYTHING, STEP_LABEL);
        compare(WHOLE, STEP_G);
        compare(CYCLEGAN, STEP_G);
        compare(CYCLEGAN, STEP_D);
        compare(TOLD, STEP_G);
        compare(TOLD, STEP_D);
    }
    op_plain = false;
}

// Values wait for their backward pass and so keep their places; gradients come and go, and find room where
// values were: all arrays together need less than the values would side by side.
TEST(gradients_take_no_memory_of_their_own)
{
    static const int steps[] = { STEP_G, STEP_D };
    for (int i = 0; i < 2; i++) {
        case_t e;
        open_case(&e, REFERENCE, steps[i]);
        const tape_t *t = &e.o.tape;
        size_t scratch = 0, values = 0; // scratch is shared by all, beside the arrays
        for (int k = 0; k < t->n; k++) {
            const node_t *y = t->node[k];
            if (y->op->scratch) scratch = (size_t)fmax(scratch, y->op->scratch(y));
            if (!y->op->is_view) values += numel(y->dim) + (y->op->saved ? y->op->saved(y) : 0);
        }
        size_t used = t->arena_floats - scratch;
        print_message("%s: %zu floats of arrays, values %zu, with gradients %zu\n", i ? "D" : "G", used,
                      values, t->value_floats);
        EXPECT(used < values);
        close_case(&e);
    }
}

TEST(views_share_memory_and_add_their_gradients)
{
    tape_t t = { 0 };
    var_t x = tape_variable(&t, (shape_t){ 3, 2, 2, 2 }), c = tape_input(&t, "c", (shape_t){ 2, 2, 2, 2 });
    var_t low = rows(x, 0, 2), high = rows(x, 1, 2);
    var_t last = reshape(rows(high, 1, 1), (shape_t){ 1, 1, 1, 8 });
    var_t term[] = { mean_square(low, c), mean_square(high, c),
                     mean_square(last, reshape(rows(c, 0, 1), last->dim)) };
    var_t total = weighted_sum(&t, 3, term, (float[]){ 1, 2, 3 });
    tape_plan(&t, total);
    EXPECT(low->x == x->x && high->x == x->x + 8 && last->x == x->x + 16);
    EXPECT(low->g == x->g && high->g == x->g + 8 && last->g == x->g + 16);
    EXPECT(!c->g);
    for (int i = 0; i < 24; i++) x->x[i] = (float)i;
    memset(c->x, 0, 16 * sizeof(float));
    tape_forward(&t, 0, t.n);
    tape_backward_start(&t, 1);
    tape_backward_until(&t, 0);
    // d mean_square / dx = 2 x / count; 1, 2 and 3 are the weights.
    for (int i = 0; i < 24; i++) {
        double want = 2 * i * ((i < 16 ? 1.0 / 16 : 0) + (i >= 8 ? 2.0 / 16 : 0) + (i >= 16 ? 3.0 / 8 : 0));
        EXPECT_NEAR(x->g[i], want, 1e-5);
    }
    tape_free(&t);
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
    const var_t ends[] = { e.o.total, w->label_accuracy, w->z.centres, w->fs, w->ft };
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

static void run(case_t *e)
{
    memset(e->model.f.g, 0, e->model.f.n * sizeof(float));
    memset(e->model.d.g, 0, e->model.d.n * sizeof(float));
    tape_forward(&e->o.tape, 0, e->o.tape.n);
    tape_backward_start(&e->o.tape, 1);
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
        EXPECT(tape_final_at(&e.o.tape, other, 0, other->n) == e.o.tape.n);
        close_case(&e);
    }
}

// At the node the tape names, not one later and not one earlier.
static void check_final(case_t *e, const params_t *p, size_t first, size_t end)
{
    tape_t *t = &e->o.tape;
    int at = tape_final_at(t, p, first, end);
    size_t bytes = (end - first) * sizeof(float);
    float *early = alloc(end - first, sizeof(float)), *then = alloc(end - first, sizeof(float));
    EXPECT(at < t->n);
    run(e);
    tape_backward_until(t, at + 1);
    memcpy(early, p->g + first, bytes);
    tape_backward_until(t, at);
    memcpy(then, p->g + first, bytes);
    tape_backward_until(t, 0);
    assert_memory_equal(then, p->g + first, bytes);
    EXPECT(memcmp(early, p->g + first, bytes) != 0);
    free(then);
    free(early);
}

TEST(a_bucket_is_final_at_the_node_the_tape_names)
{
    static const int steps[] = { STEP_G, STEP_D };
    enum { BUCKET = 1500 };
    for (int s = 0; s < 2; s++) {
        case_t e;
        open_case(&e, REFERENCE, steps[s]);
        const params_t *p = s ? &e.model.d : &e.model.f;
        fill(&e, 1);
        for (size_t first = 0; first < p->n; first += BUCKET)
            check_final(&e, p, first, first + BUCKET < p->n ? first + BUCKET : p->n);
        // The last layers of a network can leave long before its first ones.
        EXPECT(tape_final_at(&e.o.tape, p, p->n - 1, p->n) > tape_final_at(&e.o.tape, p, 0, 1));
        close_case(&e);
    }
}

// Two 1x1 convolutions that meet their weights in the other order than memory has them, and the first weight
// once more, frozen.
TEST(finality_follows_the_tape_and_a_frozen_use_adds_nothing)
{
    params_t p = { 0 };
    tape_t t = { 0 };
    int late = params_view(&p, "a.late.weight", INIT_NORMAL, 4, (int[]){ 2, 2, 1, 1 });
    int early = params_view(&p, "a.early.weight", INIT_NORMAL, 4, (int[]){ 2, 2, 1, 1 });
    params_alloc(&p, 1, 0);
    var_t x = tape_input(&t, "x", (shape_t){ 1, 3, 3, 2 });
    var_t one = conv(x, tape_param(&t, &p, early, false, false), NULL, 1, 0, ACT_NONE);
    var_t two = conv(one, tape_param(&t, &p, late, false, false), NULL, 1, 0, ACT_NONE);
    var_t frozen = tape_param(&t, &p, late, true, false);
    var_t three = conv(x, frozen, NULL, 1, 0, ACT_NONE);
    EXPECT(tape_param(&t, &p, late, false, false) == two->in[1]); // one node however often it is used
    tape_plan(&t, mean_square(two, three));
    assert_int_equal(tape_final_at(&t, &p, 0, 4), two->index);
    assert_int_equal(tape_final_at(&t, &p, 4, 8), one->index);
    assert_int_equal(tape_final_at(&t, &p, 0, 8), one->index);
    EXPECT(frozen != two->in[1] && !frozen->g && !three->g);
    tape_free(&t);
    params_free(&p);
}

TEST(nothing_before_the_first_use_of_d_depends_on_d)
{
    case_t e;
    open_case(&e, REFERENCE, STEP_G);
    int use = tape_first_use(&e.o.tape, &e.model.d);
    fill(&e, 1);
    for (size_t i = 0; i < e.model.d.n; i++) e.model.d.w[i] = NAN;
    tape_forward(&e.o.tape, 0, use);
    for (size_t i = 0; i < numel(e.o.wires.fs->dim); i++) EXPECT(isfinite(e.o.wires.fs->x[i]));
    tape_forward(&e.o.tape, use, use + 1);
    EXPECT(isnan(e.o.tape.node[use]->x[0]));
    close_case(&e);
}
