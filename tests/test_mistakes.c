// ranks: 1
// A mistake in the configuration gets one line that names it, what was found and what is wanted.
#include "config.h"

// The text, or the text with an option, must fail with exactly this line.
static void refuses(const char *text, const char *option, const char *line)
{
    config_t c;
    int result = option ? parse_with(&c, text, option) : parse(&c, text);
    EXPECT(result == -1);
    assert_string_equal(error_text(), line);
}

typedef struct {
    const char *text, *option, *line;
} mistake_t;

static void refuses_all(const mistake_t *m, size_t n)
{
    for (size_t i = 0; i < n; i++) refuses(m[i].text, m[i].option, m[i].line);
}
#define REFUSES_ALL(m) refuses_all(m, sizeof(m) / sizeof *(m))
#define AT_LINE(n) "configs/x.yaml:" #n ": "

TEST(unknown_keys_name_the_nearest)
{
    static const mistake_t m[] = {
        { SHORT "train.bach: 8\n", NULL,
          AT_LINE(3) "train.bach: unknown key, the nearest known one is train.batch" },
        { SHORT "batch: 8\n", NULL, AT_LINE(3) "batch: unknown key, the nearest known one is train.batch" },
        { SHORT "\n\nmodle:\n  width: 8\n", NULL,
          AT_LINE(5) "modle: unknown key, the nearest known one is model" },
        { SHORT "loss:\n  weights: { cts: 1 }\n", NULL,
          AT_LINE(4) "loss.weights.cts: unknown key, the nearest known one is loss.weights.cst" },
        { SHORT "attention: { halves: 3 }\n", NULL,
          AT_LINE(3) "attention.halves: unknown key, the nearest known one is attention.half" },
        { SHORT "<<: { a: 1 }\n", NULL, AT_LINE(3) "<<: unknown key, the nearest known one is run" },
        { SHORT, "train.rate=1", "--set train.rate: unknown key, the nearest known one is train.rate_g" },
        { SHORT, "lables.eyes=1", "--set lables.eyes: unknown key, the nearest known one is labels" },
    };
    REFUSES_ALL(m);
}

