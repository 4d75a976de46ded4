// YAML through libyaml's events, which never build a tree: a hostile document costs what its bytes cost.
#include "entries.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "dagan/base.h"

typedef struct {
    entries_t *out;
    const char *name, *text;
    size_t length;
    yaml_parser_t parser;
    yaml_event_t event;       // the current one, owned
    char path[ENTRY_KEY_MAX]; // dotted key of the current map or value
} reader_t;

static int line_of(const reader_t *r)
{
    return (int)r->event.start_mark.line + 1;
}

// The reader's errors (bad UTF-8, control characters) carry a byte offset instead of a mark.
static int fail_syntax(const reader_t *r)
{
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "it cannot be parsed";
    CHECK(p->error != YAML_MEMORY_ERROR, "no memory to parse %s", r->name);
    if (p->error == YAML_READER_ERROR) {
        size_t line = 1, end = p->problem_offset < r->length ? p->problem_offset : r->length;
        for (size_t i = 0; i < end; i++) line += r->text[i] == '\n';
        return fail("%s:%zu: found %s (byte %zu), wanted YAML in UTF-8", r->name, line, problem, end);
    }
    return fail("%s:%zu: no valid YAML: %s%s%s", r->name, p->problem_mark.line + 1, problem,
                p->context ? ", " : "", p->context ? p->context : "");
}

// Reads the next event and refuses what no configuration needs.
static int next(reader_t *r)
{
    yaml_event_delete(&r->event);
    if (!yaml_parser_parse(&r->parser, &r->event)) return fail_syntax(r);
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (r->event.type) {
    case YAML_ALIAS_EVENT: anchor = r->event.data.alias.anchor; break;
    case YAML_SCALAR_EVENT: anchor = r->event.data.scalar.anchor, tag = r->event.data.scalar.tag; break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = r->event.data.sequence_start.anchor, tag = r->event.data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = r->event.data.mapping_start.anchor, tag = r->event.data.mapping_start.tag;
        break;
    default: break;
    }
    if (anchor)
        return fail("%s:%d: found the %s %.64s, wanted no anchors or aliases", r->name, line_of(r),
                    r->event.type == YAML_ALIAS_EVENT ? "alias" : "anchor", (const char *)anchor);
    if (tag)
        return fail("%s:%d: found the tag %.64s, wanted no tags", r->name, line_of(r), (const char *)tag);
    return 0;
}

// The text of the current scalar, borrowed; NULL after fail() where a NUL byte hides in it.
static const char *scalar(const reader_t *r)
{
    const char *text = (const char *)r->event.data.scalar.value;
    if (strlen(text) == r->event.data.scalar.length) return text;
    fail("%s:%d: %s: found a NUL character, wanted text", r->name, line_of(r), r->path);
    return NULL;
}

