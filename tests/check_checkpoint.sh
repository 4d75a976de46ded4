#!/usr/bin/env bash
# Checkpoints that are written while training goes on, and writing that goes wrong: full disks, wrong bytes, leftovers.
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/lib.sh
. tests/lib.sh
scratch
SMALL+=(--set checkpoint.every=1 --set train.batch=4 --set train.steps=4)
END=ckpt-00000004.h5

all_same() {   # every checkpoint of the undisturbed run, in another folder
    local i
    for i in 1 2 3 4; do same "$T/whole/ckpt-0000000$i.h5" "$1/ckpt-0000000$i.h5" || return 1; done
}
no_leftover() { [ -d "$1" ] && ! compgen -G "$1/*.tmp" >/dev/null; }

train 2 "$T/whole"
# ---- beside training -------------------------------------------------------------------------------
for np in 1 2 4; do
    train $np "$T/async$np" --set checkpoint.async=true
    expect "checkpoint.async: every checkpoint in the same bits on $np ranks" all_same "$T/async$np"
    expect "checkpoint.async: nothing on stderr on $np ranks" is_quiet "$T/async$np.err"
done
expect "the log tells size, duration and stall" says "$T/async2/log.txt" \
    '^checkpoint .*/ckpt-00000001.h5, [0-9.]+ MiB in [0-9.]+ s, training stood still for [0-9.]+ s$'
expect "so do the metrics" says "$T/async2/metrics.csv" 'checkpoint_s'

# ---- leftovers -------------------------------------------------------------------------------------
mkdir "$T/left"
touch "$T/left/ckpt-00000009.h5.tmp" "$T/left/latest.h5.tmp" "$T/left/mine.tmp"
train 2 "$T/left" --set train.steps=1
expect "half-written files of a killed run are removed" test ! -e "$T/left/ckpt-00000009.h5.tmp" -a ! -e "$T/left/latest.h5.tmp"
expect "other files are not" test -e "$T/left/mine.tmp"

# Nine digits are more than eight, whatever their first one.
cp -r "$T/whole" "$T/digits"
cp "$T/whole/ckpt-00000003.h5" "$T/digits/ckpt-100000003.h5"
train 2 "$T/digits" --set train.steps=5
expect "a step of nine digits is newer than one of eight" says "$T/digits.out" "continuing after step 3"
expect "files of later steps, of another history, make way" test -e "$T/digits/ckpt-100000003.h5.aside"
expect "latest.h5 is this run's" test "$(readlink "$T/digits/latest.h5")" = ckpt-00000005.h5

train 2 "$T/back" --resume "$T/whole/ckpt-00000002.h5" --set train.steps=3
cp "$T/whole/$END" "$T/back"
train 1 "$T/back" --resume "$T/back/ckpt-00000002.h5" --set train.steps=3 --set checkpoint.keep=1
expect "a run goes back to step 2 and keeps one checkpoint" status_is 0 $?
expect "a checkpoint just written is not dropped for an older history's" test -e "$T/back/latest.h5"

