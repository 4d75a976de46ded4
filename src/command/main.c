// dagan_mpi COMMAND ...: finds the command, starts and ends MPI.

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "dagan/kernel.h"

static const command_t *const commands[] = { &command_train,     &command_check,    &command_graph,
                                             &command_translate, &command_evaluate, &command_pack };
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void help_of(const command_t *command)
{
    printf("  dagan_mpi %s\n      %s\n", command->usage, command->help);
}

static void all_help_of(const command_t *command)
{
    help_of(command);
    if (command->options) fputs(command->options, stdout);
}

static void help(void)
{
    printf("dagan_mpi %s: trains DA-GAN, unpaired image translation with attention, on MPI ranks\n\n",
           DAGAN_VERSION);
    for (int i = 0; i < N_COMMANDS; i++) help_of(commands[i]);
    printf("  dagan_mpi --help [config | COMMAND] | --version\n      `--help config` lists every key of the "
           "configuration, --help COMMAND its options\n\n"
           "Run it under mpirun or srun, a rank for each core:  mpirun -np 4 dagan_mpi configs/faces.yaml\n"
           "Exit status: 0 done, 1 mistake in what was asked for, 2 the run failed, 75 stopped after a "
           "checkpoint.\n");
}

static const command_t *find(const char *name)
{
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
    return NULL;
}

static bool is(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

static int help_on(const comm_t *c, const char *topic)
{
    const command_t *command = topic ? find(topic) : NULL;
    bool is_config = topic && strcmp(topic, "config") == 0;
    if (topic && !command && !is_config) {
        comm_agree(c, fail("--help: found %s, wanted config or a command", topic), error_text());
        return EXIT_USER;
    }
    if (c->rank == 0) command ? all_help_of(command) : is_config ? config_help() : help();
    return EXIT_DONE;
}

static int run(const comm_t *c, int argc, char **argv)
{
    if (argc < 2) {
        comm_agree(c, true, "what to do is missing: dagan_mpi CONFIG.yaml, or dagan_mpi --help");
        return EXIT_USER;
    }
    if (is(argv[1], "--help", "-h")) return help_on(c, argc > 2 ? argv[2] : NULL);
    if (is(argv[1], "--version", "-V")) {
        if (c->rank == 0) printf("dagan_mpi %s\n", DAGAN_VERSION);
        return EXIT_DONE;
    }
    const command_t *command = find(argv[1]);
    if (command && argc > 2 && is(argv[argc - 1], "--help", "-h")) {
        if (c->rank == 0) all_help_of(command);
        return EXIT_DONE;
    }
    if (command) return command->run(c, argc - 2, argv + 2);
    return command_train.run(c, argc - 1, argv + 1); // dagan_mpi CONFIG.yaml
}

int main(int argc, char **argv)
{
    int status;
    if (hdf5_is_child(argc, argv, &status)) return status;
    // A file that must not grow (ulimit -f) is like a full disk: writing fails, and that is told.
    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR, "cannot ignore SIGXFSZ");
    comm_t c;
    comm_init(&c, &argc, &argv);
    status = EXIT_USER;
    if (!comm_agree(&c, kernel_init(), error_text())) {
        comm_agree_kernels(&c);
        status = run(&c, argc, argv);
    }
    comm_free(&c);
    return status;
}
