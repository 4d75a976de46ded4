// The plan: where every array of a tape lies in one arena.
//
// Node i runs forward at time i and backward at time 2n - 1 - i.  An array occupies its place from the first
// to the last time it is written or read; arrays whose times do not meet may share memory.

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "dagan/tape.h"

typedef struct {
    float **at;      // where the address goes
    size_t floats;   // rounded up to a cache line
    int first, last; // times
    size_t offset;
} block_t;

typedef struct {
    block_t *block;
    int n;
    size_t scratch;
} plan_t;

// Microkernels may read a little past the end of what they are given.
enum { LINE = 16, SLACK = 64 };

static void place(plan_t *p, float **at, size_t floats, int first, int last)
{
    p->block[p->n++] = (block_t){ at, (floats + LINE - 1) / LINE * LINE, first, last, 0 };
}

static void find_roots(tape_t *t)
{
    for (int i = 0; i < t->n; i++) {
        node_t *y = t->node[i];
        y->root = y;
        y->root_offset = 0;
        y->last_use = i;
        if (!y->op->is_view) continue;
        y->root = y->in[0]->root;
        y->root_offset += y->in[0]->root_offset + (size_t)y->i[0];
    }
}

// Only nodes between a wanted gradient and the loss get one.
static void find_gradients(tape_t *t, var_t loss, bool *reached)
{
    if (!loss) return;
    reached[loss->index] = true;
    for (int i = loss->index; i >= 0; i--) {
        if (!reached[i]) continue;
        for (int k = 0; k < t->node[i]->n_in; k++) {
            node_t *v = t->node[i]->in[k];
            if (v->wants_grad) reached[v->index] = reached[v->root->index] = true;
        }
    }
}

static int later(int a, int b)
{
    return a > b ? a : b;
}

// The last time a root's value is read: forward by any user, backward by users that look at inputs or, the
// owner of an output itself, at that output.
static void value_times(const tape_t *t, const bool *reached, int *last)
{
    for (int i = 0; i < t->n; i++) {
        const node_t *y = t->node[i];
        int back = 2 * t->n - 1 - i, own = y->root->index;
        bool runs_back = reached[i] && !y->op->is_view;
        last[own] = later(last[own], runs_back && y->op->reads_output ? back : i);
        if (y->is_kept || (t->keeps_all && y->name[0])) last[own] = 2 * t->n;
        for (int k = 0; k < y->n_in; k++) {
            node_t *r = y->in[k]->root;
            last[r->index] = later(last[r->index], runs_back && y->op->reads_inputs ? back : i);
            r->last_use = later(r->last_use, i);
        }
    }
}

// Of a frozen and of a trained node alike: they are one weight.
static bool is_same_weight(const node_t *a, const node_t *b)
{
    return a == b ||
           (a->params && a->params == b->params && a->view == b->view && a->averaged == b->averaged);
}

static form_t *form_of(tape_t *t, const node_t *y, int which)
{
    if (t->prepared) t = t->prepared;
    for (int i = 0; i < t->n_forms; i++)
        if (is_same_weight(t->form[i]->weight, y->in[1]) && t->form[i]->which == which &&
            t->form[i]->floats == y->op->form_size(y, which))
            return t->form[i];
    t->form = realloc(t->form, (size_t)(t->n_forms + 1) * sizeof(form_t *));
    CHECK(t->form, "no memory for %d forms of weights", t->n_forms + 1);
    form_t *f = alloc(1, sizeof *f);
    *f = (form_t){ .weight = y->in[1], .which = which, .floats = y->op->form_size(y, which), .made = -1 };
    f->data = alloc(f->floats + SLACK, sizeof(float));
    t->form_floats += f->floats;
    return t->form[t->n_forms++] = f;
}

static int by_size(const void *a, const void *b)
{
    const block_t *x = a, *y = b;
    if (x->floats != y->floats) return x->floats < y->floats ? 1 : -1;
    return x->first != y->first ? x->first - y->first : x->last - y->last;
}

