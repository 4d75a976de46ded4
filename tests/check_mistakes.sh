#!/usr/bin/env bash
# What a user can get wrong: each mistake gets one line on stderr that names it, and status 1, under 2 ranks.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
scratch
"$PYTHON" tests/make_broken.py "$T" || { not_ok "broken data sets can be made"; exit 1; }

# The job of all cases: a step on good.h5.
cat >"$T/job.yaml" <<YAML
run: {dir: $T/run}
data:
  source: {file: $T/good.h5, group: a}
  target: {file: $T/good.h5, group: b}
model: {width: 8, residuals: 0}
labels: {mark: all}
loss: {weights: {label: 1}}
train: {steps: 1, batch: 4, label_warmup: 1}
samples: {every: 0}
YAML

# wrong FRAGMENT WORD...: dagan_mpi WORD... is refused with a line that holds FRAGMENT.  Some cases run at a time; what they
# found comes in order from `all_done`.
AT_ONCE=6
n_cases=0
wrong() {
    n_cases=$((n_cases + 1))
    [ $((n_cases % AT_ONCE)) -ne 0 ] || wait
    try "$T/case$n_cases" "$@" >"$T/case$n_cases.found" &
}
try() {
    local case=$1 fragment=$2 status lines
    shift 2
    trap 'kill $(jobs -p) 2>/dev/null' TERM
    ranks 2 "$DAGAN" "$@" >"$case.out" 2>"$case.err"
    status=$?
    lines=$(wc -l <"$case.err")
    if [ "$status" -eq 1 ] && [ "$lines" -eq 1 ] && grep -qF -- "$fragment" "$case.err"; then
        ok "$fragment"
    else
        not_ok "$fragment: status $status, $lines lines: $(head -c 600 "$case.err" | tr '\n' '|')"
    fi
}
all_done() {
    local i
    wait
    for ((i = 1; i <= n_cases; i++)); do cat "$T/case$i.found"; done
}
# set_to FRAGMENT KEY=VALUE...: the job with other values.
set_to() {
    local fragment=$1 value words=()
    shift
    for value; do words+=(--set "$value"); done
    wrong "$fragment" "$T/job.yaml" "${words[@]}"
}
# data FRAGMENT NAME: the job with the target in NAME.h5.
data() { set_to "$1" "data.target.file=$T/$2.h5"; }
# yaml FRAGMENT TEXT: a configuration of this text.
yaml() {
    local folder=$T/yaml$n_cases
    mkdir "$folder"
    printf '%b' "$2" >"$folder/wrong.yaml"
    wrong "$1" "$folder/wrong.yaml"
}

ranks 2 "$DAGAN" "$T/job.yaml" >"$T/out" 2>"$T/err"
expect "the job is good" status_is 0 $?
ranks 2 "$DAGAN" "$T/job.yaml" --set run.dir="$T/no_test" --set data.target.file="$T/no_test.h5" --set samples.every=1 \
    >"$T/out" 2>"$T/err"
expect "a data set without a test split is none" test -s "$T/no_test/samples/step-00000001.png"
rm -rf "$T/run"
labels=(--set loss.weights.label_d=1)
for i in {1..20}; do labels+=(--set "labels.what_the_person_of_the_picture_looks_like_$i=all"); done
ranks 2 "$DAGAN" graph "$T/job.yaml" "${labels[@]}" >"$T/out" 2>"$T/err"
expect "many labels of long names are none" status_is 0 $?

