#!/usr/bin/env bash
# Time limits and the second Ctrl-C: a run stops so that its checkpoint is complete before the time is up, says whose limit
# it was, and continues in the same bits.
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/lib.sh
. tests/lib.sh
scratch
few_faces 60 12
unset "${!SLURM_@}"
# So short a limit leaves a quarter for the first checkpoint and 5 seconds for the end: the run has 4 of these 12.
LIMIT=12
SMALL+=(--set train.batch=2 --set train.steps=100000 --set checkpoint.every=100000 --set log.every=1000)

# limited DIR PATTERN [OPTION...]: the run stops by itself in good time, and log.txt says at its start PATTERN.
limited() {
    local dir=$1 pattern=$2 status
    shift 2
    train 2 "$dir" "$@"
    status=$?
    expect "$pattern: status 75" status_is 75 $status
    expect "$pattern: in good time" test $(($(date +%s) - $(stat -c %Y "$dir/lock"))) -le $LIMIT   # since the program began
    expect "$pattern: said at the start" says "$dir/log.txt" "$pattern"
    expect "$pattern: checkpoint" test -s "$dir/latest.h5"
}
# taken PID SIGNAL: no such signal is pending any more.
taken() { (( !(0x$(sed -n 's/^ShdPnd:[[:space:]]*//p' "/proc/$1/status") >> ($2 - 1) & 1) )); }
last_step() { sed -nE 's/^stopped after step ([0-9]+).*/\1/p' "$1/log.txt" | tail -1; }

limited "$T/key" '^time limit in 1?[0-9]s, from run.time_limit$' --set run.time_limit=0:00:$LIMIT
expect "the stop names the limit" says "$T/key/log.txt" \
    '^stopped after step [0-9]+, [0-9]s before the limit of run.time_limit; the same command continues$'
end=$(($(last_step "$T/key") + 2))
train 1 "$T/key" --set train.steps=$end
train 2 "$T/whole" --set train.steps=$end
expect "it continues to the bits of a run without a limit" same "$T/whole/latest.h5" "$T/key/latest.h5"
expect "where nobody sets a limit, no line says one" lacks "$T/whole/log.txt" "time limit"

# What SLURM tells: the environment, else squeue.  This one knows job 7 and task 3 of array 5 only.
mkdir "$T/bin"
cat >"$T/bin/squeue" <<'SH'
#!/bin/sh
case "$*" in
    "-h -j 7 -o %L") echo 0:12 ;;
    "-h -j 5_3 -o %L") echo UNLIMITED ;;
    *) echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1 ;;
esac
SH
chmod +x "$T/bin/squeue"
PATH=$T/bin:$PATH
SLURM_JOB_ID=7 limited "$T/squeue" '^time limit in 1?[0-9]s, from squeue$'
SLURM_JOB_ID=7 SLURM_JOB_END_TIME=$(($(date +%s) + LIMIT)) \
    limited "$T/environment" '^time limit in 1?[0-9]s, from SLURM_JOB_END_TIME$' --set run.time_limit=1:00:00
SLURM_JOB_ID=7 limited "$T/nearer" '^time limit in 1?[0-9]s, from squeue$' --set run.time_limit=1:00:00 \
    --resume "$T/key/latest.h5"
expect "--resume would go back once more, and the stop says so" \
    says "$T/nearer/log.txt" '^stopped after step .*; the same command without --resume continues$'

unlimited() {   # name, pattern
    train 2 "$T/$1" --set train.steps=2
    expect "$1: done" status_is 0 $?
    expect "$1: said at the start" says "$T/$1/log.txt" "$2"
    expect "$1: nothing on stderr" is_quiet "$T/$1.err"
}
SLURM_JOB_ID=9 SLURM_ARRAY_JOB_ID=5 SLURM_ARRAY_TASK_ID=3 unlimited "no limit in SLURM" '^no time limit: SLURM sets none$'
SLURM_JOB_ID=8 unlimited "a silent squeue" '^no time limit: unknown, squeue does not tell; run.time_limit sets one$'
SLURM_JOB_ID='7;echo 0:12' unlimited "an odd job number" '^2 ranks'
expect "an odd job number is not asked for" lacks "$T/an odd job number/log.txt" "time limit in"

# ---- Ctrl-C ----------------------------------------------------------------------------------------
# mpirun sends SIGTERM after these seconds, and SIGKILL after as many again: enough for a checkpoint on a busy disk.  Its own
# default is one.  It takes up no more of what ranks print: here their pipe is full before that.
OMPI_MCA_odls_base_sigkill_timeout=8 start 2 "$DAGAN" "${SMALL[@]}" --set run.dir="$T/ctrl_c" --set log.every=1 \
    >"$T/ctrl_c.out" 2>"$T/ctrl_c.err"
pid=$!
wait_line "$T/ctrl_c.out" '^step +1/'
kill -INT $pid
wait $pid
expect "Ctrl-C: mpirun ends with a status of its own" status_is 1 $?
expect "Ctrl-C: the run stopped on request" says "$T/ctrl_c/log.txt" '^stopped after step [0-9]+ on request'
end=$(($(last_step "$T/ctrl_c") + 2))
train 2 "$T/ctrl_c" --set train.steps=$end --set log.every=1
train 2 "$T/calm" --set train.steps=$end --set log.every=1
expect "Ctrl-C: it continues to the bits of a run without" same "$T/calm/latest.h5" "$T/ctrl_c/latest.h5"

# ---- the second SIGINT -----------------------------------------------------------------------------
start 2 "$DAGAN" "${SMALL[@]}" --set run.dir="$T/twice" --set log.every=1 >"$T/twice.out" 2>"$T/twice.err"
pid=$!
wait_line "$T/twice.out" '^step +1/'
rank=$(pgrep -P $pid | head -1)
# The other rank stays stopped, or the first signal's stop might be through before the second comes; a second one that
# comes while the first is pending is the same one.
pkill -STOP -P $pid
kill -INT "$rank"
kill -CONT "$rank"
wait_until taken "$rank" 2
kill -INT "$rank"
pkill -CONT -P $pid
SECONDS=0
wait $pid
expect "a second SIGINT ends the run" status_is 130 $?
expect "at once: within seconds" test "$SECONDS" -lt 10
expect "and leaves no checkpoint" test ! -e "$T/twice/latest.h5"
expect "a second SIGINT: no rank stays" test -z "$(pgrep -f "run.dir=$T/twice")"
