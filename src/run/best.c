// The best checkpoint so far by a figure of validation rows: the last rows of both training splits, which are
// never trained on.  best.h5 is a checkpoint like any other, and lies beside the newest ones.
//
// The figure compares F of the source's rows with the target's rows by the features of a trained classifier,
// as `evaluate` does on test images.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "best.h"
#include "dagan/evaluate.h"
#include "dagan/run.h"

struct best {
    config_t conf;
    model_t model;
    judge_t judge;
    uint8_t *source, *fake; // this rank's share of the validation rows, and F of them
    share_t mine;
    size_t n;
    verdict_t real;
};

// This rank's share of a split's held-out rows.
static uint8_t *held_out(dataset_t *d, share_t mine)
{
    size_t bytes = dataset_row_bytes(d), image = 3 * (size_t)d->h * (size_t)d->w;
    uint8_t *x = alloc(mine.count + 1, image);
    char *row = alloc(bytes, 1);
    for (size_t i = 0; i < mine.count; i++) {
        dataset_get(d, d->n - d->held_out + mine.first + i, row);
        memcpy(x + i * image, row, image);
    }
    free(row);
    return x;
}

int best_open(best_t **best, trainer_t *tr)
{
    const config_t *conf = tr->conf;
    const comm_t *c = tr->comm;
    if (conf->checkpoint.best == BEST_NONE) return 0;
    bool is_fid = conf->checkpoint.best == BEST_FID;
    int bad = 0;
    best_t *b = *best = alloc(1, sizeof *b);
    if (judge_config(c, conf->checkpoint.classifier, &b->conf)) return -1;
    if (b->conf.data.size != conf->data.size)
        bad = fail("%s: data.size is %d, wanted %d", conf->checkpoint.classifier, b->conf.data.size,
                   conf->data.size);
    if (comm_agree(c, bad, error_text())) return -1;
    b->model.conf = &b->conf;
    if (checkpoint_heads(c, conf->checkpoint.classifier, "cls", &b->model)) return -1;
    if (judge_load(&b->judge, &b->model, c, conf->checkpoint.classifier)) return -1;
    b->n = (size_t)conf->data.validation;
    b->mine = share_of(b->n, c->rank, c->size);
    b->source = held_out(&tr->source, b->mine);
    uint8_t *target = held_out(&tr->target, b->mine);
    b->fake = alloc(b->mine.count + 1, numel(tr->translator.x->dim));
    verdict_init(&b->real, &b->judge, c, target, b->mine, b->n);
    free(target);
    char hash[HASH_TEXT];
    snprintf(tr->best_by, sizeof tr->best_by, "%s of %zu rows by %s", is_fid ? "fid" : "kid", b->n,
             judge_name(hash, &b->judge));
    return 0;
}

void best_close(best_t *b)
{
    if (!b) return;
    verdict_free(&b->real);
    free(b->fake);
    free(b->source);
    judge_free(&b->judge);
    params_free(&b->model.f);
    free(b);
}

const judge_t *best_judge(const best_t *b)
{
    return &b->judge;
}

static double figure_now(best_t *b, trainer_t *tr)
{
    translator_t *f = &tr->translator;
    size_t bytes = numel(f->x->dim);
    verdict_t fake;
    for (size_t i = 0; i < b->mine.count; i++) {
        pixels_to_float(f->x->x, b->source + i * bytes, bytes);
        tape_forward(&f->tape, 0, f->tape.n);
        pixels_to_byte(b->fake + i * bytes, f->fx->x, bytes);
    }
    verdict_init(&fake, &b->judge, tr->comm, b->fake, b->mine, b->n);
    double x = tr->conf->checkpoint.best == BEST_FID
                   ? eval_fid(fake.features, b->n, b->real.features, b->n, CLASSIFIER_FEATURES)
                   : kid_over_ranks(tr->comm, fake.features, b->n, b->real.features, b->n);
    verdict_free(&fake);
    return x;
}

int best_consider(best_t *b, saving_t *s, trainer_t *tr, const char *dir, double *figure, bool *is_best)
{
    double before = tr->best_figure;
    long step_before = tr->best_step;
    *figure = figure_now(b, tr);
    comm_bcast(tr->comm, figure, sizeof *figure,
               0); // the last bits are LAPACK's, which need not be alike on all processors
    *is_best = false;
    // Not finite is never best, and the first figure always is.
    if (!(*figure < tr->best_figure)) return 0;
    tr->best_figure = *figure;
    tr->best_step = tr->step;
    int bad = checkpoint_write_best(s, tr, dir);
    *is_best = !bad && s->is_kept;
    if (!*is_best) { // the file before is still there, and still the best
        tr->best_figure = before;
        tr->best_step = step_before;
    }
    return bad;
}
