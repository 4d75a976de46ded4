// pack: folders of pictures to one data set.  Rank 0 lists the files, every rank decodes its share and keeps
// it, the ranks count what was readable, and all write together into "OUTPUT.tmp", which becomes OUTPUT
// when it is whole.
#include "pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "picture.h"

// ---- before --------------------------------------------------------------------------------------

static int check_group(const char *group)
{
    for (const char *part = group; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL) {
        size_t n = strcspn(part, "/");
        if (n == 0 || strspn(part, ".") >= n) return fail("pack: '%s' cannot name a group", group);
    }
    return 0;
}

// The domain: as asked for, without leading slashes, or the output's base name up to its ending.
static char *group_name(const pack_t *p)
{
    const char *from = p->group ? p->group + strspn(p->group, "/") : p->output;
    if (!p->group && strrchr(from, '/')) from = strrchr(from, '/') + 1;
    const char *dot = p->group ? NULL : strrchr(from, '.');
    size_t n = dot && dot > from ? (size_t)(dot - from) : strlen(from);
    return memcpy(alloc(n + 1, 1), from, n);
}

// On rank 0: the output must be new, and its folder must take it.
static int check_output(const pack_t *p, const char *tmp)
{
    if (p->size < 1 || p->size > PICTURE_SIDE_MAX)
        return fail("pack: size is %d, wanted 1 to %d", p->size, PICTURE_SIDE_MAX);
    if (!access(p->output, F_OK)) return fail("%s: exists; remove it first", p->output);
    int file = open(tmp, O_CREAT | O_WRONLY | O_TRUNC, 0666);
    if (file < 0) return fail("%s: cannot be written: %s", tmp, strerror(errno));
    close(file);
    return 0;
}

// ---- decoding ------------------------------------------------------------------------------------

static void draw_bar(size_t done, size_t n)
{
    enum { WIDTH = 40 };
    static const char full[] = "########################################";
    static const char rest[] = "........................................";
    if (n > 200 && done % (n / 200) && done < n) return;
    int filled = (int)(WIDTH * done / n);
    fprintf(stderr, "\r[%.*s%.*s] %3d %%", filled, full, WIDTH - filled, rest, (int)(100 * done / n));
    if (done == n) fprintf(stderr, "\r%*s\r", WIDTH + 8, "");
}

static void decode(kept_t *k, lines_t *skipped, const files_t *f, share_t mine, bool bar)
{
    size_t bytes = 3 * (size_t)k->size * (size_t)k->size, n = 0;
    k->item = alloc(mine.count, sizeof *k->item);
    k->rgb = alloc(mine.count, bytes);
    for (size_t i = 0; i < mine.count; i++) {
        const item_t *item = &f->item[mine.first + i];
        picture_t whole, fitted;
        if (bar) draw_bar(i, mine.count);
        if (picture_read(&whole, item->path)) {
            lines_add(skipped, "dagan_mpi: skipped: %s", error_text());
            continue;
        }
        picture_fit(&fitted, &whole, k->size);
        memcpy(k->rgb + n * bytes, fitted.rgb, bytes);
        k->item[n++] = mine.first + i;
        k->n[item->split]++;
        picture_free(&fitted);
        picture_free(&whole);
    }
    if (bar && mine.count) draw_bar(mine.count, mine.count);
}

// Rows of lower ranks and of all, from the counts of each.  Collective.
static void place(kept_t *k, const comm_t *c)
{
    size_t n = (size_t)c->size * N_SPLITS;
    double *count = alloc(n, sizeof *count); // exact up to 2^53
    for (size_t s = 0; s < N_SPLITS; s++) count[(size_t)c->rank * N_SPLITS + s] = (double)k->n[s];
    comm_sum(c, count, n);
    for (size_t i = 0; i < n; i++) {
        if (i / N_SPLITS < (size_t)c->rank) k->first[i % N_SPLITS] += (size_t)count[i];
        k->total[i % N_SPLITS] += (size_t)count[i];
    }
    free(count);
}

