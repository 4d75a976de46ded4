// The figures of an evaluation from what was gathered.  Whatever takes time is cut into items of which each
// rank computes its share; items are then added in their order, so a figure has the same bits on any number
// of ranks.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"

// ---- regions and landmarks ------------------------------------------------------------------------------

static bool is_everywhere(const parts_t *p, const char *name)
{
    const int16_t *box = parts_find(p, name);
    for (size_t i = 0; box && i < p->n; i++)
        if (box[4 * i] < 0) return false;
    return box != NULL;
}

// The centres of those parts' boxes that every image of both splits shows: (n, 2 * landmarks).
static float *landmarks(const parts_t *p, const parts_t *other, int *count)
{
    float *x = alloc(p->n * 2 * PARTS_MAX, sizeof *x), *to = x;
    int n = 0;
    const int16_t *box[PARTS_MAX];
    for (int i = 0; i < p->n_parts; i++)
        if (is_everywhere(p, p->part[i].name) && is_everywhere(other, p->part[i].name))
            box[n++] = p->part[i].box;
    for (size_t i = 0; i < p->n; i++)
        for (int k = 0; k < n; k++) {
            const int16_t *b = box[k] + 4 * i;
            *to++ = ((float)b[0] + b[2]) / 2 - 0.5f;
            *to++ = ((float)b[1] + b[3]) / 2 - 0.5f;
        }
    *count = n;
    return x;
}

static void find_regions(domain_figures_t *f, const gathered_t *g, int d)
{
    const config_t *conf = &g->conf;
    const parts_t *parts = &g->test_parts[d];
    int regions = conf->attention.regions, fitted;
    f->overlap = eval_overlap(g->test_centres[d], regions, conf->attention.half.side, g->test[d].n);
    for (int i = 0; i < conf->n_labels; i++) {
        const int16_t *box = parts_find(parts, conf->labels[i].name);
        int region = conf->labels[i].region;
        if (!box || region == CONF_REGION_ALL) continue;
        snprintf(f->part[f->n_parts].name, sizeof f->part->name, "%s", conf->labels[i].name);
        f->part[f->n_parts].region = region;
        f->part[f->n_parts++].f = eval_regions(g->test_centres[d], regions, region,
                                               conf->attention.half.side[region], box, g->test[d].n);
    }
    float *train = landmarks(&g->train_parts[d], parts, &fitted),
          *test = landmarks(parts, &g->train_parts[d], &fitted);
    f->n_landmarks = fitted;
    if (fitted)
        f->landmarks = eval_landmarks(g->train_centres[d], train, g->train[d].n, g->test_centres[d], test,
                                      g->test[d].n, 2 * regions, 2 * fitted, conf->data.size);
    free(test);
    free(train);
}

// ---- labels ---------------------------------------------------------------------------------------------

static label_figures_t *label_of(figures_t *f, const gathered_t *g, int label)
{
    for (int i = 0; i < f->n_labels; i++)
        if (strcmp(f->label[i].name, g->label[label].name) == 0) return &f->label[i];
    label_figures_t *l = &f->label[f->n_labels++];
    *l = (label_figures_t){ .classes = g->train[0].n_classes[label], .dae = { NAN, NAN } };
    snprintf(l->name, sizeof l->name, "%s", g->label[label].name);
    return l;
}

static void find_told(figures_t *f, const gathered_t *g)
{
    for (int k = 0; k < g->n_told; k++)
        for (int d = 0; d < DOMAINS && g->f.logits[k]; d++) {
            size_t n = g->test[d].n, at = (size_t)k * n;
            label_of(f, g, k)->dae[d] =
                eval_balanced(g->told[d] + at, g->test_rows[d].label + at, n, g->test[d].n_classes[k]);
        }
}

// The probabilities of one label as a dense array.
static float *answers(const judge_t *j, const verdict_t *v, int label, size_t n)
{
    size_t classes = (size_t)(j->first[label + 1] - j->first[label]);
    float *p = alloc(n * classes, sizeof *p);
    for (size_t i = 0; i < n; i++)
        memcpy(p + i * classes, v->p + i * (size_t)j->n_answers + (size_t)j->first[label],
               classes * sizeof *p);
    return p;
}

static double mode_score(const gathered_t *g, const verdict_t *v, int label, size_t n, const int16_t *real)
{
    int at = g->judged[label];
    float *p = answers(&g->judge, v, label, n);
    double score = eval_mode_score(p, n, real, g->train[1].n, g->train[1].n_classes[at]);
    free(p);
    return score;
}

