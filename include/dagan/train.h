// train: the objective, the step, and what a checkpoint holds.
#ifndef DAGAN_TRAIN_H
#define DAGAN_TRAIN_H

#include "dagan/data.h"
#include "dagan/loss.h"

typedef struct trainer trainer_t;
typedef struct save save_t; // of dagan/array.h

// ---- the model and its objective -------------------------------------------------------------------

// All parameters.  F = G o DAE is trained by one optimizer, D1 and D2 by another.
typedef struct {
    const config_t *conf;
    params_t f, d;
    int n_classes[CONF_LABELS_MAX];
    params_t loss_net;       // frozen, of loss.distance classifier
    config_t *loss_net_conf; // a classifier's, owned; NULL: VGG16
} model_t;

// The network of loss.distance classifier, if kind_has_loss_net(m->conf): which it is, before objectives are
// built; how a tape sees it; and, when they are built and before tapes are planned, its weights.  find and
// load are collective; 0, or -1 after the message was printed.
int loss_net_find(model_t *m, const comm_t *c);
scope_t loss_net_scope(tape_t *t, model_t *m);
int loss_net_load(model_t *m, const comm_t *c);
void loss_net_free(model_t *m);

enum { OBJECTIVE_TERMS_MAX = 16, SCORES = 4 };

// A bucket of gradients and the node after whose backward it may leave.
typedef struct {
    int bucket, node;
} departure_t;

enum { AUGMENTS = 4 }; // of what D1 and D2 see: two real sets and two fake ones

// One step's tape for a leaf of n pairs: the wires it is made of and the loss terms it ends in.
typedef struct {
    int step; // STEP_*
    int n;    // pairs
    tape_t tape;
    wires_t wires;
    const loss_t *term[OBJECTIVE_TERMS_MAX];
    var_t value[OBJECTIVE_TERMS_MAX]; // scalars, unweighted
    int n_terms;
    var_t x; // (2n, H, W, 3): s, then t
    var_t total;
    var_t augment[AUGMENTS]; // numbers for what D1 and D2 see; NULL: none
    int n_augment;
    var_t jitter;           // of the regions of s and t and, alike, of F(s) and F(t); NULL: none
    departure_t *departure; // one for each bucket, in the order they leave
} objective_t;

// Builds what one step of the configured kind computes; the first build of a network adds its parameters to
// the model.
void objective_build(objective_t *o, model_t *m, int step, int n);
// The objectives of one leaf for each step that the kind takes, m->conf set, in the one order that lays out a
// model's parameters; the others stay empty (n = 0).
void model_build(model_t *m, objective_t *g, objective_t *label, objective_t *d, objective_t *label_d);
void objective_free(objective_t *o);
// Plans the tape, one of at_once that run side by side: more than one have a thread each.
void objective_plan(objective_t *o, int at_once);
// Bytes of the planned tapes of four objectives where at_once of each share their prepared weights.
size_t objectives_bytes(const objective_t *const o[4], int at_once);
// For kinds: DiffAugment of what a discriminator sees, numbers in an input of that name.
var_t objective_seen(objective_t *o, var_t x, const char *name);
// What discriminator d says of real and of fake images, which go through it as one batch.
void objective_tell(const scope_t *d, var_t real, var_t fake, disc_t *of_real, disc_t *of_fake);
// Names what D1 and D2 say: wires d1_real, d1_fake, ...
void objective_name_scores(wires_t *w);

// F alone on a batch of n images, with averaged weights where the run keeps them (samples, translate).  x is
// NULL where the kind makes no images; z is empty where it has no attention.
typedef struct {
    tape_t tape;
    var_t x, fx;
    dae_t z;
    var_t logits[CONF_LABELS_MAX]; // what DAE tells, where the model knows the labels' classes
} translator_t;

void translator_build(translator_t *tr, model_t *m, int n);
void translator_free(translator_t *tr);
int translator_regions(const translator_t *tr); // N', 0 without attention

// A trained classifier on a batch of n images: its features and what it says of each label.
typedef struct {
    tape_t tape;
    var_t x, features;
    var_t logits[CONF_LABELS_MAX];  // (n, 1, 1, classes)
    int n_labels, n_answers;        // answers: the classes of all labels
    int first[CONF_LABELS_MAX + 1]; // a label's first answer
    uint64_t hash;                  // XXH3 of the weights, its name in results
} judge_t;

