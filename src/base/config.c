// The configuration: defaults, then the file, then --set, then what keys ask of each other.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "entries.h"
#include "keys.h"

enum { KEYS_MAX = 128, PLACE_MAX = CONF_TEXT_MAX + 4 * ENTRY_KEY_MAX };

// Where a value came from: a line of the file, or one of these.
enum { FROM_DEFAULT = 0, FROM_SET = -1 };

typedef struct {
    config_t *c;
    const char *name; // of the file, for messages
    int line[KEYS_MAX], label_line[CONF_LABELS_MAX];
    char place[PLACE_MAX];
} source_t;

// "FILE:LINE: KEY", "--set KEY" or, for a default, "FILE: KEY": how a message about a key begins.
static const char *place(source_t *s, int line, const char *key)
{
    if (line == FROM_SET)
        snprintf(s->place, sizeof s->place, "--set %.*s", ENTRY_KEY_MAX, key);
    else if (line == FROM_DEFAULT)
        snprintf(s->place, sizeof s->place, "%s: %s", s->name, key);
    else
        snprintf(s->place, sizeof s->place, "%s:%d: %s", s->name, line, key);
    return s->place;
}

static const char *place_of(source_t *s, const char *key)
{
    return place(s, s->line[key_find(key)], key);
}

// ---- one value ------------------------------------------------------------------------------------

static int set_label(source_t *s, const char *key, const char *text, bool quoted, int line)
{
    const char *name = key + strlen("labels.");
    int before = s->c->n_labels, at = 0;
    while (at < before && strcmp(s->c->labels[at].name, name)) at++;
    if (key_set_label(s->c, name, text, quoted, place(s, line, key))) return -1;
    if (s->c->n_labels < before) // those behind it moved up
        memmove(&s->label_line[at], &s->label_line[at + 1],
                (size_t)(before - 1 - at) * sizeof *s->label_line);
    else if (at < s->c->n_labels)
        s->label_line[at] = line;
    return 0;
}

static int set(source_t *s, const char *key, const char *text, bool quoted, int line)
{
    if (!strncmp(key, "labels.", 7) && key[7]) return set_label(s, key, text, quoted, line);
    int i = key_find(key);
    if (i < 0 && key_is_section(key)) return key_fail(place(s, line, key), text, quoted, "a map of keys");
    if (i < 0)
        return fail("%s: unknown key, the nearest known one is %s", place(s, line, key), key_nearest(key));
    s->line[i] = line;
    return key_set(s->c, &conf_keys[i], text, quoted, place(s, line, key));
}

static int set_entry(source_t *s, const entry_t *e)
{
    bool is_label = !strncmp(e->key, "labels.", 7), is_labels = !strcmp(e->key, "labels");
    if (e->kind == ENTRY_WORD || e->kind == ENTRY_QUOTED)
        return set(s, e->key, e->value, e->kind == ENTRY_QUOTED, e->line);
    bool is_group = is_labels || key_is_section(e->key);
    if (is_group && e->kind != ENTRY_LIST) return 0; // its entries follow; an empty one changes nothing
    char wanted[256] = "a map of keys";
    int i = key_find(e->key);
    if (i >= 0)
        key_wanted(wanted, sizeof wanted, &conf_keys[i]);
    else if (is_label)
        snprintf(wanted, sizeof wanted, "a region (0, 1, ...), all or none");
    else if (!is_group)
        return fail("%s: unknown key, the nearest known one is %s", place(s, e->line, e->key),
                    key_nearest(e->key));
    return fail("%s: found %s, wanted %s", place(s, e->line, e->key),
                e->kind == ENTRY_NULL   ? "nothing"
                : e->kind == ENTRY_LIST ? "a list"
                                        : "a map",
                wanted);
}

static int set_option(source_t *s, const char *option)
{
    size_t n = strcspn(option, "=");
    char key[ENTRY_KEY_MAX];
    if (!option[n] || n == 0)
        return fail("--set %.80s: found %s, wanted KEY=VALUE", option, n ? "no =" : "no key");
    if (n >= sizeof key)
        return fail("--set %.40s...: found a key of %zu bytes, wanted less than %zu", option, n, sizeof key);
    memcpy(key, option, n);
    key[n] = 0;
    return set(s, key, option + n + 1, false, FROM_SET);
}

// ---- what keys ask of each other ------------------------------------------------------------------

