// dagan_mpi evaluate CKPT.h5 [--classifier CKPT.h5] [--data FILE.h5] [--output FILE.json] [--arrays FILE.h5]

#include "dagan/evaluate.h"
#include "command.h"

static int run(const comm_t *c, int argc, char **argv)
{
    char *word[WORDS_MAX];
    evaluate_t e = { 0 };
    option_t o[] = { { .name = "--classifier", .value = &e.classifier },
                     { .name = "--data", .value = &e.data },
                     { .name = "--output", .value = &e.output },
                     { .name = "--arrays", .value = &e.arrays } };
    int n = options(argc, argv, o, 4, word);
    int bad = one_word(n, word, "one checkpoint");
    if (comm_agree(c, bad, error_text())) return EXIT_USER;
    e.checkpoint = word[0];
    return evaluate(c, &e);
}

const command_t command_evaluate = {
    "evaluate",
    "evaluate CKPT.h5 [--classifier CKPT.h5] [--data FILE.h5]\n"
    "                     [--output FILE.json] [--arrays FILE.h5]",
    "figures on test images, as a table and JSON; those of features need a classifier trained by "
    "configs/classifier-*.yaml",
    run,
    "      --data       the same groups of another file\n"
    "      --arrays     what others need to compute the figures again\n",
};
