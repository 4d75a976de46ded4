// Every key of the configuration, once: type, place, range, default, help.  Keys of one section stand
// together, because the table is also the order in which the configuration is printed.
#include "keys.h"

#include <string.h>

#define AT(member) offsetof(config_t, member), sizeof(((config_t *)0)->member)
#define INT(member, min, max, preset) KEY_INT, AT(member), min, max, NULL, preset
#define LONG(member, min, max, preset) KEY_LONG, AT(member), min, max, NULL, preset
#define FLOAT(member, min, max, preset) KEY_FLOAT, AT(member), min, max, NULL, preset
#define SIDES(member, min, max, preset) KEY_SIDES, AT(member), min, max, NULL, preset
#define TIME(member, max, preset) KEY_TIME, AT(member), 0, max, NULL, preset
#define BOOL(member, preset) KEY_BOOL, AT(member), 0, 0, NULL, preset
#define TEXT(member, words, preset) KEY_TEXT, AT(member), 0, 0, words, preset
#define CHOICE(member, words, preset) KEY_CHOICE, AT(member), 0, 0, words, preset
#define NORMS "instance|group|layer|none"

// The seed ends at 2^53, where YAML, JSON and HDF5 readers that keep numbers as doubles lose digits.
// clang-format off
const conf_key_t conf_keys[] = {
    { "run.dir",               TEXT(run.dir, NULL, ""),                           "run directory; if not given, runs/ and the config file's name without .yaml" },
    { "run.seed",              LONG(run.seed, 0, 0x1p53, "1"),                    "seed of weights, order and augmentation" },
    { "run.time_limit",        TIME(run.time_limit, 31536000, "0"),               "stop after a checkpoint before this time has passed, 0: SLURM's limit alone" },
    { "train.steps",           LONG(train.steps, 0, 1e9, "0"),                    "length of the run in steps; give this or train.pairs" },
    { "train.pairs",           LONG(train.pairs, 0, 1e12, "0"),                   "length of the run in pairs (one s and one t) seen" },
    { "train.batch",           INT(train.batch, 1, 65536, "8"),                   "pairs per step over all ranks" },
    { "train.microbatch",      INT(train.microbatch, 1, 256, "1"),                "pairs per leaf of the reproducible sum; divides train.batch" },
    { "train.grow",            BOOL(train.grow, "true"),                          "grow the batch where ranks outnumber leaves; false: refuse" },
    { "train.rate_scaling",    CHOICE(train.rate_scaling, "sqrt|linear|none", "sqrt"), "how the rates follow a grown batch" },
    { "train.label_warmup",    LONG(train.label_warmup, 0, 1e9, "0"),             "first steps, on labels alone: of DAE, and of D1 with label_d; needs labels" },
    { "train.rate_label",      FLOAT(train.rate_label, 0, 1, "0"),                "Adam step size in the steps on labels alone, 0: train.rate_g, rate_d" },
    { "train.rate_g",          FLOAT(train.rate_g, 0, 1, "2e-4"),                 "Adam step size of DAE and G" },
    { "train.rate_d",          FLOAT(train.rate_d, 0, 1, "2e-4"),                 "Adam step size of D1 and D2" },
    { "train.beta1",           FLOAT(train.beta1, 0, 0.999999, "0.5"),            "Adam's decay of the first moment" },
    { "train.beta2",           FLOAT(train.beta2, 0, 0.999999, "0.999"),          "Adam's decay of the second moment" },
    { "train.warmup",          LONG(train.warmup, 0, 1e9, "0"),                   "steps over which the rates rise from 0" },
    { "train.decay",           FLOAT(train.decay, 0, 1, "1"),                     "share of the run after which the rates fall to 0, 1: never" },
    { "train.clip",            FLOAT(train.clip, 0, 1e6, "0"),                    "largest global gradient norm, 0: no clipping" },
    { "train.ema",             FLOAT(train.ema, 0, 0.999999, "0"),                "decay of the averaged DAE and G, 0: none" },
    { "train.pool",            INT(train.pool, 0, 65536, "0"),                    "earlier fakes kept for D1 and D2 (50 is usual), 0: none" },
    { "train.augment.colour",  BOOL(train.augment_colour, "false"),               "DiffAugment for D1 and D2: brightness, saturation, contrast" },
    { "train.augment.shift",   BOOL(train.augment_shift, "false"),                "DiffAugment for D1 and D2: shift" },
    { "train.augment.cutout",  BOOL(train.augment_cutout, "false"),               "DiffAugment for D1 and D2: a blank square" },
    { "train.nonfinite",       CHOICE(train.nonfinite, "skip|rollback|stop", "skip"), "a NaN or Inf in a loss or gradient: skip the step, reload a checkpoint, or stop" },
    { "train.nonfinite_max",   INT(train.nonfinite_max, 1, 100000, "10"),         "steps skipped, or reloads, in a row before the run fails" },
    { "model.kind",            TEXT(model.kind, NULL, "dagan"),                   "what is trained: dagan, cyclegan, or classifier (of the labels, whole images)" },
    { "model.width",           INT(model.width, 1, 1024, "32"),                   "channels of the first layers, w" },
    { "model.width_d",         INT(model.width_d, 0, 1024, "0"),                  "the same in D1 and D2, 0: model.width" },
    { "model.encoder",         TEXT(model.encoder, NULL, "resnet"),               "encoder E, a file of src/net/encoder/" },
    { "model.localiser",       TEXT(model.localiser, NULL, "softargmax"),         "localiser f_loc, a file of src/net/localiser/" },
    { "model.norm.dae",        TEXT(model.norm_dae, NORMS, "instance"),           "norm in DAE" },
    { "model.norm.g",          TEXT(model.norm_g, NORMS, "instance"),             "norm in G" },
    { "model.norm.d",          TEXT(model.norm_d, NORMS, "instance"),             "norm in D1 and D2" },
    { "model.norm.groups",     INT(model.norm_groups, 1, 1024, "8"),              "groups of a group norm" },
    { "model.spectral",        BOOL(model.spectral, "false"),                     "spectral norm of what scores images in D1 and D2; wants model.norm.d none" },
    { "model.residuals",       INT(model.residuals, 0, 64, "4"),                  "residual blocks of G" },
    { "model.range",           FLOAT(model.range, 1, 100, "1"),                   "G ends in range * tanh(x / range); with 1 it hardly learns any more where it is at full white or black" },
    { "attention.regions",     INT(attention.regions, 0, CONF_REGIONS_MAX, "4"),  "regions per image, N' of Eq. 1; 0: none, G sees E(X) alone" },
    { "attention.half",        SIDES(attention.half, 0.5, 512, "12"),             "half-sides w and h of Eq. 2 in pixels, of all regions or of each" },
    { "attention.grid",        SIDES(attention.grid, 1, 16, "1"),                 "parts of a region along x and y whose mean features its label heads read" },
    { "attention.settle",      SIDES(attention.settle, 0, 8, "0"),                "steps by which DAE's centres then move to the contrast in their boxes" },
    { "attention.jitter",      FLOAT(attention.jitter, 0, 1, "0"),                "share of w and h by which training displaces regions at random" },
    { "attention.sharpness",   FLOAT(attention.sharpness, 0.01, 20, "1"),         "k of Eq. 4 per pixel; from 5 on its gradient is erratic" },
    { "attention.mode",        CHOICE(attention.mode, "mask|crop", "mask"),       "what E sees of a region: the masked image (Eq. 3), or a window" },
    { "attention.window",      INT(attention.window, 0, 1024, "0"),               "side of all windows of mode crop, a multiple of 4; 0: as each region needs" },
    { "labels",                KEY_LABELS, AT(labels), 0, 0, NULL, "",            "lines ATTRIBUTE: the region (0, 1, ...) that must tell it, all, or none" },
    { "loss.gan",              CHOICE(loss.gan, "minimax|nonsaturating|lsgan|hinge", "nonsaturating"), "form of Eq. 7 and 8" },
    { "loss.distance",         CHOICE(loss.distance, "l1|l2|discriminator|classifier", "l1"), "d of Eq. 5 and 6" },
    { "loss.classifier",       TEXT(loss.classifier, NULL, "none"),               "whose features distance classifier compares: a classifier's checkpoint, or VGG16 as Keras saves it" },
    { "loss.weights.gan_s",    FLOAT(loss.weights.gan_s, 0, 1e6, "1"),            "weight of Eq. 7: D1 tells t from F(s)" },
    { "loss.weights.gan_t",    FLOAT(loss.weights.gan_t, 0, 1e6, "1"),            "weight of Eq. 8: D2 tells t from F(t)" },
    { "loss.weights.cst",      FLOAT(loss.weights.cst, 0, 1e6, "1"),              "weight of Eq. 5: instances of s and F(s)" },
    { "loss.weights.sym",      FLOAT(loss.weights.sym, 0, 1e6, "1"),              "weight of Eq. 6: instances of t and F(t)" },
    { "loss.weights.label",    FLOAT(loss.weights.label, 0, 1e6, "0"),            "weight of the labels told from instances; needs labels" },
    { "loss.weights.label_fake", FLOAT(loss.weights.label_fake, 0, 1e6, "0"),   "weight of the labels of s told from F(s); needs labels and their weight" },
    { "loss.weights.label_d",  FLOAT(loss.weights.label_d, 0, 1e6, "0"),          "weight of the labels of s that D1 tells from F(s); needs labels" },
    { "loss.weights.pixel",    FLOAT(loss.weights.pixel, 0, 1e6, "1"),            "weight of |F(t) - t|" },
    { "loss.weights.cycle",    FLOAT(loss.weights.cycle, 0, 1e6, "10"),           "CycleGAN: weight of |TS(ST(s)) - s| + |ST(TS(t)) - t|" },
    { "loss.weights.identity", FLOAT(loss.weights.identity, 0, 1e6, "0"),         "CycleGAN: weight of |ST(t) - t| + |TS(s) - s| (5 is usual)" },
    { "loss.weights.lecam",    FLOAT(loss.weights.lecam, 0, 1e6, "0"),            "weight of LeCam, which keeps D1 and D2 unsure where data are few (0.01 to 0.3)" },
    { "loss.weights.overlap",  FLOAT(loss.weights.overlap, 0, 1e6, "0"),          "weight of the penalty on regions that cover each other" },
    { "data.source.file",      TEXT(data.source.file, NULL, NULL),                "HDF5 file of the source domain" },
    { "data.source.group",     TEXT(data.source.group, NULL, NULL),               "source domain in that file, its group" },
    { "data.target.file",      TEXT(data.target.file, NULL, NULL),                "HDF5 file of the target domain" },
    { "data.target.group",     TEXT(data.target.group, NULL, NULL),               "target domain in that file, its group" },
    { "data.size",             INT(data.size, 16, 1024, "64"),                    "side of the images in pixels, a multiple of 4" },
    { "data.shift",            INT(data.shift, 0, 256, "0"),                      "training images lie displaced at random by up to so many pixels, at most a quarter of size" },
    { "data.validation",       INT(data.validation, 0, 1e6, "0"),                 "last training rows of each domain, not trained on but seen by checkpoint.best" },
    { "checkpoint.every",      LONG(checkpoint.every, 1, 1e9, "500"),             "steps between checkpoints" },
    { "checkpoint.keep",       INT(checkpoint.keep, 1, 100000, "3"),              "newest checkpoints kept" },
    { "checkpoint.keep_every", LONG(checkpoint.keep_every, 0, 1e9, "0"),          "checkpoints of steps that this divides are kept as well; 0: none" },
    { "checkpoint.best",       CHOICE(checkpoint.best, "none|kid|fid", "none"),   "keep the best checkpoint by this figure of the validation rows as best.h5" },
    { "checkpoint.best_every", LONG(checkpoint.best_every, 1, 1e9, "500"),        "steps between looks at that figure" },
    { "checkpoint.classifier", TEXT(checkpoint.classifier, NULL, "none"),         "checkpoint of a classifier, whose features the figure compares" },
    { "checkpoint.async",      BOOL(checkpoint.async, "false"),                   "write checkpoints from a copy while training goes on" },
    { "checkpoint.on_error",   CHOICE(checkpoint.on_error, "stop|continue", "stop"), "what a checkpoint that cannot be written does: end the run, or nothing" },
    { "log.every",             LONG(log.every, 1, 1e9, "10"),                     "steps between lines of log.txt and metrics.csv" },
    { "log.profile",           BOOL(log.profile, "false"),                       "write trace.json, what took how long on each rank" },
    { "samples.every",         LONG(samples.every, 0, 1e9, "500"),                "steps between pictures in samples/, 0: none" },
    { "samples.count",         INT(samples.count, 1, 256, "8"),                   "pairs in such a picture" },
    { "comm.reduce",           CHOICE(comm.reduce, "tree|mpi", "tree"),           "sum over ranks: one fixed tree, or MPI's own order" },
    { "comm.timeout",          FLOAT(comm.timeout, 0, 86400, "600"),              "seconds a rank waits for another before it gives up, 0: for ever" },
    { "comm.bucket",           FLOAT(comm.bucket, 0.001, 1024, "4"),              "MiB of gradients per message" },
    { "comm.verify_every",     LONG(comm.verify_every, 0, 1e9, "100"),            "steps between comparisons of all ranks' weights, also before checkpoints; 0: never" },
};
// clang-format on

