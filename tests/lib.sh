# What tests/run and tests/check_*.sh share: mpirun that works as root, in containers and with more ranks than cores,
# the small training job of the checks, and the lines that count.
# shellcheck shell=bash
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_btl_vader_single_copy_mechanism=none
export OMPI_MCA_hwloc_base_binding_policy=none OMP_NUM_THREADS=1

# h5py and numpy belong to the system's interpreter, which need not be the first one in PATH.
PYTHON=/usr/bin/python3

# What is tested: the usual build, or another one (make asan).
BUILD=${DAGAN_BUILD:-build}
DAGAN=./dagan_mpi
# shellcheck disable=SC2034
[ "$BUILD" = build ] || DAGAN=$BUILD/dagan_mpi

# ranks N COMMAND...: under mpirun, ended after TEST_TIMEOUT seconds.  In the background, so that the shell hears signals.
ranks() {
    local np=$1
    shift
    timeout -k 5 "${TEST_TIMEOUT:-120}" mpirun --quiet -np "$np" "$@" &
    wait $!
}

# start N COMMAND...: the same without a limit, left running; its mpirun is $!.
start() {
    local np=$1
    shift
    mpirun --quiet -np "$np" "$@" &
}

# scratch: makes a folder $T for the script; it goes, with all that the script started, however the script ends.
scratch() {
    T=$(mktemp -d) || exit 1
    # kill -9 of mpirun leaves its shared memory behind, 4 MiB for a rank: not in /dev/shm, which is small in containers.
    mkdir "$T/shm"
    export OMPI_MCA_btl_vader_backing_directory=$T/shm OMPI_MCA_osc_sm_backing_directory=$T/shm
    trap clean_up EXIT
    trap 'exit 143' TERM INT HUP
}

clean_up() {
    local left
    left=$(jobs -p)
    # shellcheck disable=SC2086
    [ -n "$left" ] && kill $left 2>/dev/null && wait $left 2>/dev/null
    rm -rf "$T"
}

# The smoke job with 8 leaves and 4 steps, no pictures.
SMALL=(configs/smoke.yaml --set train.batch=8 --set train.steps=4 --set samples.every=0 --set checkpoint.keep=10)

# A model without regions; the smoke job's labels then hang on the whole image.
WHOLE=(--set attention.regions=0)
for label in eyes mouth glasses hair; do WHOLE+=(--set "labels.$label=all"); done

# few_faces TRAIN TEST: so many rows of the faces data as $T/faces.h5, with which the small job begins sooner.
few_faces() {
    "$PYTHON" tests/few_faces.py "$T/faces.h5" "$1" "$2" || exit 1
    FEW=(--set data.source.file="$T/faces.h5" --set data.target.file="$T/faces.h5")
    SMALL+=("${FEW[@]}")
}

# small_classifier N DIR [OPTION...]: as train, a classifier of these faces.
small_classifier() {
    local np=$1 dir=$2
    shift 2
    ranks "$np" "$DAGAN" configs/classifier-lorelei.yaml "${FEW[@]}" --set run.dir="$dir" --set model.width=8 \
        --set train.steps=2 "$@" >"$dir.out" 2>"$dir.err"
}

# train N DIR [OPTION...]: the small job in run directory DIR; what it says goes to DIR.out and DIR.err.
train() {
    local np=$1 dir=$2
    shift 2
    ranks "$np" "$DAGAN" "${SMALL[@]}" --set run.dir="$dir" "$@" >"$dir.out" 2>"$dir.err"
}

# faulty RANK AT FAULT COMMAND...: the command with the fault of tests/faulty.c.
faulty() {
    local rank=$1 at=$2 fault=$3
    shift 3
    [ -e "$T/faulty.so" ] || gcc -shared -fPIC -O1 -o "$T/faulty.so" tests/faulty.c -ldl || exit 1
    FAULT_RANK=$rank FAULT_AT=$at FAULT=$fault LD_PRELOAD=$T/faulty.so "$@"
}

# wait_until COMMAND...: until it succeeds, for at most TEST_TIMEOUT seconds.
wait_until() {
    local until=$((SECONDS + ${TEST_TIMEOUT:-60}))
    until "$@"; do
        [ "$SECONDS" -lt "$until" ] || { echo "not in time: $*"; return 1; }
        sleep 0.05
    done
}
# wait_line FILE PATTERN: until a line of FILE matches.
wait_line() { wait_until grep -qsE "$2" "$1"; }

same() { "$PYTHON" tests/compare.py "$@"; }
# differ A.h5 B.h5 [OPTION...]: both can be read, and are not the same.
differ() { same "$1" "$1" "${@:3}" && same "$2" "$2" "${@:3}" && ! same "$@" >/dev/null; }
status_is() { [ "$1" -eq "$2" ] || { echo "status $2, wanted $1"; return 1; }; }
says() { grep -qE -- "$2" "$1" || { echo "$1 has no line with: $2"; tail -5 "$1"; return 1; }; }
# lacks FILE PATTERN: a file with something in it, no line of which matches.
lacks() { [ -s "$1" ] || { echo "$1 is missing or empty"; return 1; }; ! grep -E -- "$2" "$1"; }
is_quiet() { [ -e "$1" ] || { echo "$1 is missing"; return 1; }; [ ! -s "$1" ] || { head -5 "$1"; return 1; }; }
# one_line FILE PATTERN: a file of one line, which matches.
one_line() { [ "$(wc -l <"$1")" -eq 1 ] || { echo "$1 has not one line:"; head -5 "$1"; return 1; }; says "$@"; }

ok() { echo "ok $*"; }
not_ok() { printf '\nnot ok %s\n' "$*"; }   # on a line of its own, which is counted, whatever came before
# expect NAME COMMAND...: ok if the command succeeds.
expect() {
    local name=$1
    shift
    if "$@"; then ok "$name"; else not_ok "$name"; fi
}

# refused NAME PATTERN COMMAND...: NAME.py, which writes stderr to $T/err, ends with status 1 and one line that matches.
refused() {
    local name=$1 wanted=$2
    shift 2
    "$@"
    expect "$name refuses with status 1: $wanted" status_is 1 $?
    expect "$name says it in one line: $wanted" test "$(wc -l <"$T/err")" -eq 1
    says "$T/err" "^$name\.py: $wanted" || not_ok "$name says: $wanted"
}

# run_parts PART...: calls these functions, shows what they print and how long they take, ends in "N passed, N failed".
# A part that tests nothing, or does not come to its end, has failed.
run_parts() {
    local part line before ended passed=0 failed=0
    for part; do
        declare -F "$part" >/dev/null || { echo "there is no part $part" >&2; return 1; }
    done
    for part; do
        before=$((passed + failed)) ended=
        SECONDS=0
        while IFS= read -r line; do
            [ "$line" != "$part ends" ] || { ended=1; continue; }
            printf '%s\n' "$line"
            case $line in ok\ *) passed=$((passed + 1)) ;; not\ ok\ *) failed=$((failed + 1)) ;; esac
        done < <("$part" 2>&1; echo "$part ends")
        [ "$ended" ] || { not_ok "$part: does not come to its end"; failed=$((failed + 1)); }
        [ $((passed + failed)) -gt "$before" ] || { not_ok "$part: nothing passed"; failed=$((failed + 1)); }
        printf '%-44s %4d s\n' "$part" "$SECONDS"
    done
    echo "$passed passed, $failed failed"
    [ $failed -eq 0 ]
}
