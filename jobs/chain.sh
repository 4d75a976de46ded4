#!/bin/bash
# A chain of jobs, each of which starts when the one before did not finish the run: stopped, failed, timed out, node lost.
#   jobs/chain.sh N [OPTIONS of sbatch...] SCRIPT [ARGS...]
#   jobs/chain.sh 5 --nodes=4 --time=24:00:00 jobs/faces.sbatch configs/faces.yaml
# For sites that let no job requeue itself.  When the run is done, SLURM drops the rest of the chain.
set -u
case ${1:-} in
    '' | *[!0-9]* | 0) echo "usage: jobs/chain.sh N [OPTIONS of sbatch...] SCRIPT [ARGS...]" >&2; exit 1 ;;
esac
n=$1
shift
[ $# -gt 0 ] || { echo "jobs/chain.sh: found no script, wanted one such as jobs/faces.sbatch" >&2; exit 1; }

ids=()
for ((i = 1; i <= n; i++)); do
    after=()
    if [ $i -gt 1 ]; then
        after=(--dependency="afternotok:${ids[-1]}" --kill-on-invalid-dep=yes)
        # Only the first starts anew or goes back: the others continue what the one before left.
        words=()
        while [ $# -gt 0 ]; do
            case $1 in --fresh) ;; --resume) [ $# -eq 1 ] || shift ;; *) words+=("$1") ;; esac
            shift
        done
        set -- "${words[@]}"
    fi
    if ! id=$(sbatch --parsable --no-requeue "${after[@]}" "$@"); then
        [ $i -eq 1 ] || echo "jobs ${ids[*]} are in the queue; to cancel them: scancel ${ids[*]}" >&2
        exit 1
    fi
    ids+=("${id%%;*}")
done
echo "jobs ${ids[*]}; to cancel all: scancel ${ids[*]}"