# ---- command line ----------------------------------------------------------------------------------
wrong "--help: found levers, wanted config or a command" --help levers
wrong "what to do is missing"
wrong "/none.yaml: cannot be opened: No such file" "$T/none.yaml"
wrong "$T: cannot be read: Is a directory" "$T"
wrong "option --sett is unknown" "$T/job.yaml" --sett train.steps=2
wrong "option --set wants a value" "$T/job.yaml" --set
wrong "found trian and $T/job.yaml, wanted one configuration file" trian "$T/job.yaml"
wrong "found $T/x.h5 and $T/good.h5, wanted one checkpoint, and images behind --input" translate "$T/x.h5" "$T/good.h5"
wrong "$T: found a folder, wanted an HDF5 file" "$T/job.yaml" --resume "$T"
wrong "$T: found a folder, wanted an HDF5 file" translate "$T" --input "$T/good.h5" --output "$T/y.h5"
wrong "--fresh and --resume exclude each other" "$T/job.yaml" --fresh --resume "$T/x.h5"
wrong "--fresh and --dump-step exclude each other" "$T/job.yaml" --fresh --dump-step "$T/x.h5"
wrong "found no =, wanted KEY=VALUE" "$T/job.yaml" --set train.steps
wrong "found no key, wanted KEY=VALUE" "$T/job.yaml" --set =3
wrong "found nothing, wanted one configuration file" check
wrong "translate wants --input" translate "$T/x.h5" --output "$T/y.h5"
wrong "translate wants --output" translate "$T/x.h5" --input "$T/good.h5"
wrong "pack wants a folder or files" pack --output "$T/y.h5"
wrong "pack wants --output" pack "$T"
wrong "--size: found '63'" pack "$T" --output "$T/y.h5" --size 63
mkdir "$T/no_pictures"
wrong "holds no file named .png" pack "$T/no_pictures" --output "$T/y.h5"
wrong "good.h5: exists; remove it first" pack "$T" --output "$T/good.h5"

# ---- configuration ---------------------------------------------------------------------------------
set_to "--set train.step: unknown key, the nearest known one is train.steps" train.step=3
set_to "--set train.steps: found many, wanted a whole number" train.steps=many
set_to "--set train.steps: found -1, wanted a whole number from 0" train.steps=-1
set_to "wanted train.steps or train.pairs above 0" train.steps=0
set_to "--set train.batch: found 5, wanted a multiple of train.microbatch, 2" train.batch=5 train.microbatch=2
set_to "--set train.grow: found yes, wanted true or false" train.grow=yes
set_to "--set loss.gan: found wgan, wanted minimax, nonsaturating, lsgan or hinge" loss.gan=wgan
set_to "--set data.size: found 66, wanted a multiple of 4" data.size=66
set_to "--set attention.half: found 40, wanted at most half of data.size, 32" attention.half=40
set_to "--set attention.window: found 10" attention.window=10
set_to "--set labels.mark: found 4, wanted all or a region from 0 to 3" labels.mark=4
set_to "--set labels.mark: found 1, wanted all (attention.regions is 0)" attention.regions=0 labels.mark=1
set_to "model.norm.groups: found 3, wanted a divisor" model.norm.dae=group model.norm.groups=3
set_to "--set: model.encoder: found vgg, wanted one of resnet" model.encoder=vgg
set_to "--set: model.kind: found cycle, wanted one of dagan classifier cyclegan" model.kind=cycle
set_to "loss.weights.label: found 0 for steps on labels alone" loss.weights.label=0
set_to "loss.weights.label: found 0 for steps on labels alone" loss.weights.label=0 loss.weights.overlap=1
set_to "loss.weights.label: found 0 for steps on labels alone" model.kind=classifier loss.weights.label=0 labels.mark=all
set_to "attention.half: found 18 runs of regions with windows of one size, wanted at most 16" attention.mode=crop \
    attention.regions=18 "attention.half=4 8 4 8 4 8 4 8 4 8 4 8 4 8 4 8 4 8"
set_to "attention.grid: found 2, wanted one for all regions of a classifier" model.kind=classifier labels.mark=all \
    attention.regions=2 attention.half=10 "attention.grid=1 2"
set_to "loss.distance: found discriminator with loss.weights.sym 1 and loss.weights.gan_t 0" loss.distance=discriminator \
    loss.weights.gan_t=0
