// dagan_mpi check CONFIG.yaml: the plan of a run, in numbers; touches nothing.

#include <stdio.h>
#include <stdlib.h>

#include "plan.h"

static double mib(double bytes)
{
    return bytes / 1048576;
}

static void print(const dry_t *d, const config_t *conf, int ranks)
{
    const params_t *f = &d->model.f, *dd = &d->model.d;
    double n = (double)(f->n + dd->n), float_bytes = sizeof(float);
    const objective_t *const o[] = { &d->g, &d->label, &d->d, &d->label_d };
    size_t tapes = objectives_bytes(o, d->at_once);
    int levels = 0;
    for (int l = d->plan.my_leaves; l % 2 == 0; l /= 2) levels++;
    // Of the image pool, for each pair of the step.
    double pool = 2.0 * image_pool_depth(conf, &d->plan) * conf->data.size * conf->data.size * 3;
    bool has_attention = d->g.wires.z.centres != NULL;
    // Of a pair: two fakes for D, and as bytes the batch, that of D's pending step and the rows under way.
    double images = 2.0 * conf->data.size * conf->data.size * 3 * (float_bytes + 3);
    // Weights, gradients, two moments, averages, gradients and partial sums of leaves and the reduction's
    // scratch.
    double per_rank = (n * (4 + d->at_once + levels) + n / 2 + (double)d->model.loss_net.n) * float_bytes +
                      (double)tapes +
                      (pool * float_bytes + images) * d->plan.my_leaves * conf->train.microbatch +
                      (has_attention ? (double)attention_visits_bytes(conf, &d->plan) : 0);
    // Backward takes about twice forward: once for data, once for weights.
    const tape_t *first = d->g.n ? &d->g.tape : &d->label.tape;
    double flops = 3 * (tape_flops(first) + tape_flops(&d->d.tape)) * d->plan.leaves;
    for (int s = 0; s < 2; s++) {
        const params_t *p = s ? dd : f;
        for (int i = 0; i < p->n_nets; i++)
            printf("parameters of %-4s     %zu\n", p->net[i].name, p->net[i].end - p->net[i].first);
    }
    if (d->model.loss_net.n)
        printf("%-22s %zu, frozen\n", d->model.loss_net_conf ? "network of d" : "VGG16 of d",
               d->model.loss_net.n);
    if (d->guess[0]) printf("counted for            %s\n", d->guess);
    printf("ranks                  %d\n", ranks);
    printf("pairs per step         %d in %d leaves of %d%s\n", d->plan.batch, d->plan.leaves,
           conf->train.microbatch, d->plan.grown ? " (grown for this number of ranks)" : "");
    printf("steps                  %ld", d->plan.steps);
    if (d->label.n && d->g.n)
        printf(", the first %ld on labels alone%s", d->plan.label_warmup,
               d->plan.label_warmup < d->plan.steps ? "" : ": G learns nothing");
    printf("\nsame bits on 1, 2, 4.. %s%s\n", d->plan.is_invariant ? "yes" : "no",
           d->plan.is_invariant && d->plan.grown ? ", of this batch" : "");
    printf("memory per rank        %.1f MiB, of it %.1f for the tapes, plus the rank's share of the data\n",
           mib(per_rank), mib((double)tapes));
    printf("work per step          %.2f GFLOP over all ranks, counted as direct convolution\n", flops / 1e9);
    printf("reduced per step       %.2f MiB\n", mib(n * float_bytes));
    printf("checkpoint             %.2f MiB and 8 + %d bytes per image\n",
           mib((3 * n + (double)f->n + pool * d->plan.batch) * float_bytes),
           has_attention ? 8 * conf->attention.regions : 0);
    printf("run directory          %s\n", conf->run.dir);
}

// What a run would refuse of its training images without a look at their rows.
static int check_data(const comm_t *c, const config_t *conf, const plan_run_t *plan)
{
    const domain_conf_t *where[] = { &conf->data.source, &conf->data.target };
    dataset_t d[2] = { 0 };
    int bad = 0, n = conf->n_labels;
    for (int i = 0; i < 2 && !bad; i++)
        bad = dataset_look(&d[i], c, where[i], "train", conf->data.size, conf->labels, n);
    if (!bad) bad = trainer_check_data(conf, plan, &d[0], &d[1]);
    for (int i = 0; i < 2; i++) dataset_close(&d[i]);
    return comm_agree(c, bad, error_text()) ? -1 : 0;
}

static int run(const comm_t *c, int argc, char **argv)
{
    config_t *conf = dry_config(c, argc, argv);
    if (!conf) return EXIT_USER;
    dry_t dry;
    bool failed = dry_build(&dry, c, conf) != 0;
    if (!failed && c->rank == 0) print(&dry, conf, c->size);
    if (!failed) failed = check_data(c, conf, &dry.plan) != 0;
    dry_free(&dry);
    free(conf);
    return failed ? EXIT_USER : EXIT_DONE;
}

const command_t command_check = {
    "check", "check CONFIG.yaml [--set KEY=VALUE]...",
    "validates, prints the plan of the run for this number of ranks, looks at its data, touches nothing", run,
    NULL
};
