// ranks: 1
// The fast convolutions against seven plain loops, layer by layer, in all three passes and on every
// instruction set of the machine.

#include <omp.h>

#include "test.h"

#include "scratch.h"

// Layers of the reference and faces networks, and sizes that neither tiles nor vectors divide.
static const struct {
    const char *name;
    shape_t x;
    int k, co, stride, pad, up;
} layers[] = {
    { "E c0", { 1, 64, 64, 3 }, 3, 32, 1, 1, 1 },
    { "E c1", { 1, 64, 64, 32 }, 3, 64, 2, 1, 1 },
    { "E c2", { 2, 32, 32, 64 }, 3, 128, 2, 1, 1 },
    { "E res", { 2, 16, 16, 128 }, 3, 128, 1, 1, 1 },
    { "E res, window", { 3, 7, 7, 64 }, 3, 64, 1, 1, 1 },
    { "E res, one tile", { 1, 4, 4, 64 }, 3, 64, 1, 1, 1 },
    { "E c2, window", { 2, 14, 14, 32 }, 3, 64, 2, 1, 1 },
    { "loc out", { 2, 16, 16, 128 }, 1, 4, 1, 0, 1 },
    { "G fuse", { 2, 16, 16, 640 }, 1, 128, 1, 0, 1 },
    { "G u1", { 1, 16, 16, 128 }, 3, 64, 1, 1, 2 },
    { "G u2", { 1, 32, 32, 64 }, 3, 32, 1, 1, 2 },
    { "G out", { 1, 64, 64, 32 }, 7, 3, 1, 3, 1 },
    { "D c0", { 2, 64, 64, 3 }, 4, 32, 2, 1, 1 },
    { "D c1", { 2, 32, 32, 32 }, 4, 64, 2, 1, 1 },
    { "D c2", { 2, 16, 16, 64 }, 4, 128, 2, 1, 1 },
    { "D out", { 2, 8, 8, 128 }, 3, 1, 1, 1, 1 },
    { "faces c0", { 2, 20, 28, 3 }, 3, 16, 1, 1, 1 },
    { "faces c1", { 1, 64, 64, 16 }, 3, 32, 2, 1, 1 },
    { "faces c1, window", { 2, 20, 32, 16 }, 3, 32, 2, 1, 1 },
    { "faces res, windows", { 2, 10, 11, 64 }, 3, 64, 1, 1, 1 },
    { "faces res, window", { 1, 5, 8, 64 }, 3, 64, 1, 1, 1 },
    { "faces fuse", { 1, 16, 16, 320 }, 1, 64, 1, 0, 1 },
    { "faces u1", { 1, 16, 16, 64 }, 3, 32, 1, 1, 2 },
    { "faces u2", { 1, 32, 32, 32 }, 3, 16, 1, 1, 2 },
    { "faces out", { 1, 64, 64, 16 }, 7, 3, 1, 3, 1 },
    { "odd stride 2", { 3, 13, 15, 32 }, 3, 16, 2, 1, 1 },
    { "odd, 128 wide", { 4, 29, 31, 64 }, 3, 128, 2, 1, 1 },
    { "odd stride 1", { 3, 11, 9, 32 }, 3, 48, 1, 1, 1 },
    { "odd, 48 wide", { 2, 29, 31, 48 }, 3, 48, 2, 1, 1 },
    { "odd, last block", { 3, 9, 17, 48 }, 3, 128, 1, 1, 1 },
    { "odd channels", { 2, 9, 10, 21 }, 3, 19, 1, 1, 1 },
    { "odd upsampled", { 2, 5, 7, 19 }, 3, 18, 1, 1, 2 },
    { "upsampled", { 2, 5, 7, 64 }, 3, 64, 1, 1, 2 },
    { "tall", { 2, 21, 6, 21 }, 3, 19, 1, 1, 1 },
    { "tall stride 2", { 2, 41, 12, 21 }, 3, 19, 2, 1, 1 },
    { "odd 1x1", { 2, 9, 5, 21 }, 1, 3, 1, 0, 1 },
    { "head", { 4, 1, 1, 128 }, 1, 11, 1, 0, 1 },
};
enum { LAYERS = sizeof layers / sizeof *layers };

