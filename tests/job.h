// Tiny training jobs on a data set of their own.
#ifndef TESTS_JOB_H
#define TESTS_JOB_H

#include "test.h"

#include "files.h"

#include "dagan/run.h"

enum { ROWS = 24, SIDE = 16 }; // images of the data set

// The configuration `yaml` and `sets`, which end with NULL or are NULL, on write_dataset()'s faces.
// Collective.
static UNUSED void job_parse(config_t *conf, const char *yaml, char *const sets[])
{
    char dir[CONF_TEXT_MAX], file[2][CONF_TEXT_MAX], *all[16] = { dir, file[0], file[1] };
    int n = 3;
    for (; sets && *sets; sets++) all[n++] = *sets;
    snprintf(dir, sizeof dir, "run.dir=%s", at("run"));
    snprintf(file[0], sizeof file[0], "data.source.file=%s", at("faces.h5"));
    snprintf(file[1], sizeof file[1], "data.target.file=%s", at("faces.h5"));
    if (comm.rank == 0 && access(at("faces.h5"), F_OK)) write_dataset(at("faces.h5"), ROWS, SIDE);
    comm_barrier(&comm);
    if (config_parse(conf, "job", yaml, strlen(yaml), all, n)) fail_msg("%s", error_text());
}

static UNUSED char said[8192]; // by rank 0 on stderr, in the last job

// A new run; its status.
static UNUSED int job_run(const config_t *conf, const observer_t *o)
{
    listen();
    int status = train_run(&comm, conf, &(train_t){ .fresh = true, .observer = *o });
    snprintf(said, sizeof said, "%s", heard());
    comm_bcast(&comm, said, sizeof said, 0);
    return status;
}

static UNUSED void expect_status(int found, int wanted)
{
    if (found != wanted) fail_msg("status %d, wanted %d: %s", found, wanted, said);
}

#endif