// Exactly one length; one given by --set displaces the other of the file.
static int check_length(source_t *s)
{
    config_t *c = s->c;
    int steps = s->line[key_find("train.steps")], pairs = s->line[key_find("train.pairs")];
    if (steps == FROM_SET && pairs != FROM_SET && c->train.steps) c->train.pairs = 0;
    if (pairs == FROM_SET && steps != FROM_SET && c->train.pairs) c->train.steps = 0;
    if (c->train.steps && c->train.pairs)
        return fail("%s: found %ld beside train.steps %ld, wanted only one of the two",
                    place_of(s, "train.pairs"), c->train.pairs, c->train.steps);
    if (!c->train.steps && !c->train.pairs)
        return fail("%s: found no length of the run, wanted train.steps or train.pairs above 0",
                    place_of(s, "train.steps"));
    return 0;
}

static int check_given_sides(source_t *s, const char *key, const sides_t *sides)
{
    int regions = s->c->attention.regions;
    if (sides->given == 1 || sides->given == regions) return 0;
    return fail("%s: found %d, wanted one, or one for each of attention.regions, %d", place_of(s, key),
                sides->given, regions);
}

static int check_regions(source_t *s)
{
    const config_t *c = s->c;
    if (check_given_sides(s, "attention.half", &c->attention.half)) return -1;
    if (check_given_sides(s, "attention.grid", &c->attention.grid)) return -1;
    if (check_given_sides(s, "attention.settle", &c->attention.settle)) return -1;
    for (int i = 0; i < 2 * c->attention.regions; i++) {
        double half = c->attention.half.side[i / 2][i % 2], grid = c->attention.grid.side[i / 2][i % 2],
               steps = c->attention.settle.side[i / 2][i % 2];
        if (half > c->data.size / 2.0)
            return fail("%s: found %g, wanted at most half of data.size, %g", place_of(s, "attention.half"),
                        half, c->data.size / 2.0);
        if (grid != floor(grid))
            return fail("%s: found %g, wanted whole numbers", place_of(s, "attention.grid"), grid);
        if (steps != floor(steps))
            return fail("%s: found %g, wanted whole numbers", place_of(s, "attention.settle"), steps);
    }
    return 0;
}

static int check_sizes(source_t *s)
{
    const config_t *c = s->c;
    if (c->train.batch % c->train.microbatch)
        return fail("%s: found %d, wanted a multiple of train.microbatch, %d", place_of(s, "train.batch"),
                    c->train.batch, c->train.microbatch);
    if (c->data.size % 4)
        return fail("%s: found %d, wanted a multiple of 4", place_of(s, "data.size"), c->data.size);
    if (c->data.shift > c->data.size / 4)
        return fail("%s: found %d, wanted at most a quarter of data.size, %d", place_of(s, "data.shift"),
                    c->data.shift, c->data.size / 4);
    if (check_regions(s)) return -1;
    if (c->attention.window % 4 || c->attention.window > c->data.size)
        return fail("%s: found %d, wanted a multiple of 4 up to data.size, %d",
                    place_of(s, "attention.window"), c->attention.window, c->data.size);
    return 0;
}

static int check_channels(source_t *s, const char *norm, int channels, const char *of)
{
    int groups = s->c->model.norm_groups;
    if (strcmp(norm, "group") != 0 || channels % groups == 0) return 0;
    return fail("%s: found %d, wanted a divisor of the %d channels of %s", place_of(s, "model.norm.groups"),
                groups, channels, of);
}

// DAE and G have norms over w channels and more; the first norm of D1 and D2 has 2 w.
static int check_groups(source_t *s)
{
    const config_t *c = s->c;
    int width_d = c->model.width_d ? c->model.width_d : c->model.width;
    return check_channels(s, c->model.norm_dae, c->model.width, "DAE") ||
                   check_channels(s, c->model.norm_g, c->model.width, "G") ||
                   check_channels(s, c->model.norm_d, 2 * width_d, "D1 and D2")
               ? -1
               : 0;
}