void judge_build(judge_t *j, model_t *m, int n);
void judge_free(judge_t *j);
// Builds the classifier of m for single images and names its answers; the caller plans the tape.
void judge_plan(judge_t *j, model_t *m);
// The configuration in a classifier's checkpoint; then, with m->conf and m->n_classes set, its weights.
// Collective; 0, or -1 after the message was printed.
int judge_config(const comm_t *c, const char *path, config_t *conf);
int judge_load(judge_t *j, model_t *m, const comm_t *c, const char *path);
// Takes the hash of the weights, as judge_load does.
void judge_hash(judge_t *j, const model_t *m);
// That hash in 16 digits, by which results name it; returns text[HASH_TEXT].
enum { HASH_TEXT = 17 };
const char *judge_name(char *text, const judge_t *j);

// What `model.kind` names: networks and the wires between them.  A file of src/train/ defines kind_NAME.
typedef struct {
    const char *name;
    int bit, steps;                                 // KIND_*; STEP_* bits: the steps it consists of
    void (*build)(objective_t *o, model_t *m);      // o->step's wires, from o->x and the label inputs
    void (*translator)(translator_t *t, model_t *); // fx from x; NULL: makes no images
} kind_t;

const kind_t *kind_of(const config_t *conf);
// FID's covariances are of CLASSIFIER_FEATURES numbers: of fewer rows they have no full rank, and fakes that
// vary too little would look best.
enum { BEST_ROWS_MIN = 16, BEST_FID_ROWS_MIN = 2 * CLASSIFIER_FEATURES };

// Checks model.kind, what keys of different sections ask of each other there, and what net_check does.  0, or
// -1 after fail().
int kind_check(const config_t *conf);
// 0, or -1 after fail() where the kind of the checkpoint `path` makes no images.
int kind_translates(const config_t *conf, const char *path);
// Whether the run has steps of that sort; whether a loss is part of it.
bool kind_takes(const config_t *conf, int step);
bool kind_has_loss(const config_t *conf, const loss_t *loss);
// Whether it tells labels of what it trains on, so that label_accuracy says something.
bool kind_tells_labels(const config_t *conf);
// Whether a loss compares features of loss.classifier.
bool kind_has_loss_net(const config_t *conf);

// ---- gradients over leaves and ranks ---------------------------------------------------------------

// Sums the gradients of a rank's leaves in a fixed binary tree: leaves in blocks of the odd part of their
// number, blocks by a binary counter.  Rank counts that are powers of two then see the same tree.
typedef struct {
    float *x;         // n floats: the leaf's own gradients, in the end their sum
    float *level[32]; // partial sums of 1, 2, 4, ... blocks
    size_t n;
    int leaves, block, n_levels;
} tally_t;

void tally_init(tally_t *t, float *x, size_t n, int leaves);
void tally_free(tally_t *t);
// Takes in floats [first, end) of leaf `leaf` (0 .. leaves - 1, in order), whose gradients are in g: t->x or,
// where a block is one leaf and this one is not the last, any other array.  After the last leaf t->x holds
// their sum, before that g is ready for another leaf.  All threads of a team call it, or one outside of any.
void tally_add(tally_t *t, float *g, int leaf, size_t first, size_t end);
// How many leaves of a rank run side by side, each on a thread of its own: as many as there are threads, or 1
// where more than a fifth of them would be idle or blocks have more than one leaf.
int tally_at_once(int leaves, int threads);

// ---- the optimizer ---------------------------------------------------------------------------------

typedef struct {
    double rate, beta1, beta2;
    double scale; // multiplies the gradients: 1 / leaves and clipping
    double ema;   // decay of the averaged weights, 0: ema = w
} adam_t;

// One pass over weights, moments and averages; counts an update for each network in `nets` (bits of p->net)
// and leaves the others alone.  Zeroes the gradients of all.
void adam_update(params_t *p, const adam_t *a, unsigned nets);
// Global norm of the gradients, not finite if any of them is not.
double gradient_norm(const params_t *p);

// ---- the plan of a run -----------------------------------------------------------------------------

// Where the batch grows, whatever the configuration counts in steps shrinks to as many pairs.
typedef struct {
    int batch, leaves; // over all ranks, after growth
    int first_leaf, my_leaves;
    long steps, label_warmup, warmup;
    double rate_scale, ema;
    bool grown, is_invariant; // batch grew; bits do not depend on the number of ranks
} plan_run_t;

// What a run that is to go on was begun with: its pairs per step, 0 for a new run, and whether they had
// grown.
typedef struct {
    int batch;
    bool grown;
} begun_t;

