// run: what is done with a trainer: the run directory and its checkpoints, training, translation.
#ifndef DAGAN_RUN_H
#define DAGAN_RUN_H

#include "dagan/train.h"

// ---- the checkpoints of a run directory -----------------------------------------------------------------

// A checkpoint that is being written.
typedef struct {
    save_t *save;   // NULL: none is
    char name[64];  // of the file
    bool is_latest; // one of a row, where latest.h5 will point; not best.h5
    long step, rollbacks;
    int bad;        // it could not even be begun
    bool is_kept;   // the last one was committed
    bool is_needed; // the run ends without it, whatever checkpoint.on_error says
    double began, written, stood,
        took;     // when; seconds until it was on disk, training stood still, all in all
    double bytes; // of the file; rank 0
} saving_t;

// Writes DIR/ckpt-STEP.h5 by all ranks together, commits it by rename, moves latest.h5, drops old ones beyond
// checkpoint.keep and checkpoint.keep_every.  Collective; 0, or -1 after the message was printed, then
// nothing older is lost.
int checkpoint_write(saving_t *s, trainer_t *tr, const char *dir);
// The same as DIR/best.h5, which is never dropped; latest.h5 stays where it is.
int checkpoint_write_best(saving_t *s, trainer_t *tr, const char *dir);
// The same in two parts.  In between training may go on, while a thread writes a copy of the state (or all is
// written at once, without `by_thread`).  -1 from the end also where checkpoint.on_error lets training go on
// but it is at its end.
int checkpoint_begin(saving_t *s, trainer_t *tr, const char *dir, bool by_thread);
bool checkpoint_is_over(const saving_t *s); // this rank's part of the writing; local
int checkpoint_end(saving_t *s, trainer_t *tr, const char *dir);
// Removes what a killed run left half-written.  For one rank that holds the folder's lock; 0, or -1 after
// fail().
int checkpoint_clean(const char *dir);
// Continues from a file, or, where `path` is NULL, from the newest valid one in `dir`.  Sets *found.
// Collective; 0, or -1 after the message was printed.
int checkpoint_resume(trainer_t *tr, const char *dir, const char *path, bool *found);
// After checkpoint_resume from `path`: makes what was loaded the newest checkpoint of `dir`, so that a
// rollback and the next start find it there; files of later steps go aside.  As checkpoint_write, but that it
// fails whatever checkpoint.on_error says: the next start would go on from another history.
int checkpoint_adopt(saving_t *s, trainer_t *tr, const char *dir, const char *path);
// What the run was begun with that checkpoint_resume would take up with the same arguments; {0} where there
// is none, or none that can be read.  Collective.
begun_t checkpoint_begun(const comm_t *c, const char *dir, const char *path);

// ---- what users ask for ------------------------------------------------------------------------------

typedef struct {
    const char *checkpoint, *input,
        *output;               // input: HDF5 file, picture or folder; output: HDF5 file or folder
    const char *group, *split; // of an HDF5 input; NULL: data.source.group, "test"
} translate_t;

// F on every image of the input with the averaged weights, over all ranks.  Collective; the exit status.
// An HDF5 output holds /inputs and /outputs (n, h, w, 3), /centres (n, N', 2), /told/LABEL (n), the class
// that DAE tells where it tells labels, and as attributes of its root checkpoint, step and input, and labels,
// half and sharpness as those of /attention in a checkpoint.
int translate(const comm_t *c, const translate_t *what);

typedef struct {
    bool fresh;         // begin anew
    const char *resume; // a checkpoint; NULL: the newest valid one of the run directory
    const char *dump;   // --dump-step; NULL: train
    observer_t observer;
} train_t;

// The whole job: run directory, resume, loop, log, samples, checkpoints.  Returns the exit status.
// Collective.
int train_run(const comm_t *c, const config_t *conf, const train_t *how);

#endif
