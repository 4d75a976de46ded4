// The configuration as YAML that reads back to the same configuration, and the help, both from the table.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"

// Printable text needs no more than this between double quotes (see is_printable in values.c).
static void print_text(FILE *f, const char *text)
{
    fputc('"', f);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') fputc('\\', f);
        fputc(*text, f);
    }
    fputc('"', f);
}

// The fewest digits that read back to the same double.  600 is not written 6e+02, and 1e-07 gets a point,
// without which YAML 1.1 readers take it for a text.
static void print_double(FILE *f, double v)
{
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) break;
    }
    char *e = strchr(text, 'e');
    if (e && v == (double)(long)v)
        fprintf(f, "%ld", (long)v); // no key takes more than 1e12
    else if (e && !strchr(text, '.'))
        fprintf(f, "%.*s.0%s", (int)(e - text), text, e);
    else
        fputs(text, f);
}

static void print_choice(FILE *f, const char *words, int index)
{
    for (; index > 0; index--) words += strcspn(words, "|") + 1;
    fprintf(f, "%.*s", (int)strcspn(words, "|"), words);
}

static void print_sides(FILE *f, const sides_t *sides)
{
    for (int r = 0; r < sides->given; r++) {
        const double *side = sides->side[r];
        if (r) fputc(' ', f);
        print_double(f, side[0]);
        if (side[0] == side[1]) continue;
        fputc('x', f);
        print_double(f, side[1]);
    }
}

static void print_labels(FILE *f, const config_t *c)
{
    if (c->n_labels == 0) fputs(" {}", f);
    for (int i = 0; i < c->n_labels; i++) {
        fputs("\n  ", f);
        print_text(f, c->labels[i].name);
        if (c->labels[i].region == CONF_REGION_ALL)
            fputs(": all", f);
        else
            fprintf(f, ": %d", c->labels[i].region);
    }
}

static void print_value(FILE *f, const config_t *c, const conf_key_t *k)
{
    const void *at = (const char *)c + k->place;
    if (k->type == KEY_LABELS) {
        print_labels(f, c);
        return;
    }
    fputc(' ', f);
    switch (k->type) {
    case KEY_INT: fprintf(f, "%d", *(const int *)at); break;
    case KEY_LONG: fprintf(f, "%ld", *(const long *)at); break;
    case KEY_FLOAT:
    case KEY_TIME: print_double(f, *(const double *)at); break;
    case KEY_BOOL: fputs(*(const bool *)at ? "true" : "false", f); break;
    case KEY_TEXT: print_text(f, at); break;
    case KEY_CHOICE: print_choice(f, k->words, *(const int *)at); break;
    case KEY_SIDES: print_sides(f, at); break;
    case KEY_LABELS: break;
    }
}

// Bytes of `key` that are sections shared with `before`, dots included.
static size_t shared(const char *key, const char *before)
{
    size_t n = 0;
    for (size_t i = 0; key[i] && key[i] == before[i]; i++)
        if (key[i] == '.') n = i + 1;
    return n;
}

char *config_yaml(const config_t *c)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    CHECK(f, "no memory to print the configuration");
    const char *before = "";
    for (int i = 0; i < conf_n_keys; i++) {
        const char *key = conf_keys[i].key, *part = key + shared(key, before), *dot;
        int depth = 0;
        for (const char *p = key; p < part; p++) depth += *p == '.';
        for (; (dot = strchr(part, '.')); part = dot + 1)
            fprintf(f, "%*s%.*s:\n", 2 * depth++, "", (int)(dot - part), part);
        fprintf(f, "%*s%s:", 2 * depth, "", part);
        print_value(f, c, &conf_keys[i]);
        fputc('\n', f);
        before = key;
    }
    CHECK(fclose(f) == 0, "no memory to print the configuration");
    return text;
}

static char *value_text(const config_t *c, const conf_key_t *k)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    CHECK(f, "no memory to print the configuration");
    print_value(f, c, k);
    CHECK(fclose(f) == 0, "no memory to print the configuration");
    return text;
}

void config_changes(const char *before, const config_t *now, void (*say)(void *arg, const char *line),
                    void *arg)
{
    config_t *then = alloc(1, sizeof *then);
    bool is_known = config_parse(then, "", before, strlen(before), NULL, 0) == 0;
    for (int i = 0; i < conf_n_keys && is_known; i++) {
        const conf_key_t *k = &conf_keys[i];
        char *was = value_text(then, k), *is = value_text(now, k), line[2 * CONF_TEXT_MAX];
        if (k->type == KEY_LABELS)
            snprintf(line, sizeof line, "%s are others than before", k->key);
        else
            snprintf(line, sizeof line, "%s was%s, is%s", k->key, was, is);
        if (strcmp(was, is)) say(arg, line);
        free(was);
        free(is);
    }
    free(then);
}

void config_help(void)
{
    char wanted[256];
    for (int i = 0; i < conf_n_keys; i++) {
        const conf_key_t *k = &conf_keys[i];
        key_wanted(wanted, sizeof wanted, k);
        printf("%-22s %s%s%s\n%-22s %s\n", k->key, wanted,
               !k->preset   ? "; required"
               : *k->preset ? "; default "
                            : "",
               k->preset ? k->preset : "", "", k->help);
    }
    printf("\nRelative paths are relative to the folder in which dagan_mpi is started.\n"
           "--set KEY=VALUE overrides the file, as in --set train.batch=32 --set labels.eyes=0.\n");
}
