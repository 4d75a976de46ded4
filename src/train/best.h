// The best checkpoint by a figure of validation rows, private to train/.
#ifndef DAGAN_TRAIN_BEST_H
#define DAGAN_TRAIN_BEST_H

#include "dagan/train.h"

// FID's covariances are of CLASSIFIER_FEATURES numbers: of fewer rows they have no full rank, and fakes that
// vary too little would look best.
enum { BEST_ROWS_MIN = 16, BEST_FID_ROWS_MIN = 2 * CLASSIFIER_FEATURES };

// Where checkpoint.best names a figure: loads the classifier and looks at the target's rows.  Collective; 0,
// or -1 after the message was printed.
int best_open(trainer_t *tr);
void best_close(trainer_t *tr);
// Computes the figure of the present weights; where it is the least so far writes DIR/best.h5, and *is_best
// tells whether that was kept.  The weights are settled. Collective; 0, or -1 after the message was printed.
int best_consider(trainer_t *tr, const char *dir, double *figure, bool *is_best);

#endif
