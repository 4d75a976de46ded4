// What /attention in a checkpoint holds: for every training image the centres predicted at its last visit.
//
// Rows belong to ranks by whole checksum blocks.  A visit is noted where it happens and sent to the row's
// owner when a checkpoint is due, or after ATTENTION_EVERY steps: the centres cost nothing to know and little
// to send.

#include <stdlib.h>
#include <string.h>

#include "dagan/train.h"

struct visit {
    int64_t row, step;
    float centres[]; // (regions, 2)
};

static size_t visit_bytes(int regions)
{
    return sizeof(struct visit) + (size_t)regions * 2 * sizeof(float);
}

static struct visit *visit_at(const attention_map_t *a, void *visits, size_t i)
{
    return (struct visit *)((char *)visits + i * visit_bytes(a->regions));
}

void attention_init(attention_map_t *a, const comm_t *c, size_t n, int regions)
{
    size_t blocks = (n + ATTENTION_BLOCK - 1) / ATTENTION_BLOCK;
    share_t share = share_of(blocks, c->rank, c->size);
    *a = (attention_map_t){ .n = n, .regions = regions };
    size_t end = (share.first + share.count) * ATTENTION_BLOCK;
    a->mine.first = share.first * ATTENTION_BLOCK < n ? share.first * ATTENTION_BLOCK : n;
    a->mine.count = (end < n ? end : n) - a->mine.first;
    a->centres = alloc(a->mine.count * (size_t)regions * 2 + 1, sizeof(float));
    a->step = alloc(a->mine.count + 1, sizeof(int64_t));
    for (size_t i = 0; i < a->mine.count; i++) a->step[i] = -1;
}

void attention_free(attention_map_t *a)
{
    free(a->centres);
    free(a->step);
    free(a->visit);
    *a = (attention_map_t){ 0 };
}

void attention_visit(attention_map_t *a, size_t row, long step, const float *centres)
{
    if (a->n_visits == a->capacity) {
        a->capacity = a->capacity ? 2 * a->capacity : 256;
        a->visit = realloc(a->visit, a->capacity * visit_bytes(a->regions));
        CHECK(a->visit, "no memory for %zu visits", a->capacity);
    }
    struct visit *v = visit_at(a, a->visit, a->n_visits++);
    v->row = (int64_t)row;
    v->step = step;
    memcpy(v->centres, centres, (size_t)a->regions * 2 * sizeof(float));
}

size_t attention_visits_bytes(const config_t *conf, const plan_run_t *plan)
{
    long steps = conf->checkpoint.every < ATTENTION_EVERY ? conf->checkpoint.every : ATTENTION_EVERY;
    if (steps > plan->steps) steps = plan->steps;
    size_t visits = (size_t)steps * (size_t)(plan->my_leaves * conf->train.microbatch);
    // Two domains in arrays that double as they grow, and two copies of one while its visits are sent.
    return visits * visit_bytes(conf->attention.regions) * (2 * 2 + 2);
}

static int owner(const attention_map_t *a, const comm_t *c, int64_t row)
{
    size_t blocks = (a->n + ATTENTION_BLOCK - 1) / ATTENTION_BLOCK;
    return share_owner(blocks, (size_t)row / ATTENTION_BLOCK, c->size);
}

static void take(attention_map_t *a, const struct visit *v)
{
    size_t i = (size_t)v->row - a->mine.first;
    if (v->step < a->step[i]) return;
    a->step[i] = v->step;
    memcpy(a->centres + i * (size_t)a->regions * 2, v->centres, (size_t)a->regions * 2 * sizeof(float));
}

void attention_exchange(attention_map_t *a, const comm_t *c)
{
    size_t received;
    int *to = alloc(a->n_visits + 1, sizeof *to);
    for (size_t i = 0; i < a->n_visits; i++) to[i] = owner(a, c, visit_at(a, a->visit, i)->row);
    void *mine = comm_exchange(c, a->visit, to, a->n_visits, visit_bytes(a->regions), &received);
    for (size_t i = 0; i < received; i++) take(a, visit_at(a, mine, i));
    free(mine);
    free(to);
    a->n_visits = 0;
}
