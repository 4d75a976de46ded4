// Builds the tapes of a configuration without reading images.

#include "plan.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

config_t *dry_config(const comm_t *c, int argc, char **argv)
{
    char *word[WORDS_MAX], *sets[WORDS_MAX];
    int n_sets = 0;
    option_t o[] = { { .name = "--set", .list = sets, .count = &n_sets } };
    int n = options(argc, argv, o, 1, word);
    config_t *conf = alloc(1, sizeof *conf);
    int bad = one_word(n, word, "one configuration file");
    if (!comm_agree(c, bad, error_text()) && load_config(c, conf, word[0], sets, n_sets) == 0) return conf;
    free(conf);
    return NULL;
}

// Labels' heads are as wide as the data set has classes, if it is there.
static void find_classes(dry_t *dry, const comm_t *c, const config_t *conf)
{
    int n = conf->n_labels, *n_classes = dry->model.n_classes;
    dataset_t d;
    if (n == 0) return;
    bool failed = dataset_look(&d, c, &conf->data.source, "train", conf->data.size, conf->labels, n) != 0;
    for (int i = 0; i < n; i++) n_classes[i] = failed ? 2 : d.n_classes[i];
    if (failed) snprintf(dry->guess, sizeof dry->guess, "every label with 2 classes: %s", error_text());
    dataset_close(&d);
}

int dry_build(dry_t *dry, const comm_t *c, const config_t *conf)
{
    *dry = (dry_t){ .model.conf = conf };
    int bad = kind_check(conf) || plan_run(&dry->plan, conf, c->rank, c->size, (begun_t){ 0 });
    if (comm_agree(c, bad, error_text()) || loss_net_find(&dry->model, c)) return -1;
    find_classes(dry, c, conf);
    model_build(&dry->model, &dry->g, &dry->label, &dry->d, &dry->label_d);
    params_alloc(&dry->model.f, 0, 0);
    params_alloc(&dry->model.d, 0, 0);
    params_alloc(&dry->model.loss_net, 0, 0);
    objective_t *const o[] = { &dry->g, &dry->label, &dry->d, &dry->label_d };
    dry->at_once = tally_at_once(dry->plan.my_leaves, omp_get_max_threads());
    for (int i = 0; i < 4; i++)
        if (o[i]->n) objective_plan(o[i], dry->at_once);
    return 0;
}

void dry_free(dry_t *dry)
{
    objective_free(&dry->label_d);
    objective_free(&dry->d);
    objective_free(&dry->label);
    objective_free(&dry->g);
    loss_net_free(&dry->model);
    params_free(&dry->model.d);
    params_free(&dry->model.f);
}