// Of the classifier's label k, which is `label` here.
static void find_missing(label_figures_t *l, const gathered_t *g, const int16_t *told, const int16_t *truth,
                         int k, int label)
{
    bool *missing = alloc((size_t)l->classes, sizeof *missing);
    size_t at = 0, m = g->test[1].n;
    l->real_modes = eval_modes(missing, g->target_seen.told + (size_t)k * m,
                               g->test_rows[1].label + (size_t)label * m, m, l->classes);
    l->modes = eval_modes(missing, told, truth, g->test[0].n, l->classes);
    for (int i = 0; i < l->classes && at < sizeof l->missing; i++)
        if (missing[i])
            at += (size_t)snprintf(l->missing + at, sizeof l->missing - at, "%s%s", at ? ", " : "",
                                   dataset_class(&g->test[0], label, i));
    free(missing);
}

// What the classifier, which knows real target images only, says of translations.
static void find_kept(figures_t *f, const gathered_t *g)
{
    size_t n = g->test[0].n, m = g->test[1].n;
    for (int k = 0; k < g->judge.n_labels; k++) {
        int at = g->judged[k], classes = g->test[0].n_classes[at];
        label_figures_t *l = label_of(f, g, at);
        const int16_t *told = g->fake_seen.told + (size_t)k * n,
                      *truth = g->test_rows[0].label + (size_t)at * n;
        const int16_t *real = g->target_seen.told + (size_t)k * m,
                      *real_truth = g->test_rows[1].label + (size_t)at * m;
        const int16_t *train = g->train_rows[1].label + (size_t)at * g->train[1].n;
        l->real = eval_accuracy(real, real_truth, m);
        l->real_balanced = eval_balanced(real, real_truth, m, classes);
        l->kept = eval_accuracy(told, truth, n);
        l->kept_balanced = eval_balanced(told, truth, n, classes);
        l->mode.value = mode_score(g, &g->fake_seen, k, n, train);
        l->mode.floor = mode_score(g, &g->target_seen, k, m, train);
        find_missing(l, g, told, truth, k, at);
    }
}

// ---- distributions --------------------------------------------------------------------------------------

double kid_over_ranks(const comm_t *c, const float *x, size_t n, const float *y, size_t m)
{
    double kid[KID_SUBSETS];
    size_t most = n < m ? n : m;
    if (most > KID_ROWS) most = KID_ROWS;
    size_t subsets = most == n && most == m ? 1 : KID_SUBSETS; // else all would be the same rows
    share_t mine = share_of(subsets, c->rank, c->size);
    for (size_t i = mine.first; i < mine.first + mine.count; i++)
        kid[i] = eval_kid_subset(x, n, y, m, CLASSIFIER_FEATURES, most, i);
    comm_complete(c, kid, mine, sizeof *kid);
    return eval_mean(kid, subsets);
}

static double covered(const comm_t *c, const float *x, size_t n, const float *y, size_t m)
{
    share_t balls = share_of(m, c->rank, c->size), mine = share_of(n, c->rank, c->size);
    float *radius = alloc(m, sizeof *radius);
    eval_radii(radius + balls.first, y, m, CLASSIFIER_FEATURES, NEIGHBOURS, balls.first, balls.count);
    comm_complete(c, radius, balls, sizeof *radius);
    double inside = (double)eval_covered(x, mine.first, mine.count, y, radius, m, CLASSIFIER_FEATURES);
    comm_sum(c, &inside, 1); // whole numbers: exact in any order
    free(radius);
    return inside / (double)n;
}

// Of as many rows of one as of the other: where one side is larger, chance favours it.
static double one_nn(const comm_t *c, const float *x, const float *y, size_t n)
{
    share_t mine = share_of(2 * n, c->rank, c->size);
    float *both = alloc(2 * n * CLASSIFIER_FEATURES, sizeof *both);
    memcpy(both, x, n * CLASSIFIER_FEATURES * sizeof *both);
    memcpy(both + n * CLASSIFIER_FEATURES, y, n * CLASSIFIER_FEATURES * sizeof *both);
    double same = (double)eval_same_side(both, n, n, CLASSIFIER_FEATURES, mine.first, mine.count);
    comm_sum(c, &same, 1);
    free(both);
    return same / (double)(2 * n);
}

