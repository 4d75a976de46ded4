// ranks: 1
// The configuration: what is read is what was written.
#include "config.h"

// ---- what is right --------------------------------------------------------------------------------

TEST(defaults_are_the_reference_job)
{
    config_t c;
    accepts(&c, SHORT);
    assert_string_equal(c.run.dir, "runs/x");
    EXPECT(c.data.size == 64 && c.attention.regions == 4 && c.attention.sharpness == 1);
    EXPECT(c.attention.half.side[0][0] == 12 && c.attention.half.side[3][1] == 12 &&
           c.attention.grid.side[3][0] == 1);
    EXPECT(c.attention.mode == ATTENTION_MASK && c.loss.gan == GAN_NONSATURATING &&
           c.loss.distance == DISTANCE_L1);
    EXPECT(c.loss.weights.gan_s == 1 && c.loss.weights.gan_t == 1 && c.loss.weights.cst == 1);
    EXPECT(c.loss.weights.sym == 1 && c.loss.weights.pixel == 1);
    EXPECT(c.loss.weights.label == 0 && c.loss.weights.label_fake == 0 && c.loss.weights.label_d == 0 &&
           c.loss.weights.overlap == 0 && c.n_labels == 0);
    EXPECT(c.train.rate_g == 2e-4 && c.train.rate_d == 2e-4 && c.train.beta1 == 0.5 &&
           c.train.beta2 == 0.999);
    EXPECT(c.train.ema == 0 && c.train.pool == 0 && c.train.batch == 8 && c.train.microbatch == 1);
    EXPECT(c.train.decay == 1 && c.train.clip == 0 && c.train.grow && c.train.rate_scaling == SCALING_SQRT);
    EXPECT(c.model.width == 32 && c.model.residuals == 4 && c.model.range == 1 &&
           c.comm.reduce == REDUCE_TREE);
    assert_string_equal(c.model.encoder, "resnet");
    assert_string_equal(c.model.localiser, "softargmax");
    assert_string_equal(c.model.norm_dae, "instance");
    assert_string_equal(c.model.norm_d, "instance");
}

TEST(every_type_is_read)
{
    config_t c;
    accepts(&c,
            DATA "train: { pairs: 123456789012, batch: 6, microbatch: 2, grow: false, rate_scaling: none,\n"
                 "  rate_g: 1.5e-3, augment: { cutout: true } }\n"
                 "run: { dir: 'it''s: here', seed: 9007199254740992 }\n"
                 "labels: { eyes: 0, 'hair colour': all, nose.tip: 3 }\n"
                 "loss: { gan: hinge, distance: \"classifier\", classifier: runs/c/best.h5 }\n"
                 "comm: { reduce: mpi }\n");
    EXPECT(c.train.pairs == 123456789012 && c.train.steps == 0 && c.train.batch == 6 &&
           c.train.microbatch == 2);
    EXPECT(!c.train.grow && c.train.rate_scaling == SCALING_NONE && c.train.rate_g == 1.5e-3);
    EXPECT(c.train.augment_cutout && !c.train.augment_shift);
    assert_string_equal(c.run.dir, "it's: here");
    EXPECT(c.run.seed == 9007199254740992);
    EXPECT(c.n_labels == 3 && c.labels[0].region == 0 && c.labels[1].region == CONF_REGION_ALL);
    assert_string_equal(c.labels[1].name, "hair colour");
    assert_string_equal(c.labels[2].name, "nose.tip");
    EXPECT(c.loss.gan == GAN_HINGE && c.loss.distance == DISTANCE_CLASSIFIER && c.comm.reduce == REDUCE_MPI);
    assert_string_equal(c.loss.classifier, "runs/c/best.h5");
}

TEST(times_are_seconds_or_written_with_colons)
{
    static const struct {
        const char *text;
        double seconds;
    } times[] = { { "0", 0 },
                  { "90", 90 },
                  { "1.5e1", 15 },
                  { "1:30", 90 },
                  { "90:05", 5405 },
                  { "2:00:00", 7200 },
                  { "02:03:04", 7384 },
                  { "100:00:00", 360000 },
                  { "1-12:00:00", 129600 } };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        config_t c;
        char option[64];
        EXPECT(seconds_of(times[i].text) == times[i].seconds);
        snprintf(option, sizeof option, "run.time_limit=%s", times[i].text);
        EXPECT(!parse_with(&c, SHORT, option) && c.run.time_limit == times[i].seconds);
    }
    static const char *const none[] = { "",        ":",         "1:",         ":30",           "1:60",
                                        "1:00:60", "1:60:00",   "-1",         "-1:00",         "1:2:3:4",
                                        "1 :00",   "1-00:00",   "1-24:00:00", "1.5:00",        "INVALID",
                                        "NOT_SET", "UNLIMITED", "0x10:00",    "9999999999:00", "1:00:00 " };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) EXPECT(seconds_of(none[i]) == -1);
    config_t c;
    accepts(&c, SHORT "run: { time_limit: 1:30:00 }\n");
    EXPECT(c.run.time_limit == 5400);
    accepts(&c, SHORT "run.time_limit: '0:00:20'\n");
    EXPECT(c.run.time_limit == 20);
}

