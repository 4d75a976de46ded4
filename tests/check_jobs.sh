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

printf '#!/bin/bash\ncat "$2"\n' >"$T/bin/mpirun"   # its first words are --hostfile FILE
chmod +x "$T/bin/mpirun"
printf '# mine\nh1 slots=2\n\nh2 slots=4' >"$T/hosts"
SSH=true jobs/hostfile.sh "$T/hosts" >"$T/out"
expect "hosts are those of the file, the last one without a line's end" diff "$T/out" <(printf 'h1 slots=2\nh2 slots=4\n')
