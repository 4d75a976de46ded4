// dagan_mpi translate CKPT.h5 --input FILE.h5|DIR --output DIR|FILE.h5

#include "command.h"

static int run(const comm_t *c, int argc, char **argv)
{
    char *word[WORDS_MAX];
    translate_t w = { 0 };
    option_t o[] = { { .name = "--input", .value = &w.input },
                     { .name = "--output", .value = &w.output },
                     { .name = "--group", .value = &w.group },
                     { .name = "--split", .value = &w.split } };
    int n = options(argc, argv, o, 4, word);
    int bad = one_word(n, word, "one checkpoint, and images behind --input");
    if (!bad && !w.input) bad = fail("translate wants --input, an HDF5 file or a folder of pictures");
    if (!bad && !w.output) bad = fail("translate wants --output, a folder or a file ending in .h5");
    if (comm_agree(c, bad, error_text())) return EXIT_USER;
    w.checkpoint = word[0];
    return translate(c, &w);
}

const command_t command_translate = {
    "translate",
    "translate CKPT.h5 --input FILE.h5[:/GROUP/SPLIT]|DIR --output DIR|FILE.h5 [--group NAME] [--split test]",
    "translates a data set or pictures with the averaged weights; shows the regions",
    run,
    "      --input      pictures are cut to the square in their middle; what cannot be read is skipped\n"
    "      --output     DIR gets NAME.png and NAME-regions.png, FILE.h5 also centres and labels\n"
    "      --group      of FILE.h5, --split as well; else data.source.group and test\n",
};
