// A command line, a word a line: up to what a command would then do, which is left out.
#include "fuzz.h"

#define main dagan_main
#include "../../src/command/main.c"
#undef main

#include "../../src/command/plan.h"

enum { ARGS_MAX = 300 };

// The linker puts these in the place of what they are named after (--wrap).
int __wrap_train_run(const comm_t *c, const config_t *conf, const train_t *how);
int __wrap_translate(const comm_t *c, const translate_t *what);
int __wrap_pack(const comm_t *c, const pack_t *p);
int __wrap_dry_build(dry_t *dry, const comm_t *c, const config_t *conf);

int __wrap_train_run(const comm_t *c, const config_t *conf, const train_t *how)
{
    CHECK(c->size == 1 && conf->train.batch > 0 && !(how->fresh && how->resume), "train without arguments");
    return how->dump && !how->dump[0] ? EXIT_USER : EXIT_DONE;
}

int __wrap_translate(const comm_t *c, const translate_t *what)
{
    CHECK(c->size == 1 && what->checkpoint && what->input && what->output, "translate without arguments");
    return EXIT_DONE;
}

int __wrap_pack(const comm_t *c, const pack_t *p)
{
    CHECK(c->size == 1 && p->output && p->n_inputs > 0 && p->inputs[p->n_inputs - 1] && p->size >= 16,
          "pack without arguments");
    return 0;
}

int __wrap_dry_build(dry_t *dry, const comm_t *c, const config_t *conf)
{
    (void)c;
    *dry = (dry_t){ .model.conf = conf };
    return fail("planned elsewhere");
}

static void begin(void)
{
    static const char yaml[] =
        "data: {source: {file: a.h5, group: a}, target: {file: a.h5, group: b}}\ntrain: {steps: 1}\n";
    input_file("job.yaml", (const uint8_t *)yaml, sizeof yaml - 1);
}

static void try(const uint8_t *data, size_t size)
{
    char *text = input_text(data, size), *argv[ARGS_MAX + 1] = { (char *)"dagan_mpi" };
    int argc = 1;
    for (char *at = text; argc < ARGS_MAX; argc++) {
        char *end = strchr(at, '\n');
        argv[argc] = at;
        if (!end) break;
        *end = 0;
        at = end + 1;
    }
    argc = text[0] ? argc + (argc < ARGS_MAX) : 1;
    argv[argc] = NULL;
    int status = run(&comm, argc, argv);
    CHECK(status == EXIT_DONE || status == EXIT_USER, "status %d", status);
    free(text);
}