// The same on all ranks.
static int check_counts(const kept_t *k, const files_t *f, bool strict)
{
    size_t wanted[N_SPLITS] = { 0 }, kept = k->total[SPLIT_TRAIN] + k->total[SPLIT_TEST];
    for (size_t i = 0; i < f->n; i++) wanted[f->item[i].split]++;
    if (strict && kept < f->n)
        return fail("pack: %zu of %zu pictures cannot be read (strict)", f->n - kept, f->n);
    for (int s = 0; s < N_SPLITS; s++)
        if (wanted[s] && !k->total[s])
            return fail("pack: none of the %zu pictures for '%s' can be read", wanted[s], split_name[s]);
    return 0;
}

// ---- after ---------------------------------------------------------------------------------------

// How many of all pictures have no class of that label.
static size_t without(const column_t *column, size_t n)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) found += column->value[i] < 0;
    return found;
}

static void report(const pack_t *p, const char *group, const kept_t *k, const files_t *f, const table_t *t)
{
    size_t kept = 0;
    printf("%s:", p->output);
    for (int s = 0; s < N_SPLITS; s++)
        if (k->total[s])
            printf("%s /%s/%s %zu", kept ? "," : "", group, split_name[s], k->total[s]), kept += k->total[s];
    printf(" pictures of %dx%d", k->size, k->size);
    if (kept < f->n) printf(", %zu skipped", f->n - kept);
    if (f->n_ignored) printf(", %zu not named .png, .jpg or .jpeg", f->n_ignored);
    printf("\n");
    for (size_t i = 0; i < t->n; i++) {
        size_t lacking = without(&t->column[i], f->n);
        printf("label %s: %d classes", t->column[i].name, t->column[i].n_classes);
        if (lacking) printf("; %zu of %zu pictures have none", lacking, f->n);
        printf("\n");
    }
    fflush(stdout);
}

// What a rank that dies while it writes must not leave behind, and how it then goes on to die.
static const char *half_written;
static void (*die_further)(int status);

static void unlink_and_die(int status)
{
    unlink(half_written); // by another rank it may be gone already
    if (die_further) die_further(status);
}

static int write_or_die(const comm_t *c, const char *tmp, const char *group, const char *source,
                        const kept_t *k, const table_t *t)
{
    half_written = tmp;
    die_further = die_hook;
    die_hook = unlink_and_die;
    int bad = pack_write(c, tmp, group, source, k, t);
    die_hook = die_further;
    return bad;
}

// Decodes, counts and writes `tmp`.  Collective; the exit status.
static int make(const comm_t *c, const pack_t *p, const char *tmp, const char *group, const files_t *f,
                const table_t *t)
{
    kept_t k = { .size = p->size };
    lines_t skipped = { 0 };
    bool bar = p->progress && c->rank == 0 && isatty(STDERR_FILENO);
    decode(&k, &skipped, f, share_of(f->n, c->rank, c->size), bar);
    comm_print(c, skipped.text);
    place(&k, c);
    int status = comm_agree(c, check_counts(&k, f, p->strict), error_text()) ? EXIT_USER : EXIT_DONE;
    if (status == EXIT_DONE) {
        char source[CONF_TEXT_MAX];
        snprintf(source, sizeof source, "packed by dagan_mpi %s from %s%s", DAGAN_VERSION, p->inputs[0],
                 p->n_inputs > 1 ? " and others" : "");
        if (write_or_die(c, tmp, group, source, &k, t) ||
            comm_agree(c, c->rank == 0 && (sync_path(tmp) || take_name(tmp, p->output)), error_text()))
            status = EXIT_RUN_FAILED;
    }
    if (status == EXIT_DONE && c->rank == 0) report(p, group, &k, f, t);
    free(skipped.text);
    free(k.rgb);
    free(k.item);
    return status;
}

int pack(const comm_t *c, const pack_t *p)
{
    files_t files = { 0 };
    table_t table = { 0 };
    size_t length = strlen(p->output);
    char *group = group_name(p), *tmp = alloc(length + 5, 1);
    memcpy(tmp, p->output, length);
    memcpy(tmp + length, ".tmp", 4);

    bool bad = comm_agree(c, check_group(group) || (c->rank == 0 && check_output(p, tmp)), error_text());
    int status = EXIT_USER;
    if (!bad) {
        if (!files_find(&files, c, p->inputs, p->n_inputs) && !table_read(&table, c, p->labels, &files))
            status = make(c, p, tmp, group, &files, &table);
        if (status != EXIT_DONE && c->rank == 0) unlink(tmp);
    }
    table_free(&table);
    files_free(&files);
    free(tmp);
    free(group);
    return status;
}
