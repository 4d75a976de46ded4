// dagan_mpi graph CONFIG.yaml: the tapes, a line for each node.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

static void inputs_text(char *text, size_t size, const node_t *y)
{
    size_t at = 0;
    text[0] = 0;
    for (int i = 0; i < y->n_in && at < size; i++) {
        const node_t *v = y->in[i];
        if (v->params)
            at += (size_t)snprintf(text + at, size - at, " %s", v->params->view[v->view].name);
        else
            at += (size_t)snprintf(text + at, size - at, " %d", v->index);
    }
}

static double mib(size_t floats)
{
    return (double)floats * sizeof(float) / 1048576;
}

static void print_tape(const char *title, const tape_t *t)
{
    char shape[64], inputs[512], how[64], why[64];
    if (!t->n) return;
    double products = 0;
    for (int i = 0; i < t->n; i++)
        if (t->node[i]->op == &op_conv) products += conv_products(t->node[i]);
    printf("%s: %d nodes, %.3f GFLOP forward, %.3f as its convolutions are computed\n", title, t->n,
           tape_flops(t) / 1e9, products / 1e9);
    printf("memory: %.2f MiB, where values and gradients side by side would take %.2f; prepared weights %.2f "
           "MiB\n",
           mib(t->arena_floats), mib(t->value_floats), mib(t->form_floats));
    printf("%5s  %-15s %-22s %12s %12s  %-14s %-30s %-25s inputs\n", "node", "op", "shape (n, h, w, c)",
           "bytes", "FLOP", "wire", "way, share of products", "by Winograd's method");
    for (int i = 0; i < t->n; i++) {
        const node_t *y = t->node[i];
        if (y->params) continue;
        snprintf(shape, sizeof shape, "(%d, %d, %d, %d)", y->dim.n, y->dim.h, y->dim.w, y->dim.c);
        inputs_text(inputs, sizeof inputs, y);
        how[0] = why[0] = 0;
        if (y->op == &op_conv) {
            conv_kernel_text(how, sizeof how, y);
            conv_why_text(why, sizeof why, y);
        }
        printf("%5d  %-15s %-22s %12zu %12.0f  %-14s %-30s %-25s%s\n", i, y->op->name, shape,
               y->op->is_view ? 0 : numel(y->dim) * sizeof(float), y->op->flops ? y->op->flops(y) : 0.0,
               y->name, how, why, inputs);
    }
    printf("\n");
}

static int run(const comm_t *c, int argc, char **argv)
{
    config_t *conf = dry_config(c, argc, argv);
    if (!conf) return EXIT_USER;
    dry_t dry;
    bool failed = dry_build(&dry, c, conf) != 0;
    if (!failed && c->rank == 0) {
        if (dry.guess[0]) printf("%s\n\n", dry.guess);
        print_tape("warm-up of DAE on labels", &dry.label.tape);
        print_tape("warm-up of D1 on labels", &dry.label_d.tape);
        print_tape("generators, with DAE", &dry.g.tape);
        print_tape("discriminators", &dry.d.tape);
    }
    dry_free(&dry);
    free(conf);
    return failed ? EXIT_USER : EXIT_DONE;
}

const command_t command_graph = { "graph", "graph CONFIG.yaml [--set KEY=VALUE]...",
                                  "prints the tapes of one leaf: names, shapes, bytes, FLOPs", run, NULL };
