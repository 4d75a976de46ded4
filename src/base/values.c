// From the text of a value to the member of the configuration, and what a wrong one is told.
// Numbers are stricter than strtol and strtod: no blanks, no hex, no "nan", "inf" or trailing junk.
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"

// Decodes the UTF-8 character at *text and steps over it; 0 where the bytes are none.
static uint32_t character(const char **text)
{
    const unsigned char *s = (const unsigned char *)*text;
    int more = s[0] < 0x80 ? 0 : s[0] >> 5 == 6 ? 1 : s[0] >> 4 == 14 ? 2 : s[0] >> 3 == 30 ? 3 : -1;
    if (more < 0) return 0;
    uint32_t c = more ? s[0] & (0x3fu >> more) : s[0];
    for (int i = 1; i <= more; i++) {
        if (s[i] >> 6 != 2) return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    static const uint32_t shortest[] = { 0, 0x80, 0x800, 0x10000 };
    *text += more + 1;
    return c >= shortest[more] ? c : 0;
}

// True where every character stands for itself between double quotes in YAML (but for \ and "), so that
// the configuration we print reads back: no control characters, line separators, marks or surrogates.
static bool is_printable(const char *text)
{
    while (*text) {
        uint32_t c = character(&text);
        bool good = (c >= 0x20 && c < 0x7f) || (c >= 0xa0 && c < 0xd800) || (c >= 0xe000 && c < 0xfffe) ||
                    (c >= 0x10000 && c < 0x110000);
        if (!good || c == 0x2028 || c == 0x2029 || c == 0xfeff) return false;
    }
    return true;
}

int key_fail(const char *place, const char *text, bool quoted, const char *wanted)
{
    enum { SHOWN = 60 };
    size_t n = strlen(text), cut = n;
    if (n > SHOWN)
        for (cut = SHOWN; cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80;) cut--; // between characters
    if (n == 0) return fail("%s: found nothing, wanted %s", place, wanted);
    const char *mark = quoted || strcspn(text, " \"',:") < n ? "\"" : "";
    return fail("%s: found %s%.*s%s%s, wanted %s", place, mark, (int)cut, text, cut < n ? "..." : "", mark,
                wanted);
}

void key_wanted(char *to, size_t size, const conf_key_t *k)
{
    size_t used = 0;
    if (k->type == KEY_INT || k->type == KEY_LONG)
        snprintf(to, size, "a whole number from %.0f to %.0f", k->min, k->max);
    else if (k->type == KEY_FLOAT)
        snprintf(to, size, "a number from %.10g to %.10g", k->min, k->max);
    else if (k->type == KEY_TIME)
        snprintf(to, size, "a time up to %.0f seconds, as 90, 1:30 or 2:00:00", k->max);
    else if (k->type == KEY_BOOL)
        snprintf(to, size, "true or false");
    else if (k->type == KEY_SIDES)
        snprintf(to, size,
                 "a number from %.10g to %.10g, or two along x and y, as 11x6, or so for each region", k->min,
                 k->max);
    else if (k->type == KEY_LABELS)
        snprintf(to, size, "lines ATTRIBUTE: REGION");
    else if (!k->words)
        snprintf(to, size, "a text of 1 to %zu bytes", k->size - 1);
    else
        for (const char *w = k->words; *w && used < size;) {
            size_t n = strcspn(w, "|");
            const char *comma = used == 0 ? "" : w[n] ? ", " : " or ";
            used += (size_t)snprintf(to + used, size - used, "%s%.*s", comma, (int)n, w);
            w += w[n] ? n + 1 : n;
        }
}

// Index of `text` among "a|b|c", -1: none of them.
static int choice(const char *words, const char *text)
{
    size_t length = strlen(text);
    for (int i = 0;; i++) {
        size_t n = strcspn(words, "|");
        if (n == length && !memcmp(words, text, n)) return i;
        if (!words[n]) return -1;
        words += n + 1;
    }
}

static bool parse_long(long *v, const char *text)
{
    const char *digits = text + (*text == '-' || *text == '+');
    if (!*digits || digits[strspn(digits, "0123456789")]) return false;
    errno = 0;
    *v = strtol(text, NULL, 10);
    return errno == 0;
}

static bool parse_double(double *v, const char *text)
{
    char *end;
    if (!*text || text[strspn(text, "0123456789.eE+-")]) return false;
    *v = strtod(text, &end) + 0.0; // -0 becomes 0, so that equal values have equal bits
    return !*end && isfinite(*v);
}

double seconds_of(const char *text)
{
    static const int base[] = { 60, 60, 24, 1 }; // how many seconds, minutes, hours make one of the next
    const char *dash = strchr(text, '-');
    int colons = 0;
    double time = 0;
    for (const char *c = text; *c; c++) colons += *c == ':';
    if (!colons) return parse_double(&time, text) && time >= 0 ? time : -1;
    if (colons > 2 || (dash && colons != 2)) return -1;
    int parts = colons + (dash ? 2 : 1);
    for (int i = parts - 1; i >= 0; i--) { // i parts follow
        size_t digits = strspn(text, "0123456789");
        if (digits < 1 || digits > 9 || text[digits] != (i == 0 ? 0 : i == 3 ? '-' : ':')) return -1;
        long part = strtol(text, NULL, 10);
        if (i < parts - 1 && part >= base[i]) return -1;
        time = time * base[i] + (double)part;
        text += digits + 1;
    }
    return time;
}

static int set_text(char *to, size_t size, const char *text, const char *place)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "a text of 1 to %zu bytes", size - 1);
    size_t n = strlen(text);
    if (!n) return key_fail(place, text, true, wanted);
    if (n >= size) return fail("%s: found a text of %zu bytes, wanted at most %zu", place, n, size - 1);
    if (!is_printable(text)) return key_fail(place, text, true, "printable characters in UTF-8");
    memset(to, 0, size);
    memcpy(to, text, n);
    return 0;
}