TEST(wrong_types_name_what_was_found_and_wanted)
{
    static const mistake_t m[] = {
        { SHORT "train.batch: many\n", NULL,
          AT_LINE(3) "train.batch: found many, wanted a whole number from 1 to 65536" },
        { SHORT "train.batch: 8.5\n", NULL,
          AT_LINE(3) "train.batch: found 8.5, wanted a whole number from 1 to 65536" },
        { SHORT "train.batch: 8 pairs\n", NULL,
          AT_LINE(3) "train.batch: found \"8 pairs\", wanted a whole number from 1 to 65536" },
        { SHORT "train.batch: '8'\n", NULL,
          AT_LINE(3) "train.batch: found \"8\", wanted a whole number from 1 to 65536" },
        { SHORT "train.batch: 0x8\n", NULL,
          AT_LINE(3) "train.batch: found 0x8, wanted a whole number from 1 to 65536" },
        { SHORT "train.batch:\n", NULL,
          AT_LINE(3) "train.batch: found nothing, wanted a whole number from 1 to 65536" },
        { SHORT "train.batch: [8]\n", NULL,
          AT_LINE(3) "train.batch: found a list, wanted a whole number from 1 to 65536" },
        { SHORT "train.batch: { a: 8 }\n", NULL,
          AT_LINE(3) "train.batch: found a map, wanted a whole number from 1 to 65536" },
        { SHORT "train.grow: yes\n", NULL, AT_LINE(3) "train.grow: found yes, wanted true or false" },
        { SHORT "train.clip: 1,5\n", NULL,
          AT_LINE(3) "train.clip: found \"1,5\", wanted a number from 0 to 1000000" },
        { SHORT "model: 3\n", NULL, AT_LINE(3) "model: found 3, wanted a map of keys" },
        { SHORT "loss.weights: [1, 1]\n", NULL,
          AT_LINE(3) "loss.weights: found a list, wanted a map of keys" },
        { SHORT "labels: eyes\n", NULL, AT_LINE(3) "labels: found eyes, wanted lines ATTRIBUTE: REGION" },
        { SHORT "labels: { eyes: [0] }\n", NULL,
          AT_LINE(3) "labels.eyes: found a list, wanted a region (0, 1, ...), all or none" },
        { SHORT "labels: { eyes: left }\n", NULL,
          AT_LINE(3) "labels.eyes: found left, wanted a region (0, 1, ...), all or none" },
        { SHORT "run: { dir: }\n", NULL,
          AT_LINE(3) "run.dir: found nothing, wanted a text of 1 to 1023 bytes" },
        { SHORT "run: { dir: '' }\n", NULL,
          AT_LINE(3) "run.dir: found nothing, wanted a text of 1 to 1023 bytes" },
        { SHORT "run: { dir: null }\n", NULL,
          AT_LINE(3) "run.dir: found nothing, wanted a text of 1 to 1023 bytes" },
        { SHORT "run: { dir: \"a\\tb\" }\n", NULL,
          AT_LINE(3) "run.dir: found \"a?b\", wanted printable characters in UTF-8" },
        { SHORT "run: { dir: \"a\\0b\" }\n", NULL, AT_LINE(3) "run.dir: found a NUL character, wanted text" },
        { SHORT, "train.batch=", "--set train.batch: found nothing, wanted a whole number from 1 to 65536" },
        { SHORT, "train.batch= 8", "--set train.batch: found \" 8\", wanted a whole number from 1 to 65536" },
        { SHORT, "run.dir=\xc3(", "--set run.dir: found \"\xc3(\", wanted printable characters in UTF-8" },
        { SHORT, "run.dir=\xc0\xaf",
          "--set run.dir: found \"\xc0\xaf\", wanted printable characters in UTF-8" },
        { SHORT, "train.batch", "--set train.batch: found no =, wanted KEY=VALUE" },
        { SHORT, "=8", "--set =8: found no key, wanted KEY=VALUE" },
        { SHORT, "train=8", "--set train: found 8, wanted a map of keys" },
    };
    REFUSES_ALL(m);
}

TEST(values_out_of_range_name_the_range)
{
    static const mistake_t m[] = {
        { SHORT "train.batch: 0\n", NULL,
          AT_LINE(3) "train.batch: found 0, wanted a whole number from 1 to 65536" },
        { SHORT "train.batch: 99999999999999999999\n", NULL,
          AT_LINE(3) "train.batch: found 99999999999999999999, wanted a whole number from 1 to 65536" },
        { SHORT "run.seed: -1\n", NULL,
          AT_LINE(3) "run.seed: found -1, wanted a whole number from 0 to 9007199254740992" },
        { SHORT "run.seed: 9007199254740993\n", NULL,
          AT_LINE(3) "run.seed: found 9007199254740993, wanted a whole number from 0 to 9007199254740992" },
        { SHORT "run.time_limit: 1:60\n", NULL,
          AT_LINE(3) "run.time_limit: found \"1:60\", wanted a time up to 31536000 seconds, as 90, 1:30 or "
                     "2:00:00" },
        { SHORT "run.time_limit: 366-00:00:00\n", NULL,
          AT_LINE(3) "run.time_limit: found \"366-00:00:00\", wanted a time up to 31536000 seconds, as 90, "
                     "1:30 or 2:00:00" },
        { SHORT "train.rate_g: nan\n", NULL,
          AT_LINE(3) "train.rate_g: found nan, wanted a number from 0 to 1" },
        { SHORT "train.rate_g: .inf\n", NULL,
          AT_LINE(3) "train.rate_g: found .inf, wanted a number from 0 to 1" },
        { SHORT "train.clip: 1e999\n", NULL,
          AT_LINE(3) "train.clip: found 1e999, wanted a number from 0 to 1000000" },
        { SHORT "train.beta1: 1\n", NULL,
          AT_LINE(3) "train.beta1: found 1, wanted a number from 0 to 0.999999" },
        { SHORT "attention.sharpness: 0\n", NULL,
          AT_LINE(3) "attention.sharpness: found 0, wanted a number from 0.01 to 20" },
        { SHORT "data.size: 2048\n", NULL,
          AT_LINE(3) "data.size: found 2048, wanted a whole number from 16 to 1024" },
        { SHORT "loss.gan: wgan\n", NULL,
          AT_LINE(3) "loss.gan: found wgan, wanted minimax, nonsaturating, lsgan or hinge" },
        { SHORT "model.norm.d: batch\n", NULL,
          AT_LINE(3) "model.norm.d: found batch, wanted instance, group, layer or none" },
        { SHORT "comm.reduce: ring\n", NULL, AT_LINE(3) "comm.reduce: found ring, wanted tree or mpi" },
    };
    REFUSES_ALL(m);
}

