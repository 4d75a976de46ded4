#!/usr/bin/env bash
# Stopped, killed, damaged, moved to another number of ranks: a run ends in the bits it would have ended in.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
scratch
few_faces 60 12
END=ckpt-00000004.h5
SMALL+=(--set checkpoint.every=1 --set train.batch=4)
# D that follows more than gradients.
SMALL+=(--set model.norm.d=none --set model.spectral=true --set loss.weights.lecam=0.1)

# ended DIR: the last checkpoint of DIR is that of the run that nobody disturbed.
ended() { same "$T/whole/$END" "$1/$END"; }
# steps_are DIR "1 2 3": the first column of metrics.csv.
steps_are() {
    local found
    found=$(tail -n +2 "$1/metrics.csv" | cut -d, -f1 | xargs)
    [ "$found" = "$2" ] || { echo "metrics.csv has steps $found, wanted $2"; return 1; }
}
# begin DIR [OPTION...]: `train 2 DIR`, left running.
begin() { start 2 "$DAGAN" "${SMALL[@]}" --set run.dir="$1" "${@:2}" >"$1.out" 2>"$1.err"; }

# ---- another number of ranks -----------------------------------------------------------------------
train 2 "$T/whole"
train 1 "$T/one"
train 4 "$T/four"
resume() {   # ranks, run to take checkpoint 2 from, name
    train "$1" "$T/$3" --resume "$T/$2/ckpt-00000002.h5"
    expect "a checkpoint continues on other ranks: $3" ended "$T/$3"
}
resume 2 one 1-2
resume 4 whole 2-4
resume 1 four 4-1
expect "--resume leaves what it continues from in the run directory" same "$T/one/ckpt-00000002.h5" "$T/1-2/ckpt-00000002.h5"
cp -r "$T/whole" "$T/back"
file=$T/back/ckpt-00000002.h5
before=$(stat -c %i "$file")
train 2 "$T/back" --resume "$file" --set checkpoint.every=100
expect "--resume of an older file of the run: the same bits" ended "$T/back"
expect "sets later ones aside at once" test -e "$T/back/ckpt-00000003.h5.aside"
expect "and does not write that file again" test "$(stat -c %i "$file")" = "$before"
expect "--resume says where it continues" says "$T/1-2.out" "continuing after step 2"
expect "metrics.csv holds the steps before as well" steps_are "$T/1-2" "1 2 3 4"

# Stopped after a step or two, again and again, each time on another number of ranks, each on each: in the warm-up on
# labels, while the pool fills, while rates rise and fall.
LONG=(--set train.batch=8 --set train.steps=36 --set train.label_warmup=5 --set train.warmup=9 --set train.decay=0.4
    --set train.ema=0.9 --set checkpoint.every=100)
train 2 "$T/straight" "${LONG[@]}"
moves=(1 2 1 4 1 8 2 4 2 8 4 8 1)
for np in "${moves[@]}"; do
    start "$np" "$DAGAN" "${SMALL[@]}" "${LONG[@]}" --set run.dir="$T/moved" >"$T/moved.out" 2>"$T/moved.err"
    pid=$!
    wait_line "$T/moved.out" '^[0-9]+ threads? per rank' || not_ok "moved to $np ranks: does not begin"
    pkill -USR1 -P $pid
    wait $pid
    stopped=$?
    [ $stopped -eq 75 ] || [ $stopped -eq 0 ] || not_ok "moved to $np ranks: status $stopped"
done
stops=$(grep -c '^stopped after step' "$T/moved/log.txt")
expect "a signal while a run starts stops it as well: $stops times" test "$stops" -ge 10
train 2 "$T/moved" "${LONG[@]}"
expect "from 1, 2, 4 and 8 ranks to each other: every dataset as without a stop" \
    same "$T/straight/ckpt-00000036.h5" "$T/moved/ckpt-00000036.h5"

train 3 "$T/odd" --set train.batch=6
for copy in a b; do train 6 "$T/odd-$copy" --set train.batch=6 --resume "$T/odd/ckpt-00000002.h5"; done
expect "3 ranks, then 6: repeatable" same "$T/odd-a/$END" "$T/odd-b/$END"
expect "3 ranks, then 6: said to be its own" says "$T/odd-a.out" "6 ranks and 6 leaves.* bits are this run's own"

