#!/usr/bin/env bash
# evaluate: every figure is what numpy makes of the same arrays, and does not depend on the number of ranks; the classifier
# that it asks trains reproducibly; mistakes are told.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
scratch

few_faces 60 40
for np in 1 2; do
    small_classifier $np "$T/classifier$np" --set train.steps=6
    expect "a classifier trains on $np ranks" status_is 0 $?
    expect "a classifier leaves stderr empty" is_quiet "$T/classifier$np.err"
done
expect "a classifier's accuracy on test images is told" says "$T/classifier1.out" "lorelei/test, balanced accuracy: skin [0-9.]+%, hair "
expect "2 ranks train the classifier of one, in bits" same "$T/classifier1/latest.h5" "$T/classifier2/latest.h5"
train 2 "$T/run" --set train.label_warmup=2 --set attention.half="10x5 4x2.5 11x5.5 18x15"

JUDGE=(--classifier "$T/classifier1/latest.h5")
for np in 1 2 3; do
    ranks $np "$DAGAN" evaluate "$T/run/latest.h5" "${JUDGE[@]}" --output "$T/$np.json" --arrays "$T/$np.h5" \
        >"$T/table$np" 2>"$T/err"
    expect "evaluate on $np ranks" status_is 0 $?
    expect "evaluate leaves stderr empty" is_quiet "$T/err"
done
for np in 2 3; do
    expect "$np ranks give every figure of one, in bits" cmp "$T/1.json" "$T/$np.json"
    expect "$np ranks print the table of one" cmp "$T/table1" "$T/table$np"
    expect "$np ranks write the arrays of one" same "$T/1.h5" "$T/$np.h5"
done
"$PYTHON" tests/check_evaluate.py "$T/faces.h5" "$T/1.json" "$T/1.h5" adventurer lorelei ||
    not_ok "the figures can be recomputed to their end"

ranks 1 "$DAGAN" translate "$T/run/latest.h5" --input "$T/faces.h5" --output "$T/translated.h5" >"$T/out" 2>&1
expect "evaluate tells the step" says "$T/1.json" "\"step\": $("$PYTHON" -c "
import h5py, sys
print(h5py.File(sys.argv[1]).attrs['step'])" "$T/run/latest.h5"),"
expect "evaluate judges what translate writes" "$PYTHON" -c "
import h5py, sys
a, b = (h5py.File(p) for p in sys.argv[1:])
told = b['source_test/told']
labels = [x.split(':')[0] for x in told.attrs['labels'].decode().split(', ')]
sys.exit(not ((a['outputs'][:] == b['fake/images'][:]).all() and set(a['told']) == set(labels)
              and all((a['told'][x][:] == told[i]).all() for i, x in enumerate(labels))))" "$T/translated.h5" "$T/1.h5"
# names FILE: the classes that FILE names of each label it tells, beside those of the data set.
names() {
    "$PYTHON" -c "
import h5py, sys
told, labels = h5py.File(sys.argv[1])['told'], h5py.File(sys.argv[2])['adventurer/train/labels']
for name, x in told.items():
    print(name, [c.decode() for c in x.attrs.get('classes', [])] == list(labels[name].attrs['classes']))" "$1" "$T/faces.h5"
}
expect "translate names the classes" test "$(names "$T/translated.h5" | cut -d' ' -f2 | sort -u)" = True
"$PYTHON" analysis/region_error.py "$T/translated.h5" "$T/faces.h5" adventurer >"$T/regions"
expect "the table says what region_error.py says" bash -c "
awk '\$1 == \"eyes\" { print \$4, \$5, \$6 }' '$T/regions' >'$T/a'
awk '\$1 == \"adventurer\" && \$2 == \"eyes\" { print \$5, \$6, \$7 }' '$T/table1' >'$T/b'
[ -s '$T/a' ] && cmp '$T/a' '$T/b'"

expect "the arrays say what they are of" "$PYTHON" -c "
import h5py, sys
f = h5py.File(sys.argv[1])
told, p = f['source_test/told'], f['fake/probabilities']
text = lambda x, key: x.attrs[key].decode()
sizes = dict(x.split(': ') for x in text(p, 'labels').split(', '))
sys.exit(not (text(told, 'labels').count(':') == len(told) and sum(map(int, sizes.values())) == p.shape[1]
              and len(text(f, 'classifier')) == 16 and text(f, 'checkpoint').endswith('run/latest.h5')))" "$T/1.h5"