set_to "model.norm.d: found instance with model.spectral true" model.spectral=true
set_to "loss.classifier: found none, wanted the network" loss.distance=classifier
set_to "good.h5: is no checkpoint of dagan_mpi" loss.distance=classifier loss.classifier="$T/good.h5"
set_to "absent.h5: " loss.distance=classifier loss.classifier="$T/absent.h5"
set_to "vgg.h5: block1_conv2 has no readable kernel of 3 x 3 x 64 x 64" loss.distance=classifier loss.classifier="$T/vgg.h5"
set_to "model.norm.dae: found instance in windows of 4x4" attention.mode=crop attention.window=4
set_to "model.norm.d: found instance in windows of 12x12" attention.mode=crop attention.window=12 loss.distance=discriminator
set_to "--set run.dir: found nothing, wanted a text" run.dir=
set_to "run.dir: /proc/none cannot be made" run.dir=/proc/none/run
set_to "run.dir: $T/good.h5/run cannot be made: Not a directory" run.dir="$T/good.h5/run"
yaml "wrong.yaml:1: trian: unknown key, the nearest known one is train" 'trian: 3\n'
yaml "wrong.yaml:2: train.steps: found a second time, wanted once (first in line 1)" 'train: {steps: 1}\ntrain.steps: 2\n'
yaml "wrong.yaml:1: found the anchor x" 'train: &x {steps: 1}\n'
yaml "wrong.yaml:3: no valid YAML" 'train:\n  steps: 1\n bad: [\n'
yaml "data.source.file: found nothing, wanted the HDF5 file of the source domain" 'train: {steps: 1}\n'
yaml "wrong.yaml:1: found a list, wanted keys with values" '- 1\n'
yaml "wrong.yaml:1: train.steps: found a list" 'train: {steps: [1]}\n'
yaml "wanted YAML in UTF-8" 'train: {steps: \xff}\n'
head -c 1100000 /dev/zero | tr '\0' '#' >"$T/long.yaml"
wrong "wanted at most 1 MiB" "$T/long.yaml"

# ---- data ------------------------------------------------------------------------------------------
data "none.h5: cannot be read: No such file" none
data "text.h5: not an HDF5 file" text
data "empty.h5: not an HDF5 file" empty
data "half.h5: damaged HDF5 file" half
set_to "$T: found a folder, wanted an HDF5 file" data.target.file="$T"
data "no_domain.h5: has no group 'b' (it holds: a)" no_domain
data "has no split 'train' (it holds: test)" no_split
data "has no dataset 'images'" no_images
data "has no dataset 'images'" group_images
data "wanted bytes (uint8)" float_images
data "wanted bytes (uint8)" wide_images
data "has 2 dimensions, wanted 4 (n, h, w, 3)" flat_images
data "last dimension is 1, wanted 3" grey_images
data "last dimension is 64, wanted 3" planar_images
data "images are 32x32, data.size is 64" small_images
data "has no rows" no_rows
data "has 3 images, wanted at least train.batch, 4" few_rows
set_to "has 0 images beside data.validation, wanted at least train.batch, 4" data.validation=100
wrong "has 0 images beside data.validation, wanted at least train.batch, 4" check "$T/job.yaml" --set data.validation=100
wrong "data.validation: found 0, wanted at least 16 rows for checkpoint.best kid" check "$T/job.yaml" --set checkpoint.best=kid
data "cannot be read (damaged file?)" damaged
data "killer.h5: is damaged: HDF5 fails on it (signal 11)" killer
data "/b/train/images is a link to another file" elsewhere
data "has no labels 'mark' (it holds: nothing)" no_labels
data "row 2 is 2, wanted -1 to 1" large_label
data "row 2 is -2, wanted -1 to 1" low_label
data "has 2 rows, images have 12" short_labels
data "has no attribute 'classes'" no_classes
data "attribute 'classes' is not a list of strings" number_classes
data "wanted integers (int16)" text_labels
data "has 3 classes" three_classes
data "class 0 is 'yes', in $T/good.h5:/a/train it is 'no'" other_classes
set_to "/b/test/labels/mark: class 0 is 'yes', in $T/good.h5:/a/train it is 'no'" model.kind=classifier \
    "data.target.file=$T/other_test_classes.h5"