# ---- signals, a lost rank; make drill has more of both -----------------------------------------------
LATER=(--set train.steps=12 --set checkpoint.every=100)
train 2 "$T/later" "${LATER[@]}"
# later DIR NAME: the same command continues to the same bits.
later() {
    train 2 "$1" "${LATER[@]}"
    expect "$2: the same command continues to the same bits" same "$T/later/ckpt-00000012.h5" "$1/ckpt-00000012.h5"
    expect "$2: no row of metrics.csv twice" steps_are "$1" "$(seq -s ' ' 12)"
}
begin "$T/asked" "${LATER[@]}"
pid=$!
wait_line "$T/asked.out" '^step +1/' || not_ok "a job to be stopped does not begin"
kill -USR1 $pid
wait $pid
expect "SIGUSR1 to mpirun ends the job with status 75" status_is 75 $?
expect "it says that it stopped" says "$T/asked/log.txt" "stopped after step [0-9]+ on request"
later "$T/asked" "SIGUSR1"
train 2 "$T/asked" "${LATER[@]}"
expect "a finished run is finished" says "$T/asked.out" "done: 12 steps"
expect "and stays as it was" steps_are "$T/asked" "$(seq -s ' ' 12)"

# One rank alone is killed: the job must not hang.
begin "$T/lost" "${LATER[@]}"
pid=$!
wait_line "$T/lost.out" '^step +1/'
kill -9 "$(pgrep -P $pid | tail -1)"
SECONDS=0
wait $pid
expect "a lost rank ends the job as mpirun tells it" status_is 137 $?
expect "a lost rank ends the job within seconds" test "$SECONDS" -lt 15
later "$T/lost" "a lost rank"

# A setting that is forgotten must not thin a run out: with two checkpoints kept, the layers would be gone after two.
train 2 "$T/deep" --set model.residuals=2
train 2 "$T/deep" --set model.residuals=1 --set train.steps=12
expect "a run is not continued with fewer layers" status_is 1 $?
expect "the tensor that would be lost is named" says "$T/deep.err" \
    "holds /weights/g/res/1, which the networks of this configuration lack"
train 2 "$T/deep" --set model.residuals=2 --set train.steps=12
expect "with all of them it goes on" says "$T/deep.out" "^continuing after step"

# ---- damage ----------------------------------------------------------------------------------------
# damaged NAME FILE PATTERN COMMAND...: COMMAND FILE damages that checkpoint of a finished run, which then continues from
# the one before.
damaged() {
    local name=$1 dir=$T/damaged file=$2 pattern=$3
    shift 3
    rm -rf "$dir"
    cp -r "$T/whole" "$dir"
    "$@" "$dir/$file"
    train 2 "$dir"
    expect "$name: named and passed over" says "$dir.err" "passed over .*$file.*$pattern"
    expect "$name: one line on stderr" test "$(wc -l <"$dir.err")" -eq 1
    expect "$name: continues from the one before" says "$dir.out" "continuing after step 3"
    expect "$name: the same bits" ended "$dir"
}
flip() {   # dataset, byte, file
    "$PYTHON" - "$@" <<'PY'
import sys, h5py
name, byte, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with h5py.File(path, "r") as f:
    at = f[name].id.get_offset() + byte % f[name].nbytes
with open(path, "r+b") as f:
    f.seek(at)
    old = f.read(1)[0]
    f.seek(at)
    f.write(bytes([old ^ 1]))
PY
}
half() { truncate -s $(($(stat -c %s "$1") / 2)) "$1"; }
empty() { : >"$1"; }
incomplete() { "$PYTHON" -c 'import h5py, sys; h5py.File(sys.argv[1], "r+").attrs["complete"] = 0' "$1"; }
damaged "a flipped bit in a weight" $END "/weights/g/fuse/weight.* wrong checksum" flip /weights/g/fuse/weight 1000
damaged "a flipped bit in another rank's share" $END "/attention/target/centres.* wrong checksum" \
    flip /attention/target/centres -1
damaged "half a file" $END "cannot be read" half
damaged "an empty file" $END "cannot be read" empty
damaged "an incomplete file" $END "not complete" incomplete

rm -rf "$T/damaged"
cp -r "$T/whole" "$T/damaged"
for file in "$T"/damaged/ckpt-*.h5; do flip /weights/g/fuse/weight 0 "$file"; done
train 2 "$T/damaged"
expect "no valid checkpoint: status 1" status_is 1 $?
expect "no valid checkpoint: what to do is said" says "$T/damaged.err" "none of its 4 checkpoints can be used; --fresh"
