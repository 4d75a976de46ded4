// What the objectives of all kinds are built with, and the tapes of a model built by its kind.

#include <stdlib.h>

#include "dagan/train.h"

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

void model_build(model_t *m, objective_t *g, objective_t *label, objective_t *d, objective_t *label_d)
{
    objective_t *const o[] = { g, label, d, label_d };
    const int step[] = { STEP_G, STEP_LABEL, STEP_D, STEP_LABEL_D };
    for (int i = 0; i < 4; i++)
        if (kind_takes(m->conf, step[i])) objective_build(o[i], m, step[i], m->conf->train.microbatch);
}

void objective_plan(objective_t *o, int at_once)
{
    o->tape.threads = at_once > 1 ? 1 : 0;
    tape_plan(&o->tape, o->total);
}

size_t objectives_bytes(const objective_t *const o[4], int at_once)
{
    size_t bytes = 0;
    for (int i = 0; i < 4; i++)
        bytes += tape_bytes(&o[i]->tape) + (size_t)(at_once - 1) * o[i]->tape.arena_floats * sizeof(float);
    return bytes;
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