// Fakes against real test images; for the floor, as many training images take the fakes' place.
static void find_distributions(figures_t *f, const gathered_t *g)
{
    const comm_t *c = g->comm;
    const float *real = g->target_seen.features, *train = g->train_seen[1].features;
    size_t m = g->test[1].n, d = CLASSIFIER_FEATURES, floor_n = f->n < g->train[1].n ? f->n : g->train[1].n;
    const float *side[] = { g->fake_seen.features, train };
    const size_t count[] = { f->n, floor_n };
    double *const kid[] = { &f->kid.value, &f->kid.floor }, *const fid[] = { &f->fid.value, &f->fid.floor };
    double *const precision[] = { &f->precision.value, &f->precision.floor };
    double *const recall[] = { &f->recall.value, &f->recall.floor };
    double *const nn[] = { &f->one_nn.value, &f->one_nn.floor };
    for (int i = 0; i < 2; i++) {
        *kid[i] = kid_over_ranks(c, side[i], count[i], real, m);
        *fid[i] = eval_fid(side[i], count[i], real, m, d);
        *precision[i] = covered(c, side[i], count[i], real, m);
        *recall[i] = covered(c, real, m, side[i], count[i]);
        *nn[i] = one_nn(c, side[i], real, count[i] < m ? count[i] : m);
    }
    f->kid_domains = kid_over_ranks(c, train, g->train[1].n, g->train_seen[0].features, g->train[0].n);
    double unit = f->kid_domains > 0 ? f->kid_domains
                                     : NAN; // an estimate of few rows, or of domains alike, may be below 0
    f->kid_ratio = (figure_t){ f->kid.value / unit, f->kid.floor / unit };
}

// ---- pixels ---------------------------------------------------------------------------------------------

enum { SWD_IMAGES = 1024, SWD_BLOCK = 16 }; // images of each side at most; directions computed together

// Patches of one level of the first `n` images of a set, of which this rank holds `mine`; complete on every
// rank.
static float *patches(const gathered_t *g, const uint8_t *image, share_t mine, size_t n, int level)
{
    size_t numbers = (size_t)SWD_PATCHES * SWD_NUMBERS;
    int side = g->conf.data.size;
    size_t bytes = 3 * (size_t)side * (size_t)side;
    float *x = alloc(n * numbers, sizeof *x);
    share_t used = { mine.first < n ? mine.first : n, 0 };
    used.count = mine.first + mine.count < n ? mine.count : n - used.first;
    for (size_t i = 0; i < used.count; i++)
        eval_patches(x + (used.first + i) * numbers, image + i * bytes, side, level, used.first + i);
    comm_complete(g->comm, x, used, numbers * sizeof *x);
    eval_normalise_patches(x, n * SWD_PATCHES);
    return x;
}

static double sliced(const comm_t *c, const float *a, const float *b, size_t n, int level)
{
    double distance[SWD_DIRECTIONS];
    share_t blocks = share_of(SWD_DIRECTIONS / SWD_BLOCK, c->rank, c->size);
    for (size_t i = blocks.first; i < blocks.first + blocks.count; i++)
        eval_sliced(distance + i * SWD_BLOCK, a, b, n * SWD_PATCHES, level, (int)i * SWD_BLOCK, SWD_BLOCK);
    comm_complete(c, distance, blocks, SWD_BLOCK * sizeof *distance);
    return eval_mean(distance, SWD_DIRECTIONS);
}

static void find_sliced(figures_t *f, const gathered_t *g)
{
    size_t n = SWD_IMAGES;
    const size_t least[] = { f->n, g->test[1].n, g->train[1].n };
    for (int i = 0; i < 3; i++) n = n < least[i] ? n : least[i];
    f->levels = eval_levels(g->conf.data.size);
    for (int l = 0; l < f->levels; l++) {
        float *fake = patches(g, g->fake, g->test_rows[0].mine, n, l);
        float *real = patches(g, g->test_rows[1].image, g->test_rows[1].mine, n, l);
        float *train = patches(g, g->train_rows[1].image, g->train_rows[1].mine, n, l);
        f->swd[l] = (figure_t){ sliced(g->comm, fake, real, n, l), sliced(g->comm, train, real, n, l) };
        f->swd_mean.value += f->swd[l].value / f->levels;
        f->swd_mean.floor += f->swd[l].floor / f->levels;
        free(train);
        free(real);
        free(fake);
    }
}