# ---- a full disk -----------------------------------------------------------------------------------
# A file system of 6 MiB that one checkpoint fits on and two do not.  It exists for one command, which leaves a copy.
on_small_disk() {   # command...
    unshare --map-root-user --mount bash -c 'mount -t tmpfs -o size=6m none "$0" && cp -r "$0.before"/. "$0" && { "$@"; status=$?; }
        cp -r "$0" "$0.after" && exit $status' "$T/small" "$@"
}
mkdir "$T/small" "$T/small.before"
full_disk() {
    local policy
    cp "$T/whole/ckpt-00000002.h5" "$T/small.before"
    ln -s ckpt-00000002.h5 "$T/small.before/latest.h5"
    head -c 2M /dev/zero >"$T/small.before/other"
    for policy in stop continue; do
        on_small_disk mpirun --quiet -np 2 "$DAGAN" "${SMALL[@]}" --set run.dir="$T/small" --set checkpoint.on_error=$policy \
            >"$T/small.out" 2>"$T/small.err"
        expect "a full disk, $policy: status 2" status_is 2 $?
        expect "a full disk, $policy: the reason is told" says "$T/small.err" "ckpt-0000000[34].h5.tmp: .*No space left on device"
        expect "a full disk, $policy: nothing half-written stays" no_leftover "$T/small.after"
        expect "a full disk, $policy: the older one is there" same "$T/whole/ckpt-00000002.h5" "$T/small.after/latest.h5"
        [ $policy = stop ] && expect "on_error stop: one line" test "$(wc -l <"$T/small.err")" -eq 1
        train 1 "$T/small.after"
        expect "a full disk, $policy: with room again the same bits" same "$T/whole/$END" "$T/small.after/$END"
        rm -r "$T/small.after"
    done
    head -c 3400K /dev/zero >"$T/small.before/other" # not even room for the layout
    faulty 0 1 nfs on_small_disk mpirun --quiet -np 2 "$DAGAN" "${SMALL[@]}" --set run.dir="$T/small" \
        --set checkpoint.on_error=continue >"$T/nfs.out" 2>"$T/nfs.err"
    expect "a full disk on which nothing can be reserved: training goes on" says "$T/nfs.out" "^step +4/4"
    expect "a full disk on which nothing can be reserved: said each time" says "$T/nfs.err" \
        "training goes on without a checkpoint: .*ckpt-00000003.h5.tmp: .*No space left on device"
    rm -r "$T/small.after"
    expect "on_error continue: said" says "$T/small.err" "training goes on without a checkpoint: .*ckpt-00000003"
}
if unshare --map-root-user --mount mount -t tmpfs none "$T/small" 2>/dev/null; then
    full_disk
else
    echo "skipped: full disk (no user namespaces here)"
fi

faulty 0 1 plain train 2 "$T/plain" --set checkpoint.keep=1
expect "without links and synced folders a run ends well" status_is 0 $?
expect "without links a line says so" says "$T/plain.err" "latest.h5: Operation not permitted$"
expect "without links older checkpoints go" test "$(cd "$T/plain" && echo ckpt*)" = $END
train 2 "$T/plain"
expect "without links the newest is found" says "$T/plain.out" "^nothing left to do|^continuing after step 4"

for async in false true; do
    faulty 1 1 full train 2 "$T/rank1-$async" --set checkpoint.async=$async
    expect "one rank's full disk ends all, async $async: status 2" status_is 2 $?
    expect "one rank's full disk is told, async $async" says "$T/rank1-$async.err" \
        "ckpt-00000001.h5.tmp: /[a-z0-9/_]+ cannot be written: No space left on device"
    expect "one rank's full disk leaves nothing, async $async" no_leftover "$T/rank1-$async"
    faulty 1 9 full train 2 "$T/goes-on-$async" --set checkpoint.async=$async --set checkpoint.on_error=continue
    expect "on_error continue, async $async: the last one counts: status 2" status_is 2 $?
    expect "on_error continue, async $async: training went on" says "$T/goes-on-$async.out" "^step +4/4"
done

# ---- wrong bytes -----------------------------------------------------------------------------------
flipped() {   # rank, the how manieth write, what is said
    faulty "$1" "$2" flip train 2 "$T/flip$1"
    expect "a bit that turns on rank $1's way to the disk is found: status 2" status_is 2 $?
    expect "and named" says "$T/flip$1.err" "ckpt-00000001.h5.tmp: $3"
    expect "and not committed" test ! -e "$T/flip$1/ckpt-00000001.h5"
}
flipped 1 5 "/[a-z0-9/_]+ read back: not what was written"
flipped 0 5 "has no dataset"   # a group that HDF5 wrote
faulty 0 1 full train 2 "$T/layout"
expect "no room for the layout: status 2" status_is 2 $?
expect "no room for the layout: told" says "$T/layout.err" "ckpt-00000001.h5.tmp: "
expect "no room for the layout: nothing stays" no_leftover "$T/layout"
faulty 1 1 short train 2 "$T/short"
expect "short writes are continued" all_same "$T/short"
