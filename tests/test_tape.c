// ranks: 1
// The tape's plan: arrays that share memory never meet, views cost nothing, frozen parameters stay still, and
// a bucket of gradients is final when the plan says so.

#include "objective.h"

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

static const view_t *view_named(const params_t *p, const char *name)
{
    for (int i = 0; i < p->n_views; i++)
        if (!strcmp(p->view[i].name, name)) return &p->view[i];
    fail_msg("there is no %s", name);
    return NULL;
}

// What reaches one output: input maps times taps.
static void expect_variance(const params_t *p, const char *name, int fan_in)
{
    const view_t *v = view_named(p, name);
    double sum = 0, squares = 0, n = (double)v->n;
    for (size_t i = v->offset; i < v->offset + v->n; i++) {
        sum += p->w[i];
        squares += (double)p->w[i] * p->w[i];
    }
    EXPECT_NEAR(sum / n, 0, 5 / sqrt(n * fan_in)); // five standard deviations of each figure
    EXPECT_NEAR(squares / n * fan_in, 1, 5 * sqrt(2 / n));
}

TEST(weights_begin_with_the_variance_of_one_over_their_fan_in)
{
    case_t e;
    open_case_with(&e, REFERENCE, STEP_G, "model.width=32");
    const params_t *f = &e.model.f, *d = &e.model.d;
    expect_variance(f, "dae.enc.c0.weight", 3 * 3 * 3);
    expect_variance(f, "dae.enc.c1.weight", 32 * 3 * 3);
    expect_variance(f, "dae.loc.out.weight", 128);
    expect_variance(f, "g.out.weight", 32 * 7 * 7);
    expect_variance(d, "d1.c0.weight", 3 * 4 * 4);
    expect_variance(d, "d2.c1.weight", 32 * 4 * 4);
    const params_t *both[] = { f, d };
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < both[s]->n_views; i++) {
            const view_t *v = &both[s]->view[i];
            const float *w = both[s]->w + v->offset;
            bool is_bias = strstr(v->name, ".bias") != NULL;
            for (size_t k = 0; k < v->n && v->rank == 1; k++) EXPECT(w[k] == (is_bias ? 0 : 1)); // of norms
        }
    assert_memory_equal(f->ema, f->w, f->n * sizeof(float));
    assert_memory_equal(d->ema, d->w, d->n * sizeof(float));
    close_case(&e);
}

// They are a function of seed and name: whatever else the model holds.
TEST(weights_of_a_name_begin_alike_in_every_model)
{
    case_t both, alone;
    open_case(&both, REFERENCE, STEP_G);
    open_case_with(&alone, REFERENCE, STEP_G, "loss.weights.gan_s=0"); // no D1
    const params_t *a = &both.model.d, *b = &alone.model.d;
    const view_t *d1 = view_named(a, "d1.c1.weight"), *d2 = view_named(a, "d2.c1.weight"),
                 *only = view_named(b, "d2.c1.weight");
    EXPECT(d2->offset != only->offset);
    assert_memory_equal(a->w + d2->offset, b->w + only->offset, d2->n * sizeof(float));
    EXPECT(memcmp(a->w + d1->offset, a->w + d2->offset, d2->n * sizeof(float)) != 0);
    close_case(&alone);
    close_case(&both);
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
    EXPECT(three->form[0] == two->form[0]); // prepared once
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