// "12", "11x6" or "11x6 8 8x7".
static bool parse_sides(sides_t *sides, const char *text, double min, double max)
{
    char part[64];
    sides->given = 0;
    for (; *text; text += strspn(text, " ")) {
        size_t n = strcspn(text, " "), x = strcspn(text, "x");
        if (n >= sizeof part || sides->given == CONF_REGIONS_MAX) return false;
        double *side = sides->side[sides->given++];
        snprintf(part, sizeof part, "%.*s", (int)(x < n ? x : n), text);
        if (!parse_double(&side[0], part)) return false;
        side[1] = side[0];
        if (x < n) snprintf(part, sizeof part, "%.*s", (int)(n - x - 1), text + x + 1);
        if (x < n && !parse_double(&side[1], part)) return false;
        for (int i = 0; i < 2; i++)
            if (side[i] < min || side[i] > max) return false;
        text += n;
    }
    for (int r = sides->given; sides->given == 1 && r < CONF_REGIONS_MAX; r++)
        memcpy(sides->side[r], sides->side[0], sizeof sides->side[0]);
    return sides->given > 0;
}

int key_set(config_t *c, const conf_key_t *k, const char *text, bool quoted, const char *place)
{
    char wanted[256];
    key_wanted(wanted, sizeof wanted, k);
    void *to = (char *)c + k->place;
    long whole;
    double number;
    bool truth;
    int index;
    sides_t sides = { 0 };
    switch (k->type) {
    case KEY_INT:
    case KEY_LONG:
        if (quoted || !parse_long(&whole, text) || whole < (long)k->min || whole > (long)k->max) break;
        index = (int)whole;
        assert(k->size == (k->type == KEY_INT ? sizeof index : sizeof whole));
        memcpy(to, k->type == KEY_INT ? (void *)&index : (void *)&whole, k->size);
        return 0;
    case KEY_FLOAT:
        if (quoted || !parse_double(&number, text) || number < k->min || number > k->max) break;
        assert(k->size == sizeof number);
        memcpy(to, &number, sizeof number);
        return 0;
    case KEY_TIME: // quoted too, as YAML 1.1 wants 2:00:00
        number = seconds_of(text);
        if (number < 0 || number > k->max) break;
        assert(k->size == sizeof number);
        memcpy(to, &number, sizeof number);
        return 0;
    case KEY_BOOL:
        truth = !strcmp(text, "true");
        if (quoted || (!truth && strcmp(text, "false") != 0)) break;
        assert(k->size == sizeof truth);
        memcpy(to, &truth, sizeof truth);
        return 0;
    case KEY_CHOICE:
        index = choice(k->words, text);
        if (index < 0) break;
        assert(k->size == sizeof index); // the size of an enum
        memcpy(to, &index, sizeof index);
        return 0;
    case KEY_SIDES:
        if (!parse_sides(&sides, text, k->min, k->max)) break;
        assert(k->size == sizeof sides);
        memcpy(to, &sides, sizeof sides);
        return 0;
    case KEY_TEXT:
        if (k->words && choice(k->words, text) < 0) break;
        return set_text(to, k->size, text, place);
    case KEY_LABELS: break;
    }
    return key_fail(place, text, quoted, wanted);
}

int key_set_label(config_t *c, const char *name, const char *text, bool quoted, const char *place)
{
    int i = 0;
    long region = CONF_REGION_ALL;
    while (i < c->n_labels && strcmp(c->labels[i].name, name) != 0) i++;
    if (!strcmp(text, "none")) { // takes back what the file says
        if (i == c->n_labels) return 0;
        c->n_labels--;
        memmove(&c->labels[i], &c->labels[i + 1], (size_t)(c->n_labels - i) * sizeof *c->labels);
        return 0;
    }
    if (i == CONF_LABELS_MAX)
        return fail("%s: found label %d, wanted at most %d", place, i + 1, CONF_LABELS_MAX);
    bool good =
        !strcmp(text, "all") || (!quoted && parse_long(&region, text) && region >= 0 && region <= INT_MAX);
    if (!good) return key_fail(place, text, quoted, "a region (0, 1, ...), all or none");
    // Files list labels as "eyes: 0, mouth: 1".
    const char *apart = strstr(name, ", ") ? ", " : strstr(name, ": ") ? ": " : NULL;
    if (apart) return fail("%s: found \"%s\" in the name, wanted a name without", place, apart);
    if (set_text(c->labels[i].name, sizeof c->labels[i].name, name, place)) return -1;
    c->labels[i].region = (int)region;
    if (i == c->n_labels) c->n_labels++;
    return 0;
}
