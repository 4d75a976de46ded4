# What the scripts of this folder share: ranks under srun or mpirun, signals passed on to them, and the way back into the
# queue.  To be sourced in the folder that holds jobs/.
# shellcheck shell=bash
# shellcheck source=jobs/site.sh
. jobs/site.sh

# mpirun asks a silent host whether it is still there, and ends the job after half a minute without an answer.  Its defaults
# take eight minutes or more.
export OMPI_MCA_oob_tcp_keepalive_time=${OMPI_MCA_oob_tcp_keepalive_time:-15}
export OMPI_MCA_oob_tcp_keepalive_intvl=5 OMPI_MCA_oob_tcp_keepalive_probes=3

# By this name dagan_mpi knows a job that comes back: --fresh or --resume FILE in its words has counted and counts no more.
[ -z "${SLURM_JOB_ID:-}" ] || export DAGAN_JOB=$SLURM_JOB_ID

# train CONFIG [ARGS...]: dagan_mpi on all tasks of the job; returns its status.
train() {
    local command status out
    if [ "$LAUNCHER" = auto ]; then
        LAUNCHER=mpirun
        srun --mpi=list 2>&1 | grep -q pmix && LAUNCHER=srun
    fi
    # Since 22.05 srun takes the CPUs of a task from its own option only.  Ranks end together; where one is lost, srun
    # would wait for the others, which wait for the lost one: hence --wait.
    # shellcheck disable=SC2206 # options are words
    case $LAUNCHER in
        srun) command=(srun --mpi=pmix --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" --wait=30 $SRUN_OPTIONS) ;;
        mpirun) command=(mpirun $MPIRUN_OPTIONS) ;;
        *) echo "LAUNCHER: found $LAUNCHER, wanted srun, mpirun or auto" >&2; return 1 ;;
    esac
    said=$(mktemp) || return 1
    exec {out}> >(trap '' TERM USR1; exec tee "$said")
    local tee=$!
    attend "${command[@]}" "$DAGAN" "$@" >&"$out"
    status=$?
    exec {out}>&-
    wait "$tee"
    return "$status"
}

# attend COMMAND...: runs srun or mpirun; returns its status.  Any signal asks the ranks to stop after a checkpoint; a
# second Ctrl-C ends them at once.
attend() {
    local ranks status interrupts=0
    # A session of its own, so that signals come through here: mpirun would answer SIGTERM and SIGINT by killing its ranks.
    setsid "$@" &
    ranks=$!
    cancelled=
    trap 'kill -USR1 "$ranks"' USR1
    trap 'cancelled=yes; kill -USR1 "$ranks"' TERM
    trap 'interrupts=$((interrupts + 1)); if [ $interrupts -eq 1 ]; then kill -USR1 "$ranks"; else kill -INT "$ranks"; fi' INT
    # A trapped signal ends `wait` early: wait again until the ranks are gone.
    while :; do
        wait "$ranks"
        status=$?
        kill -0 "$ranks" 2>/dev/null || break
    done
    # The time limit's signal may still come, and must not end the script before the way back into the queue.
    trap - TERM INT
    trap '' USR1
    return "$status"
}

# leave STATUS: ends the job after `train`, or sends it back into the queue: after 75, and after a failure if the run got
# on, that is wrote a checkpoint, since it began.  Never after scancel.
leave() {
    local status=$1 got_on='' job=$SLURM_JOB_ID again='the same sbatch without --fresh and --resume continues'
    # The number of an array's last task is that of the array: requeued by it, all tasks would begin again.
    [ -z "${SLURM_ARRAY_TASK_ID:-}" ] || job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
    [ -s "${said:-}" ] && grep -q '^checkpoint ' "$said" && got_on=yes
    rm -f "${said:-}"
    case $status,${cancelled:-},$got_on in
        [01],* | *,yes,*) exit "$status" ;;
        75,* | *,,yes) ;;
        *) echo "status $status before the first checkpoint: not queued again"; exit "$status" ;;
    esac
    if ! command -v scontrol >/dev/null; then
        echo "status $status and no scontrol here: $again, or jobs/chain.sh, or RequeueExit=75 in slurm.conf"
    else
        # Said first: where it succeeds, SLURM ends this script.
        echo "status $status: job $job asks to go back into the queue"
        scontrol requeue "$job" || echo "job $job is not queued again: $again, or the next job of its chain"
    fi
    exit "$status"
}
