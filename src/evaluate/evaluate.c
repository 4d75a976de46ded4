// evaluate: a checkpoint against test images.  Opens, translates and lets the classifier look, all by shares
// of rows; what the figures are is in figures.c, how they are told in figures_write.c.

#include <stdlib.h>
#include <string.h>

#include "dagan/array.h"
#include "figures.h"

static const domain_conf_t *where(const gathered_t *g, int domain)
{
    return domain ? &g->conf.data.target : &g->conf.data.source;
}

// ---- open ----------------------------------------------------------------------------------------------

static int find_label(const gathered_t *g, const char *name)
{
    int i = 0;
    while (i < g->n_labels && strcmp(g->label[i].name, name)) i++;
    return i;
}

static int name_labels(gathered_t *g)
{
    g->n_labels = g->n_told = g->conf.n_labels;
    memcpy(g->label, g->conf.labels, sizeof g->label);
    for (int i = 0; g->has_judge && i < g->judge_conf.n_labels; i++) {
        int at = g->judged[i] = find_label(g, g->judge_conf.labels[i].name);
        if (at < g->n_labels) continue;
        if (at == CONF_LABELS_MAX) return fail("%s: tells too many labels", g->judge_path);
        g->label[g->n_labels++] = g->judge_conf.labels[i];
    }
    return g->has_judge && g->judge_conf.data.size != g->conf.data.size
               ? fail("%s: data.size is %d, wanted %d, as in %s", g->judge_path, g->judge_conf.data.size,
                      g->conf.data.size, g->path)
               : 0;
}

static int open_data(gathered_t *g)
{
    const comm_t *c = g->comm;
    for (int d = 0; d < DOMAINS; d++) {
        int size = g->conf.data.size;
        if (dataset_open(&g->train[d], c, where(g, d), "train", size, g->label, g->n_labels)) return -1;
        if (dataset_open(&g->test[d], c, where(g, d), "test", size, g->label, g->n_labels)) return -1;
    }
    int bad = 0;
    const dataset_t *first = &g->train[0];
    for (int d = 0; d < DOMAINS && !bad; d++)
        bad = dataset_same_classes(first, &g->train[d]) || dataset_same_classes(first, &g->test[d]);
    const dataset_t *const split[] = { &g->test[0], &g->test[1], &g->train[0], &g->train[1] };
    for (int i = 0; i < 4 && !bad; i++)
        if (split[i]->n <= NEIGHBOURS)
            bad = fail("%s: has %zu images, wanted at least %d", split[i]->name, split[i]->n, NEIGHBOURS + 1);
    return comm_agree(c, bad, error_text()) ? -1 : 0;
}

static int open_networks(gathered_t *g)
{
    const comm_t *c = g->comm;
    g->model.conf = &g->conf;
    memcpy(g->model.n_classes, g->train[0].n_classes, sizeof g->model.n_classes);
    translator_build(&g->f, &g->model, 1);
    params_alloc(&g->model.f, 0, 0);
    tape_plan(&g->f.tape, NULL);
    if (checkpoint_model(c, g->path, &g->model, &g->step)) return -1;
    if (checkpoint_classes(c, g->path, &g->test[0])) return -1;
    if (!g->has_judge) return 0;
    if (checkpoint_classes(c, g->judge_path, &g->test[0])) return -1;
    g->judge_model.conf = &g->judge_conf;
    for (int i = 0; i < g->judge_conf.n_labels; i++)
        g->judge_model.n_classes[i] = g->train[0].n_classes[g->judged[i]];
    return judge_load(&g->judge, &g->judge_model, c, g->judge_path);
}

// The same groups in another file.
static int take_data(gathered_t *g, const char *file)
{
    domain_conf_t *const domain[] = { &g->conf.data.source, &g->conf.data.target };
    if (!file) return 0;
    if (strlen(file) >= sizeof domain[0]->file)
        return fail("--data: found a name of %zu bytes, wanted at most %zu", strlen(file),
                    sizeof domain[0]->file - 1);
    for (int d = 0; d < DOMAINS; d++) strcpy(domain[d]->file, file);
    return 0;
}

