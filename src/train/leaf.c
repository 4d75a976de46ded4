// What a leaf's tape is given to work on: images, displaced by data.shift, labels, numbers for DiffAugment,
// jitter.
//
// All of it is a function of the step and of the place in the batch, so a leaf can be run again.

#include "leaf.h"

#include <stdio.h>
#include <string.h>

uint64_t leaf_seed(const trainer_t *tr)
{
    return (uint64_t)tr->conf->run.seed + (uint64_t)tr->rollbacks * 0x9e3779b97f4a7c15u;
}

static void fill_labels(objective_t *o, const int16_t *of_s, const int16_t *of_t, int first)
{
    int n_labels = o->wires.conf->n_labels;
    for (int k = 0; k < n_labels && o->wires.label[k]; k++)
        for (int i = 0; i < o->n; i++) {
            o->wires.label[k]->x[i] = of_s[(first + i) * n_labels + k];
            o->wires.label[k]->x[o->n + i] = of_t[(first + i) * n_labels + k];
        }
}

// D's gradients may be looked at again when the next step has begun.
static long step_of(const trainer_t *tr, const objective_t *o)
{
    return o->step & STEPS_OF_D ? tr->pending.step : tr->step;
}

// Place in the whole batch of image i of a leaf, so that ranks do not matter.
static uint64_t sample_of(const trainer_t *tr, const objective_t *o, int leaf, int i)
{
    return (uint64_t)((tr->plan.first_leaf + leaf) * o->n + i);
}

void leaf_shift(const trainer_t *tr, const objective_t *o, int leaf, int domain, int i, int by[2])
{
    int most = tr->conf->data.shift;
    rng_t r = rng_at(leaf_seed(tr), STREAM_SHIFT, (uint64_t)step_of(tr, o),
                     sample_of(tr, o, leaf, i) * 2 + (uint64_t)domain);
    for (int k = 0; k < 2; k++) by[k] = (int)rng_below(&r, (uint32_t)(2 * most + 1)) - most;
}

// The edge is repeated where nothing of the image came to lie.
static void displace_row(float *out, const uint8_t *in, int width, int by)
{
    int first = by > 0 ? by : 0, end = by < 0 ? width + by : width;
    pixels_to_float(out + 3 * first, in + 3 * (first - by), 3 * (size_t)(end - first));
    for (int x = first - 1; x >= 0; x--) memcpy(out + 3 * x, out + 3 * first, 3 * sizeof(float));
    for (int x = end; x < width; x++) memcpy(out + 3 * x, out + 3 * (end - 1), 3 * sizeof(float));
}

static void displace(float *out, const uint8_t *in, int height, int width, const int by[2])
{
    for (int y = 0; y < height; y++) {
        int from = y - by[1], row = from < 0 ? 0 : from < height ? from : height - 1;
        displace_row(out + 3 * y * width, in + 3 * row * width, width, by[0]);
    }
}

// `batch` holds the domain's images of all leaves of this rank.
static void fill_domain(const trainer_t *tr, const objective_t *o, float *out, const uint8_t *batch, int leaf,
                        int domain)
{
    shape_t dim = o->x->dim;
    size_t image = 3 * (size_t)dim.h * (size_t)dim.w;
    for (int i = 0; i < o->n; i++) {
        int by[2];
        leaf_shift(tr, o, leaf, domain, i, by);
        displace(out + (size_t)i * image, batch + (size_t)(leaf * o->n + i) * image, dim.h, dim.w, by);
    }
}

static void fill_images(trainer_t *tr, objective_t *o, int leaf)
{
    const batch_t *b = tr->batch;
    bool is_d = o->step & STEPS_OF_D;
    size_t half = numel(o->x->dim) / 2;
    fill_domain(tr, o, o->x->x, is_d ? tr->pending.reals[0] : b->image_s, leaf, 0);
    fill_domain(tr, o, o->x->x + half, is_d ? tr->pending.reals[1] : b->image_t, leaf, 1);
}

static void fill_fakes(trainer_t *tr, objective_t *o, int leaf)
{
    size_t images = numel(o->wires.t->dim);
    memcpy(o->x->x, tr->pending.fakes + 2 * (size_t)leaf * images, 2 * images * sizeof(float));
    fill_domain(tr, o, o->wires.t->x, tr->pending.reals[1], leaf, 1);
    if (o->wires.s) fill_domain(tr, o, o->wires.s->x, tr->pending.reals[0], leaf, 0);
}

// Every image that a discriminator sees gets numbers of its own, by step, sample of the batch and place.
static void fill_augmentation(const trainer_t *tr, objective_t *o, int leaf)
{
    const config_t *conf = tr->conf;
    long step = step_of(tr, o);
    for (int k = 0; k < o->n_augment; k++)
        for (int i = 0; i < o->augment[k]->dim.n; i++) {
            uint64_t place = (uint64_t)(k + i / o->n); // of s, then of t, where both stand in one batch
            rng_t r = rng_at(leaf_seed(tr), STREAM_AUGMENT, (uint64_t)step,
                             (sample_of(tr, o, leaf, i % o->n) * AUGMENTS + place) * 8 + (uint64_t)o->step);
            augment_draw(o->augment[k]->x + i * AUGMENT_NUMBERS, &r, conf->data.size,
                         conf->train.augment_colour, conf->train.augment_shift, conf->train.augment_cutout);
        }
}

// In pixels, evenly within attention.jitter of each region's half-sides.
static void fill_jitter(const trainer_t *tr, objective_t *o, int leaf)
{
    const config_t *conf = tr->conf;
    for (int i = 0; o->jitter && i < o->jitter->dim.n; i++) {
        rng_t r = rng_at(leaf_seed(tr), STREAM_JITTER, (uint64_t)step_of(tr, o),
                         sample_of(tr, o, leaf, i % o->n) * 2 + (uint64_t)(i / o->n));
        float *to = o->jitter->x + 2 * i * conf->attention.regions;
        for (int k = 0; k < 2 * conf->attention.regions; k++)
            to[k] = (float)(conf->attention.jitter * conf->attention.half.side[k / 2][k % 2]) *
                    (2 * rng_uniform(&r) - 1);
    }
}

void leaf_fill(trainer_t *tr, objective_t *o, int leaf)
{
    int first = leaf * o->n;
    if (o->step == STEP_D)
        fill_fakes(tr, o, leaf);
    else
        fill_images(tr, o, leaf);
    if (o->step & STEPS_OF_D)
        fill_labels(o, tr->pending.labels[0], tr->pending.labels[1], first);
    else
        fill_labels(o, tr->batch->label_s, tr->batch->label_t, first);
    fill_augmentation(tr, o, leaf);
    fill_jitter(tr, o, leaf);
    if (tr->observer.filled) tr->observer.filled(tr->observer.arg, tr, o, leaf);
}

void leaf_text(char *text, size_t size, const trainer_t *tr, const objective_t *o, int leaf)
{
    size_t at = 0;
    for (int d = 0; d < 2; d++) {
        const size_t *row = o->step & STEPS_OF_D ? tr->pending.rows + d * tr->plan.my_leaves * o->n
                            : d                  ? tr->batch->row_t
                                                 : tr->batch->row_s;
        at += (size_t)snprintf(text + at, size - at, "%s rows", d ? ", target" : "source");
        for (int i = 0; i < o->n && at < size; i++)
            at += (size_t)snprintf(text + at, size - at, " %zu", row[leaf * o->n + i]);
        if (at >= size) return;
    }
}
