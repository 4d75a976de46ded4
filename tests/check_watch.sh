#!/usr/bin/env bash
# No rank waits for ever: a rank that hangs is named, with what the others wait for and at which step, and the job ends.
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/lib.sh
. tests/lib.sh
scratch
TIMEOUT=8   # after which the roll is called; ranks have some seconds to answer
SMALL+=(--set train.batch=4 --set train.steps=100000 --set comm.timeout="$TIMEOUT" --set log.every=1)

# ends NAME PATTERN PID: the job ends in good time with an error, and says PATTERN.
ends() {
    SECONDS=0
    wait "$3"
    expect "$1: ends with status 2" status_is 2 $?
    expect "$1: in good time" test "$SECONDS" -lt $((TIMEOUT + 30))
    expect "$1: says who is missing, where and when" says "$T/$1.err" "$2"
}

# The ranks are children of mpirun, in their order.
rank_of() { pgrep -P "$1" | sed -n "$(($2 + 1))p"; }

in_training() {   # ranks, the one that hangs
    local name="$1 ranks, $2 hangs in training" pid
    start "$1" "$DAGAN" "${SMALL[@]}" --set run.dir="$T/$name" --set checkpoint.every=100000 >"$T/$name.out" 2>"$T/$name.err"
    pid=$!
    wait_line "$T/$name.out" '^step +3/'
    kill -STOP "$(rank_of $pid "$2")"
    ends "$name" "rank [0-9] waited $TIMEOUT s in .*, step [0-9]+; no sign of rank $2 on $(hostname)" $pid
}
in_checkpoint() {   # ranks, the one that hangs, checkpoint.async
    local name="$1 ranks, $2 hangs in a checkpoint, async $3" pid
    faulty "$2" 4 stop start "$1" "$DAGAN" "${SMALL[@]}" --set run.dir="$T/$name" \
        --set checkpoint.every=2 --set checkpoint.async="$3" >"$T/$name.out" 2>"$T/$name.err"
    pid=$!
    ends "$name" "rank [0-9] waited $TIMEOUT s in .*, (ckpt-00000002.h5|step [0-9]+); no sign of rank $2 on $(hostname)" $pid
}
for np in 2 4; do
    in_training $np 1
    in_checkpoint $np 1 false
done
in_training 2 0
in_checkpoint 4 3 true

