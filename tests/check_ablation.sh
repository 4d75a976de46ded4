#!/usr/bin/env bash
# analysis/ablation.py: a short comparison to its end, nothing done twice; and every variant of the shipped table can begin.
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/lib.sh
. tests/lib.sh
scratch
export MPLCONFIGDIR=$T   # matplotlib keeps its list of fonts there

ablation() { "$PYTHON" analysis/ablation.py "$@" --program "$DAGAN" >"$T/out" 2>"$T/err"; }

ablation configs/ablation/faces.txt --seeds 1 --dry-run
expect "every variant of the shipped table can begin" status_is 0 $?
is_quiet "$T/err" || not_ok "and nothing is wrong with it"
# README's command, with any file for the classifier, which the command before it trains.
read -ra words <<<"$(sed -n '/^python3 analysis\/ablation.py .*--seeds/,/[^\\]$/{s/\\$//;p}' README.md | tr '\n' ' ')"
ablation "${words[@]:2}" --classifier README.md --dry-run
expect "the command of README's table can begin" says "$T/out" '^39 runs, 195000 steps$'
is_quiet "$T/err" || not_ok "and nothing is wrong with it"
expect "configs/ablation/ holds nothing else" test "$(ls configs/ablation)" = faces.txt

# Few images, as evaluation looks at all of them.
few_faces 24 12
small=(--output "$T/runs" --steps 2 --ranks 2 --images 3)
for set in model.width=8 model.width_d=8 data.{source,target}.file="$T/faces.h5"; do small+=(--set "$set"); done
compare() { ablation configs/ablation/faces.txt --seeds 2 --only dagan,cyclegan "${small[@]}" "$@"; }
compare
expect "a short comparison ends well" status_is 0 $?
is_quiet "$T/err" || not_ok "a short comparison leaves stderr empty"
cp "$T/out" "$T/first"
"$PYTHON" tests/check_ablation.py results "$T/runs" "$T/first" || not_ok "its results can be read to their end"
when() { find "$T/runs" -name evaluation.json -o -name translated.h5 -o -name 'ckpt-*' | sort | xargs stat -c '%n %Y %Z'; }
when >"$T/before"
rm -r "$T/runs/cyclegan/seed-2"
compare
when >"$T/after"
expect "a second start does what is missing" test -s "$T/runs/cyclegan/seed-2/evaluation.json"
expect "and nothing twice" diff <(grep -v cyclegan/seed-2 "$T/before") <(grep -v cyclegan/seed-2 "$T/after")
expect "which changes no figure" diff "$T/first" "$T/out"

# An evaluation names its classifier, and no table holds those of two.
for seed in 1 2; do
    small_classifier 2 "$T/judge$seed" --set run.seed=$seed || not_ok "a classifier trains: $(tail -1 "$T/judge$seed.err")"
done
evaluation=$T/runs/dagan/seed-1/evaluation.json
# judged_by N: compares with the Nth classifier; $name is what the evaluation calls it, $moment when that was written.
judged_by() {
    ablation configs/ablation/faces.txt --seeds 1 --only dagan "${small[@]}" --classifier "$T/judge$1/latest.h5"
    expect "a comparison with classifier $1 ends well" status_is 0 $?
    name=$(sed -n 's/^  "classifier": "\(.*\)",$/\1/p' "$evaluation")
    moment=$(stat -c %y "$evaluation")
}
judged_by 1
first=$name first_moment=$moment
expect "what no classifier judged is evaluated anew" test -n "$first"
"$PYTHON" tests/check_ablation.py judged "$T/runs" || not_ok "its table can be read"
judged_by 1
expect "what this one judged is not" test "$moment" = "$first_moment"
judged_by 2
expect "what another one judged is" test -n "$name" -a "$name" != "$first"
ablation configs/ablation/faces.txt --seeds 1 --only dagan "${small[@]}"
expect "a comparison without a classifier ends well" status_is 0 $?
expect "what none judges is evaluated anew, too" lacks "$evaluation" '"classifier"'