static int check_outputs(const gathered_t *g, const evaluate_t *what)
{
    const char *const input[] = { g->path, g->judge_path, where(g, 0)->file, where(g, 1)->file };
    bool is_first = g->comm->rank == 0, has_both = what->output && what->arrays;
    if (has_both && (strcmp(what->output, what->arrays) == 0 || is_same_file(what->output, what->arrays)))
        return fail("--arrays: found %s, which --output names, wanted another file", what->arrays);
    return output_spares("--output", what->output, input, 4) ||
           output_spares("--arrays", what->arrays, input, 4) ||
           (is_first &&
            (output_replaces_text(what->output, '{') || output_opens(what->output) ||
             array_replaces(g->comm, what->arrays, "/fake/images") || output_opens(what->arrays)));
}

static int open_all(gathered_t *g, const evaluate_t *what)
{
    const comm_t *c = g->comm;
    if (checkpoint_config(c, g->path, &g->conf)) return -1;
    g->ranks.timeout = g->conf.comm.timeout;
    if (comm_agree(c, kind_translates(&g->conf, g->path), error_text())) return -1;
    if (g->has_judge && judge_config(c, g->judge_path, &g->judge_conf)) return -1;
    if (comm_agree(c, take_data(g, what->data) || check_outputs(g, what) || name_labels(g), error_text()))
        return -1;
    if (open_data(g) || open_networks(g)) return -1;
    for (int d = 0; d < DOMAINS; d++) {
        if (parts_read(&g->train_parts[d], c, where(g, d), "train", g->train[d].n)) return -1;
        if (parts_read(&g->test_parts[d], c, where(g, d), "test", g->test[d].n)) return -1;
        rows_read(&g->train_rows[d], &g->train[d], c);
        rows_read(&g->test_rows[d], &g->test[d], c);
    }
    return 0;
}

// ---- look ----------------------------------------------------------------------------------------------

static void note_labels(gathered_t *g, int domain, size_t row)
{
    for (int k = 0; k < g->n_told; k++)
        g->told[domain][(size_t)k * g->test[domain].n + row] =
            g->f.logits[k] ? eval_largest(g->f.logits[k]->x, g->f.logits[k]->dim.c) : -1;
}

// F of the test images: centres, what DAE tells, and of the source their translations.
static void translate_test(gathered_t *g, int domain)
{
    const rows_t *r = &g->test_rows[domain];
    size_t bytes = numel(g->f.x->dim), numbers = 2 * (size_t)g->conf.attention.regions;
    g->test_centres[domain] = alloc(r->n * numbers + 1, sizeof(float));
    g->told[domain] = alloc(r->n * (size_t)g->n_told + 1, sizeof(int16_t));
    if (!domain) g->fake = alloc(r->mine.count + 1, bytes);
    for (size_t i = 0; i < r->mine.count; i++) {
        size_t row = r->mine.first + i;
        pixels_to_float(g->f.x->x, r->image + i * bytes, bytes);
        tape_forward(&g->f.tape, 0, g->f.tape.n);
        if (!domain) pixels_to_byte(g->fake + i * bytes, g->f.fx->x, bytes);
        if (g->f.z.centres)
            memcpy(g->test_centres[domain] + row * numbers, g->f.z.centres->x, numbers * sizeof(float));
        note_labels(g, domain, row);
    }
    if (g->f.z.centres) comm_complete(g->comm, g->test_centres[domain], r->mine, numbers * sizeof(float));
    for (int k = 0; k < g->n_told; k++)
        comm_complete(g->comm, g->told[domain] + (size_t)k * r->n, r->mine, sizeof(int16_t));
}

// The centres in training images, which landmarks are fitted on.
static void locate_train(gathered_t *g, int domain)
{
    const rows_t *r = &g->train_rows[domain];
    size_t bytes = numel(g->f.x->dim), numbers = 2 * (size_t)g->conf.attention.regions;
    g->train_centres[domain] = alloc(r->n * numbers + 1, sizeof(float));
    if (!g->f.z.centres || !g->train_parts[domain].n_parts) return;
    for (size_t i = 0; i < r->mine.count; i++) {
        pixels_to_float(g->f.x->x, r->image + i * bytes, bytes);
        tape_forward(&g->f.tape, 0, g->f.z.centres->index + 1);
        memcpy(g->train_centres[domain] + (r->mine.first + i) * numbers, g->f.z.centres->x,
               numbers * sizeof(float));
    }
    comm_complete(g->comm, g->train_centres[domain], r->mine, numbers * sizeof(float));
}