typedef struct {
    tape_t t;
    var_t x, w, b, y;
} case_t;

static void open_case(case_t *e, int i)
{
    rng_t r = rng_at(3, STREAM_TEST, (uint64_t)i, 0);
    shape_t x = layers[i].x;
    *e = (case_t){ 0 };
    e->x = tape_variable(&e->t, x);
    e->w = tape_variable(&e->t, (shape_t){ layers[i].k, layers[i].k, x.c, layers[i].co });
    e->b = tape_variable(&e->t, (shape_t){ 1, 1, 1, layers[i].co });
    e->y = layers[i].up == 2 ? upsample_conv(e->x, e->w, e->b, layers[i].pad, ACT_NONE)
                             : conv(e->x, e->w, e->b, layers[i].stride, layers[i].pad, ACT_NONE);
    tape_plan(&e->t, e->y);
    var_t in[] = { e->x, e->w, e->b };
    for (int k = 0; k < 3; k++)
        for (size_t j = 0; j < numel(in[k]->dim); j++) in[k]->x[j] = rng_normal(&r);
}

// Forward, and backward from the same random gradient; copies of y and the three gradients, one after the
// other.
static float *run(case_t *e, size_t at[5])
{
    rng_t r = rng_at(4, STREAM_TEST, 0, 0);
    var_t in[] = { e->x, e->w, e->b };
    at[0] = 0;
    at[1] = numel(e->y->dim);
    for (int k = 0; k < 3; k++) at[k + 2] = at[k + 1] + numel(in[k]->dim);
    float *all = alloc(at[4], sizeof *all);
    spoil_scratch(&e->t);
    tape_forward(&e->t, 0, e->t.n);
    memcpy(all, e->y->x, at[1] * sizeof *all);
    spoil_scratch(&e->t);
    tape_backward_start(&e->t, 0);
    for (size_t j = 0; j < at[1]; j++) e->y->g[j] = rng_normal(&r);
    tape_backward_until(&e->t, 0);
    for (int k = 0; k < 3; k++) memcpy(all + at[k + 1], in[k]->g, numel(in[k]->dim) * sizeof *all);
    return all;
}

static double difference(const float *a, const float *b, size_t n)
{
    double worst = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(a[i])) return NAN; // fmax would pass it over
        worst = fmax(worst, fabs((double)a[i] - b[i]));
        largest = fmax(largest, fabs((double)b[i]));
    }
    return worst / largest;
}

