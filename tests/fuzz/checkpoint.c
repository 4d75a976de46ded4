// An HDF5 file as a checkpoint: its configuration as translate takes it, then all of it as a run that
// resumes.
#include "child.h"

#include "dagan/run.h"

static config_t conf;
static trainer_t trainer;

static void begin(void)
{
    const char *job = getenv("DAGAN_FUZZ_JOB");
    CHECK(job && config_load(&conf, job, NULL, 0) == 0, "wanted DAGAN_FUZZ_JOB, the job of the seeds: %s",
          error_text());
    CHECK(trainer_init(&trainer, &comm, &conf, (begun_t){ 0 }, false) == 0, "%s", error_text());
}

static void try(const uint8_t *data, size_t size)
{
    static config_t found;
    const char *path = input_file("ckpt.h5", data, size);
    checkpoint_config(&comm, path, &found);
    if (checkpoint_load(&trainer, path)) return;
    CHECK(trainer.step >= 0 && trainer.gan_steps <= trainer.step, "a step that cannot be");
}
