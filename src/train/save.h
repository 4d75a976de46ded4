// A checkpoint on its way to the disk, private to train/.
#ifndef DAGAN_TRAIN_SAVE_H
#define DAGAN_TRAIN_SAVE_H

#include "array.h"

typedef struct save save_t;

// `path` is the temporary file.  Borrows c.
save_t *save_new(const comm_t *c, const char *path);
// Waits for its thread, if there is one.
void save_free(save_t *s);
// Memory for a copy of this rank's rows of a dataset, to be filled before the file is laid out.  The same
// datasets in the same order on all ranks.
void *save_add(save_t *s, const char *name, const array_t *t, share_t rows);
// Lays the file out by one rank, with the attributes that `attributes` puts.  Collective; 0, or -1 on all
// ranks after fail() on one.
int save_lay_out(save_t *s, int (*attributes)(const array_file_t *f, const void *arg), const void *arg);
// Writes this rank's rows, brings them to disk and reads them back: at once, or by a thread.  Local.
void save_write(save_t *s, bool by_thread);
// Whether that is over.  Local.
bool save_is_over(const save_t *s);
// Waits for it.  Local; 0, or -1 after fail().
int save_wait(save_t *s);
double save_written(const save_t *s); // now() when this rank's rows were on disk; after save_wait
// Compares the layout on disk with what was meant.  For one rank; 0, or -1 after fail().
int save_check(const save_t *s);

#endif
