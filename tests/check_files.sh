#!/usr/bin/env bash
# What the program writes, read by others: checkpoint, run directory, translate, pack; and that every configuration
# that is shipped trains.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
scratch
few_faces 60 130   # a picture of 130 samples is made, too

# ---- checkpoint and run directory ------------------------------------------------------------------
train 2 "$T/run" --set samples.every=2 --set checkpoint.every=2
expect "the small job trains" status_is 0 $?
"$PYTHON" tests/check_files.py "$T/run" "$T/faces.h5" || not_ok "the checkpoint can be read to its end"
# Into a file first: grep -q would close the pipe under h5ls.
h5ls -r "$T/run/latest.h5" >"$T/h5ls" 2>&1
expect "h5ls works" says "$T/h5ls" "/weights/dae/enc/c0/weight +Dataset \{8, 3, 3, 3\}"
h5dump -a /attention/source/half "$T/run/latest.h5" >"$T/h5dump" 2>&1
expect "h5dump works" says "$T/h5dump" '\(0\): 10'
# The commands of the last lines, as somebody would paste them.
sed -n '/^done: /,$p' "$T/run.out" >"$T/last"
grep -oE "$T/run[^ ,)]*" "$T/last" | grep -v evaluation.json | xargs ls -d >"$T/out" 2>&1
expect "what the last lines name is there" status_is 0 $?
expect "which is something" says "$T/out" "^$T/run"
mkdir "$T/in" && "$PYTHON" -c "import h5py, matplotlib.image as m; m.imsave('$T/in/a.png', h5py.File('$T/faces.h5')['adventurer/test/images'][0])"
n=0
while read -r line; do
    line=${line#next} && line=${line/FOLDER/$T/in} && line=${line/FOLDER/$T/pictures}
    said=${line%% --*} line=${line/dagan_mpi/$DAGAN} line=${line/python3*/$PYTHON analysis/report.py $T/run --program $DAGAN}
    bash -c "$line" >"$T/out" 2>&1 </dev/null
    expect "what to run next runs: $said" status_is 0 $?
    n=$((n + 1))
done < <(grep -E 'dagan_mpi [te]|python3' "$T/last" | grep -v h5ls)
expect "which are three commands, with their results" test $n-"$(find "$T/pictures" "$T/run/evaluation.json" "$T/run/report.html" -type f | wc -l)" = 3-4
ls "$T/run" >"$T/listing"
expect "no file is left half-written" lacks "$T/listing" tmp

pngs=("$T"/run/samples/step-0000000[24].png)
expect "pictures decode" "$PYTHON" tests/check_files.py --png "${pngs[@]}"
# The sources and two rows of translations, cells of 132 pixels beside a margin of 96.
"$PYTHON" tests/check_files.py --png "$T/run/samples/progress.png" >"$T/sheet"
expect "progress.png has a row for each picture" says "$T/sheet" " 628 404$"
expect "on a terminal a bar shows step, time left and losses" "$PYTHON" - "$DAGAN" "${SMALL[@]}" --set train.steps=30 \
    --set log.every=1000 --set checkpoint.every=1000 --set run.dir="$T/bar" <<'PY'
import os, pty, re, sys
pid, fd = pty.fork()
if pid == 0:
    os.execvp("bash", ["bash", "-c", '"$@"; exit', "bash"] + sys.argv[1:])   # as from a person's shell
out = b""
while True:
    try:
        part = os.read(fd, 4096)
    except OSError:   # its other end is closed
        break
    if not part:
        break
    out += part
assert os.waitpid(pid, 0)[1] == 0, out
bars = re.findall(rb"\r\x1b\[K(\[[#.]{20}\] step \d+/30  ETA \w+  cst \d\.\d\d  d1 [^\r]*)", out)
assert len(bars) > 2 and all(len(b) < 80 for b in bars), out
PY
expect "a file shows none" lacks "$T/run.out" '\[[#.]*\] step'
train 2 "$T/wide" --set samples.every=4 --set samples.count=130
expect "pictures wider than 16384 pixels" status_is 0 $?
"$PYTHON" tests/check_files.py --png "$T/wide/samples/progress.png" >"$T/sheet"
expect "and progress.png of them" says "$T/sheet" " 17260 272$"
cp "$T/run/config.yaml" "$T/config.yaml"
ranks 2 "$DAGAN" "$T/config.yaml" --set train.steps=5 >"$T/out" 2>&1   # with a step to do it writes its configuration anew
expect "config.yaml is a configuration" status_is 0 $?
expect "config.yaml reads back as what it was" diff <(sed 's/^  steps: 4$/  steps: 5/' "$T/config.yaml") "$T/run/config.yaml"

"$DAGAN" "${SMALL[@]}" --set run.dir="$T/piped" --set log.every=1 | head -1 >/dev/null
expect "whoever reads stdout may go before the run ends" status_is 0 "${PIPESTATUS[0]}"
expect "log.txt has the end" says "$T/piped/log.txt" "^done: "

# ---- commands that only tell -----------------------------------------------------------------------
none="$T/none"
ranks 2 "$DAGAN" check "${SMALL[@]}" --set run.dir="$none" >"$T/check" 2>"$T/err"
expect "check" status_is 0 $?
expect "check tells the plan" says "$T/check" "pairs per step +8 in 8 leaves of 1"
ranks 2 "$DAGAN" check "$T/config.yaml" --set run.dir="$none" >"$T/check2" 2>&1
expect "check says the same of config.yaml" cmp "$T/check" "$T/check2"
dae=$(sed -nE 's/.*parameters dae ([0-9]+),.*/\1/p' "$T/run/log.txt" | head -1)
expect "check counts the classes that the data set has" says "$T/check" "^parameters of dae +${dae:-unknown}$"
expect "and assumes nothing" lacks "$T/check" "^counted for"
ranks 2 "$DAGAN" check "${SMALL[@]}" --set train.pool=0 >"$T/check2" 2>>"$T/err"
expect "check counts the image pool: 16 images of floats" "$PYTHON" - "$T/check" "$T/check2" <<'PY'
import re, sys
with_pool, without = (float(re.search(r"^checkpoint +([0-9.]+) MiB", open(path).read(), re.M)[1]) for path in sys.argv[1:])
assert abs(with_pool - without - 16 * 64 * 64 * 3 * 4 / 2**20) < 0.02, (with_pool, without)
PY
ranks 2 "$DAGAN" check "${SMALL[@]}" --set data.source.file="$none.h5" >"$T/check2" 2>/dev/null
expect "where there is none, check says what it counts" \
    says "$T/check2" "^counted for +every label with 2 classes: .*none.h5: "
for missing in data.source.file="$none.h5" data.target.group=none data.size=32; do
    ranks 2 "$DAGAN" check "${SMALL[@]}" --set "$missing" >/dev/null 2>"$T/check.err"
    expect "data that a run would refuse: status 1, $missing" status_is 1 $?
    expect "in one line" one_line "$T/check.err" '^dagan_mpi: .*(faces|none)\.h5'
done
ranks 1 "$DAGAN" graph "${SMALL[@]}" --set run.dir="$none" >"$T/graph" 2>>"$T/err"
expect "graph" status_is 0 $?
expect "graph prints shapes" says "$T/graph" "conv .*\(2, 64, 64, 8\)"
expect "check and graph touch nothing" test ! -e "$none"
expect "check and graph leave stderr empty" is_quiet "$T/err"
"$DAGAN" --version >"$T/version"
expect "--version" says "$T/version" "^dagan_mpi [0-9]+\.[0-9]+\.[0-9]+$"
"$DAGAN" --help >"$T/help"
expect "--help" says "$T/help" "mpirun -np 4 dagan_mpi configs/faces.yaml"
for command in train check graph translate evaluate pack; do
    "$DAGAN" $command --help >"$T/help"
    expect "$command --help" says "$T/help" "^  dagan_mpi .*$command"
    expect "and of no other" test "$(grep -c '^  dagan_mpi' "$T/help")" -eq 1
    expect "--help $command says the same" cmp "$T/help" <("$DAGAN" --help $command)
done
"$DAGAN" --help config >"$T/keys"
missing=$(sed -nE 's/^    \{ "([a-z_0-9.]+)", .*/\1/p' src/base/keys.c | while read -r key; do
    grep -qE "^${key//./\\.}( |:|$)" "$T/keys" || echo "$key"
done)
expect "--help config lists every key" test -z "$missing"
expect "of which there are many" test "$(grep -c '^    { "' src/base/keys.c)" -gt 50
[ -z "$missing" ] || echo "missing: $missing"
ranks 2 "$DAGAN" "${SMALL[@]}" --set run.dir="$T/dump" --set train.label_warmup=0 --dump-step "$T/dump.h5" >"$T/out" 2>&1
expect "--dump-step" status_is 0 $?
h5ls -r "$T/dump.h5" >"$T/h5ls" 2>&1
ranks 2 "$DAGAN" "${SMALL[@]}" --set run.dir="$T/dump" --set train.label_warmup=1 --dump-step "$T/warm.h5" >"$T/out" 2>&1
expect "--dump-step of a step on labels alone holds its batch" h5ls "$T/warm.h5/batch/s"
expect "--dump-step writes the batch in NCHW" says "$T/h5ls" "/batch/s +Dataset \{8, 3, 64, 64\}"

# ---- pack, train on it, translate ------------------------------------------------------------------
"$PYTHON" tests/check_files.py --pictures "$T/pictures"
for domain in source target; do
    ranks 2 "$DAGAN" pack "$T/pictures/$domain" --labels "$T/pictures/$domain.csv" --group "$domain" \
        --output "$T/$domain.h5" >"$T/out" 2>"$T/pack.err"
    expect "pack $domain" status_is 0 $?
done
for np in 1 3; do
    ranks $np "$DAGAN" pack "$T/pictures/source" --labels "$T/pictures/source.csv" --group source \
        --output "$T/source$np.h5" >"$T/out" 2>&1
    expect "pack on $np ranks writes the same" same "$T/source.h5" "$T/source$np.h5"
done
ranks 2 "$DAGAN" pack "$T/pictures/source" --size 32 --output "$T/size.h5" >"$T/out" 2>&1
h5ls -r "$T/size.h5" >"$T/h5ls"
expect "pack --size" says "$T/h5ls" "^/size/test/images +Dataset \{4, 32, 32, 3\}"
mkdir "$T/mixed"
cp "$T/pictures/source/test/face0.png" "$T/mixed"
echo "no picture" >"$T/mixed/text.png"
ranks 2 "$DAGAN" pack "$T/mixed" --output "$T/kept.h5" >"$T/out" 2>&1
expect "pack skips what it cannot read" status_is 0 $?
ranks 2 "$DAGAN" pack "$T/mixed" --strict --output "$T/strict.h5" >"$T/out" 2>"$T/err"
expect "pack --strict does not" status_is 1 $?
expect "and says so" says "$T/err" "^dagan_mpi: pack: 1 of 2 pictures cannot be read \(strict\)$"
expect "and writes nothing" test ! -e "$T/strict.h5"
mkdir "$T/small"
# on_full_disk NP COMMAND...: writes to $T/small, which has no room for it.
on_full_disk() {
    local what="$2 on $1 ranks and a full disk"
    timeout 60 unshare --map-root-user --mount bash -c 'mount -t tmpfs -o size=16k none "$0" && { "$@"; status=$?; }
        ls "$0" >"$0.left" && exit $status' "$T/small" mpirun --quiet --oversubscribe -np "$1" "$DAGAN" "${@:2}" >"$T/out" 2>"$T/err"
    expect "$what: status 2" status_is 2 $?
    expect "$what: said in a line" test "$(grep -c "^dagan_mpi: $T/small/full.h5.tmp: cannot be .*No space left on device$" "$T/err")/$(wc -l <"$T/err")" = 1/1
    expect "$what: nothing is left" is_quiet "$T/small.left"
}
if unshare --map-root-user --mount mount -t tmpfs none "$T/small" 2>/dev/null; then
    on_full_disk 3 pack "$T/pictures/source" --group source --size 128 --output "$T/small/full.h5"
    on_full_disk 2 translate "$T/run/latest.h5" --input "$T/faces.h5" --output "$T/small/full.h5"
    on_full_disk 3 translate "$T/run/latest.h5" --input "$T/faces.h5" --output "$T/small/full.h5"
    on_full_disk 2 evaluate "$T/run/latest.h5" --arrays "$T/small/full.h5"
else
    echo "skipped: full disks (no user namespaces here)"
fi

# ---- what stands where a result is to go -----------------------------------------------------------
refuses() {   # what file command...: the file is left as it was
    local what=$1 file=$2 before
    shift 2
    before=$(cksum <"$file")
    "$DAGAN" "$@" >"$T/out" 2>"$T/err"
    expect "$what: status 1" status_is 1 $?
    expect "$what: said" says "$T/err" "^dagan_mpi: $file: exists and is another kind of file"
    expect "$what: nothing is lost" test "$(cksum <"$file")" = "$before"
}
cp "$T/run/latest.h5" "$T/checkpoint.h5"
refuses "a translation in the place of a data set" "$T/source.h5" \
    translate "$T/run/latest.h5" --input "$T/faces.h5" --output "$T/source.h5"
refuses "figures in the place of a checkpoint" "$T/checkpoint.h5" evaluate "$T/run/latest.h5" --output "$T/checkpoint.h5"
refuses "arrays in the place of a checkpoint" "$T/checkpoint.h5" evaluate "$T/run/latest.h5" --arrays "$T/checkpoint.h5"
for again in 1 2; do
    "$DAGAN" translate "$T/run/latest.h5" --input "$T/mixed" --output "$T/mixed.h5" >"$T/out" 2>"$T/err"
    expect "translate, time $again, skips a picture that it cannot read" status_is 0 $?
done
expect "and says so" says "$T/err" "^dagan_mpi: skipped: $T/mixed/text.png: "
expect "and counts" says "$T/out" "^1 images translated into .*, 1 skipped$"
cat >"$T/packed.yaml" <<YAML
run: {dir: $T/packed}
data: {source: {file: $T/source.h5, group: source}, target: {file: $T/target.h5, group: target}}
model: {width: 8, residuals: 1}
labels: {hair: 0}
loss: {weights: {label: 1}}
train: {steps: 2, batch: 2}
samples: {every: 0}
YAML
ranks 2 "$DAGAN" "$T/packed.yaml" >"$T/out" 2>&1
expect "what pack wrote trains" status_is 0 $?
expect "samples.every 0 leaves no picture" test ! -e "$T/packed/samples/step-00000002.png"
expect "and the log names none" lacks "$T/packed/log.txt" ^pictures

translate() {   # ranks, input, output
    ranks "$1" "$DAGAN" translate "$T/packed/latest.h5" --input "$T/$2" --output "$T/$3" >"$T/out" 2>"$T/err"
    expect "translate $2 to $3 on $1 ranks" status_is 0 $?
    is_quiet "$T/err" || not_ok "translate leaves stderr empty"
}
for np in 1 3; do
    translate $np source.h5 from-set$np.h5
    translate $np source.h5 from-set$np
    translate $np source.h5:/source/test named$np.h5
    translate $np pictures/source/test from-folder$np.h5
    translate $np pictures/source/test from-folder$np
done
expect "translate, data set to data set: 1 and 3 ranks agree" same "$T/from-set1.h5" "$T/from-set3.h5"
expect "translate, data set to folder: 1 and 3 ranks agree" diff -r "$T/from-set1" "$T/from-set3"
expect "translate, folder to data set: 1 and 3 ranks agree" same "$T/from-folder1.h5" "$T/from-folder3.h5"
expect "translate, folder to folder: 1 and 3 ranks agree" diff -r "$T/from-folder1" "$T/from-folder3"
expect "translate reads the same from a folder and a data set" same "$T/from-set1.h5" "$T/from-folder1.h5"
ranks 2 "$DAGAN" translate "$T/packed/latest.h5" --input "$T/source.h5" --split train --output "$T/train.h5" >"$T/out" 2>"$T/err"
ranks 2 "$DAGAN" translate "$T/packed/latest.h5" --input "$T/source.h5:/source/train" --output "$T/named-train.h5" >"$T/out" 2>>"$T/err"
h5ls "$T/train.h5" >"$T/h5ls"
expect "translate --split" says "$T/h5ls" "^outputs +Dataset \{6, 64, 64, 3\}"
expect "is the split that the input can name" same "$T/train.h5" "$T/named-train.h5"
for group in ema weights; do
    "$PYTHON" tests/check_files.py --zero $group "$T/packed/latest.h5" "$T/packed/$group.h5" ||
        not_ok "a copy with /$group of zeros is made"
    ranks 1 "$DAGAN" translate "$T/packed/$group.h5" --input "$T/source.h5" --output "$T/zero-$group.h5" >"$T/out" 2>"$T/err"
    expect "translate by a checkpoint with /$group of zeros" status_is 0 $?
done
expect "translate reads averaged weights" differ "$T/from-set1.h5" "$T/zero-ema.h5" --only /outputs
expect "and no others" same "$T/from-set1.h5" "$T/zero-weights.h5"
expect "translate writes a picture and its regions for each" test "$(cd "$T/from-folder1" && echo face3*)" = \
    "face3-regions.png face3.png"
# spares WHAT FRAGMENT INPUT OUTPUT: translate refuses, and says so.
spares() {
    ranks 2 "$DAGAN" translate "$T/packed/latest.h5" --input "$T/$3" --output "$T/$4" >"$T/out" 2>"$T/err"
    expect "translate refuses $1" status_is 1 $?
    expect "and says why" says "$T/err" "$2"
}
cp -r "$T/from-folder1" "$T/own"
spares "to write over its input" "own/face0.*png would take the place of the input, wanted another folder" own own
mkdir -p "$T/twins"
cp "$T/from-folder1/face0.png" "$T/twins/a.png"
cp "$T/from-folder1/face0.png" "$T/twins/a.b.png"
cp "$T/from-folder1/face0.png" "$T/twins/a-regions.png"
spares "two pictures of one name" "two pictures become .*/both/a-regions.png" twins both
expect "and writes nothing" test ! -e "$T/both"
expect "translate tells the checkpoint's step and k" "$PYTHON" tests/check_files.py --translated "$T/packed/latest.h5" "$T/from-set1.h5"
expect "translated pictures decode" "$PYTHON" tests/check_files.py --png "$T"/from-set1/*.png

# ---- profile ---------------------------------------------------------------------------------------
train 2 "$T/profile" --profile
expect "--profile writes a trace of both ranks" "$PYTHON" tests/check_files.py --trace "$T/profile/trace.json" 2

OMP_NUM_THREADS=2 train 2 "$T/key" --set log.profile=true --set train.steps=2
expect "so does log.profile, with a line for each thread" "$PYTHON" tests/check_files.py --trace "$T/key/trace.json" 2 2

# ---- what is shipped -------------------------------------------------------------------------------
for config in configs/*.yaml; do
    name=$(basename "$config" .yaml)
    ranks 2 "$DAGAN" "$config" "${FEW[@]}" --set run.dir="$T/$name" --set train.steps=2 --set train.batch=2 --set train.microbatch=1 \
        --set train.label_warmup="$(grep -c label_warmup "$config")" --set model.width=8 --set samples.count=2 \
        >"$T/out" 2>"$T/err"
    expect "$config trains" status_is 0 $?
    expect "$config leaves stderr empty" is_quiet "$T/err"
    expect "$config: losses are finite" lacks "$T/$name/metrics.csv" "nan|inf"
    if [[ $name == classifier-* ]]; then
        expect "$config leaves no picture" test ! -e "$T/$name/samples/step-00000002.png"
    else
        expect "$config leaves a picture" test -s "$T/$name/samples/step-00000002.png"
    fi
done
