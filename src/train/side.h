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
void side_init(side_t *s, const comm_t *c, const config_t *conf, params_t *p, const char *what, int leaves);
void side_free(side_t *s);
// Notes in o when each bucket's gradients are final: the last layers' first, in the tape's order on every
// rank.
void side_schedule(const side_t *s, objective_t *o);
// Runs leaf `leaf` (of this rank) from node `from` on, backward, and takes in its gradients; the rank's last
// leaf starts the sums over ranks.
void side_leaf(side_t *s, objective_t *o, int leaf, int from);

#endif
