#!/usr/bin/env bash
# jobs/ where no SLURM and no other host is needed: what it would start.  make test-slurm and make test-hosts start it.
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/lib.sh
. tests/lib.sh
scratch

# A program of this folder stands in for the real one; it writes down its words.
mkdir "$T/bin"
export PATH=$T/bin:$PATH
cat >"$T/bin/sbatch" <<SH
#!/bin/bash
echo "\$*" >>"$T/jobs"
wc -l <"$T/jobs"
SH
chmod +x "$T/bin/sbatch"

jobs/chain.sh 3 --nodes=2 jobs/faces.sbatch my.yaml --resume runs/my/ckpt-00000100.h5 --fresh --set run.seed=2 >"$T/out"
expect "a chain of three jobs is submitted" says "$T/out" '^jobs 1 2 3; '
expect "the first goes back to the checkpoint named" says "$T/jobs" \
    '^--parsable --no-requeue --nodes=2 .* my.yaml --resume runs/my/ckpt-00000100.h5 --fresh --set run.seed=2$'
for job in 2 3; do
    sed -n ${job}p "$T/jobs" >"$T/job"
    expect "job $job continues what the one before it left" says "$T/job" \
        "--dependency=afternotok:$((job - 1)) .* --nodes=2 jobs/faces.sbatch my.yaml --set run.seed=2\$"
done

printf '#!/bin/bash\n[ "$(wc -l <"%s")" -lt 2 ] && echo "$*" >>"%s" && wc -l <"%s"\n' "$T/few" "$T/few" "$T/few" >"$T/bin/sbatch"
: >"$T/few"
jobs/chain.sh 3 jobs/faces.sbatch 2>"$T/err" >"$T/out"
expect "a chain that is refused half-way ends with status 1" test $? -eq 1
expect "and names what is in the queue" says "$T/err" '^jobs 1 2 are in the queue; to cancel them: scancel 1 2$'

# A job ends by its own clock, and SLURM's signal of the time limit comes before it is back in the queue.
cat >"$T/bin/mpirun" <<'SH'
#!/bin/bash
echo "checkpoint of step 1"
exit 75
SH
cat >"$T/bin/scontrol" <<SH
#!/bin/bash
echo "\$*" >>"$T/requeued"
SH
chmod +x "$T/bin/mpirun" "$T/bin/scontrol"
cat >"$T/late.sh" <<'SH'
. jobs/job.sh
train configs/smoke.yaml
status=$?
kill -USR1 $$
leave $status
SH
SLURM_JOB_ID=7 LAUNCHER=mpirun bash "$T/late.sh" >"$T/out" 2>&1
expect "a signal after the ranks' end leaves the status" test $? -eq 75
expect "and the job goes back into the queue" says "$T/requeued" '^requeue 7$'

printf '#!/bin/bash\ncat "$2"\n' >"$T/bin/mpirun"   # its first words are --hostfile FILE
chmod +x "$T/bin/mpirun"
printf '# mine\nh1 slots=2\n\nh2 slots=4' >"$T/hosts"
SSH=true jobs/hostfile.sh "$T/hosts" >"$T/out"
expect "hosts are those of the file, the last one without a line's end" diff "$T/out" <(printf 'h1 slots=2\nh2 slots=4\n')

printf '#!/bin/bash\necho "$*"\n' >"$T/bin/mpirun"
DAGAN_ISA=avx2 SSH=true jobs/hostfile.sh "$T/hosts" >"$T/out"
expect "other hosts are told which kernels to take" says "$T/out" ' -x DAGAN_ISA '