const int conf_n_keys = sizeof conf_keys / sizeof *conf_keys;

int key_find(const char *key)
{
    for (int i = 0; i < conf_n_keys; i++)
        if (!strcmp(conf_keys[i].key, key)) return i;
    return -1;
}

bool key_is_section(const char *key)
{
    size_t n = strlen(key);
    for (int i = 0; i < conf_n_keys; i++)
        if (!strncmp(conf_keys[i].key, key, n) && conf_keys[i].key[n] == '.') return true;
    return false;
}

// Levenshtein's distance between a and the first n bytes of b, which stay below 64; a is cut.
static int edits(const char *a, const char *b, size_t n)
{
    int row[64];
    for (size_t j = 0; j <= n; j++) row[j] = (int)j;
    for (int i = 1; *a && i < 64; a++, i++) {
        int corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            int change = corner + (*a != b[j - 1]);
            corner = row[j];
            int gap = 1 + (row[j - 1] < row[j] ? row[j - 1] : row[j]);
            row[j] = change < gap ? change : gap;
        }
    }
    return row[n];
}

const char *key_nearest(const char *key)
{
    static char nearest[64];
    int least = INT_MAX;
    for (int i = 0; i < conf_n_keys; i++) {
        const char *known = conf_keys[i].key;
        // Each prefix up to a dot is a section; "batch" alone is one edit from "train.batch".
        for (size_t n = 1, last = 0; n <= strlen(known); n++) {
            if (known[n] && known[n] != '.') continue;
            int full = edits(key, known, n), tail = last ? 1 + edits(key, known + last, n - last) : full;
            int d = full < tail ? full : tail;
            if (d < least) {
                least = d;
                memcpy(nearest, known, n);
                nearest[n] = 0;
            }
            last = n + 1;
        }
    }
    return nearest;
}
