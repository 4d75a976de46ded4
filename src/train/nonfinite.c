// What happens when a loss or a gradient is not finite.
//
// That the sums are not finite all ranks see alike, before anything is updated.  Which rank's which leaf it
// was is found by running the leaves again, which gives the same numbers: weights have not changed and all
// else is a function of the step.  It costs a step, and nothing as long as all is well.

#include "nonfinite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "leaf.h"

enum { WHAT_TEXT = 128, ROWS_TEXT = 256, CAUSE_TEXT = 640 };

// The first tensor of an array with a number that is not finite.
static bool find_tensor(const params_t *p, const float *array, const char *kind, char what[WHAT_TEXT])
{
    for (int i = 0; i < p->n_views; i++) {
        const view_t *v = &p->view[i];
        for (size_t j = 0; j < v->n; j++) {
            if (isfinite(array[v->offset + j])) continue;
            snprintf(what, WHAT_TEXT, "%s %s", kind, v->name);
            return true;
        }
    }
    return false;
}

static bool find_loss(const objective_t *o, char what[WHAT_TEXT])
{
    for (int i = 0; i < o->n_terms; i++) {
        if (isfinite(o->value[i]->x[0])) continue;
        snprintf(what, WHAT_TEXT, "loss %s is %g", o->term[i]->name, o->value[i]->x[0]);
        return true;
    }
    return false;
}

// Runs a leaf once more; its gradients are looked at and forgotten.
static bool find_in_leaf(trainer_t *tr, objective_t *o, const side_t *s, int leaf, char what[WHAT_TEXT])
{
    params_t *p = s->params;
    leaf_fill(tr, o, leaf);
    tape_forward(&o->tape, 0, o->tape.n);
    if (find_loss(o, what)) return true;
    tape_backward_start(&o->tape, 1);
    tape_backward_until(&o->tape, 0);
    bool found = find_tensor(p, p->g, "gradient of", what);
    memset(p->g, 0, (p->n + (size_t)p->n_sums) * sizeof(float));
    return found;
}

// Writes what this rank knows; returns the number of its leaves that are not finite.
static int find_cause(trainer_t *tr, objective_t *o, const side_t *s, char cause[CAUSE_TEXT])
{
    const comm_t *c = tr->comm;
    char what[WHAT_TEXT], rows[ROWS_TEXT];
    int found = 0;
    cause[0] = 0;
    if (find_tensor(&tr->model.f, tr->model.f.w, "weight", what) ||
        find_tensor(&tr->model.d, tr->model.d.w, "weight", what)) {
        snprintf(cause, CAUSE_TEXT, "%s is not finite on rank %d on %s", what, c->rank,
                 c->host[c->rank].name);
        return tr->plan.my_leaves;
    }
    for (int leaf = 0; leaf < tr->plan.my_leaves; leaf++) {
        if (!find_in_leaf(tr, o, s, leaf, what) || found++) continue;
        leaf_text(rows, sizeof rows, tr, o, leaf);
        snprintf(cause, CAUSE_TEXT, "%s%s on rank %d on %s, %s", what,
                 strncmp(what, "loss", 4) ? " is not finite" : "", c->rank, c->host[c->rank].name, rows);
    }
    return found;
}

int nonfinite_meet(trainer_t *tr, objective_t *o, side_t *s)
{
    const config_t *conf = tr->conf;
    bool is_d = s == &tr->d_side;
    long step = is_d ? tr->pending.step : tr->step;
    char cause[CAUSE_TEXT], then[128];
    int most = conf->train.nonfinite_max;
    long in_a_row = tr->rollbacks - tr->rollbacks_kept;
    double leaves = find_cause(tr, o, s, cause);
    comm_sum(tr->comm, &leaves, 1);
    if (!tr->skipped || step != tr->skipped_last) tr->skipped++; // F and D of one step count once
    tr->skipped_last = step;
    bool skips = conf->train.nonfinite == NONFINITE_SKIP && tr->skipped <= most;
    tr->wants_rollback = conf->train.nonfinite == NONFINITE_ROLLBACK && in_a_row < most;
    if (skips)
        snprintf(then, sizeof then, "the step is skipped, %d in a row of at most %d", tr->skipped, most);
    else if (tr->wants_rollback)
        snprintf(then, sizeof then, "back to the last checkpoint, %ld in a row of at most %d", in_a_row + 1,
                 most);
    else
        snprintf(then, sizeof then, "the run ends");
    if (leaves == 0)
        snprintf(cause, sizeof cause,
                 "the sum of all gradients of %s is not finite, those of no leaf are so when run again",
                 is_d ? "D" : "F");
    if (cause[0])
        fail("step %ld: %s (%.0f of %d leaves); %s", step + 1, cause, leaves, tr->plan.leaves, then);
    else
        fail("%s", ""); // it is another rank's to tell
    comm_agree(tr->comm, true, error_text());
    return skips ? 0 : -1;
}