TEST(keys_that_contradict_each_other_are_named)
{
    static const mistake_t m[] = {
        { DATA, NULL,
          "configs/x.yaml: train.steps: found no length of the run, wanted train.steps or train.pairs above "
          "0" },
        { SHORT "train.pairs: 9\n", NULL,
          AT_LINE(3) "train.pairs: found 9 beside train.steps 10, wanted only one of the two" },
        { SHORT, "train.steps=0",
          "--set train.steps: found no length of the run, wanted train.steps or train.pairs above 0" },
        { SHORT "train.microbatch: 3\n", NULL,
          "configs/x.yaml: train.batch: found 8, wanted a multiple of train.microbatch, 3" },
        { SHORT "train.microbatch: 4\n", "train.batch=6",
          "--set train.batch: found 6, wanted a multiple of train.microbatch, 4" },
        { SHORT "data.shift: 17\n", NULL,
          AT_LINE(3) "data.shift: found 17, wanted at most a quarter of data.size, 16" },
        { SHORT "data.size: 66\n", NULL, AT_LINE(3) "data.size: found 66, wanted a multiple of 4" },
        { SHORT "attention.half: 33\n", NULL,
          AT_LINE(3) "attention.half: found 33, wanted at most half of data.size, 32" },
        { SHORT "attention.half: 8x40\n", NULL,
          AT_LINE(3) "attention.half: found 40, wanted at most half of data.size, 32" },
        { SHORT "attention.half: 8 9\n", NULL,
          AT_LINE(3) "attention.half: found 2, wanted one, or one for each of attention.regions, 4" },
        { SHORT "attention.settle: 1.5\n", NULL,
          AT_LINE(3) "attention.settle: found 1.5, wanted whole numbers" },
        { SHORT "attention.settle: 1 2\n", NULL,
          AT_LINE(3) "attention.settle: found 2, wanted one, or one for each of attention.regions, 4" },
        { SHORT "attention.window: 68\n", NULL,
          AT_LINE(3) "attention.window: found 68, wanted a multiple of 4 up to data.size, 64" },
        { SHORT "model: { norm: { g: group, groups: 5 } }\n", NULL,
          AT_LINE(3) "model.norm.groups: found 5, wanted a divisor of the 32 channels of G" },
        { SHORT "labels: { eyes: 4 }\n", NULL,
          AT_LINE(3) "labels.eyes: found 4, wanted all or a region from 0 to 3 (attention.regions is 4)" },
        { SHORT, "labels.eyes=7",
          "--set labels.eyes: found 7, wanted all or a region from 0 to 3 (attention.regions is 4)" },
        { SHORT "labels: { 'hair, colour': 0 }\n", NULL,
          AT_LINE(3) "labels.hair, colour: found \", \" in the name, wanted a name without" },
        { SHORT, "labels.hair: colour=all",
          "--set labels.hair: colour: found \": \" in the name, wanted a name without" },
        { SHORT "loss.weights.label: 0.5\n", NULL,
          AT_LINE(3) "loss.weights.label: found 0.5 without labels, wanted lines under labels: or 0" },
        { SHORT "labels: { eyes: 0 }\nloss.weights.label_fake: 2\n", NULL,
          AT_LINE(4) "loss.weights.label_fake: found 2 with loss.weights.label 0, wanted both above 0, or "
                     "this 0" },
        { SHORT "loss.weights.label_d: 2\n", NULL,
          AT_LINE(3) "loss.weights.label_d: found 2 without labels, wanted lines under labels: or 0" },
        { SHORT "labels: { eyes: 0 }\nloss.weights: { gan_s: 0, label_d: 2 }\n", NULL,
          AT_LINE(
              4) "loss.weights.label_d: found 2 with loss.weights.gan_s 0, wanted both above 0, or this 0" },
        { SHORT, "train.label_warmup=5",
          "--set train.label_warmup: found 5 without labels, wanted lines under labels: or 0" },
        { "train.steps: 1\n", NULL,
          "configs/x.yaml: data.source.file: found nothing, wanted the HDF5 file of the source domain" },
        { "", NULL,
          "configs/x.yaml: data.source.file: found nothing, wanted the HDF5 file of the source domain" },
        { "data.source: { file: a, group: b }\ndata.target.file: c\n", NULL,
          "configs/x.yaml: data.target.group: found nothing, wanted the target domain in that file, its "
          "group" },
    };
    REFUSES_ALL(m);
}

