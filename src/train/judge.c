// A trained classifier from its checkpoint.

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "dagan/train.h"

void judge_plan(judge_t *j, model_t *m)
{
    judge_build(j, m, 1);
    j->n_labels = m->conf->n_labels;
    j->n_answers = 0;
    for (int i = 0; i < j->n_labels; i++) {
        j->first[i] = j->n_answers;
        j->n_answers += m->n_classes[i];
    }
    j->first[j->n_labels] = j->n_answers;
}

int judge_config(const comm_t *c, const char *path, config_t *conf)
{
    if (checkpoint_config(c, path, conf)) return -1;
    int bad =
        strcmp(conf->model.kind, "classifier")
            ? fail("%s: model.kind is '%s', wanted a checkpoint of a classifier", path, conf->model.kind)
            : 0;
    return comm_agree(c, bad, error_text()) ? -1 : 0;
}

int judge_load(judge_t *j, model_t *m, const comm_t *c, const char *path)
{
    judge_plan(j, m);
    params_alloc(&m->f, 0, 0);
    tape_plan(&j->tape, NULL);
    long step;
    if (checkpoint_model(c, path, m, &step)) return -1;
    judge_hash(j, m);
    return 0;
}

void judge_hash(judge_t *j, const model_t *m)
{
    j->hash = XXH3_64bits(m->f.ema, m->f.n * sizeof(float));
}

const char *judge_name(char *text, const judge_t *j)
{
    snprintf(text, HASH_TEXT, "%016llx", (unsigned long long)j->hash);
    return text;
}