static double pixel_distance(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;
    uint32_t sum = 0; // of at most 3 * 1024^2 bytes
    for (size_t i = 0; i < n; i++) sum += (uint32_t)abs(x[i] - y[i]);
    return sum / (255.0 * (double)n);
}

static double feature_distance(const void *a, const void *b, size_t n)
{
    const float *x = a, *y = b;
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)(x[i] - y[i]) * (double)(x[i] - y[i]);
    return sqrt(sum / (double)n);
}

// Mean distance of fakes to partners, of both to the nearest of the training rows that this rank holds, then
// of all.
static distances_t distances(const gathered_t *g, double (*distance)(const void *, const void *, size_t),
                             size_t n, size_t numbers, size_t bytes, const char *fake, const char *real,
                             const char *train)
{
    double *x = alloc(3 * n, sizeof *x), *nearest = x + n, *partner_nearest = x + 2 * n;
    for (size_t i = 0; i < n; i++) {
        x[i] = distance(fake + i * bytes, real + i * bytes, numbers);
        nearest[i] = partner_nearest[i] = -INFINITY; // of -distance
        for (size_t j = 0; j < g->train_rows[1].mine.count; j++) {
            nearest[i] = fmax(nearest[i], -distance(fake + i * bytes, train + j * bytes, numbers));
            partner_nearest[i] =
                fmax(partner_nearest[i], -distance(real + i * bytes, train + j * bytes, numbers));
        }
    }
    comm_max(g->comm, nearest, 2 * n);
    distances_t d = { eval_mean(x, n), -eval_mean(nearest, n), -eval_mean(partner_nearest, n) };
    free(x);
    return d;
}

static void find_distances(figures_t *f, const gathered_t *g)
{
    size_t n = f->n, bytes = numel(g->f.x->dim);
    uint8_t *fake = alloc(n, bytes), *real = alloc(n, bytes);
    share_t mine = g->test_rows[0].mine;
    memcpy(fake + mine.first * bytes, g->fake, mine.count * bytes);
    memcpy(real + mine.first * bytes, g->test_rows[1].image, mine.count * bytes);
    comm_complete(g->comm, fake, mine, bytes);
    comm_complete(g->comm, real, mine, bytes);
    f->pixel = distances(g, pixel_distance, n, bytes, bytes, (char *)fake, (char *)real,
                         (char *)g->train_rows[1].image);
    free(real);
    free(fake);
    if (!f->has_judge) return;
    size_t d = CLASSIFIER_FEATURES;
    const float *train = g->train_seen[1].features + g->train_rows[1].mine.first * d;
    f->feature = distances(g, feature_distance, n, d, d * sizeof(float), (const char *)g->fake_seen.features,
                           (const char *)g->target_seen.features, (const char *)train);
}

static bool has_like_row_before(const gathered_t *g, const rows_t *r, size_t row)
{
    for (size_t other = 0; other < row; other++) {
        int k = 0;
        while (k < g->n_labels && r->label[(size_t)k * r->n + row] == r->label[(size_t)k * r->n + other]) k++;
        if (k == g->n_labels) return true;
    }
    return false;
}

// Whether row i of one test split is the partner of row i of the other: where all labels are known and agree,
// and tell people apart.  Where rows merely stand class by class or in turns, as those of packed folders do,
// few labels agree without rows being partners.
static bool is_paired(const gathered_t *g)
{
    const rows_t *s = &g->test_rows[0], *t = &g->test_rows[1];
    size_t people = 0;
    if (s->n != t->n) return false;
    for (size_t i = 0; i < s->n * (size_t)g->n_labels; i++)
        if (s->label[i] < 0 || s->label[i] != t->label[i]) return false;
    for (size_t i = 0; i < s->n; i++) people += !has_like_row_before(g, s, i);
    return people > s->n / 4;
}

void figures_find(figures_t *f, const gathered_t *g)
{
    *f = (figures_t){ .n = g->test[0].n,
                      .has_attention = g->f.z.centres != NULL,
                      .has_judge = g->has_judge,
                      .is_paired = is_paired(g) };
    for (int d = 0; d < DOMAINS && f->has_attention; d++) find_regions(&f->domain[d], g, d);
    find_told(f, g);
    if (f->has_judge) {
        find_kept(f, g);
        find_distributions(f, g);
    }
    find_sliced(f, g);
    if (f->is_paired) find_distances(f, g);
}
