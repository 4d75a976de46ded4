// Reads damaged files by the thousand: each in a child process forked from one that has started MPI and built
// the job. usage: reader resume|translate|train|test CONFIG.yaml [KEY=VALUE...], then a path on each line of
// standard input Answers each path with what the child wrote, among it `state HASH` where it could read the
// file, and a last line `end STATUS`, `end signal N` or `end hang`.

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include "dagan/kernel.h"
#include "dagan/run.h"

enum { HANG = 60 }; // seconds

static comm_t comm;
static config_t conf;
static trainer_t trainer;
static XXH3_state_t *state;

static void put(const void *bytes, size_t n)
{
    XXH3_64bits_update(state, bytes, n);
}

static void put_params(const params_t *p, bool has_ema)
{
    size_t bytes = p->n * sizeof *p->w;
    put(p->w, bytes);
    put(p->m, bytes);
    put(p->v, bytes);
    if (has_ema) put(p->ema, bytes);
    for (int i = 0; i < p->n_nets; i++) put(&p->net[i].updates, sizeof p->net[i].updates);
}

static void put_attention(const attention_map_t *a)
{
    put(a->centres, a->mine.count * (size_t)a->regions * 2 * sizeof *a->centres);
    put(a->step, a->mine.count * sizeof *a->step);
}

// Everything that a run goes on from.
static int resume(const char *path)
{
    trainer_t *tr = &trainer;
    bool found;
    if (checkpoint_resume(tr, NULL, path, &found) || !found) return EXIT_USER;
    size_t pool = (size_t)tr->pool.samples * (size_t)tr->pool.depth * tr->pool.image * sizeof *tr->pool.s;
    put_params(&tr->model.f, true);
    put_params(&tr->model.d, false);
    put_attention(&tr->seen_s);
    put_attention(&tr->seen_t);
    put(tr->pool.s, pool);
    put(tr->pool.t, pool);
    put(tr->metrics.row, tr->metrics.n_rows * (size_t)tr->metrics.n_columns * sizeof *tr->metrics.row);
    put(&tr->step, sizeof tr->step);
    put(&tr->gan_steps, sizeof tr->gan_steps);
    put(&tr->skipped, sizeof tr->skipped);
    put(&tr->seconds, sizeof tr->seconds);
    return EXIT_DONE;
}

// What `translate` takes from a checkpoint: its configuration and the averaged weights.
static int translate_from(const char *path)
{
    config_t *c = alloc(1, sizeof *c);
    model_t model = { .conf = c };
    translator_t f;
    long step;
    if (checkpoint_config(&comm, path, c)) return EXIT_USER;
    translator_build(&f, &model, 1);
    params_alloc(&model.f, 0, 0);
    if (checkpoint_model(&comm, path, &model, &step)) return EXIT_USER;
    char *yaml = config_yaml(c);
    put(yaml, strlen(yaml));
    put(&step, sizeof step);
    put(model.f.ema, model.f.n * sizeof *model.f.ema);
    return EXIT_DONE;
}

// Rows, labels and what the labels are called, of both domains.
static int data(const char *path, const char *split, int n_labels)
{
    const domain_conf_t *where[] = { &conf.data.source, &conf.data.target };
    dataset_t set[2];
    for (int i = 0; i < 2; i++) {
        domain_conf_t damaged = *where[i];
        snprintf(damaged.file, sizeof damaged.file, "%s", path);
        if (dataset_open(&set[i], &comm, &damaged, split, conf.data.size, conf.labels, n_labels))
            return EXIT_USER;
        char *row = alloc(dataset_row_bytes(&set[i]), 1);
        for (size_t r = 0; r < set[i].n; r++) {
            dataset_get(&set[i], r, row);
            put(row, dataset_row_bytes(&set[i]));
        }
        put(set[i].classes_hash, (size_t)n_labels * sizeof *set[i].classes_hash);
    }
    return comm_agree(&comm, dataset_same_classes(&set[0], &set[1]), error_text()) ? EXIT_USER : EXIT_DONE;
}

static int train_data(const char *path)
{
    return data(path, "train", conf.n_labels);
}

static int test_data(const char *path) // nothing reads its labels
{
    return data(path, "test", 0);
}

static const struct {
    const char *name;
    int (*read)(const char *path);
} modes[] = {
    { "resume", resume }, { "translate", translate_from }, { "train", train_data }, { "test", test_data }
};

enum { N_MODES = sizeof modes / sizeof *modes };

static void child(int mode, const char *path)
{
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(STDOUT_FILENO, STDERR_FILENO) < 0) _exit(99);
    alarm(HANG);
    state = XXH3_createState();
    XXH3_64bits_reset(state);
    int status = modes[mode].read(path);
    if (status == EXIT_DONE) printf("state %016llx\n", (unsigned long long)XXH3_64bits_digest(state));
    fflush(stdout);
    _exit(status);
}

static void serve(int mode)
{
    char path[CONF_TEXT_MAX];
    while (fgets(path, sizeof path, stdin)) {
        int status;
        path[strcspn(path, "\n")] = 0;
        pid_t pid = fork();
        if (pid == 0) child(mode, path);
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid, "no child");
        if (WIFEXITED(status))
            printf("end %d\n", WEXITSTATUS(status));
        else if (WTERMSIG(status) == SIGALRM)
            printf("end hang\n");
        else
            printf("end signal %d\n", WTERMSIG(status));
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    size_t mode = 0;
    int status;
    if (hdf5_is_child(argc, argv, &status)) return status;
    CHECK(argc >= 3, "usage: reader resume|translate|train|test CONFIG.yaml [KEY=VALUE...]");
    while (mode < N_MODES && strcmp(modes[mode].name, argv[1])) mode++;
    CHECK(mode < N_MODES, "%s: unknown", argv[1]);
    comm_init(&comm, &argc, &argv);
    CHECK(!kernel_init() && !config_load(&conf, argv[2], argv + 3, argc - 3), "%s", error_text());
    if (modes[mode].read == resume && trainer_init(&trainer, &comm, &conf, (begun_t){ 0 }, false))
        return EXIT_USER;
    serve((int)mode);
    if (modes[mode].read == resume) trainer_free(&trainer);
    comm_free(&comm);
    return EXIT_DONE;
}