static int check_labels(source_t *s)
{
    const config_t *c = s->c;
    for (int i = 0; i < c->n_labels; i++) {
        if (c->labels[i].region < c->attention.regions) continue;
        char key[ENTRY_KEY_MAX];
        snprintf(key, sizeof key, "labels.%s", c->labels[i].name);
        if (!c->attention.regions)
            return fail("%s: found %d, wanted all (attention.regions is 0)", place(s, s->label_line[i], key),
                        c->labels[i].region);
        return fail("%s: found %d, wanted all or a region from 0 to %d (attention.regions is %d)",
                    place(s, s->label_line[i], key), c->labels[i].region, c->attention.regions - 1,
                    c->attention.regions);
    }
    if (c->n_labels == 0 && c->loss.weights.label > 0)
        return fail("%s: found %g without labels, wanted lines under labels: or 0",
                    place_of(s, "loss.weights.label"), c->loss.weights.label);
    if (c->loss.weights.label_fake > 0 && c->loss.weights.label <= 0)
        return fail("%s: found %g with loss.weights.label 0, wanted both above 0, or this 0",
                    place_of(s, "loss.weights.label_fake"), c->loss.weights.label_fake);
    if (c->n_labels == 0 && c->loss.weights.label_d > 0)
        return fail("%s: found %g without labels, wanted lines under labels: or 0",
                    place_of(s, "loss.weights.label_d"), c->loss.weights.label_d);
    if (c->loss.weights.label_d > 0 && c->loss.weights.gan_s <= 0)
        return fail("%s: found %g with loss.weights.gan_s 0, wanted both above 0, or this 0",
                    place_of(s, "loss.weights.label_d"), c->loss.weights.label_d);
    if (c->n_labels == 0 && c->train.label_warmup > 0)
        return fail("%s: found %ld without labels, wanted lines under labels: or 0",
                    place_of(s, "train.label_warmup"), c->train.label_warmup);
    return 0;
}

// ---- all of it ------------------------------------------------------------------------------------

static void set_defaults(source_t *s)
{
    for (int i = 0; i < conf_n_keys; i++) {
        const char *preset = conf_keys[i].preset;
        if (preset && *preset)
            CHECK(!key_set(s->c, &conf_keys[i], preset, false, "default"), "%s", error_text());
    }
}

static int check_given(source_t *s)
{
    for (int i = 0; i < conf_n_keys; i++)
        if (!conf_keys[i].preset && s->line[i] == FROM_DEFAULT)
            return fail("%s: found nothing, wanted the %s", place(s, FROM_DEFAULT, conf_keys[i].key),
                        conf_keys[i].help);
    return 0;
}

// runs/faces for configs/faces.yaml; without slashes at its end, as names are made of it: runs/faces.1
static int name_run(source_t *s)
{
    char *given = s->c->run.dir;
    for (size_t n = strlen(given); n > 1 && given[n - 1] == '/'; n--) given[n - 1] = 0;
    const char *slash = strrchr(s->name, '/'), *base = slash ? slash + 1 : s->name, *dot = strrchr(base, '.');
    bool has_suffix = dot && dot > base && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml"));
    char dir[CONF_TEXT_MAX + 8];
    if (s->c->run.dir[0]) return 0;
    snprintf(dir, sizeof dir, "runs/%.*s", has_suffix ? (int)(dot - base) : CONF_TEXT_MAX, base);
    return set(s, "run.dir", dir, false, FROM_DEFAULT);
}

int config_parse(config_t *c, const char *name, const char *text, size_t length, char *const sets[],
                 int n_sets)
{
    source_t s = { .c = c, .name = name };
    entries_t e;
    CHECK(conf_n_keys <= KEYS_MAX, "%d keys", conf_n_keys);
    memset(c, 0, sizeof *c); // padding too, so that equal configurations have equal bytes
    set_defaults(&s);
    if (entries_parse(&e, name, text, length)) return -1;
    int bad = 0;
    for (int i = 0; i < e.n && !bad; i++) bad = set_entry(&s, &e.entry[i]);
    entries_free(&e);
    for (int i = 0; i < n_sets && !bad; i++) bad = set_option(&s, sets[i]);
    if (bad) return -1;
    if (check_given(&s) || name_run(&s) || check_length(&s)) return -1;
    return check_sizes(&s) || check_groups(&s) || check_labels(&s) ? -1 : 0;
}

int config_read(const char *path, char text[CONF_BYTES_MAX + 1], size_t *length)
{
    FILE *f = fopen(path, "rb");
    if (!f) return fail("%s: cannot be opened: %s", path, strerror(errno));
    *length = fread(text, 1, CONF_BYTES_MAX + 1, f);
    int bad = ferror(f) ? fail("%s: cannot be read: %s", path, strerror(errno)) : 0;
    fclose(f);
    return bad;
}

int config_load(config_t *c, const char *path, char *const sets[], int n_sets)
{
    size_t n;
    char *text = alloc(CONF_BYTES_MAX + 1, 1);
    int bad = config_read(path, text, &n) || config_parse(c, path, text, n, sets, n_sets);
    free(text);
    return bad ? -1 : 0;
}
