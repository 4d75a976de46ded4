// What a checkpoint says of labels: their regions, their classes, and how many of them a network tells.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"

void labels_text(char *text, size_t size, const config_t *conf)
{
    size_t at = 0;
    text[0] = 0;
    for (int i = 0; i < conf->n_labels && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, conf->labels[i].region < 0 ? "%s%s: all" : "%s%s: %d",
                               i ? ", " : "", conf->labels[i].name, conf->labels[i].region);
}

// "eyes: 5 0123456789abcdef, mouth: ...": how many classes each label has, and the hash of their names in
// order.
static void class_text(char *text, size_t size, const dataset_t *d, int label)
{
    snprintf(text, size, "%s: %d %016llx", d->label[label].name, d->n_classes[label],
             (unsigned long long)d->classes_hash[label]);
}

static const char *path_of_head(char path[2 * VIEW_NAME_MAX], const char *net, const char *label)
{
    char view[VIEW_NAME_MAX];
    snprintf(view, sizeof view, "%s.head.%s.weight", net, label);
    checkpoint_path(path, "/ema", view, "");
    return path;
}

// Row k of a head's weight tells class k.
static int put_names(const array_file_t *f, const dataset_t *d)
{
    static const char *const net[] = { "dae", "cls" };
    char path[2 * VIEW_NAME_MAX];
    int bad = 0;
    for (int i = 0; i < 2 * d->n_labels; i++)
        if (array_exists(f, path_of_head(path, net[i % 2], d->label[i / 2].name)))
            bad |= array_put_texts(f, path, "classes", d->classes[i / 2], d->n_classes[i / 2]);
    return bad;
}

int checkpoint_put_classes(const array_file_t *f, const dataset_t *d)
{
    char *text = alloc((size_t)d->n_labels + 1, CONF_TEXT_MAX);
    for (int i = 0; i < d->n_labels; i++) {
        if (i) strcat(text, ", ");
        class_text(text + strlen(text), CONF_TEXT_MAX - 2, d, i);
    }
    int bad = array_put_text(f, "/", "classes", text);
    free(text);
    return bad | put_names(f, d);
}

int checkpoint_names(const comm_t *c, const char *path, const config_t *conf, char *names[], int n[])
{
    array_file_t f;
    char head[2 * VIEW_NAME_MAX];
    int bad = comm_any(c, array_open(&f, c, path));
    for (int i = 0; i < conf->n_labels && !bad; i++) {
        bool has = !array_get_texts(&f, path_of_head(head, "dae", conf->labels[i].name), "classes", &names[i],
                                    &n[i]);
        if (!comm_any(c, !has)) continue;
        if (has) free(names[i]);
        names[i] = NULL;
    }
    bad |= array_close(&f);
    return comm_any(c, bad) ? -1 : 0;
}

int checkpoint_check_classes(const array_file_t *f, const dataset_t *d)
{
    char *text = NULL, mine[CONF_TEXT_MAX];
    int bad = 0;
    if (array_get_text(f, "/", "classes", &text)) return 0;
    for (int i = 0; i < d->n_labels && !bad; i++) {
        class_text(mine, sizeof mine, d, i);
        size_t name = strlen(d->label[i].name) + 1; // with the colon
        char *at = text;
        while (at && strncmp(at, mine, name))
            if ((at = strstr(at, ", "))) at += 2;
        if (at && strncmp(at, mine, strlen(mine)))
            bad = fail("%s: label %s had other classes, or in another order, than in %s", f->path,
                       d->label[i].name, d->name);
    }
    free(text);
    return bad;
}

int checkpoint_classes(const comm_t *c, const char *path, const dataset_t *d)
{
    array_file_t f;
    int bad = array_open(&f, c, path);
    if (!comm_any(c, bad)) bad = checkpoint_check_classes(&f, d);
    bad |= array_close(&f);
    return comm_agree(c, bad, error_text()) ? -1 : 0;
}

int checkpoint_heads(const comm_t *c, const char *path, const char *net, model_t *m)
{
    array_file_t f;
    int bad = array_open(&f, c, path);
    if (comm_agree(c, bad, error_text())) {
        array_close(&f);
        return -1;
    }
    for (int i = 0; i < m->conf->n_labels && !bad; i++) {
        char name[2 * VIEW_NAME_MAX];
        array_t weight;
        if (!array_exists(&f, path_of_head(name, net, m->conf->labels[i].name))) continue;
        bad = array_shape(&f, name, &weight);
        if (!bad && weight.dim[0] > INT16_MAX)
            bad = fail("%s: %s tells %llu classes, wanted at most %d", path, name,
                       (unsigned long long)weight.dim[0], INT16_MAX);
        if (!bad) m->n_classes[i] = (int)weight.dim[0];
    }
    bad |= array_close(&f);
    return comm_agree(c, bad, error_text()) ? -1 : 0;
}
