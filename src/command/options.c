// Command-line words and the configuration file that most of them begin with.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

static const option_t *option_of(const char *word, const option_t *o, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(o[i].name, word) == 0) return &o[i];
    return NULL;
}

int options(int argc, char **argv, const option_t *o, int n_options, char *word[WORDS_MAX])
{
    int n = 0;
    for (int i = 0; i < argc; i++) {
        const option_t *match = option_of(argv[i], o, n_options);
        if (!match && argv[i][0] == '-' && argv[i][1])
            return fail("option %s is unknown; see dagan_mpi --help", argv[i]);
        if (!match) {
            if (n == WORDS_MAX) return fail("more than %d arguments", WORDS_MAX);
            word[n++] = argv[i];
            continue;
        }
        if (match->flag) {
            *match->flag = true;
            continue;
        }
        if (i + 1 == argc) return fail("option %s wants a value", argv[i]);
        i++;
        if (match->value) *match->value = argv[i];
        if (match->list && *match->count == WORDS_MAX)
            return fail("more than %d times %s", WORDS_MAX, match->name);
        if (match->list) match->list[(*match->count)++] = argv[i];
    }
    return n;
}

int one_word(int n, char *const word[], const char *wanted)
{
    if (n < 0 || n == 1) return n < 0 ? -1 : 0;
    return n ? fail("found %s and %s, wanted %s", word[0], word[1], wanted)
             : fail("found nothing, wanted %s", wanted);
}

// Where the key that a message begins with was set.
static const char *origin_of(const char *message, const char *path, char *const sets[], int n_sets)
{
    size_t n = strcspn(message, ":");
    for (int i = 0; i < n_sets; i++)
        if (strncmp(sets[i], message, n) == 0 && sets[i][n] == '=') return "--set";
    return path;
}

int load_config(const comm_t *c, config_t *conf, const char *path, char *const sets[], int n_sets)
{
    size_t length = 0;
    char *text = alloc(CONF_BYTES_MAX + 1, 1);
    int bad = c->rank == 0 ? config_read(path, text, &length) : 0;
    if (comm_agree(c, bad, error_text())) {
        free(text);
        return -1;
    }
    comm_bcast(c, &length, sizeof length, 0);
    comm_bcast(c, text, length, 0);
    bad = config_parse(conf, path, text, length, sets, n_sets) ||
          (kind_check(conf) && fail("%s: %s", origin_of(error_text(), path, sets, n_sets), error_text()));
    free(text);
    return comm_agree(c, bad, error_text()) ? -1 : 0;
}