TEST(groups_of_the_discriminators_divide_twice_the_width)
{
    config_t c;
    EXPECT(!parse(&c, SHORT "model: { width: 4, norm: { d: group, groups: 8 } }\n"));
    EXPECT(parse(&c, SHORT "model: { width: 4, norm: { dae: group, groups: 8 } }\n"));
}

TEST(yaml_beyond_what_a_configuration_needs_is_refused)
{
    static const mistake_t m[] = {
        { "run:\n  seed: 1\n  seed: 2\n", NULL,
          AT_LINE(3) "run.seed: found a second time, wanted once (first in line 2)" },
        { "run: {}\nrun: {}\n", NULL, AT_LINE(2) "run: found a second time, wanted once (first in line 1)" },
        { "run: { seed: 1 }\nrun.seed: 1\n", NULL,
          AT_LINE(2) "run.seed: found a second time, wanted once (first in line 1)" },
        { "run: &a\n  seed: 1\n", NULL, AT_LINE(1) "found the anchor a, wanted no anchors or aliases" },
        { "run:\n  dir: *a\n", NULL, AT_LINE(2) "found the alias a, wanted no anchors or aliases" },
        { "run:\n  seed: !!str 1\n", NULL, AT_LINE(2) "found the tag tag:yaml.org,2002:str, wanted no tags" },
        { "run: 1\n---\nrun: 2\n", NULL, AT_LINE(2) "found a second document, wanted one" },
        { "- run\n", NULL, AT_LINE(1) "found a list, wanted keys with values" },
        { "run\n", NULL, AT_LINE(1) "found a single value, wanted keys with values" },
        { "? [a, b]\n: c\n", NULL, AT_LINE(1) "found a list or map as key, wanted a word" },
        { "run: 1\n'': 2\n", NULL, AT_LINE(2) "found an empty key, wanted a word" },
        { "run:\n\tseed: 1\n", NULL,
          AT_LINE(2) "no valid YAML: found character that cannot start any token, while scanning for the "
                     "next token" },
        { "run: [1, 2\n", NULL,
          AT_LINE(2) "no valid YAML: did not find expected ',' or ']', while parsing a flow sequence" },
        { "run:\n  dir: \"\xff\"\n", NULL,
          AT_LINE(2) "found invalid leading UTF-8 octet (byte 13), wanted YAML in UTF-8" },
        { "run:\n  dir: a\x01\n", NULL,
          AT_LINE(2) "found control characters are not allowed (byte 13), wanted YAML in UTF-8" },
    };
    REFUSES_ALL(m);
}

// `n` times `open`, as a value of the key run.
static char *nested(const char *open, int n)
{
    static char text[4096];
    strcpy(text, "run: ");
    for (int i = 0; i < n; i++) strcat(text, open);
    return text;
}