static int by_offset(const void *a, const void *b)
{
    const block_t *x = *(const block_t *const *)a, *y = *(const block_t *const *)b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

// Largest first, each at the lowest place that is free during its time.
static size_t lay_out(plan_t *p)
{
    size_t end = 0;
    const block_t **busy = alloc((size_t)p->n + 1, sizeof(block_t *));
    qsort(p->block, (size_t)p->n, sizeof *p->block, by_size);
    for (int i = 0; i < p->n; i++) {
        block_t *b = &p->block[i];
        int n = 0;
        for (int j = 0; j < i; j++)
            if (p->block[j].first <= b->last && b->first <= p->block[j].last) busy[n++] = &p->block[j];
        qsort(busy, (size_t)n, sizeof *busy, by_offset);
        for (int j = 0; j < n; j++) {
            if (b->offset + b->floats <= busy[j]->offset) break;
            if (busy[j]->offset + busy[j]->floats > b->offset) b->offset = busy[j]->offset + busy[j]->floats;
        }
        if (b->offset + b->floats > end) end = b->offset + b->floats;
    }
    free(busy);
    return end;
}

static void plan_node(tape_t *t, plan_t *p, node_t *y, bool has_grad, int last)
{
    int back = 2 * t->n - 1 - y->index;
    if (y->params) {
        y->x = (y->averaged ? y->params->ema : y->params->w) + y->params->view[y->view].offset;
        if (has_grad) y->g = (t->gradients ? t->gradients : y->params->g) + y->params->view[y->view].offset;
        return;
    }
    bool is_input = y->n_in == 0;
    if (!y->op->is_view) {
        place(p, &y->x, numel(y->dim), is_input ? 0 : y->index, last);
        // A variable's gradient is read by the caller after the sweep.
        if (has_grad) place(p, &y->g, numel(y->dim), 2 * t->n - 1 - y->last_use, is_input ? 2 * t->n : back);
    }
    if (y->op->saved) place(p, &y->saved, y->op->saved(y), y->index, has_grad ? back : y->index);
    if (y->op->form_size) {
        y->form[0] = form_of(t, y, 0);
        if (has_grad && y->in[0]->wants_grad) y->form[1] = form_of(t, y, 1);
    }
    if (y->op->scratch && y->op->scratch(y) > p->scratch) p->scratch = y->op->scratch(y);
}

void tape_plan(tape_t *t, var_t loss)
{
    bool *reached = alloc((size_t)t->n, sizeof *reached);
    int *last = alloc((size_t)t->n, sizeof *last);
    plan_t p = { .block = alloc(3 * (size_t)t->n + 1, sizeof(block_t)) };
    if (!t->threads) t->threads = omp_get_max_threads();
    int before = tape_threads(t->threads);
    t->loss = loss;
    find_roots(t);
    find_gradients(t, loss, reached);
    value_times(t, reached, last);
    for (int i = 0; i < t->n; i++)
        plan_node(t, &p, t->node[i], reached[i] && t->node[i]->wants_grad, last[i]);

    size_t used = lay_out(&p);
    t->arena_floats = used + p.scratch + SLACK;
    t->arena = alloc(t->arena_floats, sizeof(float));
    t->value_floats = 0;
    for (int i = 0; i < p.n; i++) {
        *p.block[i].at = t->arena + p.block[i].offset;
        t->value_floats += p.block[i].floats;
    }
    for (int i = 0; i < t->n; i++) {
        node_t *y = t->node[i];
        y->scratch = t->arena + used;
        if (!y->op->is_view) continue;
        y->x = y->root->x + y->root_offset;
        if (reached[i] && y->root->g) y->g = y->root->g + y->root_offset;
    }
    tape_threads(before);
    free(p.block);
    free(last);
    free(reached);
}

size_t tape_bytes(const tape_t *t)
{
    return (t->arena_floats + t->form_floats) * sizeof(float);
}
