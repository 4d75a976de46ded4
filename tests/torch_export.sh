#!/usr/bin/env bash
# What export_torch.py exports does in PyTorch what `dagan_mpi translate` does, for every kind of network.
# SHORT=1: for four of them.
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/lib.sh
. tests/lib.sh
scratch
few_faces 2000 48   # as many as are compared

# compare NAME OPTION...: trains that network, on labels alone but for the last step and at a rate at which regions soon
# stand in different places in different images, then compares.
compare() {
    local name=$1
    shift
    train 1 "$T/$name" --set train.steps=40 --set train.label_warmup=39 --set train.warmup=0 --set train.rate_g=0.01 \
        --set log.every=40 --set checkpoint.every=40 "$@"
    expect "$name trains" status_is 0 $?
    ranks 1 "$DAGAN" translate "$T/$name/latest.h5" --input "$T/faces.h5" --group adventurer --output "$T/$name.h5" \
        >"$T/out" 2>"$T/err"
    expect "$name translates" status_is 0 $?
    "$PYTHON" analysis/export_torch.py "$T/$name/latest.h5" --output "$T/$name-torch" >"$T/out" 2>"$T/err"
    expect "$name is exported" status_is 0 $?
    is_quiet "$T/err" || not_ok "export_torch leaves stderr empty"
    "$PYTHON" tests/check_torch.py "$name" "$T/$name-torch" "$T/$name.h5" "$T/$name/latest.h5" || not_ok "$name is compared to the end"
}
compare crop
compare halves --set "attention.half=11x6 8 8x7.5 14x12" --set attention.grid=2 --set "attention.settle=1 2x0 0 3x1"
compare reference --set attention.mode=mask --set model.norm.dae=instance --set model.norm.g=instance --set model.residuals=4
compare whole --set attention.regions=0 --set labels.eyes=all --set labels.mouth=all --set labels.glasses=all --set labels.hair=all
if [ -z "${SHORT-}" ]; then
    compare window --set model.range=1.75 --set attention.window=40 --set attention.sharpness=1 --set model.norm.dae=layer --set model.norm.g=none
    compare fc --set model.localiser=fc --set train.rate_g=0.0001 --set model.norm.groups=4 --set attention.half=7.5
    compare mask --set attention.mode=mask --set attention.settle=2 --set model.norm.g=instance --set model.residuals=2
    compare one --set train.rate_g=0.003 --set attention.regions=1 --set attention.mode=mask --set model.norm.dae=none --set model.norm.g=layer \
        --set labels.eyes=0 --set labels.mouth=0 --set labels.glasses=0 --set labels.hair=0 --set loss.weights.overlap=0
fi

# refuses NAME PATTERN: a checkpoint that check_torch.py changed so is refused in one line.
refuses() {
    "$PYTHON" tests/check_torch.py --change "$1" "$T/crop/latest.h5" "$T/changed.h5"
    "$PYTHON" analysis/export_torch.py "$T/changed.h5" --output "$T/changed" >"$T/out" 2>"$T/err"
    expect "$1: status 1" status_is 1 $?
    expect "$1: one line" test "$(wc -l <"$T/err")" -eq 1
    says "$T/err" "^export_torch\.py: .*changed\.h5: $2" || not_ok "$1: says what it does not know"
}
refuses key "model\.depth is 3, a key that dagan_f\.py does not know"
refuses localiser "model\.localiser is 'spline', dagan_f\.py knows softargmax, fc"
refuses weight "g\.extra\.weight is \(3,\), wanted absent"
refuses width "dae\.enc\.c0\.weight is \(8, 3, 3, 3\), wanted \(16, 3, 3, 3\)"