static void look(gathered_t *g)
{
    const comm_t *c = g->comm;
    for (int d = 0; d < DOMAINS; d++) {
        translate_test(g, d);
        locate_train(g, d);
    }
    if (!g->has_judge) return;
    for (int d = 0; d < DOMAINS; d++)
        verdict_init(&g->train_seen[d], &g->judge, c, g->train_rows[d].image, g->train_rows[d].mine,
                     g->train[d].n);
    verdict_init(&g->target_seen, &g->judge, c, g->test_rows[1].image, g->test_rows[1].mine, g->test[1].n);
    verdict_init(&g->fake_seen, &g->judge, c, g->fake, g->test_rows[0].mine, g->test[0].n);
}

static void free_all(gathered_t *g)
{
    verdict_free(&g->fake_seen);
    verdict_free(&g->target_seen);
    free(g->fake);
    for (int d = 0; d < DOMAINS; d++) {
        verdict_free(&g->train_seen[d]);
        free(g->told[d]);
        free(g->test_centres[d]);
        free(g->train_centres[d]);
        parts_free(&g->test_parts[d]);
        parts_free(&g->train_parts[d]);
        rows_free(&g->test_rows[d]);
        rows_free(&g->train_rows[d]);
        dataset_close(&g->test[d]);
        dataset_close(&g->train[d]);
    }
    judge_free(&g->judge);
    translator_free(&g->f);
    params_free(&g->judge_model.f);
    params_free(&g->model.f);
    free(g);
}

// ---- what others need to recompute the figures ------------------------------------------------------------

// What the classifier sees in `of`.
typedef struct {
    const char *of;
    const verdict_t *v;
} seen_t;

enum { SEEN = 4 };

static void all_seen(seen_t seen[SEEN], const gathered_t *g)
{
    seen[0] = (seen_t){ "fake", &g->fake_seen };
    seen[1] = (seen_t){ "target_test", &g->target_seen };
    seen[2] = (seen_t){ "source_train", &g->train_seen[0] };
    seen[3] = (seen_t){ "target_train", &g->train_seen[1] };
}

static void save_seen(save_t *s, const gathered_t *g, const seen_t *seen)
{
    char name[64];
    int n = (int)seen->v->n;
    array_t t = array_of(H5T_NATIVE_FLOAT, 2, (int[]){ n, CLASSIFIER_FEATURES });
    share_t mine = array_share(&t, g->comm);
    snprintf(name, sizeof name, "/%s/features", seen->of);
    save_rows(s, name, &t, mine, seen->v->features + mine.first * CLASSIFIER_FEATURES);
    t = array_of(H5T_NATIVE_FLOAT, 2, (int[]){ n, g->judge.n_answers });
    mine = array_share(&t, g->comm);
    snprintf(name, sizeof name, "/%s/probabilities", seen->of);
    save_rows(s, name, &t, mine, seen->v->p + mine.first * (size_t)g->judge.n_answers);
}

static void save_centres(save_t *s, const gathered_t *g, int domain, bool of_train)
{
    char name[64];
    int regions = g->conf.attention.regions;
    const dataset_t *set = of_train ? &g->train[domain] : &g->test[domain];
    const float *x = of_train ? g->train_centres[domain] : g->test_centres[domain];
    array_t t = array_of(H5T_NATIVE_FLOAT, 3, (int[]){ (int)set->n, regions, 2 });
    share_t mine = array_share(&t, g->comm);
    snprintf(name, sizeof name, "/%s_%s/centres", domain ? "target" : "source", of_train ? "train" : "test");
    save_rows(s, name, &t, mine, x + mine.first * 2 * (size_t)regions);
}

