// base: errors, random numbers by place, and the configuration.  No MPI here.
#ifndef DAGAN_BASE_H
#define DAGAN_BASE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DAGAN_VERSION "0.1.0"

// Exit statuses of the program.
enum { EXIT_DONE = 0, EXIT_USER = 1, EXIT_RUN_FAILED = 2, EXIT_REQUEUE = 75 };

// ---- errors -----------------------------------------------------------------------------------

// Records a mistake the user can mend, as printf does, and returns -1.  The first line of a call
// chain counts: name the thing, the value found and the value wanted.
int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

// The text of the last fail() of this process, "" if there was none.
const char *error_text(void);

// What die() calls last; comm sets it to MPI_Abort so that no rank waits for a dead one.
extern void (*die_hook)(int status);

// Prints "file:line: text" to stderr and ends the run with EXIT_RUN_FAILED.
_Noreturn void die(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

// CHECK(condition, "format", ...): ends the run where the system failed us (memory, files).
#define CHECK(ok, ...)                                   \
    do {                                                 \
        if (!(ok)) die(__FILE__, __LINE__, __VA_ARGS__); \
    } while (0)

// H5_OK(call): evaluates to the call's result; a negative one ends the run.
#define H5_OK(call) h5_ok((int64_t)(call), __FILE__, __LINE__, #call)
int64_t h5_ok(int64_t result, const char *file, int line, const char *call);

// Lines that are gathered before they are printed; text is to be released with free(), NULL where there is
// none.
typedef struct {
    char *text;
    size_t length;
} lines_t;

void lines_add(lines_t *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Zeroed memory aligned to 64 bytes, to be released with free(); never NULL.
void *alloc(size_t count, size_t size);

// Seconds on a clock that never jumps.
double now(void);

// "90", "1:30", "2:00:00" or "1-12:00:00" (a day and a half) in seconds; -1 where the text is none of these.
double seconds_of(const char *text);

// ---- paths ---------------------------------------------------------------------------------------

// Whether both paths lead to one file that is there.
bool is_same_file(const char *a, const char *b);
// Before the file that `option` names is opened for writing: 0, or -1 after fail() where it is one of n
// inputs.  Either may be NULL.
int output_spares(const char *option, const char *output, const char *const input[], int n);
// Before the work of which the result goes there: 0, or -1 after fail() where the file cannot be opened for
// writing.  Leaves all as it was.  NULL is well.
int output_opens(const char *path);
// Before a text that begins with `first` is written to `path`: 0, or -1 after fail() where a file stands
// there that begins otherwise.  Links into /dev and NULL are well.
int output_replaces_text(const char *path, char first);
// Brings a file or a folder to disk.  0, or -1 after fail().
int sync_path(const char *path);
// Gives `tmp`, which is on disk, the name `path` in the same folder, so that it outlives a crash.  0, or -1
// after fail().
int take_name(const char *tmp, const char *path);

// ---- profile -------------------------------------------------------------------------------------

// One thing that took time.  Texts are borrowed and must outlive the trace.
typedef struct {
    const char *name, *part, *pass; // "conv", "F", "forward"; "bucket", "gradients of F", "sum"
    int id;                         // of the node or bucket, -1: none
    int thread;                     // of those that run leaves
    double began, ended;            // as now() tells
} event_t;

// True while events are wanted: ask before taking the time.
extern bool trace_on;
void trace_start(size_t most); // allocates room for `most` events; those beyond are dropped
void trace_add(const char *name, const char *part, const char *pass, int id, double began);
const event_t *trace_events(size_t *n); // in the order they ended
void trace_free(void);

// ---- random numbers by place --------------------------------------------------------------------

// Philox4x32-10 keyed by (seed, stream) and counted by (a, b): a number depends on where it is used,
// never on who drew before, so neither ranks nor threads nor history change it.
typedef enum {
    STREAM_WEIGHTS,
    STREAM_ORDER_SOURCE,
    STREAM_ORDER_TARGET,
    STREAM_POOL,
    STREAM_AUGMENT,
    STREAM_TEST,
    STREAM_EVALUATE,
    STREAM_JITTER,
    STREAM_SHIFT,
} stream_t;

typedef struct {
    uint32_t key[2], counter[4], out[4];
    int left; // words of `out` not yet used
} rng_t;

rng_t rng_at(uint64_t seed, stream_t stream, uint64_t a, uint64_t b);
uint32_t rng_u32(rng_t *r);
uint32_t rng_below(rng_t *r, uint32_t n); // uniform in [0, n), unbiased
float rng_uniform(rng_t *r);              // [0, 1)
float rng_normal(rng_t *r);               // mean 0, variance 1

// Appends " WORD" to a text in text[size], as far as there is room.
void add_word(char *text, size_t size, const char *word);

// ---- configuration ------------------------------------------------------------------------------

enum {
    CONF_TEXT_MAX = 1024,
    CONF_LABELS_MAX = 32,
    CONF_REGIONS_MAX = 64,
    CONF_REGION_ALL = -1,
    CONF_BYTES_MAX = 1 << 20
};

typedef enum { GAN_MINIMAX, GAN_NONSATURATING, GAN_LSGAN, GAN_HINGE } gan_t;
typedef enum { DISTANCE_L1, DISTANCE_L2, DISTANCE_DISCRIMINATOR, DISTANCE_CLASSIFIER } distance_t;
typedef enum { ATTENTION_MASK, ATTENTION_CROP } attention_t;
typedef enum { SCALING_SQRT, SCALING_LINEAR, SCALING_NONE } scaling_t;
typedef enum { REDUCE_TREE, REDUCE_MPI } reduce_mode_t;
typedef enum { BEST_NONE, BEST_KID, BEST_FID } best_figure_t;
typedef enum { ON_ERROR_STOP, ON_ERROR_CONTINUE } on_error_t;
typedef enum { NONFINITE_SKIP, NONFINITE_ROLLBACK, NONFINITE_STOP } nonfinite_t;

// Two numbers of each region, along x and along y.
typedef struct {
    int given; // how many the configuration names: 1, then for all regions, or one for each
    double side[CONF_REGIONS_MAX][2];
} sides_t;

// One line of `labels:`: an attribute of the data and the region whose instance must tell it.
typedef struct {
    char name[64];
    int region; // 0..N'-1, or CONF_REGION_ALL
} label_t;

typedef struct {
    char file[CONF_TEXT_MAX];  // HDF5 file
    char group[CONF_TEXT_MAX]; // domain inside it
} domain_conf_t;

// The configuration in force.  keys.c holds the one table of keys with their members, types,
// ranges, defaults and help.
typedef struct {
    struct {
        char dir[CONF_TEXT_MAX];
        long seed;
        double time_limit; // seconds, 0: none
    } run;
    struct {
        long steps, pairs;     // length; one of the two is 0
        int batch, microbatch; // pairs per step over all ranks; pairs per leaf
        bool grow;
        scaling_t rate_scaling;
        long label_warmup;     // first steps, on labels alone: of DAE, and of D1 with label_d
        double rate_label;     // Adam step size in these steps, 0: rate_g, rate_d
        double rate_g, rate_d; // Adam step sizes of DAE+G and of D
        double beta1, beta2;
        long warmup;  // steps of linear rise of the rates
        double decay; // share of the run after which the rates fall linearly to 0
        double clip;  // global gradient norm, 0: no clipping
        double ema;   // decay of the averaged weights, 0: none
        int pool;     // images in D's pool, 0: none
        bool augment_colour, augment_shift, augment_cutout; // DiffAugment on D's inputs
        nonfinite_t nonfinite;
        int nonfinite_max; // skipped steps or rollbacks in a row before the run fails
    } train;
    struct {
        char kind[64];
        int width;   // w
        int width_d; // w of D1 and D2, 0: width
        char encoder[64], localiser[64];
        char norm_dae[32], norm_g[32], norm_d[32];
        int norm_groups; // for norm `group`
        int residuals;   // residual blocks of G
        bool spectral;   // norm of D1's and D2's convolutions
        double range;    // r of G's last step, r tanh(x / r)
    } model;
    struct {
        int regions;
        sides_t half;   // w, h of Eq. 2
        sides_t grid;   // label heads read the mean features of so many parts of their region
        sides_t settle; // steps of mean shift behind f_loc, along x and y
        double jitter;  // of centres in training, in half-sides
        double sharpness;
        attention_t mode;
        int window;
    } attention;
    label_t labels[CONF_LABELS_MAX];
    int n_labels;
    struct {
        gan_t gan;
        distance_t distance;
        char classifier[CONF_TEXT_MAX]; // of distance classifier: HDF5 file, "none"
        struct {
            double gan_s, gan_t, cst, sym, label, label_fake, label_d, pixel, overlap, cycle, identity, lecam;
        } weights;
    } loss;
    struct {
        domain_conf_t source, target;
        int size;
        int shift;      // largest displacement of training images in pixels
        int validation; // last rows of each training split that are not trained on
    } data;
    struct {
        long every;
        int keep;
        long keep_every; // steps between checkpoints that are kept for good, 0: none are
        best_figure_t best;
        long best_every;
        char classifier[CONF_TEXT_MAX]; // checkpoint of one, "none"
        bool async;
        on_error_t on_error;
    } checkpoint;
    struct {
        long every;
        bool profile; // write trace.json
    } log;
    struct {
        long every;
        int count;
    } samples;
    struct {
        reduce_mode_t reduce;
        double timeout;
        double bucket;
        long verify_every; // steps, 0: never
    } comm;                // bucket in MiB
} config_t;

// The text of a configuration file, up to one byte more than config_parse takes, so that a longer one shows.
// 0, or -1 after fail().
int config_read(const char *path, char text[CONF_BYTES_MAX + 1], size_t *length);

// Fills `c` from defaults, then the YAML file, then `n_sets` "KEY=VALUE" overrides, and checks types,
// ranges and what keys ask of each other.  Returns 0, or -1 after fail("FILE:LINE: ...").
int config_load(config_t *c, const char *path, char *const sets[], int n_sets);

// The same from text in memory; `name` stands for the file in messages.
int config_parse(config_t *c, const char *name, const char *text, size_t length, char *const sets[],
                 int n_sets);

// The configuration in force as YAML, every key with its value; to be released with free().
char *config_yaml(const config_t *c);

// Says a line, "KEY was VALUE, is VALUE", for each key whose value is not that of an earlier config_yaml;
// nothing where that is of a program with other keys.
void config_changes(const char *before, const config_t *now, void (*say)(void *arg, const char *line),
                    void *arg);

// Prints every key with type, range, default and help, from the same table.
void config_help(void);

#endif
