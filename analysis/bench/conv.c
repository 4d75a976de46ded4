// Every distinct convolution of some jobs, alone, by several rivals that take turns.
// usage: conv ROUNDS CONFIG.yaml...; analysis/bench.py makes tables of what it prints:
//
//   CASE,USES,PASS,WHO,MEDIAN,MIN,MAX     GFLOP/s counted as direct convolution; USES: per leaf of each job
//
// "fma" is what the core does on registers at that moment, "sgemm 2048" a large product of BLIS.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conv.h"
#include "dagan/train.h"

enum { CASES_MAX = 256, CONFIGS_MAX = 8, ROUNDS_MAX = 99 };

static const char *const pass_name[] = { "forward", "backward-data", "backward-weights" };

// ---- the cases -----------------------------------------------------------------------------------------

typedef struct {
    case_t c[CASES_MAX];
    int uses[CASES_MAX][CONFIGS_MAX], n;
} list_t;

// Every application of a weight of rank 4, except to single pixels (the heads of labels).
static void list_tape(list_t *list, const tape_t *t, int config)
{
    for (int i = 0; i < t->n; i++) {
        const node_t *y = t->node[i], *w = y->n_in > 1 ? y->in[1] : NULL;
        if (!w || !w->params || w->params->view[w->view].rank != 4 || y->dim.h * y->dim.w == 1) continue;
        shape_t x = y->in[0]->dim;
        case_t c = { .n = x.n, .ci = x.c, .oh = y->dim.h, .ow = y->dim.w, .co = y->dim.c, .k = w->dim.n };
        // Where the output is the larger one, upsampling is folded in: the convolution is that of the larger
        // image.
        c.h = c.oh > x.h ? c.oh : x.h;
        c.w = c.ow > x.w ? c.ow : x.w;
        c.stride = c.h / c.oh;
        c.pad = (c.k - 1) / 2;
        CHECK((c.h + 2 * c.pad - c.k) / c.stride + 1 == c.oh && w->dim.w == c.ci, "node %d: what padding?",
              i);
        int j = 0;
        while (j < list->n && memcmp(&list->c[j], &c, sizeof c)) j++;
        CHECK(j < CASES_MAX, "more than %d distinct convolutions", CASES_MAX);
        list->c[j] = c;
        list->uses[j][config]++;
        list->n += j == list->n;
    }
}

static void list_job(list_t *list, const char *path, int config)
{
    config_t *conf = alloc(1, sizeof *conf);
    model_t model = { .conf = conf };
    CHECK(!config_load(conf, path, NULL, 0) && !net_check(conf), "%s", error_text());
    for (int i = 0; i < conf->n_labels; i++) model.n_classes[i] = 2;
    static const int steps[] = { STEP_G, STEP_D };
    for (int s = 0; s < 2; s++) {
        objective_t o;
        objective_build(&o, &model, steps[s], conf->train.microbatch);
        list_tape(list, &o.tape, config);
        objective_free(&o);
    }
    params_free(&model.f);
    params_free(&model.d);
    free(conf);
}

// ---- the core's peak -----------------------------------------------------------------------------------

#if defined(__AVX512F__)
enum { VECTOR = 64 };
#elif defined(__AVX__)
enum { VECTOR = 32 };
#else
enum { VECTOR = 16 };
#endif
typedef float vector_t __attribute__((vector_size(VECTOR)));
enum { CHAINS = 12, FMA_LOOPS = 20000 };

// Twelve independent chains of multiply-adds: as many as latency times units asks for, and all in registers.
static void fma_run(void *self)
{
    static volatile float sink;
    vector_t sum[CHAINS], a = { sink }, b = { sink };
    for (int k = 0; k < CHAINS; k++) sum[k] = a + (float)k; // equal chains would be computed once
    for (int i = 0; i < FMA_LOOPS; i++)
#pragma GCC unroll 12
        for (int k = 0; k < CHAINS; k++) sum[k] = sum[k] * a + b;
    for (int k = 0; k < CHAINS; k++) sink = sum[k][0];
    (void)self;
}

static bool fma_open(void **self, const problem_t *p, int pass)
{
    *self = NULL;
    (void)p, (void)pass;
    return true;
}

const rival_t rival_fma = {
    "fma", fma_open, NULL, fma_run, NULL, free, 2.0 * FMA_LOOPS *CHAINS *VECTOR / sizeof(float)
};

// ---- taking turns --------------------------------------------------------------------------------------

static const rival_t *const rivals[] = { &rival_tape, &rival_im2col, &rival_sgemm, &rival_fma,
                                         &rival_onednn };
enum { RIVALS = sizeof rivals / sizeof *rivals };

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print(const char *name, const char *uses, const char *pass, const char *who, double *gflops,
                  int n)
{
    qsort(gflops, (size_t)n, sizeof *gflops, ascending);
    printf("%s,%s,%s,%s,%.3f,%.3f,%.3f\n", name, uses, pass, who, (gflops[n / 2] + gflops[(n - 1) / 2]) / 2,
           gflops[0], gflops[n - 1]);
    fflush(stdout);
}

