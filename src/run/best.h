// The best checkpoint by a figure of validation rows, private to run/.
#ifndef DAGAN_RUN_BEST_H
#define DAGAN_RUN_BEST_H

#include "dagan/run.h"

typedef struct best best_t;

// Where checkpoint.best names a figure: loads the classifier and looks at the target's rows.  *b stays NULL
// where it names none.  Collective; 0, or -1 after the message was printed.
int best_open(best_t **b, trainer_t *tr);
void best_close(best_t *b);
const judge_t *best_judge(const best_t *b); // the classifier
// Computes the figure of the present weights; where it is the least so far writes DIR/best.h5, and *is_best
// tells whether that was kept.  The weights are settled. Collective; 0, or -1 after the message was printed.
int best_consider(best_t *b, saving_t *s, trainer_t *tr, const char *dir, double *figure, bool *is_best);

#endif
