#!/usr/bin/env bash
# A step of the reference job is the one that PyTorch computes.  SHORT=1: of four jobs like it.
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/lib.sh
. tests/lib.sh
scratch
few_faces 60 12

# step WHAT [OPTION...] [-- OPTION...]: a step of the reference job, but for its width, its batch and the options, is PyTorch's,
# as check_dump.py finds with what stands after the --.
step() {
    local what=$1 options=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do options+=("$1"); shift; done
    ranks 2 "$DAGAN" configs/reference.yaml "${FEW[@]}" --set model.width=8 --set train.batch=2 --set train.steps=1 \
        --set run.dir="$T/step" "${options[@]}" --dump-step "$T/step.h5" >"$T/out" 2>"$T/err"
    expect "a step with $what is dumped" status_is 0 $?
    "$PYTHON" tests/golden/check_dump.py "$T/step.h5" "${@:2}" >"$T/out" 2>&1 || grep MISS "$T/out"
    expect "its losses, wires, gradients and update are PyTorch's" says "$T/out" 'step\.h5: agrees$'
}
step "the reference job"
step "centres that settle, images displaced" --set attention.settle=2 --set data.shift=3
HELD=(--set model.spectral=true --set model.norm.d=none --set loss.weights.lecam=0.3)
step "spectral norm and LeCam in CycleGAN, images displaced" "${HELD[@]}" --set data.shift=3 --set model.kind=cyclegan \
    --set loss.weights.identity=5
small_classifier 1 "$T/classifier"
expect "a classifier trains" status_is 0 $?
# distances_by NET.h5
distances_by() { step "distances by $1" --set loss.distance=classifier --set loss.classifier="$T/$1" -- --loss-net "$T/$1"; }
distances_by classifier/latest.h5
[ -z "${SHORT-}" ] || exit 0

step "spectral norm and LeCam" "${HELD[@]}"
# LeCam's averages begin at 0; some steps on they are four different numbers.
ranks 2 "$DAGAN" configs/reference.yaml "${FEW[@]}" --set model.width=8 --set train.batch=2 --set train.steps=20 "${HELD[@]}" \
    --set samples.every=0 --set run.dir="$T/held" >"$T/out" 2>"$T/err"
expect "20 steps with both" status_is 0 $?
step "averages of 20 steps" "${HELD[@]}" --set train.steps=21 --resume "$T/held/latest.h5"
for net in vgg keras_model; do
    "$PYTHON" tests/make_vgg.py "$T/$net.h5"
    distances_by $net.h5
done
"$PYTHON" tests/golden/test_check_dump.py || not_ok "check_dump.py finds every mistake"