// Both sum up to 1,152 products (4,096 over pixels) in float, in different orders, and Winograd's points add
// a factor of two to three: up to 3e-6 of the largest entry was seen; a wrong tap or border is of order 1.
TEST(every_layer_agrees_with_the_plain_loops_on_every_instruction_set)
{
    static const char *const what[] = { "forward", "gradient of x", "gradient of weights",
                                        "gradient of bias" };
    const kernels_t *best = kernel;
    enum { STRIDE_1 = 1, STRIDE_2, UPSAMPLED, KINDS };
    int cut_tiles[KINDS] = { 0 }; // layers whose three passes all are Winograd's, with tiles over the edge
    for (int i = 0; i < LAYERS; i++) {
        case_t e;
        char how[64];
        size_t at[5];
        double seen[4] = { 0 };
        open_case(&e, i);
        op_plain = true;
        float *plain = run(&e, at);
        op_plain = false;
        for (int set = 0; set < 2 * n_kernel_sets; set++) { // products by BLIS, and our own
            kernel = kernel_sets[set / 2];
            gemm_take_blis(set % 2 == 0);
            float *fast = run(&e, at);
            for (int k = 0; k < 4; k++) {
                double d = difference(fast + at[k], plain + at[k], at[k + 1] - at[k]);
                seen[k] = fmax(seen[k], d);
                if (!(d < 5e-6))
                    fail_msg("%s, %s, %s: off by %.1e", layers[i].name, kernel->name, what[k], d);
            }
            free(fast);
        }
        conv_kernel_text(how, sizeof how, e.y);
        char why[64];
        double cost = 1;
        conv_why_text(why, sizeof why, e.y);
        sscanf(why, "costs %lf", &cost);
        EXPECT((cost < 1) == (strncmp(how, "winograd", 8) == 0));
        bool is_cut = e.y->dim.h % 4 || e.y->dim.w % 4;
        if (is_cut && strstr(how, "winograd") && !strstr(how, "weights"))
            cut_tiles[layers[i].up == 2 ? UPSAMPLED : layers[i].stride]++;
        print_message("%-15s %-30s %.1e %.1e %.1e\n", layers[i].name, how, seen[0], seen[1], seen[2]);
        free(plain);
        tape_free(&e.t);
    }
    for (int k = STRIDE_1; k < KINDS; k++) EXPECT(cut_tiles[k] > 0);
    kernel = best;
    gemm_take_blis(true);
}

// Threads share out tiles, rows of outputs and rows of the weights.
static void expect_bits_of_one_thread(int i)
{
    case_t one, three;
    size_t at[5];
    omp_set_num_threads(1);
    open_case(&one, i);
    float *alone = run(&one, at);
    omp_set_num_threads(3); // before the plan: scratch depends on it
    open_case(&three, i);
    float *shared = run(&three, at);
    omp_set_num_threads(1);
    if (memcmp(alone, shared, at[4] * sizeof(float)))
        fail_msg("%s, %s: other bits", layers[i].name, kernel->name);
    free(alone);
    free(shared);
    tape_free(&one.t);
    tape_free(&three.t);
}

TEST(every_pass_has_the_same_bits_with_any_number_of_threads)
{
    static const char *const some[] = { "E c1", "E c2", "E res", "G u1", "G out", "D c1", "odd, last block" };
    const kernels_t *best = kernel;
    for (int set = 0; set < n_kernel_sets; set++) {
        kernel = kernel_sets[set];
        for (int i = 0; i < LAYERS; i++)
            for (size_t k = 0; k < sizeof some / sizeof *some; k++)
                if (strcmp(layers[i].name, some[k]) == 0) expect_bits_of_one_thread(i);
    }
    kernel = best;
}

// What one leaf sums must not depend on how many images lie beside it in the batch.
TEST(an_image_has_the_same_bits_in_any_batch)
{
    static const shape_t one = { 1, 12, 12, 32 }, three = { 3, 12, 12, 32 };
    for (int stride = 1; stride <= 2; stride++) {
        tape_t t = { 0 };
        rng_t r = rng_at(5, STREAM_TEST, 0, 0);
        var_t a = tape_variable(&t, one), b = tape_variable(&t, three),
              w = tape_variable(&t, (shape_t){ 3, 3, 32, 32 });
        var_t ya = tape_name(conv(a, w, NULL, stride, 1, ACT_NONE), "a", true);
        var_t yb = tape_name(conv(b, w, NULL, stride, 1, ACT_NONE), "b", true);
        tape_plan(&t, NULL);
        for (size_t j = 0; j < numel(w->dim); j++) w->x[j] = rng_normal(&r);
        for (size_t j = 0; j < numel(three); j++) b->x[j] = rng_normal(&r);
        memcpy(a->x, b->x + 2 * numel(one), numel(one) * sizeof(float));
        tape_forward(&t, 0, t.n);
        EXPECT(memcmp(ya->x, yb->x + 2 * numel(ya->dim), numel(ya->dim) * sizeof(float)) == 0);
        tape_free(&t);
    }
}
