// What can be trained: the kinds that `model.kind` can name, and what the objectives of all kinds have in
// common.

#include <stdlib.h>
#include <string.h>

#include "dagan/train.h"

#define X(name) extern const kind_t name;
#include "registry/kind.h"
#undef X

#define X(name) &name,
static const kind_t *const kinds[] = {
#include "registry/kind.h"
    NULL
};
#undef X

const kind_t *kind_of(const config_t *conf)
{
    for (int i = 0; kinds[i]; i++)
        if (strcmp(kinds[i]->name, conf->model.kind) == 0) return kinds[i];
    return NULL;
}

static bool has_loss_in(const config_t *conf, int step)
{
    for (int i = 0; losses[i]; i++)
        if (losses[i]->steps & step && kind_has_loss(conf, losses[i])) return true;
    return false;
}

// D's features are a distance only where a loss of D teaches them, another network's where there is one.
static int check_distance(const config_t *conf)
{
    const struct {
        const char *loss, *of_d;
        double weight, weight_d;
    } used[] = { { "cst", "gan_s", conf->loss.weights.cst, conf->loss.weights.gan_s },
                 { "sym", "gan_t", conf->loss.weights.sym, conf->loss.weights.gan_t } };
    if (kind_has_loss_net(conf) && strcmp(conf->loss.classifier, "none") == 0)
        return fail("loss.classifier: found none, wanted the network of loss.distance classifier, in HDF5");
    if (conf->loss.distance != DISTANCE_DISCRIMINATOR || !kind_takes(conf, STEP_D)) return 0;
    for (int i = 0; i < 2; i++)
        if (used[i].weight > 0 && used[i].weight_d <= 0)
            return fail(
                "loss.distance: found discriminator with loss.weights.%s %g and loss.weights.%s 0, wanted "
                "both above 0, or another distance",
                used[i].loss, used[i].weight, used[i].of_d);
    return 0;
}

int kind_check(const config_t *conf)
{
    if (!kind_of(conf))
        return fail("model.kind: found '%s', which no file of src/train/ defines", conf->model.kind);
    if (kind_takes(conf, STEP_G) && !has_loss_in(conf, STEP_G))
        return fail("loss.weights: found 0 for all that a %s learns by, wanted one above 0",
                    conf->model.kind);
    // Other losses of such steps only hold regions in check.
    if (kind_takes(conf, STEP_LABEL) && conf->loss.weights.label == 0)
        return fail("loss.weights.label: found 0 for steps on labels alone, wanted more");
    if (kind_of(conf)->bit == KIND_CLASSIFIER && conf->attention.grid.given > 1)
        return fail("attention.grid: found %d, wanted one for all regions of a classifier",
                    conf->attention.grid.given);
    if (conf->model.spectral && strcmp(conf->model.norm_d, "none"))
        return fail(
            "model.norm.d: found %s with model.spectral true, wanted none: a norm undoes what it does",
            conf->model.norm_d);
    return check_distance(conf) ? -1 : net_check(conf);
}

int kind_translates(const config_t *conf, const char *path)
{
    return kind_of(conf)->translator ? 0 : fail("%s: a %s translates nothing", path, conf->model.kind);
}

bool kind_takes(const config_t *conf, int step)
{
    int steps = kind_of(conf)->steps;
    bool warms_up = conf->train.label_warmup > 0 || !(steps & STEP_G); // a classifier does nothing else
    if (step == STEP_LABEL) return steps & step && warms_up;
    if (step == STEP_LABEL_D) return steps & step && warms_up && conf->loss.weights.label_d > 0;
    return steps & step;
}

bool kind_has_loss(const config_t *conf, const loss_t *loss)
{
    const kind_t *kind = kind_of(conf);
    return loss->kinds & kind->bit && loss->steps & kind->steps && loss->weight(conf) > 0;
}

static bool has_loss_named(const config_t *conf, const char *name)
{
    for (int i = 0; losses[i]; i++)
        if (strcmp(losses[i]->name, name) == 0) return kind_has_loss(conf, losses[i]);
    return false;
}

bool kind_tells_labels(const config_t *conf)
{
    return has_loss_named(conf, "label");
}

