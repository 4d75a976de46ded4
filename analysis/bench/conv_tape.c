// This program's convolution: a tape with one op.  Backward passes add to gradients as they do in training;
// x's is zeroed by the tape within the time taken, the weight's is not, and a transformed weight may be kept
// from run to run.

#include <stdlib.h>
#include <string.h>

#include "conv.h"
#include "dagan/op.h"

typedef struct {
    const problem_t *p;
    int pass;
    params_t params;
    tape_t tape;
    var_t x, y;
} self_t;

static bool tape_open(void **self, const problem_t *p, int pass)
{
    const case_t *c = &p->c;
    self_t *s = *self = alloc(1, sizeof *s);
    tape_t *t = &s->tape;
    s->p = p;
    s->pass = pass;
    params_view(&s->params, "bench.weight", INIT_NORMAL, 4, (int[4]){ c->co, c->ci, c->k, c->k });
    params_alloc(&s->params, 1, 0);
    memcpy(s->params.w, p->w, p->nw * sizeof(float));
    shape_t dim = { c->n, c->h, c->w, c->ci };
    s->x = pass == BACKWARD_DATA ? tape_variable(t, dim) : tape_input(t, "x", dim);
    s->y = conv(s->x, tape_param(t, &s->params, 0, pass != BACKWARD_WEIGHTS, false), NULL, c->stride, c->pad,
                ACT_NONE);
    tape_plan(t, pass == FORWARD ? NULL : s->y);
    memcpy(s->x->x, p->x, p->nx * sizeof(float));
    tape_forward(t, 0, t->n);
    return true;
}

// A backward pass may use up the gradient that it is given.
static void tape_prepare(void *self)
{
    self_t *s = self;
    if (s->pass != FORWARD) memcpy(s->y->g, s->p->gy, s->p->ny * sizeof(float));
}

static void tape_run(void *self)
{
    self_t *s = self;
    if (s->pass == FORWARD) {
        tape_forward(&s->tape, 0, s->tape.n);
    } else {
        tape_backward_start(&s->tape, s->p->gy[0]);
        tape_backward_until(&s->tape, 0);
    }
}

static void tape_result(void *self, float *out)
{
    self_t *s = self;
    memset(s->params.g, 0, s->p->nw * sizeof(float));
    tape_prepare(s);
    tape_run(s);
    if (s->pass == FORWARD) memcpy(out, s->y->x, s->p->ny * sizeof(float));
    if (s->pass == BACKWARD_DATA) memcpy(out, s->x->g, s->p->nx * sizeof(float));
    if (s->pass == BACKWARD_WEIGHTS) memcpy(out, s->params.g, s->p->nw * sizeof(float));
}

static void tape_close(void *self)
{
    self_t *s = self;
    tape_free(&s->tape);
    params_free(&s->params);
    free(s);
}

const rival_t rival_tape = { "dagan_mpi", tape_open, tape_prepare, tape_run, tape_result, tape_close, 0 };