# What a variant sets is what it is.
printf '%s\n' 'own configs/smoke.yaml train.steps=3' 'other configs/smoke.yaml' >"$T/steps.txt"
ablation "$T/steps.txt" --seeds 1 --set train.steps=5 --dry-run
expect "a variant's line holds against --set" says "$T/out" '^2 runs, 8 steps$'

# Eight ranks have a leaf each, twice as many as the batch has.
ablation "$T/steps.txt" --only other --seeds 1 --set train.steps=6 --ranks 8 --dry-run
expect "steps are counted for the ranks of the runs" says "$T/out" '^1 runs, 3 steps$'

refuses() { refused ablation "$1" ablation "${@:2}"; }
echo 'a configs/faces.yaml loss.weights.cts=1' >"$T/key.txt"
echo 'a configs/faces.yaml attention' >"$T/line.txt"
refuses "a/seed-1: .*loss.weights.cts: unknown key" "$T/key.txt"
refuses "$T/line.txt:1: found 'a configs/faces.yaml attention', wanted NAME CONFIG.yaml" "$T/line.txt"
echo "a configs/faces.yaml run.dir='x" >"$T/quote.txt"
refuses "$T/quote.txt:1: found 'a configs/faces.yaml run.dir='x', wanted NAME CONFIG.yaml" "$T/quote.txt"
refuses "data/faces.h5: is no text" data/faces.h5
refuses "--set: found 'foo', wanted KEY=VALUE" configs/ablation/faces.txt --set foo
refuses "configs/ablation/faces.txt: has no variant dogan" configs/ablation/faces.txt --only dogan
printf '#!/bin/sh\nprintf "%%s\\n" ------ "" "no room" ------ >&2; exit 1\n' >"$T/boxed"   # as mpirun says what it has to say
chmod +x "$T/boxed"
DAGAN=$T/boxed refuses "a/seed-1: no room$" "$T/key.txt"
DAGAN=$T/none refuses "a/seed-1: $T/none ended with status [1-9]" "$T/key.txt"
refuses "$T/none.txt: No such file" "$T/none.txt"
refuses "$T/none.h5: No such file" configs/ablation/faces.txt --classifier "$T/none.h5"

# What other settings made is not reused.
other=(--only dagan "${small[@]}" --seeds 1)
refuses "dagan/seed-1: was made with model.width=8, wanted model.width=9: give another --output, or remove $T/runs/dagan/seed-1$" \
    configs/ablation/faces.txt "${other[@]}" --set model.width=9
refuses "dagan/seed-1: was made with no loss.weights.sym, wanted loss.weights.sym=0: " configs/ablation/faces.txt \
    "${other[@]}" --set loss.weights.sym=0
sed 's/^dagan  *configs.*/& train.rate_g=1e-3/' configs/ablation/faces.txt >"$T/edited.txt"
refuses "dagan/seed-1: was made with no train.rate_g, wanted train.rate_g=1e-3: " "$T/edited.txt" "${other[@]}"
rm "$T"/runs/dagan/seed-*.options
when | grep ckpt- >"$T/before"
ablation "$T/edited.txt" "${other[@]}"
expect "what nothing is known of counts as the same" status_is 0 $?
when | grep ckpt- >"$T/after"
expect "there are runs" test -s "$T/before"
expect "and none is trained again" cmp "$T/before" "$T/after"

# A first seed that fails leaves a table and pictures of the others.
rm "$evaluation" "$T/runs/pictures.png"
printf '#!/bin/sh\ncase "$*" in evaluate*/seed-1/*) exit 1 ;; esac\nexec "%s" "$@"\n' "$DAGAN" >"$T/lame"
chmod +x "$T/lame"
DAGAN=$T/lame compare --only dagan
expect "a run that fails: status 1" status_is 1 $?
is_quiet "$T/err" || not_ok "and nothing on stderr"
expect "the table says of how many runs it is" says "$T/runs/table.md" '^\| dagan \(1 of 2 seeds\) '
expect "pictures are of the first run that came to its end" test -s "$T/runs/pictures.png"