bool kind_has_loss_net(const config_t *conf)
{
    return conf->loss.distance == DISTANCE_CLASSIFIER &&
           (has_loss_named(conf, "cst") || has_loss_named(conf, "sym"));
}

// DiffAugment of what a discriminator sees; never of what DAE's consistency sees.
var_t objective_seen(objective_t *o, var_t x, const char *name)
{
    const config_t *conf = o->wires.conf;
    if (!conf->train.augment_colour && !conf->train.augment_shift && !conf->train.augment_cutout) return x;
    var_t how = tape_input(&o->tape, name, (shape_t){ x->dim.n, 1, 1, AUGMENT_NUMBERS });
    CHECK(o->n_augment < AUGMENTS, "more than %d images that discriminators see", AUGMENTS);
    o->augment[o->n_augment++] = how;
    return augment(x, how);
}

void objective_tell(const scope_t *d, var_t real, var_t fake, disc_t *of_real, disc_t *of_fake)
{
    int n = real->dim.n;
    disc_t both = discriminator(d, stack(2, (var_t[]){ real, fake }));
    *of_real =
        (disc_t){ rows(both.fine, 0, n), rows(both.features, 0, n), rows(both.score, 0, n), both.averages };
    *of_fake =
        (disc_t){ rows(both.fine, n, n), rows(both.features, n, n), rows(both.score, n, n), both.averages };
}

void objective_name_scores(wires_t *w)
{
    if (w->d1_fs.score) tape_name(w->d1_fs.score, "d1_fake", false);
    if (w->d2_ft.score) tape_name(w->d2_ft.score, "d2_fake", false);
    if (w->d1_t.score) tape_name(w->d1_t.score, "d1_real", false);
    if (w->d2_t.score) tape_name(w->d2_t.score, "d2_real", false);
}

static void add_terms(objective_t *o, int step)
{
    float weight[OBJECTIVE_TERMS_MAX];
    for (int i = 0; losses[i]; i++) {
        if (!(losses[i]->steps & step) || !kind_has_loss(o->wires.conf, losses[i])) continue;
        CHECK(o->n_terms < OBJECTIVE_TERMS_MAX, "more than %d losses", OBJECTIVE_TERMS_MAX);
        weight[o->n_terms] = (float)losses[i]->weight(o->wires.conf);
        o->term[o->n_terms] = losses[i];
        o->value[o->n_terms++] = tape_name(losses[i]->build(&o->tape, &o->wires), losses[i]->name, true);
    }
    o->total = tape_name(weighted_sum(&o->tape, o->n_terms, o->value, weight), "total", true);
}

void objective_build(objective_t *o, model_t *m, int step, int n)
{
    const config_t *conf = m->conf;
    *o = (objective_t){ .step = step, .n = n, .wires.conf = conf };
    o->tape.name = step & STEPS_OF_D ? "D" : step == STEP_G ? "F" : "labels";
    o->x = tape_input(&o->tape, "x", (shape_t){ 2 * n, conf->data.size, conf->data.size, 3 });
    bool tells = !(step & STEPS_OF_D) || conf->loss.weights.label_d > 0;
    for (int i = 0; i < conf->n_labels && tells; i++)
        o->wires.label[i] = tape_input(&o->tape, conf->labels[i].name, (shape_t){ 2 * n, 1, 1, 1 });
    kind_of(conf)->build(o, m);
    add_terms(o, step);
}

void objective_free(objective_t *o)
{
    tape_free(&o->tape);
    free(o->departure);
    *o = (objective_t){ 0 };
}

void translator_build(translator_t *tr, model_t *m, int n)
{
    int size = m->conf->data.size;
    *tr = (translator_t){ .tape.name = "samples" };
    if (!kind_of(m->conf)->translator) return;
    tr->x = tape_input(&tr->tape, "x", (shape_t){ n, size, size, 3 });
    kind_of(m->conf)->translator(tr, m);
}

int translator_regions(const translator_t *tr)
{
    return tr->z.centres ? tr->z.centres->dim.w : 0;
}

void translator_free(translator_t *tr)
{
    tape_free(&tr->tape);
}
