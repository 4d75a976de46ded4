#!/usr/bin/env bash
# checkpoint.best: validation rows are not trained on, best.h5 is the checkpoint of the best step, also across a stop and
# on another number of ranks.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
scratch

few_faces 60 4
small_classifier 2 "$T/classifier"
BEST=(--set checkpoint.best=kid --set checkpoint.classifier="$T/classifier/latest.h5" --set checkpoint.best_every=1)
SMALL+=(--set data.validation=20)

train 1 "$T/one" "${BEST[@]}"
expect "a run with validation rows" status_is 0 $?
expect "leaves stderr empty" is_quiet "$T/one.err"
says "$T/one/log.txt" "validation KID .* at step [1-4]: best.h5$" || not_ok "the log tells the best step"
says "$T/one/log.txt" "^best +$T/one/best.h5, of step [1-4]$" || not_ok "and so does its end"
train 2 "$T/two" "${BEST[@]}" --set train.steps=2
train 2 "$T/two" "${BEST[@]}"
expect "stopped, resumed, on 2 ranks: the same best.h5, in bits" same "$T/one/best.h5" "$T/two/best.h5"
expect "best.h5 is a checkpoint like the others" "$PYTHON" - "$T/one" <<'PY'
import re, sys, h5py
log = open(sys.argv[1] + "/log.txt").read()
looks = [float(k) for k in re.findall(r"^validation KID ([^,]+),", log, re.M)]
best = h5py.File(sys.argv[1] + "/best.h5")
step = int(best.attrs["step"])
other = h5py.File(sys.argv[1] + f"/ckpt-{step:08}.h5")
assert len(looks) == 4 and looks.index(min(looks)) == step - 1, (looks, step)
assert abs(best["state/best"][0] - min(looks)) < 1e-4 * abs(min(looks)) and best["state/best"][1] == step
assert (best["weights/g/out/weight"][:] == other["weights/g/out/weight"][:]).all()
seen = other["attention/source/step"][:]
assert len(seen) == 60 and (seen[40:] == -1).all() and (h5py.File(sys.argv[1] + "/latest.h5")["attention/target/step"][30:] == -1).all()
assert (h5py.File(sys.argv[1] + "/latest.h5")["attention/source/step"][:40] >= 0).any()
PY
cp -r "$T/one" "$T/back"
train 1 "$T/back" "${BEST[@]}" --set train.steps=2 --resume "$T/back/ckpt-00000001.h5"
expect "a best.h5 of later steps than --resume's file goes aside" \
    "$PYTHON" -c "import h5py, sys; sys.exit(int(h5py.File(sys.argv[1]).attrs['step']) < 2)" "$T/back/best.h5.aside"
small_classifier 2 "$T/other" --set run.seed=2
cp -r "$T/one" "$T/judged"
train 1 "$T/judged" "${BEST[@]}" --set train.steps=5 --set checkpoint.classifier="$T/other/latest.h5"
expect "by another classifier the first is the best" says "$T/judged/log.txt" "best .* at step 5: best.h5$"
train 1 "$T/last" "${BEST[@]}" --set checkpoint.keep=1
MPLCONFIGDIR=$T "$PYTHON" analysis/report.py "$T/last" --no-translate >"$T/out" 2>"$T/err"
expect "a report names best.h5" says "$T/last/report.html" "best.h5, step [0-9]+, kid [-0-9.e]+"
name=$(sed -n 's/^results name this classifier //p' "$T/classifier/log.txt")
expect "the log names the classifier as it named itself" says "$T/last/log.txt" "^validation by classifier ${name:-?}, .*classifier/latest.h5$"
expect "checkpoint.keep never drops best.h5" test -s "$T/last/best.h5"
expect "and drops others" test ! -e "$T/last/ckpt-00000003.h5"
faulty 1 1 flip train 2 "$T/lost" "${BEST[@]}" --set train.steps=2 --set checkpoint.every=2 --set checkpoint.on_error=continue
expect "a best.h5 that cannot be written is told" says "$T/lost.err" "training goes on without a checkpoint: .*/best.h5.tmp"
expect "in log.txt too" says "$T/lost/log.txt" "^dagan_mpi: training goes on without a checkpoint: .*/best.h5.tmp"
expect "and is none" says "$T/lost/log.txt" "^validation KID [^,]+, none kept$"
expect "so the next one is, whatever its figure" says "$T/lost/log.txt" "at step 2: best.h5$"
faulty 1 1 flip train 2 "$T/end" "${BEST[@]}" --set train.steps=1 --set checkpoint.on_error=continue
expect "nor at the end does it cost the last checkpoint" test -s "$T/end/ckpt-00000001.h5"
expect "or the run" says "$T/end/log.txt" "^done: 1 steps"
train 2 "$T/bad" "${BEST[@]}" --set data.validation=0
expect "no validation rows: status 1" status_is 1 $?
expect "no validation rows: one line" one_line "$T/bad.err" "^dagan_mpi: --set: data.validation: found 0, wanted at least 16 rows"
train 2 "$T/bad" "${BEST[@]}" --set checkpoint.best=fid
expect "few validation rows for FID: one line" one_line "$T/bad.err" "found 20, wanted at least 256 rows for checkpoint.best fid"
train 2 "$T/bad" --set checkpoint.best=kid
expect "no classifier: status 1" status_is 1 $?
expect "no classifier: one line" one_line "$T/bad.err" "^dagan_mpi: configs/smoke.yaml: checkpoint.classifier: found none, wanted"
