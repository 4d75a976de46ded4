// One optimizer's side of a step: run a leaf's tape, add up gradients over leaves, and start each bucket's
// sum over ranks as soon as its gradients are final.

#include <stdlib.h>
#include <string.h>

#include "side.h"

void side_init(side_t *s, const comm_t *c, const config_t *conf, params_t *p, const char *what, int leaves)
{
    size_t all = p->n + (size_t)p->n_sums, per = (size_t)(conf->comm.bucket * 1024 * 1024 / sizeof(float));
    *s = (side_t){ .params = p, .n_buckets = (int)((all + per - 1) / per) };
    s->edge = alloc((size_t)s->n_buckets + 1, sizeof *s->edge);
    for (int b = 0; b < s->n_buckets; b++) s->edge[b] = (size_t)b * per;
    s->edge[s->n_buckets] = all;
    tally_init(&s->tally, p->g, all, leaves);
    s->reduce = reduce_new(c, conf->comm.reduce, what, p->g, s->edge, s->n_buckets);
}

void side_free(side_t *s)
{
    if (s->reduce) reduce_free(s->reduce);
    tally_free(&s->tally);
    free(s->edge);
    *s = (side_t){ 0 };
}

static int by_node(const void *a, const void *b)
{
    const departure_t *x = a, *y = b;
    return x->node != y->node ? y->node - x->node : y->bucket - x->bucket;
}

void side_schedule(const side_t *s, objective_t *o)
{
    o->departure = alloc((size_t)s->n_buckets, sizeof *o->departure);
    for (int b = 0; b < s->n_buckets; b++)
        o->departure[b] = (departure_t){ b, tape_final_at(&o->tape, s->params, s->edge[b], s->edge[b + 1]) };
    qsort(o->departure, (size_t)s->n_buckets, sizeof *o->departure, by_node);
}

static float mean(var_t v)
{
    double sum = 0;
    for (size_t i = 0; i < numel(v->dim); i++) sum += v->x[i];
    return (float)(sum / (double)numel(v->dim));
}

// Loss terms and figures ride along behind the gradients: summed in the same tree, they too are the same on
// any number of ranks.
static void add_sums(side_t *s, const objective_t *o)
{
    float *sum = s->params->g + s->params->n;
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

void side_leaf(side_t *s, objective_t *o, int leaf, int from)
{
    const params_t *p = s->params;
    size_t all = p->n + (size_t)p->n_sums;
    tape_forward(&o->tape, from, o->tape.n);
    add_sums(s, o);
    tape_backward_start(&o->tape, 1);
    if (leaf + 1 < s->tally.leaves) {
        tape_backward_until(&o->tape, 0);
        tally_add(&s->tally, leaf, 0, all);
        return;
    }
    s->under_way = true;
    for (int i = 0; i < s->n_buckets; i++) {
        const departure_t *d = &o->departure[i];
        tape_backward_until(&o->tape, d->node);
        tally_add(&s->tally, leaf, s->edge[d->bucket], s->edge[d->bucket + 1]);
        reduce_start(s->reduce, d->bucket);
    }
    tape_backward_until(&o->tape, 0);
}
