// The table of configuration keys and what works on one key of it.  Private to base.
#ifndef DAGAN_KEYS_H
#define DAGAN_KEYS_H

#include "dagan/base.h"

typedef enum {
    KEY_INT,
    KEY_LONG,
    KEY_FLOAT,
    KEY_TIME,
    KEY_BOOL,
    KEY_TEXT,
    KEY_CHOICE,
    KEY_SIDES,
    KEY_LABELS
} key_type_t;

typedef struct {
    const char *key;
    key_type_t type;
    size_t place, size; // of the member in config_t
    double min, max;    // of numbers, and of times in seconds
    const char *words;  // choices in the order of their enum, "l1|l2"; a text with words must be one of them
    const char *preset; // default as text, NULL: the user must give it
    const char *help;
} conf_key_t;

extern const conf_key_t conf_keys[];
extern const int conf_n_keys;

// Index of a key in the table, -1: unknown.  A section ("train", "loss.weights") is no key.
int key_find(const char *key);
bool key_is_section(const char *key);
// The known key or section with the fewest edits away.
const char *key_nearest(const char *key);

// Writes what the key takes, "a whole number from 1 to 64", into `to`.
void key_wanted(char *to, size_t size, const conf_key_t *k);
// Sets the key's member from text; `quoted` says that it was marked as text.  `place` ("FILE:LINE: KEY")
// opens the message.  Returns 0, or -1 after fail().
int key_set(config_t *c, const conf_key_t *k, const char *text, bool quoted, const char *place);
// Sets labels.NAME.  The same, for a region or `all`.
int key_set_label(config_t *c, const char *name, const char *text, bool quoted, const char *place);
// fail("PLACE: found TEXT, wanted WANTED"), the text quoted and cut where that is called for.
int key_fail(const char *place, const char *text, bool quoted, const char *wanted);

#endif
