// dagan_mpi pack DIR|FILE... --output FILE.h5

#include <stdlib.h>

#include "command.h"

static int size_of(const char *text, int *size)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (*end || n < 16 || n > 1024 || n % 4)
        return fail("--size: found '%s', wanted a multiple of 4 from 16 to 1024", text);
    *size = (int)n;
    return 0;
}

static int run(const comm_t *c, int argc, char **argv)
{
    char *word[WORDS_MAX];
    const char *size = "64";
    pack_t p = { .progress = true };
    option_t o[] = { { .name = "--output", .value = &p.output },
                     { .name = "--size", .value = &size },
                     { .name = "--labels", .value = &p.labels },
                     { .name = "--group", .value = &p.group },
                     { .name = "--strict", .flag = &p.strict } };
    int n = options(argc, argv, o, 5, word);
    if (n == 0) n = fail("pack wants a folder or files");
    if (n > 0 && !p.output) n = fail("pack wants --output FILE.h5");
    if (n > 0 && size_of(size, &p.size)) n = -1;
    if (comm_agree(c, n < 0, error_text())) return EXIT_USER;
    p.inputs = (const char *const *)word;
    p.n_inputs = n;
    return pack(c, &p);
}

const command_t command_pack = {
    "pack",
    "pack DIR|FILE... --output FILE.h5 [--size 64] [--group NAME] [--labels FILE.csv] [--strict]",
    "turns PNG and JPEG pictures into a data set",
    run,
    "      --size       in pixels; pictures are cut to the square in their middle\n"
    "      --group      the domain's name, else that of FILE.h5\n"
    "      --labels     lines file,LABEL,... and then one for each picture\n"
    "      --strict     ends where a picture cannot be read, which is skipped otherwise\n",
};