TEST(nesting_deeper_than_16_is_refused)
{
    refuses(nested("[", 16), NULL, AT_LINE(1) "found nesting deeper than 16, wanted less");
    refuses(nested("{a: ", 16), NULL, AT_LINE(1) "found nesting deeper than 16, wanted less");
    refuses(nested("[{a: ", 500), NULL, AT_LINE(1) "found nesting deeper than 16, wanted less");
    char *text = nested("[", 15); // with the map of the document: 16
    strcat(text, "]]]]]]]]]]]]]]]");
    refuses(text, NULL, AT_LINE(1) "run: found a list, wanted a map of keys");
}

TEST(texts_keys_and_documents_that_are_too_long_are_refused)
{
    static char text[(1 << 20) + 2];
    char wanted[512];
    config_t c;
    memset(text, 'x', 1100);
    memcpy(text, "run.dir: ", 9);
    refuses(text, NULL, AT_LINE(1) "run.dir: found a text of 1091 bytes, wanted at most 1023");
    memcpy(text, "run_dir_x", 9);
    memcpy(text + 300, ": 1", 4);
    snprintf(wanted, sizeof wanted, AT_LINE(1) "%.40s...: found a key of 300 bytes, wanted less than 256",
             text);
    refuses(text, NULL, wanted);
    memset(text, 'x', 1100);
    memcpy(text, "train.batch: ", 13);
    snprintf(wanted, sizeof wanted,
             AT_LINE(1) "train.batch: found %.60s..., wanted a whole number from 1 to 65536", text + 13);
    refuses(text, NULL, wanted);
    memset(text, ' ', sizeof text);
    EXPECT(config_parse(&c, "x", text, 1 << 20, NULL, 0) == -1);
    assert_string_equal(error_text(),
                        "x: data.source.file: found nothing, wanted the HDF5 file of the source domain");
    EXPECT(config_parse(&c, "x", text, (1 << 20) + 1, NULL, 0) == -1);
    assert_string_equal(error_text(), "x: found more than 1048576 bytes, wanted at most 1 MiB");
}

TEST(too_many_labels_or_keys_are_refused)
{
    static char text[65536];
    size_t n = (size_t)snprintf(text, sizeof text, "%s", SHORT "labels:\n");
    for (int i = 0; i < 33; i++) n += (size_t)snprintf(text + n, sizeof text - n, "  l%d: 0\n", i);
    refuses(text, NULL, AT_LINE(36) "labels.l32: found label 33, wanted at most 32");
    n = 0;
    for (int i = 0; i < 1025; i++) n += (size_t)snprintf(text + n, sizeof text - n, "l%d: 0\n", i);
    refuses(text, NULL, AT_LINE(1025) "l1024: found more than 1024 keys, wanted fewer");
}

TEST(files_that_cannot_be_read_are_named)
{
    config_t c;
    EXPECT(config_load(&c, "/nowhere/x.yaml", NULL, 0) == -1);
    assert_string_equal(error_text(), "/nowhere/x.yaml: cannot be opened: No such file or directory");
    EXPECT(config_load(&c, "/", NULL, 0) == -1);
    assert_string_equal(error_text(), "/: cannot be read: Is a directory");
}

// Every prefix of a configuration, and a bad byte at each place of it, ends in 0 or -1 and nothing worse.
TEST(damaged_texts_do_no_harm)
{
    config_t c;
    accepts(&c, SHORT "labels: { eyes: 0, hair: all }\nrun: { dir: \"\\u00fc\" }\n");
    char *text = config_yaml(&c), option[] = "train.pairs=5", *sets[] = { option };
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        config_parse(&c, "x", text, i, sets, 1);
        static const char bad[] = { 0, '\xff', '[', '&', '"', '\n', '\t' };
        char byte = text[i];
        text[i] = bad[i % sizeof bad];
        config_parse(&c, "x", text, n, NULL, 0);
        text[i] = byte;
    }
    free(text);
}
