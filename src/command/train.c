// dagan_mpi [train] CONFIG.yaml

#include <stdlib.h>

#include "command.h"

static int run(const comm_t *c, int argc, char **argv)
{
    char *word[WORDS_MAX], *sets[WORDS_MAX];
    int n_sets = 0;
    bool profile = false;
    train_t how = { 0 };
    option_t o[] = { { .name = "--set", .list = sets, .count = &n_sets },
                     { .name = "--fresh", .flag = &how.fresh },
                     { .name = "--profile", .flag = &profile },
                     { .name = "--resume", .value = &how.resume },
                     { .name = "--dump-step", .value = &how.dump } };
    int n = options(argc, argv, o, 5, word);
    int bad = one_word(n, word, "one configuration file");
    if (!bad && how.fresh && how.resume) bad = fail("--fresh and --resume exclude each other");
    if (!bad && how.fresh && how.dump)
        bad = fail(
            "--fresh and --dump-step exclude each other: a step is of the run as it stands, or of --resume");
    if (comm_agree(c, bad, error_text())) return EXIT_USER;

    config_t *conf = alloc(1, sizeof *conf);
    int status = EXIT_USER;
    if (load_config(c, conf, word[0], sets, n_sets) == 0) {
        conf->log.profile |= profile;
        comm_t ranks = *c;
        ranks.timeout = conf->comm.timeout;
        status = train_run(&ranks, conf, &how);
    }
    free(conf);
    return status;
}

const command_t command_train = {
    "train",
    "[train] CONFIG.yaml [--set KEY=VALUE]... [--fresh | --resume FILE] [--profile]\n"
    "                  [--dump-step FILE.h5]",
    "trains; continues by itself where the run directory holds a checkpoint",
    run,
    "      --fresh      begins anew; the old run moves to DIR.1\n"
    "      --resume     goes on from that checkpoint, also of another run\n"
    "      --profile    writes trace.json for Perfetto\n"
    "      --dump-step  trains nothing: writes all numbers of one step, to be computed by others\n",
};
