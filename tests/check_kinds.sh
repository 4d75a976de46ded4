#!/usr/bin/env bash
# Other models than DA-GAN keep what is promised of it: CycleGAN, and DA-GAN without regions.
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/lib.sh
. tests/lib.sh
scratch
few_faces 60 12
END=ckpt-00000004.h5

# keeps_promises NAME OPTION...: np invariance, resume on other ranks, translation, pictures; no attention in any file.
keeps_promises() {
    local name=$1 np
    shift
    SMALL=("$@" "${FEW[@]}" --set model.width=8 --set train.batch=8 --set train.steps=4 --set samples.every=4 --set samples.count=2
        --set checkpoint.every=2 --set checkpoint.keep=10 --set train.augment.shift=true --set train.pool=8)
    for np in 1 2 4; do train "$np" "$T/$name$np"; done
    for np in 2 4; do
        expect "$name: $np ranks give every dataset of one rank, in bits" same "$T/${name}1/$END" "$T/$name$np/$END"
    done
    train 4 "$T/$name-resumed" --resume "$T/${name}1/ckpt-00000002.h5"
    expect "$name: a checkpoint continues on other ranks" same "$T/${name}1/$END" "$T/$name-resumed/$END"
    expect "$name: a clean run leaves stderr empty" is_quiet "$T/${name}4.err"
    expect "$name: pictures do not depend on ranks" cmp "$T/${name}1/samples/step-00000004.png" "$T/${name}4/samples/step-00000004.png"
    h5ls -r "$T/${name}1/$END" >"$T/h5ls"
    expect "$name: no attention in checkpoints" lacks "$T/h5ls" attention
    for np in 1 3; do
        ranks $np "$DAGAN" translate "$T/${name}1/latest.h5" --input "$T/faces.h5" --output "$T/$name$np.h5" >"$T/out" 2>&1
        expect "$name: $np ranks translate" status_is 0 $?
    done
    expect "$name: translations do not depend on ranks" same "$T/${name}1.h5" "$T/${name}3.h5"
    expect "$name: translations have no centres" bash -c "h5ls '$T/${name}1.h5' | grep -q 'centres .*{12, 0, 2}'"
    ranks 1 "$DAGAN" graph "${SMALL[@]}" >"$T/out" 2>&1
    expect "$name: graph" status_is 0 $?
    ranks 2 "$DAGAN" check "${SMALL[@]}" >"$T/$name.check" 2>&1
    expect "$name: check" says "$T/$name.check" "8 \+ 0 bytes per image"
}
keeps_promises cyclegan configs/cyclegan.yaml --set loss.weights.identity=5
keeps_promises whole configs/smoke.yaml "${WHOLE[@]}"

for net in st ts d1 d2; do
    expect "cyclegan: check counts $net" says "$T/cyclegan.check" "^parameters of $net +[1-9]"
done
"$PYTHON" - "$T/cyclegan1/ckpt-00000002.h5" "$T/cyclegan1/$END" <<'PY' || not_ok "cyclegan: what has moved can be read"
import sys, h5py, numpy as np
from itertools import chain
a, b = map(h5py.File, sys.argv[1:])
def moved(net):
    names = []
    a["weights"][net].visititems(lambda n, x: names.append(n) if isinstance(x, h5py.Dataset) else None)
    return all(not np.array_equal(a["weights"][net][n][()], b["weights"][net][n][()]) for n in names)
for net in "st", "ts", "d1", "d2":
    print("ok" if moved(net) else "not ok", f"cyclegan: every weight of {net} moves")
same = np.array_equal(b["ema/st/out/weight"][()], b["weights/st/out/weight"][()])
print("not ok" if same else "ok", "cyclegan: averaged weights are kept")
PY
