// tape: arrays, parameters, and a static list of ops that runs forward and backward.
//
// Networks and losses are built once; tape_plan then lays every array into one allocation by the time it
// lives, and nothing is allocated afterwards.  Local: this layer makes no MPI call.
#ifndef DAGAN_TAPE_H
#define DAGAN_TAPE_H

#include "dagan/base.h"

// ---- shapes ----------------------------------------------------------------------------------------

// Arrays are NHWC.  Centres are (n, 1, N', 2), x before y; instances (n * N', h, w, c), region fastest;
// a scalar is (1, 1, 1, 1).
typedef struct {
    int n, h, w, c;
} shape_t;

size_t numel(shape_t d);
bool dim_equal(shape_t a, shape_t b);

// ---- parameters ------------------------------------------------------------------------------------

enum { VIEW_NAME_MAX = 96, PARAMS_SUMS_MAX = 64, PARAMS_NETS_MAX = 8 };

typedef enum { INIT_ZERO, INIT_ONE, INIT_NORMAL } init_t;

// One tensor.  Its file shape is PyTorch's (out, in, kh, kw) or (n); in memory a convolution's weight lies
// as (kh, kw, in, out), the right-hand matrix of its product.
typedef struct {
    char name[VIEW_NAME_MAX]; // "dae.enc.c1.weight"
    int shape[4], rank;       // as in files
    size_t offset, n;         // floats, into each array of params_t
    init_t init;
} view_t;

// One network's consecutive views.
typedef struct {
    char name[16];     // "dae"
    size_t first, end; // floats
    long updates;      // Adam's step count
} net_t;

// Parameters trained together.  All arrays have one layout; g is followed by n_sums floats that are summed
// over leaves and ranks like the gradients (loss terms, flags).
typedef struct {
    float *w, *g, *m, *v, *ema;
    size_t n;
    int n_sums;
    view_t *view;
    int n_views;
    net_t net[PARAMS_NETS_MAX];
    int n_nets;
    long version; // counts changes of w and ema: whoever writes them calls params_changed
} params_t;

void params_free(params_t *p);
// Index of the view of that name, added at the end if new.  Before params_alloc only.
int params_view(params_t *p, const char *name, init_t init, int rank, const int shape[4]);
// Allocates the arrays and sets weights from (seed, name): independent of order and ranks.
void params_alloc(params_t *p, uint64_t seed, int n_sums);
void params_init(params_t *p, uint64_t seed);
// Where no average is kept: one array for both.  After params_alloc, before any tape is planned.
void params_share_average(params_t *p);
// Of a network that is never trained: weights alone.  After params_alloc.
void params_freeze(params_t *p);
void params_changed(params_t *p);
// Rows [first, first + count) of the view's leading dimension, between memory order and file order.
void view_to_file(const view_t *v, float *out, const float *array, int first, int count);
void view_from_file(const view_t *v, float *array, const float *in, int first, int count);
size_t view_row(const view_t *v); // floats in one row of the leading dimension

// ---- nodes and ops ---------------------------------------------------------------------------------

typedef struct tape tape_t;
typedef struct node node_t;
typedef node_t *var_t;

enum { NODE_INPUTS_MAX = 2 * CONF_LABELS_MAX, NODE_NAME_MAX = 64 };

// An op: plain functions over a node.  `forward` overwrites y->x; `backward` adds to the gradients of those
// inputs that have one, and may use y->g as scratch, since nobody reads it afterwards.
typedef struct {
    const char *name;
    void (*forward)(node_t *y);
    void (*backward)(node_t *y);
    // The i-th small graph that exercises the op, NULL past the last: the gradient test visits them all.
    var_t (*example)(tape_t *t, int i);
    bool reads_inputs;                  // backward reads in[k]->x
    bool reads_output;                  // backward reads y->x
    unsigned overwrites;                // bit k: backward heeds fresh[k]; else that gradient is zeroed before
    bool is_view;                       // y->x is a part of in[0]->x; forward and backward do nothing
    size_t (*scratch)(const node_t *y); // floats needed during one call, NULL: none
    size_t (*saved)(const node_t *y);   // floats kept from forward to backward, NULL: none
    // What it makes of its weight, in[1], for forward (0) and for the gradient of in[0] (1): how many floats,
    // and making it.  Nodes of one weight share what has one size, which must mean one layout; it is made
    // anew when the weight has changed.
    size_t (*form_size)(const node_t *y, int which);
    void (*make_form)(const node_t *y, int which, float *form);
    double (*flops)(const node_t *y); // of forward, counted as direct computation, NULL: none
} op_t;

