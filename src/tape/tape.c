// The tape: a list of nodes in the order they run, swept forward and backward.

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "dagan/tape.h"

void tape_free(tape_t *t)
{
    for (int i = 0; i < t->n; i++) free(t->node[i]);
    free(t->node);
    for (int i = 0; i < t->n_forms; i++) free(t->form[i]->data);
    for (int i = 0; i < t->n_forms; i++) free(t->form[i]);
    free(t->form);
    free(t->arena);
    *t = (tape_t){ 0 };
}

var_t tape_node(tape_t *t, const op_t *op, shape_t dim, int n_in, const var_t in[])
{
    CHECK(n_in <= NODE_INPUTS_MAX, "op %s has %d inputs, at most %d", op->name, n_in, NODE_INPUTS_MAX);
    CHECK(!t->arena, "op %s is added to a tape that is already planned", op->name);
    if (t->n == t->capacity) {
        t->capacity = t->capacity ? 2 * t->capacity : 64;
        t->node = realloc(t->node, (size_t)t->capacity * sizeof *t->node);
        CHECK(t->node, "no memory for a tape of %d nodes", t->capacity);
    }
    node_t *y = alloc(1, sizeof *y);
    *y = (node_t){ .op = op, .tape = t, .dim = dim, .n_in = n_in, .index = t->n };
    for (int i = 0; i < n_in; i++) {
        y->in[i] = in[i];
        y->wants_grad |= in[i]->wants_grad;
    }
    return t->node[t->n++] = y;
}

static void nothing(node_t *y)
{
    (void)y;
}

static const op_t op_input = { .name = "input", .forward = nothing, .backward = nothing };
static const op_t op_param = { .name = "param", .forward = nothing, .backward = nothing };

var_t tape_input(tape_t *t, const char *name, shape_t dim)
{
    return tape_name(tape_node(t, &op_input, dim, 0, NULL), name, true);
}

var_t tape_variable(tape_t *t, shape_t dim)
{
    var_t v = tape_input(t, "", dim);
    v->wants_grad = true;
    return v;
}

var_t tape_param(tape_t *t, params_t *p, int view, bool frozen, bool averaged)
{
    for (int i = 0; i < t->n; i++) { // one node per parameter, however often a network is applied
        var_t v = t->node[i];
        if (v->params == p && v->view == view && v->wants_grad == !frozen && v->averaged == averaged)
            return v;
    }
    const view_t *w = &p->view[view];
    shape_t dim = w->rank == 4 ? (shape_t){ w->shape[2], w->shape[3], w->shape[1], w->shape[0] }
                               : (shape_t){ 1, 1, 1, (int)w->n };
    var_t y = tape_node(t, &op_param, dim, 0, NULL);
    y->params = p;
    y->view = view;
    y->averaged = averaged;
    y->wants_grad = !frozen;
    return y;
}

var_t tape_name(var_t v, const char *name, bool kept)
{
    size_t length = strlen(name);
    CHECK(length < NODE_NAME_MAX, "wire name %s is too long", name);
    memcpy(v->name, name, length + 1);
    v->is_kept |= kept;
    return v;
}

var_t tape_find(const tape_t *t, const char *name)
{
    for (int i = 0; i < t->n; i++)
        if (strcmp(t->node[i]->name, name) == 0) return t->node[i];
    return NULL;
}

// Weights change between sweeps only; without a version (a test's variable) they may have changed each time.
static void make_forms_of(const node_t *y)
{
    for (int k = 0; k < 2; k++) {
        form_t *f = y->form[k];
        long version = f && f->weight->params ? f->weight->params->version : -1;
        if (!f || (f->made == version && version >= 0)) continue;
        double began = trace_on ? now() : 0;
        y->op->make_form(y, k, f->data);
        f->made = version;
        if (trace_on) trace_add("prepare weights", y->tape->name, "update", y->index, began);
    }
}

void tape_make_forms(tape_t *t, int from, int to)
{
    for (int i = from; i < to; i++) make_forms_of(t->node[i]);
}

int tape_threads(int n)
{
    int before = omp_get_max_threads();
    if (n > 0 && n != before) omp_set_num_threads(n);
    return before;
}

void tape_forward(tape_t *t, int from, int to)
{
    int before = tape_threads(t->threads);
    for (int i = from; i < to; i++) {
        node_t *y = t->node[i];
        make_forms_of(y);
        double began = trace_on ? now() : 0;
        y->op->forward(y);
        if (trace_on && y->n_in && !y->op->is_view) trace_add(y->op->name, t->name, "forward", i, began);
        if (t->between) t->between(t->between_arg);
    }
    tape_threads(before);
}

void tape_backward_start(tape_t *t, float seed)
{
    t->sweep++;
    t->cursor = t->loss->index;
    t->loss->root->zeroed = t->sweep;
    t->loss->g[0] = seed;
}

// A gradient begins with its first contribution, not earlier: until then its memory belongs to others.  An op
// that can writes it; else, and where it reaches a part of the array only, it is zeroed before.
static void begin_gradients(tape_t *t, node_t *y)
{
    for (int i = 0; i < y->n_in; i++) {
        node_t *r = y->in[i]->root;
        y->fresh[i] = false;
        if (!r->g || r->params || r->zeroed == t->sweep) continue;
        r->zeroed = t->sweep;
        y->fresh[i] = y->op->overwrites >> i & 1 && r == y->in[i];
        if (!y->fresh[i]) memset(r->g, 0, numel(r->dim) * sizeof(float));
    }
}

void tape_backward_until(tape_t *t, int to)
{
    int before = tape_threads(t->threads);
    for (; t->cursor >= to; t->cursor--) {
        node_t *y = t->node[t->cursor];
        if (!y->g || y->op->is_view || y->n_in == 0) continue;
        double began = trace_on ? now() : 0;
        begin_gradients(t, y);
        y->op->backward(y);
        if (trace_on) trace_add(y->op->name, t->name, "backward", y->index, began);
        if (t->between) t->between(t->between_arg);
    }
    tape_threads(before);
}

static bool reads_params(const node_t *y, const params_t *p, size_t first, size_t end)
{
    for (int i = 0; i < y->n_in; i++) {
        const node_t *v = y->in[i];
        if (v->params != p || !v->wants_grad) continue;
        size_t offset = p->view[v->view].offset;
        if (offset < end && offset + p->view[v->view].n > first) return true;
    }
    return false;
}

int tape_final_at(const tape_t *t, const params_t *p, size_t first, size_t end)
{
    for (int i = 0; i < t->n; i++)
        if (t->node[i]->g && reads_params(t->node[i], p, first, end)) return i;
    return t->n;
}

int tape_first_use(const tape_t *t, const params_t *p)
{
    for (int i = 0; i < t->n; i++)
        for (int k = 0; k < t->node[i]->n_in; k++)
            if (t->node[i]->in[k]->params == p) return i;
    return t->n;
}

double tape_flops(const tape_t *t)
{
    double sum = 0;
    for (int i = 0; i < t->n; i++)
        if (t->node[i]->op->flops) sum += t->node[i]->op->flops(t->node[i]);
    return sum;
}
