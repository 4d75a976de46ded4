// Class names of a label: the attribute `classes`, hashed, and compared between domains.
#include <string.h>
#include <xxhash.h>

#include "classes.h"
#include "dagan/array.h"

int classes_read(dataset_t *d, int label, hid_t labels, const char *where)
{
    if (H5Aexists(labels, "classes") <= 0)
        return fail("%s: has no attribute 'classes' (the class names)", where);
    if (texts_read(&d->classes[label], &d->n_classes[label], labels, "classes", where)) return -1;
    const char *end = dataset_class(d, label, d->n_classes[label]);
    d->classes_hash[label] = XXH3_64bits(d->classes[label], (size_t)(end - d->classes[label]));
    return 0;
}

const char *dataset_class(const dataset_t *d, int label, int k)
{
    const char *name = d->classes[label];
    while (k-- > 0) name += strlen(name) + 1;
    return name;
}

int dataset_same_classes(const dataset_t *a, const dataset_t *b)
{
    for (int i = 0; i < a->n_labels; i++) {
        const char *label = a->label[i].name;
        if (a->n_classes[i] != b->n_classes[i])
            return fail("%s/labels/%s: has %d classes, %s has %d", b->name, label, b->n_classes[i], a->name,
                        a->n_classes[i]);
        for (int k = 0; a->classes_hash[i] != b->classes_hash[i] && k < a->n_classes[i]; k++)
            if (strcmp(dataset_class(a, i, k), dataset_class(b, i, k)))
                return fail("%s/labels/%s: class %d is '%s', in %s it is '%s'", b->name, label, k,
                            dataset_class(b, i, k), a->name, dataset_class(a, i, k));
    }
    return 0;
}
