// One optimizer's side of a step, private to train/.
#ifndef DAGAN_TRAIN_SIDE_H
#define DAGAN_TRAIN_SIDE_H

#include "dagan/train.h"

// What follows the gradients in params_t.g: whether ranks were asked to stop and still write
// a checkpoint, the accuracy, mean scores by D1 of t and F(s) and by D2 of t and F(t), the losses.
enum { SUM_STOP, SUM_WRITING, SUM_RIGHT, SUM_KNOWN, SUM_SCORES, SUM_LOSSES = SUM_SCORES + SCORES };
enum { SUMS = SUM_LOSSES + OBJECTIVE_TERMS_MAX };

// Place of a loss among the sums of its side.
int side_sum(const char *loss, int step);

// Power iterations of the spectral norms of D1 and D2, for their weights as they now are; LeCam's averages
// after a step with these mean scores.  Local, and alike on every rank.
void follow_weights(params_t *d, int times);
void follow_scores(params_t *d, const double score[SCORES]);

// Collective.  Borrows p.
void side_init(side_t *s, const comm_t *c, const config_t *conf, params_t *p, const char *what, int leaves,
               int at_once);
void side_free(side_t *s);
// Plans the tapes o[s->at_once], which run side by side, and notes when their gradients are final.
void side_plan(const side_t *s, objective_t *o);
// Which of o[] runs leaf `leaf` of `count` from leaf `first` on: the last one runs on the thread that sends.
objective_t *side_objective(objective_t *o, int first, int count, int leaf);
// Runs nodes [from, to) of o[count].
void side_forward(objective_t *o, int count, int from, int to);
// Runs leaves [first, first + count) of this rank from node `from` on, backward, and takes in their
// gradients; the rank's last leaf starts the sums over ranks.
void side_leaves(side_t *s, objective_t *o, int first, int count, int from);

#endif
