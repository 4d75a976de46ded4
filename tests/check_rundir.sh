#!/usr/bin/env bash
# The run directory: --fresh, --resume FILE in a batch job, two jobs in one, what checkpoint.keep leaves, other kernels.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
scratch
few_faces 60 12
END=ckpt-00000004.h5
SMALL+=(--set checkpoint.every=1 --set train.batch=4)

# ended DIR: the last checkpoint of DIR is that of the run that nobody disturbed.
ended() { same "$T/whole/$END" "$1/$END"; }

train 2 "$T/whole"

cp -r "$T/whole" "$T/again"
train 2 "$T/again" --fresh
expect "--fresh starts anew" ended "$T/again"
expect "--fresh moves the old run aside" test -f "$T/again.1/$END"
expect "--fresh says where" says "$T/again.out" "the old run is now .*again.1"
touch "$T/again/began"
DAGAN_JOB=7 train 2 "$T/again" --fresh
expect "--fresh in a job begins anew" test ! -e "$T/again/began"
touch "$T/again/began"
DAGAN_JOB=7 train 2 "$T/again" --fresh
expect "but once in its lives" test -e "$T/again/began"
DAGAN_JOB=71 train 2 "$T/again" --fresh
expect "and again in another job" test ! -e "$T/again/began"

cp -r "$T/whole" "$T/back"
cp "$T/back/ckpt-00000002.h5" "$T/second.h5"
DAGAN_JOB=7 train 2 "$T/back" --resume "$T/second.h5"
expect "--resume FILE in a job goes back" says "$T/back.out" "^continuing after step 2$"
DAGAN_JOB=7 train 2 "$T/back" --resume "$T/second.h5" --set train.steps=5
expect "but once in its lives" says "$T/back.out" "^continuing after step 4$"
DAGAN_JOB=8 train 2 "$T/back" --resume "$T/second.h5"
expect "and again in another job" says "$T/back.out" "^continuing after step 2$"

mkdir "$T/disk"
ln -s "$T/disk" "$T/linked"
train 2 "$T/linked" --set train.steps=1
train 2 "$T/linked" --set train.steps=1 --fresh
expect "--fresh in a linked folder stays on its disk" test -f "$T/disk.1/latest.h5" -a -f "$T/disk/latest.h5" -a -L "$T/linked"

start 2 "$DAGAN" "${SMALL[@]}" --set run.dir="$T/busy" >"$T/busy.out" 2>"$T/busy.err"
pid=$!
wait_line "$T/busy.out" '^step +1/'
pkill -STOP -P $pid   # or it might be done too soon
for fresh in "" --fresh; do
    # shellcheck disable=SC2086
    ranks 2 "$DAGAN" "${SMALL[@]}" --set run.dir="$T/busy" $fresh >"$T/second.out" 2>"$T/second.err"
    expect "a second job in one run directory is refused $fresh" status_is 1 $?
    expect "and told why $fresh" says "$T/second.err" "busy is in use by another job"
done
pkill -CONT -P $pid
wait $pid
expect "the first is not disturbed" ended "$T/busy"

train 2 "$T/keep" --set checkpoint.keep=1
expect "checkpoint.keep: older ones go" test "$(cd "$T/keep" && echo ckpt*)" = $END
expect "latest.h5 is the newest" test "$(readlink "$T/keep/latest.h5")" = $END
if ! grep -q 'kernels for generic' "$T/keep/log.txt"; then
    DAGAN_ISA=generic train 2 "$T/keep" --set train.steps=5
    expect "a run that goes on with other kernels says so" says "$T/keep/log.txt" "^before that with kernels for "
fi
"$PYTHON" -c 'import h5py, numpy, sys; h5py.File(sys.argv[1], "r+").attrs["ways"] = numpy.bytes_("0" * 16)' "$T/keep/latest.h5"
train 2 "$T/keep" --set train.steps=6
expect "and so does one of another version" says "$T/keep/log.txt" "^before that with .* convolutions in other ways"
train 2 "$T/some" --set checkpoint.keep=1 --set checkpoint.every=1 --set checkpoint.keep_every=2
expect "checkpoint.keep_every: some stay" test "$(cd "$T/some" && echo ckpt*)" = "ckpt-00000002.h5 ckpt-00000004.h5"