static bool is_null(const yaml_event_t *e)
{
    const char *text = (const char *)e->data.scalar.value;
    if (e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return false;
    return !*text || !strcmp(text, "~") || !strcmp(text, "null") || !strcmp(text, "Null") ||
           !strcmp(text, "NULL");
}

static char *copy(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(alloc(bytes, 1), text, bytes);
}

// Adds an entry of the current path; the value is copied.
static int add(reader_t *r, entry_kind_t kind, const char *value, int line)
{
    entries_t *out = r->out;
    for (int i = 0; i < out->n; i++)
        if (!strcmp(out->entry[i].key, r->path))
            return fail("%s:%d: %s: found a second time, wanted once (first in line %d)", r->name, line,
                        r->path, out->entry[i].line);
    if (out->n == ENTRIES_MAX)
        return fail("%s:%d: %s: found more than %d keys, wanted fewer", r->name, line, r->path, ENTRIES_MAX);
    out->entry[out->n++] = (entry_t){ copy(r->path), value ? copy(value) : NULL, line, kind };
    return 0;
}

static int check_depth(const reader_t *r, int depth)
{
    if (depth <= ENTRY_DEPTH_MAX) return 0;
    return fail("%s:%d: found nesting deeper than %d, wanted less", r->name, line_of(r), ENTRY_DEPTH_MAX);
}

// Walks past the list or map that the current event opens.
static int skip(reader_t *r, int depth)
{
    for (int open = 1; open > 0;) {
        if (next(r)) return -1;
        yaml_event_type_t type = r->event.type;
        if (type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT) open++;
        if (type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT) open--;
        if (check_depth(r, depth + open - 1)) return -1;
    }
    return 0;
}

// Appends the key in the current event to the path.
static int enter_key(reader_t *r)
{
    if (r->event.type != YAML_SCALAR_EVENT)
        return fail("%s:%d: found a list or map as key, wanted a word", r->name, line_of(r));
    const char *key = scalar(r);
    if (!key) return -1;
    if (!*key) return fail("%s:%d: found an empty key, wanted a word", r->name, line_of(r));
    size_t used = strlen(r->path);
    int n = snprintf(r->path + used, sizeof r->path - used, "%s%s", used ? "." : "", key);
    if (used + (size_t)n >= sizeof r->path)
        return fail("%s:%d: %.40s...: found a key of %zu bytes, wanted less than %d", r->name, line_of(r),
                    r->path, used + (size_t)n, ENTRY_KEY_MAX);
    return 0;
}

// Reads the entries of the map that the current event opens, nested maps included.
static int read_map(reader_t *r, int depth)
{
    if (check_depth(r, depth)) return -1;
    size_t used = strlen(r->path);
    for (;;) {
        r->path[used] = 0;
        if (next(r)) return -1;
        if (r->event.type == YAML_MAPPING_END_EVENT) return 0;
        if (enter_key(r)) return -1;
        int line = line_of(r), bad;
        if (next(r)) return -1;
        if (r->event.type == YAML_MAPPING_START_EVENT) {
            bad = add(r, ENTRY_MAP, NULL, line) || read_map(r, depth + 1);
        } else if (r->event.type == YAML_SEQUENCE_START_EVENT) {
            bad = add(r, ENTRY_LIST, NULL, line) || check_depth(r, depth + 1) || skip(r, depth + 1);
        } else if (is_null(&r->event)) {
            bad = add(r, ENTRY_NULL, NULL, line);
        } else {
            bool plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
            const char *value = scalar(r);
            bad = !value || add(r, plain ? ENTRY_WORD : ENTRY_QUOTED, value, line);
        }
        if (bad) return -1;
    }
}

static int read_document(reader_t *r)
{
    if (next(r) || next(r)) return -1;                    // stream start; document start
    if (r->event.type == YAML_STREAM_END_EVENT) return 0; // nothing but blanks and comments
    if (next(r)) return -1;
    if (r->event.type == YAML_MAPPING_START_EVENT) {
        if (read_map(r, 1)) return -1;
    } else if (r->event.type != YAML_SCALAR_EVENT || !is_null(&r->event)) {
        return fail("%s:%d: found a %s, wanted keys with values", r->name, line_of(r),
                    r->event.type == YAML_SCALAR_EVENT ? "single value" : "list");
    }
    if (next(r) || next(r)) return -1; // document end; stream end
    if (r->event.type != YAML_STREAM_END_EVENT)
        return fail("%s:%d: found a second document, wanted one", r->name, line_of(r));
    return 0;
}

int entries_parse(entries_t *e, const char *name, const char *text, size_t length)
{
    *e = (entries_t){ 0 };
    if (length > CONF_BYTES_MAX)
        return fail("%s: found more than %d bytes, wanted at most 1 MiB", name, CONF_BYTES_MAX);
    e->entry = alloc(ENTRIES_MAX, sizeof *e->entry);
    reader_t r = { .out = e, .name = name, .text = text, .length = length };
    CHECK(yaml_parser_initialize(&r.parser), "no memory to parse %s", name);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, length);
    int bad = read_document(&r);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    if (bad) entries_free(e);
    return bad;
}

void entries_free(entries_t *e)
{
    for (int i = 0; i < e->n; i++) {
        free(e->entry[i].key);
        free(e->entry[i].value);
    }
    free(e->entry);
    *e = (entries_t){ 0 };
}
