// A YAML document as a flat list of entries with dotted keys.  Private to base.
#ifndef DAGAN_ENTRIES_H
#define DAGAN_ENTRIES_H

#include <stddef.h>

enum { ENTRIES_MAX = 1024, ENTRY_KEY_MAX = 256, ENTRY_DEPTH_MAX = 16 };

typedef enum {
    ENTRY_WORD,   // a plain scalar: 8, true, l1, data/faces.h5
    ENTRY_QUOTED, // a quoted or block scalar, so a text whatever it looks like
    ENTRY_NULL,   // nothing, ~ or null
    ENTRY_LIST,   // its items are not kept
    ENTRY_MAP,    // its entries follow, one by one
} entry_kind_t;

typedef struct {
    char *key;   // "train.batch"
    char *value; // text of a word or a quoted scalar, else NULL
    int line;    // of the key, from 1
    entry_kind_t kind;
} entry_t;

typedef struct {
    entry_t *entry; // (n), in the document's order
    int n;
} entries_t;

// Parses one document; `name` stands for the file in messages.  Refuses what a configuration needs not:
// anchors, aliases, tags, duplicate keys, a second document, nesting deeper than 16, more than 1 MiB.
// Returns 0, or -1 after fail("NAME:LINE: ...").
int entries_parse(entries_t *e, const char *name, const char *text, size_t length);
void entries_free(entries_t *e);

#endif
