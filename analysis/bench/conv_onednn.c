// oneDNN 2, where it is installed: its own choice of algorithm and of layouts.  Primitives are made once;
// reordering to and from its layouts is not part of a run.

#include <stdlib.h>

#include "conv.h"

#if __has_include(<dnnl.h>)
#include <dnnl.h>
#endif

#if defined(DNNL_VERSION_MAJOR) && DNNL_VERSION_MAJOR == 2
#define OK(call) CHECK((call) == dnnl_success, "oneDNN: %s failed", #call)

typedef struct {
    const problem_t *p;
    int pass;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t arg[3]; // two inputs, then the output
} self_t;

enum { X, W, Y };
static const int role[PASSES][3] = { { X, W, Y }, { Y, W, X }, { X, Y, W } }; // inputs, output
static const struct {
    int arg;
    dnnl_query_t query;
} value_of[] = { { DNNL_ARG_SRC, dnnl_query_src_md },
                 { DNNL_ARG_WEIGHTS, dnnl_query_weights_md },
                 { DNNL_ARG_DST, dnnl_query_dst_md } },
  gradient_of[] = { { DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md },
                    { DNNL_ARG_DIFF_WEIGHTS, dnnl_query_diff_weights_md },
                    { DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md } };

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static void reorder(const dnnl_memory_desc_t *from_desc, dnnl_memory_t from,
                    const dnnl_memory_desc_t *to_desc, dnnl_memory_t to)
{
    dnnl_primitive_desc_t d;
    dnnl_primitive_t r;
    OK(dnnl_reorder_primitive_desc_create(&d, from_desc, engine, to_desc, engine, NULL));
    OK(dnnl_primitive_create(&r, d));
    OK(dnnl_primitive_execute(r, stream, 2,
                              (dnnl_exec_arg_t[]){ { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, to } }));
    OK(dnnl_stream_wait(stream));
    OK(dnnl_primitive_destroy(r));
    OK(dnnl_primitive_desc_destroy(d));
}

// x, w and y in our layouts, or in any.
static void describe(const case_t *c, bool any, dnnl_memory_desc_t d[3])
{
    const dnnl_dims_t dims[] = { { c->n, c->ci, c->h, c->w },
                                 { c->co, c->ci, c->k, c->k },
                                 { c->n, c->co, c->oh, c->ow } };
    static const dnnl_format_tag_t ours[] = { dnnl_nhwc, dnnl_hwio, dnnl_nhwc };
    for (int i = 0; i < 3; i++)
        OK(dnnl_memory_desc_init_by_tag(&d[i], 4, dims[i], dnnl_f32, any ? dnnl_format_tag_any : ours[i]));
}

static dnnl_primitive_desc_t choose(const case_t *c, int pass)
{
    dnnl_memory_desc_t d[3];
    dnnl_convolution_desc_t op;
    dnnl_primitive_desc_t forward, backward;
    const dnnl_alg_kind_t alg = dnnl_convolution_auto;
    const dnnl_dims_t stride = { c->stride, c->stride }, left = { c->pad, c->pad };
    const dnnl_dims_t right = { (c->oh - 1) * c->stride + c->k - c->h - c->pad,
                                (c->ow - 1) * c->stride + c->k - c->w - c->pad };
    describe(c, true, d);
    OK(dnnl_convolution_forward_desc_init(&op, dnnl_forward_training, alg, &d[X], &d[W], NULL, &d[Y], stride,
                                          left, right));
    OK(dnnl_primitive_desc_create(&forward, &op, NULL, engine, NULL));
    if (pass == FORWARD) return forward;
    if (pass == BACKWARD_DATA)
        OK(dnnl_convolution_backward_data_desc_init(&op, alg, &d[X], &d[W], &d[Y], stride, left, right));
    else
        OK(dnnl_convolution_backward_weights_desc_init(&op, alg, &d[X], &d[W], NULL, &d[Y], stride, left,
                                                       right));
    OK(dnnl_primitive_desc_create(&backward, &op, NULL, engine, forward));
    OK(dnnl_primitive_desc_destroy(forward));
    return backward;
}

static bool onednn_open(void **self, const problem_t *p, int pass)
{
    self_t *s = *self = alloc(1, sizeof *s);
    dnnl_memory_desc_t plain[3];
    float *data[] = { p->x, p->w, p->gy };
    if (!engine) {
        OK(dnnl_engine_create(&engine, dnnl_cpu, 0));
        OK(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
    }
    s->p = p;
    s->pass = pass;
    dnnl_primitive_desc_t d = choose(&p->c, pass);
    describe(&p->c, false, plain);
    for (int i = 0; i < 3; i++) {
        int r = role[pass][i];
        bool is_gradient = pass != FORWARD && (i == 2 || r == Y);
        const dnnl_memory_desc_t *own =
            dnnl_primitive_desc_query_md(d, is_gradient ? gradient_of[r].query : value_of[r].query, 0);
        s->arg[i].arg = is_gradient ? gradient_of[r].arg : value_of[r].arg;
        OK(dnnl_memory_create(&s->arg[i].memory, own, engine, DNNL_MEMORY_ALLOCATE));
        if (i == 2) continue;
        dnnl_memory_t m;
        OK(dnnl_memory_create(&m, &plain[r], engine, data[r]));
        reorder(&plain[r], m, own, s->arg[i].memory);
        OK(dnnl_memory_destroy(m));
    }
    OK(dnnl_primitive_create(&s->primitive, d));
    OK(dnnl_primitive_desc_destroy(d));
    return true;
}

static void onednn_run(void *self)
{
    self_t *s = self;
    OK(dnnl_primitive_execute(s->primitive, stream, 3, s->arg));
    OK(dnnl_stream_wait(stream));
}

static void onednn_result(void *self, float *out)
{
    self_t *s = self;
    dnnl_memory_desc_t plain[3];
    const dnnl_memory_desc_t *own;
    dnnl_memory_t m;
    int r = role[s->pass][2];
    onednn_run(s);
    describe(&s->p->c, false, plain);
    OK(dnnl_memory_create(&m, &plain[r], engine, out));
    OK(dnnl_memory_get_memory_desc(s->arg[2].memory, &own));
    reorder(own, s->arg[2].memory, &plain[r], m);
    OK(dnnl_memory_destroy(m));
}

static void onednn_close(void *self)
{
    self_t *s = self;
    for (int i = 0; i < 3; i++) OK(dnnl_memory_destroy(s->arg[i].memory));
    OK(dnnl_primitive_destroy(s->primitive));
    free(s);
}

const rival_t rival_onednn = { "onednn", onednn_open, NULL, onednn_run, onednn_result, onednn_close, 0 };
#else
static bool absent(void **self, const problem_t *p, int pass)
{
    (void)self, (void)p, (void)pass;
    return false;
}

const rival_t rival_onednn = { .name = "onednn", .open = absent };
#endif
