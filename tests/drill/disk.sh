# Full, read-only and vanished disks, odd names, other files that cannot be written; the part `disk` of tests/drill/run.
# shellcheck shell=bash
# shellcheck disable=SC2154

UNDER=()   # a command under which the ranks run

# attempt DIR [OPTION...]: the job on two ranks; what it says goes to $T/disk.out and $T/disk.err.
attempt() {
    local dir=$1
    shift
    ranks 2 "${UNDER[@]}" "$DAGAN" "${JOB[@]}" --set run.dir="$dir" "$@" >"$T/disk.out" 2>"$T/disk.err"
}
half() { attempt "$1" --set train.steps=$((STEPS / 2)); }
# fails STATUS LINE DIR [OPTION...]: the job ends with that status and one line on stderr, which matches.
fails() {
    local status=$1 line=$2 found
    shift 2
    attempt "$@"
    found=$?
    status_is "$status" "$found" && says "$T/disk.err" "$line" && is_one_line
}
is_one_line() { [ "$(wc -l <"$T/disk.err")" -eq 1 ] || { echo "wanted one line, found:"; head -5 "$T/disk.err"; return 1; }; }
whole() { "$PYTHON" tests/drill/verify.py "$1"/ckpt-*.h5 "$1/latest.h5"; }
is_tidy() { [ -d "$1" ] && [ -z "$(find "$1" -name '*.tmp')" ] || { ls "$1"; return 1; }; }
newest_is() { [ "$(readlink "$1/latest.h5")" = "ckpt-$2.h5" ] || { ls -l "$1"; return 1; }; }
goes_on() { attempt "$1" && says "$T/disk.out" '^continuing after step' && is_quiet "$T/disk.err" && ended_as_undisturbed "$1"; }

# unharmed WHAT DIR STEP: a checkpoint that could not be written took nothing older with it, and the job goes on from step
# STEP now that there is room.
unharmed() {
    expect "$1: the newest is that of step $3" newest_is "$2" "$3"
    expect "$1: all are whole" whole "$2"
    expect "$1: the run goes on to the same end" goes_on "$2"
    expect "$1: nothing is left of the one that failed" is_tidy "$2"
}

# Files may not grow as large as a checkpoint; needs no rights.
limit() {
    local dir=$T/limit
    half "$dir"
    UNDER=(bash -c 'ulimit -f 800 && exec "$@"' limit)
    expect "a file too large: status 2, and said" fails 2 "ckpt-00000007.h5.tmp.*File too large" "$dir"
    UNDER=()
    unharmed "a file too large" "$dir" 00000006
}

# vanish DIR: the run directory goes away after the first checkpoint.
vanish() {
    local job
    start 2 "$DAGAN" "${JOB[@]}" --set run.dir="$1" >"$T/disk.out" 2>"$T/disk.err"
    job=$!
    wait_line "$T/disk.out" '^checkpoint'
    mv "$1" "$1.away"
    wait $job
}
vanished() {
    local dir=$T/vanished
    vanish "$dir"
    expect "a run directory that vanishes ends the job with status 2" status_is 2 $?
    expect "which is said" says "$T/disk.err" "vanished/.*: No such file or directory"
    expect "in a line" is_one_line
    mv "$dir.away" "$dir"
    rm -f "$dir"/*.tmp   # the one that was being written then
    expect "back again, all is whole" whole "$dir"
    expect "and the run goes on to the same end" goes_on "$dir"
}

names() {
    local dir="$T/a run: ä ö 漢字 'q' \"z\" \$x"
    half "$dir"
    expect "spaces, quotes and letters of all kinds in the name of a run" goes_on "$dir"
    ranks 2 "$DAGAN" translate "$dir/latest.h5" --input "$T/data.h5" --output "$dir/out put.h5" >"$T/disk.out" 2>"$T/disk.err"
    expect "and in that of a translation" test -s "$dir/out put.h5"
    expect "and in messages" fails 1 "a run: ä ö 漢字 'q' \"z\" .x/none.h5: cannot be read" "$T/unused" --resume "$dir/none.h5"
}

# Files beside the checkpoints.
others() {
    local dir=$T/others
    half "$dir"
    ln -sf /dev/full "$dir/metrics.csv"
    expect "metrics.csv without room: status 2, and said" fails 2 "metrics.csv: No space left on device" "$dir"
    rm "$dir/metrics.csv" && mv "$dir/config.yaml" "$dir/moved" && mkdir "$dir/config.yaml"
    expect "config.yaml that is a folder: status 2, and said" fails 2 "config.yaml: Is a directory" "$dir"
    rmdir "$dir/config.yaml" && ln -sf /dev/full "$dir/log.txt"
    expect "log.txt without room is said" fails 0 "log.txt: No space left on device" "$dir"
    expect "and the run goes on to the same end" ended_as_undisturbed "$dir"
}

# The source is named when it is mounted anew, or mount would repeat options that a user namespace does not allow.
full() {
    local dir=$T/full/run
    mkdir "$T/full" && mount -t tmpfs -o size=3m none "$T/full"
    expect "a full disk: status 2, and said" fails 2 "ckpt-00000003.h5.tmp.*No space left on device" "$dir"
    expect "a full disk: older checkpoints are whole" whole "$dir"
    attempt "$dir" --set checkpoint.on_error=continue
    expect "training may go on without a checkpoint, but for the last" status_is 2 $?
    expect "which is said each time" test "$(grep -c 'goes on without a checkpoint: .*No space' "$T/disk.err")" -eq $((STEPS - 3))
    mount -o remount,size=30m none "$T/full"
    unharmed "a full disk" "$dir" 00000002
}

read_only() {
    local dir=$T/read_only/run
    mkdir "$T/read_only"
    [ -z "$MOUNTS" ] || mount -t tmpfs none "$T/read_only"
    half "$dir"
    if [ "$MOUNTS" ]; then mount -o remount,ro none "$T/read_only"; else chmod -R a-w "$T/read_only"; fi
    expect "a read-only run directory: status 1, and said" fails 1 "read_only/run/lock cannot be written" "$dir"
    expect "the same for a new one there" fails 1 "read_only/new cannot be made" "$T/read_only/new"
    attempt "$T/elsewhere" --resume "$dir/latest.h5"
    expect "its checkpoint continues elsewhere" ended_as_undisturbed "$T/elsewhere"
    if [ "$MOUNTS" ]; then mount -o remount,rw none "$T/read_only"; else chmod -R u+w "$T/read_only"; fi
    expect "writable again, the run goes on to the same end" goes_on "$dir"
}

drill_disk() {
    limit
    vanished
    names
    others
    if [ "$MOUNTS" ]; then full; else echo "skipped: full disk (no user namespaces here)"; fi
    # Nothing but a mount keeps root from writing.
    if [ "$MOUNTS" ] || [ "$(id -u)" != 0 ]; then read_only; fi
}