static double timed(const rival_t *r, void *self)
{
    if (r->prepare) r->prepare(self);
    double began = now();
    r->run(self);
    return now() - began;
}

// Who computes something else has no speed.  Winograd in float errs by 1e-5 to 1e-4.
static void compare(const rival_t *r, const float *x, const float *wanted, size_t n)
{
    double off = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)x[i] - (double)wanted[i]);
        off = d <= off ? off : d; // keeps NaN
        largest = fmax(largest, fabs((double)wanted[i]));
    }
    CHECK(off <= 1e-3 * largest, "%s: found %.3g away from im2col, wanted at most %.3g", r->name, off,
          1e-3 * largest);
}

static void race(const problem_t *p, int pass, int rounds, const char *name, const char *uses)
{
    void *self[RIVALS] = { NULL };
    bool here[RIVALS];
    int calls[RIVALS] = { 0 };
    double gflops[RIVALS][ROUNDS_MAX];
    size_t n = pass == FORWARD ? p->ny : pass == BACKWARD_DATA ? p->nx : p->nw;
    float *x = alloc(n, sizeof *x), *wanted = alloc(n, sizeof *wanted);
    for (int i = 0; i < RIVALS; i++) here[i] = rivals[i]->open(&self[i], p, pass);
    rival_im2col.result(self[1], wanted);
    for (int i = 0; i < RIVALS; i++) {
        if (!here[i]) continue;
        if (rivals[i]->result) {
            rivals[i]->result(self[i], x);
            compare(rivals[i], x, wanted, n);
        }
        timed(rivals[i], self[i]);
        calls[i] = 1 + (int)fmin(2e-3 / timed(rivals[i], self[i]), 200); // a few milliseconds
    }
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < RIVALS; i++) {
            double seconds = 0, flops = rivals[i]->flops > 0 ? rivals[i]->flops : p->flops;
            for (int k = 0; k < calls[i]; k++) seconds += timed(rivals[i], self[i]);
            gflops[i][r] = 1e-9 * flops * calls[i] / seconds;
        }
    for (int i = 0; i < RIVALS; i++) {
        if (!here[i]) continue;
        print(name, uses, pass_name[pass], rivals[i]->name, gflops[i], rounds);
        rivals[i]->close(self[i]);
    }
    free(wanted);
    free(x);
}

static float *noise(size_t n, uint64_t which, float scale)
{
    float *x = alloc(n, sizeof *x);
    rng_t r = rng_at(1, STREAM_TEST, which, 0);
    for (size_t i = 0; i < n; i++) x[i] = scale * rng_normal(&r);
    return x;
}

static void run(const case_t *c, int rounds, const char *uses)
{
    problem_t p = { .c = *c, .patch = (size_t)(c->k * c->k * c->ci) };
    p.nx = (size_t)c->n * (size_t)(c->h * c->w * c->ci);
    p.ny = (size_t)c->n * (size_t)(c->oh * c->ow * c->co);
    p.nw = p.patch * (size_t)c->co;
    p.flops = 2.0 * (double)p.ny * (double)p.patch;
    p.x = noise(p.nx, 1, 1);
    p.w = noise(p.nw, 2, 1 / sqrtf((float)p.patch));
    p.gy = noise(p.ny, 3, 1);
    char name[96];
    snprintf(name, sizeof name, "%dx%dx%d %d->%d k%d s%d", c->n, c->h, c->w, c->ci, c->co, c->k, c->stride);
    for (int pass = 0; pass < PASSES; pass++) race(&p, pass, rounds, name, uses);
    free(p.x);
    free(p.w);
    free(p.gy);
}

int main(int argc, char **argv)
{
    CHECK(!kernel_init(), "%s", error_text());
    int rounds = argc > 2 ? atoi(argv[1]) : 0, jobs = argc - 2;
    CHECK(rounds >= 1 && rounds <= ROUNDS_MAX && jobs <= CONFIGS_MAX, "usage: conv ROUNDS CONFIG.yaml...");
    list_t *list = alloc(1, sizeof *list);
    for (int i = 0; i < jobs; i++) list_job(list, argv[2 + i], i);
    double gflops[ROUNDS_MAX];
    for (int r = 0; r < rounds; r++) gflops[r] = large_product();
    print("peak", "", "", "sgemm 2048", gflops, rounds);
    for (int i = 0; i < list->n; i++) {
        char uses[96] = "";
        for (int k = 0; k < jobs; k++)
            snprintf(uses + strlen(uses), sizeof uses - strlen(uses), "%s%d", k ? "/" : "", list->uses[i][k]);
        run(&list->c[i], rounds, uses);
    }
    free(list);
    return 0;
}
