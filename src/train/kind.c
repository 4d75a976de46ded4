// What can be trained: the kinds that `model.kind` can name, and the steps and losses that a configuration
// makes of one.

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

static int check_best(const config_t *conf)
{
    bool is_fid = conf->checkpoint.best == BEST_FID;
    int rows = is_fid ? BEST_FID_ROWS_MIN : BEST_ROWS_MIN;
    if (conf->checkpoint.best == BEST_NONE) return 0;
    if (!kind_of(conf)->translator)
        return fail("checkpoint.best: found a figure of translations, wanted none: a %s makes none",
                    conf->model.kind);
    if (conf->data.validation < rows)
        return fail("data.validation: found %d, wanted at least %d rows for checkpoint.best %s",
                    conf->data.validation, rows, is_fid ? "fid" : "kid");
    if (strcmp(conf->checkpoint.classifier, "none") == 0)
        return fail(
            "checkpoint.classifier: found none, wanted the checkpoint of a classifier for checkpoint.best");
    return 0;
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
    char names[256] = "";
    bool has_kind = kind_of(conf) != NULL;
    for (int i = 0; !has_kind && kinds[i]; i++) add_word(names, sizeof names, kinds[i]->name);
    if (!has_kind) return fail("model.kind: found %s, wanted one of%s", conf->model.kind, names);
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
    return check_distance(conf) || check_best(conf) ? -1 : net_check(conf);
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
