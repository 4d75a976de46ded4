// The kind `classifier`: labels told from whole images, s and t alike, and nothing else.

#include "dagan/train.h"

static void heads(var_t logits[], const scope_t *s, var_t features, const model_t *m)
{
    for (int i = 0; i < m->conf->n_labels; i++)
        logits[i] = head(s, features, m->conf->labels[i].name, m->n_classes[i]);
}

static void build(objective_t *o, model_t *m)
{
    wires_t *w = &o->wires;
    w->s = rows(o->x, 0, o->n);
    w->t = rows(o->x, o->n, o->n);
    scope_t s = scope_new(&o->tape, &m->f, w->conf, "cls", w->conf->model.norm_dae);
    heads(w->logits, &s, classifier(&s, objective_seen(o, o->x, "augment")), m);
}

void judge_build(judge_t *j, model_t *m, int n)
{
    int size = m->conf->data.size;
    *j = (judge_t){ .tape.name = "classifier" };
    j->x = tape_input(&j->tape, "x", (shape_t){ n, size, size, 3 });
    scope_t s = scope_new(&j->tape, &m->f, m->conf, "cls", m->conf->model.norm_dae);
    s.frozen = s.averaged = true;
    j->features = tape_name(classifier(&s, j->x), "features", true);
    heads(j->logits, &s, j->features, m);
    for (int i = 0; i < m->conf->n_labels; i++) tape_name(j->logits[i], m->conf->labels[i].name, true);
}

void judge_free(judge_t *j)
{
    tape_free(&j->tape);
}

const kind_t kind_classifier = { "classifier", KIND_CLASSIFIER, STEP_LABEL, build, NULL };
