// ranks: 1
// Every op against central differences, and its fast kernel against its plain one.  The ops are visited by
// construction: each must bring at least one example, or be named below with the reason why it has no
// gradient.

#include "test.h"

#include "scratch.h"

// Smooth numbers away from the kinks of relu, |.| and max; labels and augmentation numbers where an op wants
// them.
static void fill(var_t v, uint64_t seed)
{
    rng_t r = rng_at(seed, STREAM_TEST, (uint64_t)v->index, 0);
    for (size_t i = 0; i < numel(v->dim); i++) {
        if (strcmp(v->name, "label") == 0)
            v->x[i] = (float)((int)(i % 4) - 1);
        else if (v->dim.c == 2 && v->dim.h == 1)
            v->x[i] = 3 + 6 * rng_uniform(&r); // centres inside the image
        else
            v->x[i] = rng_normal(&r);
    }
    if (strcmp(v->name, "how") == 0)
        for (int n = 0; n < v->dim.n; n++) augment_draw(v->x + n * AUGMENT_NUMBERS, &r, 16, true, true, true);
}

// sum_i direction_i y_i, so that one number depends on every output.
static double projection(const node_t *y)
{
    rng_t r = rng_at(7, STREAM_TEST, 0, 1);
    double sum = 0;
    for (size_t i = 0; i < numel(y->dim); i++) sum += (double)rng_normal(&r) * y->x[i];
    return sum;
}

typedef struct {
    tape_t t;
    var_t y;
} case_t;

static bool case_open(case_t *e, const op_t *op, int i)
{
    *e = (case_t){ 0 };
    if (!op->example || !(e->y = op->example(&e->t, i))) return false;
    tape_plan(&e->t, e->y);
    for (int k = 0; k < e->t.n; k++)
        if (e->t.node[k]->n_in == 0) fill(e->t.node[k], 1 + (uint64_t)i);
    return true;
}

static void backward(case_t *e)
{
    rng_t r = rng_at(7, STREAM_TEST, 0, 1);
    spoil_scratch(&e->t);
    tape_forward(&e->t, 0, e->t.n);
    spoil_scratch(&e->t);
    tape_backward_start(&e->t, 0);
    for (size_t i = 0; i < numel(e->y->dim); i++) e->y->g[i] = rng_normal(&r);
    tape_backward_until(&e->t, 0);
}

static double difference(case_t *e, float *x, float h)
{
    float at = *x;
    *x = at + h;
    tape_forward(&e->t, 0, e->t.n);
    double up = projection(e->y);
    *x = at - h;
    tape_forward(&e->t, 0, e->t.n);
    double down = projection(e->y);
    *x = at;
    return (up - down) / (2 * (double)h);
}

// Inputs have unit size.  At a step h rounding gives up to 6e-8 sqrt(outputs) / h, the third derivative h^2,
// and a relu or |.| whose kink lies within the step more; so 1 % of the largest gradient of the same input,
// at whichever of three steps is the best.  A gradient below 1 % of the largest is not compared with anything
// but its size.
static bool is_right(case_t *e, float *x, double analytic, double largest)
{
    const float steps[] = { 1e-2f, 3e-3f, 1e-3f };
    for (int i = 0; i < 3; i++)
        if (fabs(difference(e, x, steps[i]) - analytic) <= 1e-2 * largest) return true;
    return false;
}

// The address sanitizer, with which a product takes ten times as long, looks at memory, not at numbers.
#ifdef __SANITIZE_ADDRESS__
enum { EVERY = 11 };
#else
enum { EVERY = 1 };
#endif

static void check(const char *name, int which, case_t *e)
{
    backward(e);
    for (int k = 0; k < e->t.n; k++) {
        var_t v = e->t.node[k];
        if (v->n_in || !v->wants_grad) continue;
        size_t n = numel(v->dim), wrong = 0;
        float *analytic = alloc(n, sizeof(float)), largest = 1e-3f;
        memcpy(analytic, v->g, n * sizeof(float));
        for (size_t i = 0; i < n; i++) largest = fmaxf(largest, fabsf(analytic[i]));
        for (size_t i = 0; i < n; i += EVERY) wrong += !is_right(e, &v->x[i], analytic[i], largest);
        free(analytic);
        if (wrong)
            fail_msg("%s, example %d, input %d: %zu of %zu gradients are wrong", name, which, k, wrong, n);
    }
}

TEST(every_op_has_the_gradient_of_its_forward)
{
    const kernels_t *best = kernel;
    for (int set = -1; set < n_kernel_sets;
         set++) { // the plain loops, then each instruction set of the machine
        op_plain = set < 0;
        kernel = set < 0 ? best : kernel_sets[set];
        for (int o = 0; o < n_ops; o++) {
            case_t e;
            for (int i = 0; case_open(&e, ops[o], i); i++) {
                check(ops[o]->name, i, &e);
                tape_free(&e.t);
            }
        }
    }
    kernel = best;
}

TEST(every_op_brings_an_example)
{
    for (int o = 0; o < n_ops; o++) {
        if (strcmp(ops[o]->name, "accuracy") == 0) continue; // it counts; it has no gradient
        case_t e;
        int wanted = 0;
        if (!case_open(&e, ops[o], 0)) fail_msg("op %s has no example", ops[o]->name);
        for (int k = 0; k < e.t.n; k++) wanted += !e.t.node[k]->n_in && e.t.node[k]->wants_grad;
        if (!wanted) fail_msg("op %s: nothing of its example wants a gradient", ops[o]->name);
        tape_free(&e.t);
    }
}

// Sums of at most a few thousand products of unit size in another order: 1e-4 of the largest.
TEST(fast_kernels_agree_with_the_plain_ones)
{
    for (int o = 0; o < n_ops; o++) {
        case_t e;
        for (int i = 0; case_open(&e, ops[o], i); i++) {
            size_t n = numel(e.y->dim);
            float *plain = alloc(n, sizeof(float));
            op_plain = true;
            tape_forward(&e.t, 0, e.t.n);
            memcpy(plain, e.y->x, n * sizeof(float));
            op_plain = false;
            tape_forward(&e.t, 0, e.t.n);
            for (size_t j = 0; j < n; j++) EXPECT_NEAR(e.y->x[j], plain[j], 1e-4 * (1 + fabs(plain[j])));
            free(plain);
            tape_free(&e.t);
        }
    }
}