// A run that goes on keeps a batch that had grown, on however few ranks, and grows no further.  0, or -1
// after fail().
int plan_run(plan_run_t *p, const config_t *conf, int rank, int size, begun_t begun);
// Step sizes at a step: warm-up, linear decay, scaling.
double rate_at(const config_t *conf, const plan_run_t *p, double rate, long step);
double rate_of_f(const config_t *conf, const plan_run_t *p, long step); // of DAE and G
double rate_of_d(const config_t *conf, const plan_run_t *p, long step); // of D1 and D2

// ---- metrics ---------------------------------------------------------------------------------------

enum { METRICS_MAX = 48, METRIC_NAME_MAX = 32 };

// Rows of named numbers, equal on all ranks; the same table goes to metrics.csv and into checkpoints.
typedef struct {
    char name[METRICS_MAX][METRIC_NAME_MAX];
    int n_columns;
    double *row; // (n_rows, n_columns); column 0 is the step
    size_t n_rows, capacity;
} metrics_t;

int metrics_column(metrics_t *m, const char *name); // found or added
double *metrics_add(metrics_t *m);                  // a new row of zeros
void metrics_free(metrics_t *m);

// ---- the trainer -----------------------------------------------------------------------------------

// One optimizer's side of a step: gradients summed over leaves, then over ranks.
typedef struct {
    params_t *params;
    tally_t tally;
    int at_once;      // leaves
    float **gradient; // of each of them; the first are those of params
    reduce_t *reduce;
    size_t *edge; // of the buckets
    int n_buckets;
    bool under_way;
    double norm; // of the last reduced gradient, over the leaf mean
} side_t;

// Images that D has seen before: `depth` for each sample of the batch, indexed by sample, never by rank.
typedef struct {
    int depth, samples, first; // of this rank
    size_t image;              // floats
    float *s, *t;              // (samples, depth, image)
} image_pool_t;

// Images kept for each sample, 0: none.
int image_pool_depth(const config_t *conf, const plan_run_t *plan);

// Where each training image's regions were last seen: rows of the data set, spread over ranks by blocks.
typedef struct {
    size_t n;
    share_t mine; // rows
    int regions;
    float *centres; // (mine.count, regions, 2), of the image as stored
    int64_t *step;  // (mine.count), -1 never
    // Visits since the last exchange: row, step, centres of each.
    void *visit;
    size_t n_visits, capacity;
} attention_map_t;

enum {
    ATTENTION_BLOCK = 1024, // rows a checksum covers
    ATTENTION_EVERY = 1000  // steps after which visits are sent, if no checkpoint was due
};

void attention_init(attention_map_t *a, const comm_t *c, size_t n, int regions);
void attention_free(attention_map_t *a);
void attention_visit(attention_map_t *a, size_t row, long step, const float *centres);
// Bytes that the visits of a rank of this plan take at most, in both domains, and while they are sent.
size_t attention_visits_bytes(const config_t *conf, const plan_run_t *plan);
// Sends the visits to the ranks that hold their rows.  Collective.
void attention_exchange(attention_map_t *a, const comm_t *c);

// Looks on while a step runs (--dump-step).
typedef struct {
    void (*leaf)(void *arg, const trainer_t *tr, const objective_t *o,
                 int leaf); // after a leaf's backward pass
    void *leaf_arg;
    void (*gradients)(void *arg, const params_t *p); // summed over all, before the update
    void *gradients_arg[2];                          // of DAE and G; of D1 and D2
    // For tests, which may change what they see.
    void (*step)(void *arg, trainer_t *tr);                             // a step begins
    void (*filled)(void *arg, trainer_t *tr, objective_t *o, int leaf); // a leaf is about to run
    void *arg;
} observer_t;

// D's part of a step: its gradients are summed while the next step of F computes, and trainer_settle ends it
// there.
typedef struct {
    objective_t *of; // d or label_d
    long step;
    size_t image;       // numbers of one image
    float *fakes;       // (my leaves, 2, pairs of a leaf, image): s', t'
    uint8_t *reals[2];  // (my pairs, image): s and t as stored
    int16_t *labels[2]; // (my pairs, labels): theirs
    size_t *rows;       // (2, my pairs): where s and t stand in their data sets
} d_step_t;