TEST(empty_sections_comments_and_a_byte_order_mark_change_nothing)
{
    config_t a, b;
    accepts(&a, SHORT);
    accepts(&b, "\xef\xbb\xbf# comment\n---\n" SHORT
                "model:\nloss: {}\nlabels:\nlog: { every: 10 } # the default\n...\n");
    EXPECT(!memcmp(&a, &b, sizeof a));
}

TEST(keys_may_be_written_with_dots)
{
    config_t a, b;
    accepts(&a, SHORT "model: { norm: { g: group } }\n");
    accepts(&b, SHORT "model.norm.g: group\n");
    EXPECT(!memcmp(&a, &b, sizeof a));
}

TEST(set_overrides_the_file)
{
    config_t c;
    EXPECT(!parse_with(&c, SHORT "labels: { eyes: 0, mouth: 1 }\n", "labels.eyes=2"));
    EXPECT(c.n_labels == 2 && c.labels[0].region == 2);
    EXPECT(!parse_with(&c, SHORT "labels: { eyes: 0, mouth: 1, hair: 2 }\n", "labels.mouth=none"));
    EXPECT(c.n_labels == 2 && c.labels[0].region == 0 && c.labels[1].region == 2);
    assert_string_equal(c.labels[1].name, "hair");
    EXPECT(!parse_with(&c, SHORT "labels: { eyes: 0 }\n", "labels.mouth=none") && c.n_labels == 1);
    EXPECT(!parse_with(&c, SHORT, "labels.eyes=all"));
    EXPECT(c.n_labels == 1 && c.labels[0].region == CONF_REGION_ALL);
    EXPECT(!parse_with(&c, SHORT, "run.dir=a=b"));
    assert_string_equal(c.run.dir, "a=b");
    EXPECT(!parse_with(&c, SHORT, "run.dir=x"));
    assert_string_equal(c.run.dir, "x"); // nothing of a longer value stays behind
    EXPECT(!parse_with(&c, SHORT, "run.dir=runs/x//"));
    assert_string_equal(c.run.dir, "runs/x"); // --fresh moves it to runs/x.1
    EXPECT(!parse_with(&c, SHORT, "run.dir=/"));
    assert_string_equal(c.run.dir, "/");
}

TEST(a_length_by_set_displaces_the_other_of_the_file)
{
    config_t c;
    EXPECT(!parse_with(&c, SHORT, "train.pairs=400"));
    EXPECT(c.train.pairs == 400 && c.train.steps == 0);
    EXPECT(!parse_with(&c, DATA "train: { pairs: 400 }\n", "train.steps=2"));
    EXPECT(c.train.steps == 2 && c.train.pairs == 0);
}

TEST(the_last_set_of_a_key_counts)
{
    config_t c;
    char first[] = "train.batch=16", second[] = "train.batch=32";
    char *sets[] = { first, second };
    EXPECT(!config_parse(&c, "x.yaml", SHORT, strlen(SHORT), sets, 2));
    EXPECT(c.train.batch == 32);
}

TEST(the_run_is_named_after_the_file)
{
    static const char *const names[][2] = { { "faces.yaml", "runs/faces" },
                                            { "/a.b/c.yml", "runs/c" },
                                            { "x/v1.2", "runs/v1.2" },
                                            { ".yaml", "runs/.yaml" } };
    for (int i = 0; i < 4; i++) {
        config_t c;
        EXPECT(!config_parse(&c, names[i][0], SHORT, strlen(SHORT), NULL, 0));
        assert_string_equal(c.run.dir, names[i][1]);
    }
}

TEST(a_file_is_read_like_its_text)
{
    char path[] = "/tmp/test_config-XXXXXX";
    int file = mkstemp(path);
    EXPECT(file >= 0 && write(file, SHORT, strlen(SHORT)) == (ssize_t)strlen(SHORT));
    close(file);
    config_t a, b;
    int bad = config_load(&a, path, NULL, 0);
    unlink(path);
    EXPECT(!bad && !config_parse(&b, path, SHORT, strlen(SHORT), NULL, 0) && !memcmp(&a, &b, sizeof a));
}

