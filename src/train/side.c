// One optimizer's side of a step: run the tapes of leaves, add up gradients over leaves, and start each
// bucket's sum over ranks as soon as its gradients are final.
//
// Where there are leaves enough, each thread has one: they share no line of cache until their gradients meet.
// Else the threads share each op.

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "side.h"

void side_init(side_t *s, const comm_t *c, const config_t *conf, params_t *p, const char *what, int leaves,
               int at_once)
{
    size_t all = p->n + (size_t)p->n_sums, per = (size_t)(conf->comm.bucket * 1024 * 1024 / sizeof(float));
    *s = (side_t){ .params = p, .at_once = at_once, .n_buckets = (int)((all + per - 1) / per) };
    s->edge = alloc((size_t)s->n_buckets + 1, sizeof *s->edge);
    for (int b = 0; b < s->n_buckets; b++) s->edge[b] = (size_t)b * per;
    s->edge[s->n_buckets] = all;
    s->gradient = alloc((size_t)at_once, sizeof *s->gradient);
    for (int i = 0; i < at_once; i++) s->gradient[i] = i ? alloc(all, sizeof(float)) : p->g;
    tally_init(&s->tally, p->g, all, leaves);
    s->reduce = reduce_new(c, conf->comm.reduce, what, p->g, s->edge, s->n_buckets);
}

void side_free(side_t *s)
{
    if (s->reduce) reduce_free(s->reduce);
    tally_free(&s->tally);
    for (int i = 1; i < s->at_once; i++) free(s->gradient[i]);
    free(s->gradient);
    free(s->edge);
    *s = (side_t){ 0 };
}

static int by_node(const void *a, const void *b)
{
    const departure_t *x = a, *y = b;
    return x->node != y->node ? y->node - x->node : y->bucket - x->bucket;
}

// Notes when each bucket's gradients are final: the last layers' first, in the tape's order on every rank.
static void schedule(const side_t *s, objective_t *o)
{
    o->departure = alloc((size_t)s->n_buckets, sizeof *o->departure);
    for (int b = 0; b < s->n_buckets; b++)
        o->departure[b] = (departure_t){ b, tape_final_at(&o->tape, s->params, s->edge[b], s->edge[b + 1]) };
    qsort(o->departure, (size_t)s->n_buckets, sizeof *o->departure, by_node);
}

void side_plan(const side_t *s, objective_t *o)
{
    for (int i = 0; i < s->at_once; i++) {
        o[i].tape.gradients = s->gradient[i];
        o[i].tape.prepared = i ? &o->tape : NULL;
        objective_plan(&o[i], s->at_once);
    }
    schedule(s, o);
}

static float mean(var_t v)
{
    double sum = 0;
    for (size_t i = 0; i < numel(v->dim); i++) sum += v->x[i];
    return (float)(sum / (double)numel(v->dim));
}

// Loss terms and figures ride along behind the gradients: summed in the same tree, they too are the same on
// any number of ranks.
static void add_sums(float *sum, const objective_t *o)
{
    for (int i = 0; i < o->n_terms; i++) sum[side_sum(o->term[i]->name, o->step)] += o->value[i]->x[0];
    var_t const score[SCORES] = { o->wires.d1_t.score, o->wires.d1_fs.score, o->wires.d2_t.score,
                                  o->wires.d2_ft.score };
    for (int k = 0; o->step == STEP_D && k < SCORES; k++)
        if (score[k]) sum[SUM_SCORES + k] += mean(score[k]);
    for (int i = 0; i < CONF_LABELS_MAX && o->wires.right[i]; i++) {
        sum[SUM_RIGHT] += o->wires.right[i]->x[0];
        sum[SUM_KNOWN] += o->wires.right[i]->x[1];
    }
}

int side_sum(const char *loss, int step)
{
    int slot = SUM_LOSSES;
    bool is_d = step & STEPS_OF_D;
    for (int i = 0; losses[i]; i++) {
        if (((losses[i]->steps & STEPS_OF_D) != 0) != is_d) continue;
        if (strcmp(losses[i]->name, loss) == 0) return slot;
        slot++;
    }
    return -1;
}

objective_t *side_objective(objective_t *o, int first, int count, int leaf)
{
    return &o[first + count - 1 - leaf];
}

// Tapes that share prepared weights find them prepared.
static void prepare(objective_t *o, int count, int from, int to)
{
    if (count > 1) tape_make_forms(&o->tape, from, to);
}

void side_forward(objective_t *o, int count, int from, int to)
{
    prepare(o, count, from, to);
#pragma omp parallel num_threads(count)
    tape_forward(&o[omp_get_thread_num()].tape, from, to);
}

// Gradients [begin, end) of all leaves that ran, of which the last is thread 0's.
static void take_in(side_t *s, int first, int count, size_t begin, size_t end)
{
#pragma omp barrier
    for (int i = 0; i < count; i++) tally_add(&s->tally, s->gradient[count - 1 - i], first + i, begin, end);
}

// The last leaves of a rank: each bucket leaves as soon as it can.
static void send_backward(side_t *s, const objective_t *o, tape_t *t, int first, int count)
{
#pragma omp master
    s->under_way = true;
    for (int i = 0; i < s->n_buckets; i++) {
        const departure_t *d = &o->departure[i];
        tape_backward_until(t, d->node);
        take_in(s, first, count, s->edge[d->bucket], s->edge[d->bucket + 1]);
#pragma omp master
        reduce_start(s->reduce, d->bucket);
    }
    tape_backward_until(t, 0);
}

void side_leaves(side_t *s, objective_t *o, int first, int count, int from)
{
    const params_t *p = s->params;
    bool is_last = first + count == s->tally.leaves;
    prepare(o, count, from, o->tape.n);
#pragma omp parallel num_threads(count)
    {
        CHECK(omp_get_num_threads() == count, "OpenMP gave %d of %d threads", omp_get_num_threads(), count);
        int at = omp_get_thread_num();
        objective_t *mine = &o[at];
        tape_forward(&mine->tape, from, mine->tape.n);
        add_sums(s->gradient[at] + p->n, mine);
        tape_backward_start(&mine->tape, 1);
        if (is_last) {
            send_backward(s, o, &mine->tape, first, count);
        } else {
            tape_backward_until(&mine->tape, 0);
            take_in(s, first, count, 0, p->n + (size_t)p->n_sums);
        }
    }
}