# ---- checkpoints -----------------------------------------------------------------------------------
wrong "none.h5: cannot be read: No such file" "$T/job.yaml" --resume "$T/none.h5" --set run.dir="$T/r1"
wrong "text.h5: cannot be read as HDF5" "$T/job.yaml" --resume "$T/text.h5" --set run.dir="$T/r2"
wrong "good.h5: is no checkpoint of dagan_mpi" "$T/job.yaml" --resume "$T/good.h5" --set run.dir="$T/r3"
wrong "killer.h5: is damaged: HDF5 fails on it (signal 11)" "$T/job.yaml" --resume "$T/killer.h5" --set run.dir="$T/r5"
wrong "killer.h5: is damaged: HDF5 fails on it (signal 11)" translate "$T/killer.h5" --input "$T/good.h5" --output "$T/y.h5"
wrong "good.h5: is no checkpoint of dagan_mpi" translate "$T/good.h5" --input "$T/good.h5" --output "$T/y.h5"
ranks 2 "$DAGAN" "$T/job.yaml" --set run.dir="$T/done" >"$T/out" 2>"$T/err"
wrong "/ema/dae/enc/c0/weight is 8 x 3 x 3 x 3, wanted 4 x 3 x 3 x 3" "$T/job.yaml" --resume "$T/done/latest.h5" \
    --set run.dir="$T/r4" --set model.width=4 --set model.norm.groups=4
wrong "/none: No such file" translate "$T/done/latest.h5" --input "$T/none" --output "$T/y.h5"
wrong "has no group 'c' (it holds: a, b)" translate "$T/done/latest.h5" --input "$T/good.h5" --group c --output "$T/y.h5"
wrong "has no split 'dev' (it holds: test, train)" translate "$T/done/latest.h5" --input "$T/good.h5" --split dev \
    --output "$T/y.h5"
wrong "cannot be created" translate "$T/done/latest.h5" --input "$T/good.h5" --output "$T/none/y.h5"
read="which is read here, wanted another file"
wrong "--output: found $T/done/latest.h5, $read" translate "$T/done/latest.h5" --input "$T/good.h5" --output "$T/done/latest.h5"
ln "$T/good.h5" "$T/other_name.h5"
wrong "--output: found $T/other_name.h5, $read" translate "$T/done/latest.h5" --input "$T/good.h5" --output "$T/other_name.h5"
wrong "--output: found $T/done/ckpt-00000001.h5, $read" evaluate "$T/done/latest.h5" --output "$T/done/ckpt-00000001.h5"
wrong "--arrays: found $T/one, which --output names" evaluate "$T/done/latest.h5" --output "$T/one" --arrays "$T/one"
wrong "/none/e.json: cannot be created: No such file" evaluate "$T/done/latest.h5" --output "$T/none/e.json"
wrong "--arrays: found $T/good.h5, $read" evaluate "$T/done/latest.h5" --arrays "$T/good.h5"
wrong "--dump-step: found $T/good.h5, $read" "$T/job.yaml" --set run.dir="$T/r6" --dump-step "$T/good.h5"
wrong "--dump-step: found $T/done/latest.h5, $read" "$T/job.yaml" --set run.dir="$T/done" --dump-step "$T/done/latest.h5"
wrong "/none/d.h5: cannot be created: No such file" "$T/job.yaml" --set run.dir="$T/r7" --dump-step "$T/none/d.h5"
wrong "/none/y: No such file" translate "$T/done/latest.h5" --input "$T/good.h5" --output "$T/none/y"
all_done
expect "every mistake has its result" test "$(cat "$T"/case*.found | wc -l)" -eq "$n_cases"
