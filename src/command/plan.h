// The tapes of a configuration without images or ranks, for `check` and `graph`; private to command/.
#ifndef DAGAN_COMMAND_PLAN_H
#define DAGAN_COMMAND_PLAN_H

#include "command.h"

typedef struct {
    model_t model;
    objective_t g, d, label, label_d;
    plan_run_t plan;
    int at_once;                   // as in trainer_t
    char guess[2 * CONF_TEXT_MAX]; // on rank 0, what was assumed and why; empty where all is known
} dry_t;

// Builds and plans everything that a rank of c would.  0, or -1 after the message was printed.  Labels have
// the classes of the data set, or 2 where it cannot be read.  Collective.
int dry_build(dry_t *dry, const comm_t *c, const config_t *conf);
void dry_free(dry_t *dry);
// Loads the one configuration named on the command line.  NULL after the message was printed.
config_t *dry_config(const comm_t *c, int argc, char **argv);

#endif