expect "a classifier tells its name when it is trained" says "$T/classifier1.out" \
    "results name this classifier $("$PYTHON" -c "import json, sys; print(json.load(open(sys.argv[1]))['classifier'])" "$T/1.json")"

"$PYTHON" tests/few_faces.py "$T/others.h5" 30 20
ranks 2 "$DAGAN" evaluate "$T/run/latest.h5" "${JUDGE[@]}" --data "$T/others.h5" --output "$T/others.json" >"$T/out" 2>"$T/err"
expect "--data: other images" says "$T/others.json" "\"source\": \".*/others.h5:/adventurer/test\""
expect "as many as they are" says "$T/others.json" "\"images\": 20,"
"$PYTHON" - "$T/others.h5" <<'PY'
import sys, h5py
with h5py.File(sys.argv[1], "r+") as f:
    for domain in f:
        for split in "train", "test":
            a = f[domain][split]["labels/eyes"].attrs
            a["classes"] = a["classes"][::-1]
PY
ranks 2 "$DAGAN" evaluate "$T/run/latest.h5" --data "$T/others.h5" >"$T/out" 2>"$T/err"
expect "classes in another order: status 1" status_is 1 $?
expect "one line names the label" one_line "$T/err" "^dagan_mpi: .*run/latest.h5: label eyes had other classes, or in another order, than in "
train 2 "$T/run" --set train.steps=5 --set data.source.file="$T/others.h5" --set data.target.file="$T/others.h5"
expect "and no run goes on with them: status 1" status_is 1 $?
expect "it says why" says "$T/run.err" "label eyes had other classes"
expect "and what to do" says "$T/run.err" "none of its [0-9]+ checkpoints can be used"
ranks 1 "$DAGAN" evaluate "$T/run/latest.h5" --data "$T/none.h5" >"$T/out" 2>"$T/err"
expect "--data that is not there: status 1" status_is 1 $?
expect "one line names it" one_line "$T/err" "^dagan_mpi: .*none.h5"
ranks 2 "$DAGAN" evaluate "$T/run/latest.h5" >"$T/out" 2>"$T/err"
expect "without a classifier evaluate says what needs none" says "$T/out" "sliced Wasserstein, mean"
expect "and no KID" lacks "$T/out" KID
ranks 2 "$DAGAN" translate "$T/classifier1/latest.h5" --input data/faces.h5 --output "$T/none.h5" >"$T/out" 2>"$T/err"
expect "translate with a classifier is a mistake" status_is 1 $?
expect "it says that a classifier translates nothing" says "$T/err" "classifier1/latest.h5: a classifier translates nothing"
ranks 2 "$DAGAN" evaluate "$T/classifier1/latest.h5" >"$T/out" 2>"$T/err"
expect "a classifier cannot be evaluated: status 1" status_is 1 $?
expect "one line says so" one_line "$T/err" "^dagan_mpi: .*a classifier translates nothing"
ranks 2 "$DAGAN" evaluate "$T/run/latest.h5" --classifier "$T/run/latest.h5" >"$T/out" 2>"$T/err"
expect "a run is no classifier: status 1" status_is 1 $?
expect "one line says which it is" one_line "$T/err" "model.kind is 'dagan', wanted a checkpoint of a classifier"

cp "$T/faces.h5" "$T/faces.keep"
for order in "row * 2 // n" "row % 2"; do
    "$PYTHON" - "$T/faces.h5" "$order" <<'PY'
import sys, h5py
with h5py.File(sys.argv[1], "r+") as f:
    for domain in f:
        for label in f[domain]["test/labels"].values():
            n = len(label)
            label[:] = [eval(sys.argv[2]) for row in range(n)]
PY
    ranks 1 "$DAGAN" evaluate "$T/run/latest.h5" >"$T/out" 2>"$T/err"
    expect "rows that agree by their order alone, $order, are no partners" \
        bash -c "grep -q 'sliced Wasserstein' '$T/out' && ! grep -q 'to partner' '$T/out'"
done
mv "$T/faces.keep" "$T/faces.h5"
expect "as those of the faces are" says "$T/table1" "to partner"

cp "$T/1.json" "$T/run/evaluation.json"
"$PYTHON" analysis/report.py "$T/run" --no-translate >"$T/out" 2>"$T/err"
expect "a report shows the evaluation" says "$T/run/report.html" "<th scope=\"row\">KID over that of the domains[^<]*</th><td>-?[0-9]"
expect "and its labels in one table" says "$T/run/report.html" "<th scope=\"row\">hair_color</th><td>"