// ---- what is printed ------------------------------------------------------------------------------

static void reads_back(const config_t *c)
{
    config_t again;
    char *text = config_yaml(c);
    accepts(&again, text);
    char *twice = config_yaml(&again);
    EXPECT(!memcmp(c, &again, sizeof again));
    assert_string_equal(text, twice);
    free(text);
    free(twice);
}

TEST(the_printed_configuration_reads_back_bit_for_bit)
{
    config_t c;
    accepts(&c, SHORT);
    reads_back(&c);
    accepts(
        &c, DATA
        "run: { dir: \"a \\\"quoted\\\": \\\\ 'text' # \\u00fc\\U0001F600 \", seed: 123456789012345,\n"
        "  time_limit: 0.001 }\n"
        "train: { pairs: 7, rate_g: 0.1, rate_d: 1e-7, beta1: 0.30000000000000004, clip: 333333.3333333333,\n"
        "  decay: 2.2250738585072014e-308, nonfinite: stop, augment: { shift: true } }\n"
        "attention: { half: 31.999999999999996, mode: crop, window: 24 }\n"
        "labels: { 'null': 0, \"a:b\": all, 'x.y': 1, '- \"\\': 2 }\n");
    EXPECT(c.n_labels == 4);
    reads_back(&c);
}

TEST(doubles_take_the_fewest_digits_that_read_back)
{
    config_t c;
    accepts(&c, SHORT "train.rate_g: 1e-7\ntrain.rate_d: 0.00020\ntrain.beta1: "
                      "0.30000000000000004\ntrain.beta2: -0.0\ncomm.timeout: 6e2\n");
    char *text = config_yaml(&c);
    EXPECT(strstr(text, "  rate_g: 1.0e-07\n") && strstr(text, "  rate_d: 0.0002\n"));
    EXPECT(strstr(text, "  beta1: 0.30000000000000004\n") && strstr(text, "  beta2: 0\n"));
    EXPECT(strstr(text, "  timeout: 600\n"));
    free(text);
}

TEST(half_sides_are_those_of_all_regions_or_of_each)
{
    config_t c;
    accepts(&c, SHORT "attention.half: 10x7.5\n");
    EXPECT(c.attention.half.given == 1 && c.attention.half.side[3][0] == 10 &&
           c.attention.half.side[3][1] == 7.5);
    reads_back(&c);
    accepts(&c, SHORT "attention: { regions: 3, half: 11x5  8 9x7.25 }\n");
    static const double each[3][2] = { { 11, 5 }, { 8, 8 }, { 9, 7.25 } };
    EXPECT(c.attention.half.given == 3 && !memcmp(c.attention.half.side, each, sizeof each));
    reads_back(&c);
    char *text = config_yaml(&c);
    EXPECT(strstr(text, "  half: 11x5 8 9x7.25\n"));
    free(text);
}

static void note_line(void *text, const char *line)
{
    strcat(strcat(text, line), "; ");
}

TEST(what_changed_since_an_earlier_configuration_is_said)
{
    config_t then, now;
    char said[256] = "";
    accepts(&then, SHORT "labels: { eyes: 0 }\n");
    accepts(&now, SHORT "labels: { eyes: 1 }\nrun.seed: 7\nattention.half: 8x4\n");
    char *before = config_yaml(&then);
    config_changes(before, &now, note_line, said);
    assert_string_equal(
        said, "run.seed was 1, is 7; attention.half was 12, is 8x4; labels are others than before; ");
    said[0] = 0;
    config_changes(before, &then, note_line, said);
    config_changes("of.another.program: 3\n", &then, note_line, said);
    assert_string_equal(said, "");
    free(before);
}

TEST(the_printed_configuration_is_nested)
{
    config_t c;
    accepts(&c, SHORT "labels: { eyes: 0, hair: all }\n");
    char *text = config_yaml(&c);
    EXPECT(strstr(text, "\ntrain:\n  steps: 10\n  pairs: 0\n"));
    EXPECT(strstr(text, "\n  norm:\n    dae: \"instance\"\n"));
    EXPECT(strstr(text, "\nlabels:\n  \"eyes\": 0\n  \"hair\": all\nloss:\n"));
    EXPECT(strstr(text, "\ndata:\n  source:\n    file: \"a.h5\"\n    group: \"s\"\n  target:\n    file:"));
    free(text);
}
