// The commands of the program, one file each; private to command/.
#ifndef DAGAN_COMMAND_H
#define DAGAN_COMMAND_H

#include "dagan/run.h"

// A command gets the words after its name and returns the exit status.  Collective.
typedef struct {
    const char *name, *usage, *help;
    int (*run)(const comm_t *c, int argc, char **argv);
    const char *options; // lines of COMMAND --help alone; NULL: none
} command_t;

extern const command_t command_train, command_check, command_graph, command_translate, command_evaluate,
    command_pack;

// The words of a command line: options with and without value, and what remains.
typedef struct {
    const char *name;   // "--set"
    const char **value; // where the last value goes, NULL: a flag
    bool *flag;
    char **list; // where every value goes, with `count`
    int *count;
} option_t;

enum { WORDS_MAX = 256 };

// Takes options out of argv and leaves the remaining words in `word`.  Their number, or -1 after fail().
int options(int argc, char **argv, const option_t *o, int n_options, char *word[WORDS_MAX]);
// Whether the n words that options() left are one, as `wanted` says; 0, or -1 after fail().
int one_word(int n, char *const word[], const char *wanted);

// Loads a configuration on every rank from the same bytes of rank 0.  0, or -1 after the message was printed.
int load_config(const comm_t *c, config_t *conf, const char *path, char *const sets[], int n_sets);

#endif