static const char *const told_path[DOMAINS] = { "/source_test/told", "/target_test/told" };

static void save_told(save_t *s, const gathered_t *g, int domain)
{
    size_t n = g->test[domain].n;
    array_t t = array_of(H5T_NATIVE_INT16, 2, (int[]){ g->n_told, (int)n });
    t.block_rows = 1;
    share_t mine = share_of((size_t)g->n_told, g->comm->rank, g->comm->size);
    save_rows(s, told_path[domain], &t, mine, g->told[domain] + mine.first * n);
}

// "eyes: 5, mouth: 11, ...": how many answers each label has, side by side.
static int put_answers(const array_file_t *f, const gathered_t *g, const seen_t *seen)
{
    char name[64], labels[LABELS_TEXT] = "";
    for (int k = 0, at = 0; k < g->judge.n_labels && at < (int)sizeof labels; k++)
        at += snprintf(labels + at, sizeof labels - (size_t)at, "%s%s: %d", k ? ", " : "",
                       g->judge_conf.labels[k].name, g->judge.first[k + 1] - g->judge.first[k]);
    snprintf(name, sizeof name, "/%s/probabilities", seen->of);
    return array_put_text(f, name, "labels", labels);
}

static int put_attributes(const array_file_t *f, const void *gathered)
{
    const gathered_t *g = gathered;
    char labels[LABELS_TEXT], hash[HASH_TEXT];
    seen_t seen[SEEN];
    int bad = array_put_text(f, "/", "checkpoint", g->path) | array_put_long(f, "/", "step", g->step) |
              array_put_text(f, "/", "source", g->test[0].name) |
              array_put_text(f, "/", "target", g->test[1].name);
    labels_text(labels, sizeof labels, &g->conf);
    for (int d = 0; d < DOMAINS && g->n_told; d++) bad |= array_put_text(f, told_path[d], "labels", labels);
    if (!g->has_judge) return bad;
    all_seen(seen, g);
    for (int i = 0; i < SEEN; i++) bad |= put_answers(f, g, &seen[i]);
    return bad | array_put_text(f, "/", "classifier", judge_name(hash, &g->judge));
}

static int write_arrays(const char *path, const gathered_t *g)
{
    int size = g->conf.data.size;
    seen_t seen[SEEN];
    save_t *s = save_new(g->comm, path);
    array_t fake = array_of(H5T_NATIVE_UINT8, 4, (int[]){ (int)g->test[0].n, size, size, 3 });
    fake.block_rows = 1;
    save_rows(s, "/fake/images", &fake, g->test_rows[0].mine, g->fake);
    for (int d = 0; d < DOMAINS && g->f.z.centres; d++) {
        save_centres(s, g, d, false);
        if (g->train_parts[d].n_parts) save_centres(s, g, d, true); // else locate_train did not look
    }
    for (int d = 0; d < DOMAINS && g->n_told; d++) save_told(s, g, d);
    all_seen(seen, g);
    for (int i = 0; i < SEEN && g->has_judge; i++) save_seen(s, g, &seen[i]);
    int bad = save_whole(s, put_attributes, g);
    save_free(s);
    return comm_agree(g->comm, bad, error_text()) ? -1 : 0;
}

int evaluate(const comm_t *c, const evaluate_t *what)
{
    gathered_t *g = alloc(1, sizeof *g);
    *g = (gathered_t){
        .comm = &g->ranks, .ranks = *c, .path = what->checkpoint, .judge_path = what->classifier
    };
    g->has_judge = what->classifier != NULL;
    int status = EXIT_USER;
    if (open_all(g, what) == 0) {
        bool bad = false;
        figures_t *f = alloc(1, sizeof *f);
        look(g);
        figures_find(f, g);
        if (c->rank == 0) {
            figures_table(stdout, f, g);
            if (what->output) bad = figures_json(what->output, f, g);
        }
        bad = comm_agree(c, bad, error_text()) || (what->arrays && write_arrays(what->arrays, g));
        status = bad ? EXIT_RUN_FAILED : EXIT_DONE;
        free(f);
    }
    free_all(g);
    return status;
}
