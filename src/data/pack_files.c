// Which pictures to pack.  Only rank 0 reads folders, so that ranks cannot disagree about them, and the
// list is sorted by name, so that it depends neither on the file system nor on the number of ranks.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "pack.h"

enum { DEPTH_MAX = 32 };

const char *const split_name[N_SPLITS] = { "train", "test" };

// What rank 0 finds.
typedef struct {
    item_t *item; // paths owned
    size_t n, room, n_ignored;
} found_t;

static void add(found_t *f, char *path, size_t name_at)
{
    if (f->n == f->room) {
        f->room = f->room ? 2 * f->room : 1024;
        f->item = realloc(f->item, f->room * sizeof *f->item);
        CHECK(f->item, "no memory for the names of %zu files", f->room);
    }
    f->item[f->n++] = (item_t){ SPLIT_TRAIN, path, path + name_at };
}

static bool is_folder(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

static bool named_like_a_picture(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (!strcasecmp(dot, ".png") || !strcasecmp(dot, ".jpg") || !strcasecmp(dot, ".jpeg"));
}

static char *join(const char *folder, const char *name)
{
    size_t a = strlen(folder), b = strlen(name);
    while (a > 1 && folder[a - 1] == '/') a--;
    char *path = alloc(a + b + 2, 1);
    memcpy(path, folder, a);
    path[a] = '/';
    memcpy(path + a + 1, name, b);
    return path;
}

// Hidden files and folders are passed over.
static int walk(found_t *f, const char *folder, size_t name_at, int depth)
{
    if (depth > DEPTH_MAX) return fail("%s: nested deeper than %d folders", folder, DEPTH_MAX);
    DIR *dir = opendir(folder);
    if (!dir) return fail("%s: cannot be read: %s", folder, strerror(errno));
    int bad = 0;
    for (struct dirent *e; !bad && (e = readdir(dir));) {
        if (e->d_name[0] == '.') continue;
        char *path = join(folder, e->d_name);
        if (is_folder(path)) {
            bad = walk(f, path, name_at, depth + 1);
        } else if (named_like_a_picture(path)) {
            add(f, path, name_at);
            continue; // the list owns it
        } else {
            f->n_ignored++;
        }
        free(path);
    }
    closedir(dir);
    return bad;
}

static bool has_split(const char *folder, int split)
{
    char *path = join(folder, split_name[split]);
    bool has = is_folder(path);
    free(path);
    return has;
}

// Puts the items from `from` on, all below `folder`, into their splits.
static int divide(found_t *f, size_t from, const char *folder)
{
    bool has[N_SPLITS], any = false;
    size_t count[N_SPLITS] = { 0 };
    for (int s = 0; s < N_SPLITS; s++) any |= has[s] = has_split(folder, s);
    if (f->n == from) return fail("%s: holds no file named .png, .jpg or .jpeg", folder);
    if (!any) return 0;
    for (size_t i = from; i < f->n; i++) {
        int s = 0;
        for (size_t l; s < N_SPLITS; s++)
            if (!strncmp(f->item[i].name, split_name[s], l = strlen(split_name[s])) &&
                f->item[i].name[l] == '/')
                break;
        if (s == N_SPLITS)
            return fail("%s: lies beside the splits %s/train and %s/test", f->item[i].path, folder, folder);
        f->item[i].split = s;
        count[s]++;
    }
    for (int s = 0; s < N_SPLITS; s++)
        if (has[s] && !count[s])
            return fail("%s/%s: holds no file named .png, .jpg or .jpeg", folder, split_name[s]);
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const item_t *x = a, *y = b;
    if (x->split != y->split) return x->split - y->split;
    int names = strcmp(x->name, y->name);
    return names ? names : strcmp(x->path, y->path);
}

static int find(found_t *f, const char *const inputs[], int n_inputs)
{
    if (n_inputs < 1) return fail("no folder or file is named");
    for (int i = 0; i < n_inputs; i++) {
        const char *input = inputs[i];
        struct stat st;
        size_t from = f->n, length = strlen(input);
        if (stat(input, &st)) return fail("%s: %s", input, strerror(errno));
        if (!S_ISDIR(st.st_mode)) {
            char *path = alloc(length + 1, 1);
            add(f, memcpy(path, input, length), 0);
            continue;
        }
        while (length > 1 && input[length - 1] == '/') length--;
        if (walk(f, input, length + 1, 0) || divide(f, from, input)) return -1;
    }
    qsort(f->item, f->n, sizeof *f->item, by_place);
    for (size_t i = 1; i < f->n; i++)
        if (!by_place(&f->item[i - 1], &f->item[i])) return fail("%s: is named twice", f->item[i].path);
    return 0;
}

// One record per item: split, offset of the name, path, zero byte.
static char *to_text(const found_t *f, size_t *length)
{
    size_t room = 1;
    for (size_t i = 0; i < f->n; i++) room += strlen(f->item[i].path) + 32;
    char *text = alloc(room, 1), *to = text;
    for (size_t i = 0; i < f->n; i++) {
        const item_t *m = &f->item[i];
        to += sprintf(to, "%d %zu %s", m->split, (size_t)(m->name - m->path), m->path) + 1;
    }
    *length = (size_t)(to - text);
    return text;
}

static void from_text(files_t *f)
{
    char *at = f->text;
    f->item = alloc(f->n, sizeof *f->item);
    for (size_t i = 0; i < f->n; i++, at += strlen(at) + 1) {
        int split = (int)strtol(at, &at, 10);
        size_t name_at = strtoul(at, &at, 10);
        at++; // the blank
        f->item[i] = (item_t){ split, at, at + name_at };
    }
}

int files_find(files_t *f, const comm_t *c, const char *const inputs[], int n_inputs)
{
    found_t found = { 0 };
    struct {
        size_t n, n_ignored, length;
    } head = { 0 };
    char *text = NULL;
    *f = (files_t){ 0 };
    int bad = c->rank == 0 ? find(&found, inputs, n_inputs) : 0;
    if (c->rank == 0 && !bad) {
        text = to_text(&found, &head.length);
        head.n = found.n;
        head.n_ignored = found.n_ignored;
    }
    for (size_t i = 0; i < found.n; i++) free((char *)found.item[i].path);
    free(found.item);
    if (comm_agree(c, bad, error_text())) return -1;
    comm_bcast(c, &head, sizeof head, 0);
    if (!text) text = alloc(head.length, 1);
    comm_bcast(c, text, head.length, 0);
    *f = (files_t){ .n = head.n, .n_ignored = head.n_ignored, .text = text };
    from_text(f);
    return 0;
}

void files_free(files_t *f)
{
    free(f->item);
    free(f->text);
    *f = (files_t){ 0 };
}