struct trainer {
    observer_t observer;
    const comm_t *comm;
    const config_t *conf;
    plan_run_t plan;
    model_t model;
    dataset_t source, target;           // train
    dataset_t source_test, target_test; // what samples show; train again where there is no test split
    dataset_t *shown[2];                // of source and target: which of them
    loader_t *loader;
    translator_t translator; // of one image
    char best_by[96];        // what checkpoint.best compares, as best_open() says it
    double best_figure;      // the least so far, and its step
    long best_step;
    int at_once;                  // leaves, each on a thread of its own; 1: all threads share one
    objective_t *g, *d;           // their tapes
    objective_t *label, *label_d; // with train.label_warmup, of its steps
    side_t f_side, d_side;
    d_step_t pending;
    const batch_t *batch; // of this step
    image_pool_t pool;
    attention_map_t seen_s, seen_t;
    metrics_t metrics;
    long step;                                  // steps done
    long gan_steps;                             // of them, steps that trained D
    bool d_finite;                              // the last gradients of D were
    double score[SCORES];                       // that D1 and D2 gave in it, see side.h
    double loss[OBJECTIVE_TERMS_MAX], accuracy; // of the last step, in the order of losses[]
    int skipped;                                // steps in a row with gradients that are not finite
    long skipped_last;                          // the last of them
    long rollbacks;                             // since the run began
    long rollbacks_kept;                        // of them, before the newest checkpoint
    bool wants_rollback;                        // agreed by all ranks
    char *config_before;                        // YAML of the checkpoint that was loaded last, NULL: none was
    char kernels_before[96];                    // of the checkpoint it goes on from, "": these
    double seconds;                             // of training before this process
    double began;                               // now() when this process began
    double waited_data, waited_comm;            // since the last log line
    double stood;    // seconds training stood still for checkpoints since the last log line
    bool writes;     // a thread of this rank writes a checkpoint; the next step tells the others
    bool is_writing; // agreed by all ranks: some rank's thread still writes
    bool stop;       // agreed by all ranks: write a checkpoint and leave
};

// Whether two training splits, perhaps without their rows, hold enough images for the plan and mean the same
// by labels.  Local; 0, or -1 after fail().
int trainer_check_data(const config_t *conf, const plan_run_t *plan, const dataset_t *source,
                       const dataset_t *target);
// Opens data, builds tapes, allocates everything for a new run or one to go on; with keeps_wires all named
// wires stay readable for an observer. Collective; 0, or -1 after the message was printed.
int trainer_init(trainer_t *tr, const comm_t *c, const config_t *conf, begun_t begun, bool keeps_wires);
void trainer_free(trainer_t *tr);
// One step.  The caller has set tr->writes.  0, or -1 after the message was printed where a non-finite run
// must end or go back.  Collective.
int trainer_step(trainer_t *tr);
// Waits for D's reduction and applies it, so that all weights are those after `step` steps.  As trainer_step.
int trainer_settle(trainer_t *tr);
// Forgets a step that failed half-way; what it would have changed is to be loaded next.  Collective.
void trainer_drop(trainer_t *tr);
// To be called when tr->rollbacks has changed: rows come in another order.
void trainer_reseed(trainer_t *tr);
// Set by signal handlers; ranks agree on it within a step.
extern volatile int stop_requested;

// ---- what a checkpoint holds ---------------------------------------------------------------------------

// Copies everything into `save` and lays the file out.  Collective; 0, or -1 on all ranks after fail() on
// one.
int checkpoint_lay_out(trainer_t *tr, save_t *save);
// Collective; 0 on all ranks, or -1 on some, after fail().
int checkpoint_load(trainer_t *tr, const char *path);
// With how many pairs per step the run of a checkpoint was begun.  As checkpoint_load.
int checkpoint_batch(const comm_t *c, const char *path, begun_t *begun);
// Reads the configuration of a checkpoint; how many classes `net`, "dae" or "cls", tells of each label, 0:
// none, into m->n_classes, before the model is built; then its averaged weights and step: translate needs no
// more.
int checkpoint_config(const comm_t *c, const char *path, config_t *conf);
int checkpoint_heads(const comm_t *c, const char *path, const char *net, model_t *m);
int checkpoint_model(const comm_t *c, const char *path, model_t *m, long *step);

// Whether labels that the run of a checkpoint told have the same classes in the data set.  Files of older
// programs do not tell.  Collective; 0, or -1 after the message was printed.
int checkpoint_classes(const comm_t *c, const char *path, const dataset_t *d);
// The names of the classes of each label that DAE tells, n[i] texts that each end in a zero byte, to be
// released with free(); NULL where the file, of an older program, does not hold them.  Collective; 0, or -1
// after fail().
int checkpoint_names(const comm_t *c, const char *path, const config_t *conf, char *names[], int n[]);

// "eyes: 0, mouth: 1, skin: all": which region tells which label.
enum { LABELS_TEXT = CONF_LABELS_MAX * 80 }; // a name has less than 64 bytes
void labels_text(char *text, size_t size, const config_t *conf);

#endif