// A weight as an op wants it: packed, transformed.
typedef struct {
    const node_t *weight;
    int which;
    size_t floats;
    float *data;
    long made; // the version of the weights that it was made of, -1: none
} form_t;

struct node {
    const op_t *op;
    tape_t *tape;
    char name[NODE_NAME_MAX]; // of a wire; "" for most
    shape_t dim;
    var_t in[NODE_INPUTS_MAX];
    int n_in, index;
    int i[4]; // the op's own settings
    float f[NODE_INPUTS_MAX];
    const sides_t *half; // of regions, borrowed
    float *x, *g;        // value and gradient; g is NULL where none is wanted
    float *scratch, *saved;
    form_t *form[2];
    // Of parameters: where they live.
    params_t *params;
    int view;
    bool averaged;
    // Set by the plan.
    bool wants_grad, is_kept;
    bool fresh[NODE_INPUTS_MAX]; // in this call of backward in[k]->g holds nothing yet: write, do not add
    var_t root;                  // the node whose memory a view is part of, else itself
    size_t root_offset;
    int last_use; // the last node that reads this root's value
    int zeroed;
};

struct tape {
    node_t **node;
    int n, capacity;
    var_t loss;
    bool keeps_all; // named wires stay readable until the end (--dump-step)
    // Of tapes that run side by side, set before the plan.  Threads that an op's loops may take, 0: as many
    // as there are; where the gradients of the trained parameters are added, NULL: params_t.g; the tape,
    // built alike and planned before, whose prepared weights it reads, NULL: its own.
    int threads;
    float *gradients;
    tape_t *prepared;
    float *arena;
    size_t arena_floats, value_floats; // planned size; sum of all arrays without sharing
    size_t form_floats;                // beside the arena
    const char *name;                  // in a profile: "F", "D"
    form_t **form;
    int n_forms;
    int cursor, sweep;       // the next node of the backward sweep, and its count
    void (*between)(void *); // called between ops, to move messages
    void *between_arg;
};

void tape_free(tape_t *t);
// Appends a node; its inputs must stand before it.  For op constructors.
var_t tape_node(tape_t *t, const op_t *op, shape_t dim, int n_in, const var_t in[]);
// An array that the caller fills (y->x) before each forward pass.
var_t tape_input(tape_t *t, const char *name, shape_t dim);
// A gradient-checked input, for examples.
var_t tape_variable(tape_t *t, shape_t dim);
// A parameter; frozen: no gradient; averaged: reads the EMA weights.
var_t tape_param(tape_t *t, params_t *p, int view, bool frozen, bool averaged);
// Names a wire; a kept one stays readable after the sweep.  Returns v.
var_t tape_name(var_t v, const char *name, bool kept);
var_t tape_find(const tape_t *t, const char *name); // NULL if no node has the name

// Lays out memory for forward and, if loss is not NULL, backward from it.  After params_alloc.
void tape_plan(tape_t *t, var_t loss);
size_t tape_bytes(const tape_t *t); // of the planned memory: arena and prepared weights
// Lets the loops of this thread take n threads (0: as many as before); returns how many they took before.
// Planning and running a tape do it, since its scratch is for so many.
int tape_threads(int n);
// Prepares the weights of nodes [from, to) that have changed.  tape_forward does it as it goes, but tapes
// that share them cannot do it at the same time.
void tape_make_forms(tape_t *t, int from, int to);
// Runs nodes [from, to).
void tape_forward(tape_t *t, int from, int to);
// Starts a backward sweep with gradient `seed` at the loss, then runs it down to node `to` inclusive.
void tape_backward_start(tape_t *t, float seed);
void tape_backward_until(tape_t *t, int to);
// The node after whose backward the gradients of floats [first, end) of p are final; n if never touched.
int tape_final_at(const tape_t *t, const params_t *p, size_t first, size_t end);
// The first node that reads a parameter of p.
int tape_first_use(const tape_t *t, const params_t *p);
double tape_flops(const tape_t *t); // forward

#endif
