#!/usr/bin/env bash
# The scripts of analysis/ on a run of the small job.
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/lib.sh
. tests/lib.sh
scratch
export MPLCONFIGDIR=$T   # matplotlib keeps its list of fonts there

train 2 "$T/run" --set checkpoint.every=2 --set samples.every=2
expect "the small job trains" status_is 0 $?
for group in adventurer lorelei; do
    ranks 2 "$DAGAN" translate "$T/run/latest.h5" --input data/faces.h5 --group $group --output "$T/$group.h5" >"$T/out" 2>&1
    expect "translate $group" status_is 0 $?
done

# script NAME ARGUMENT...: its output goes to $T/out and $T/err.
script() {
    local name=$1
    shift
    "$PYTHON" "analysis/$name.py" "$@" >"$T/out" 2>"$T/err"
}
works() {   # as script, and it must end well and quietly
    script "$@"
    expect "$1 ends well" status_is 0 $?
    is_quiet "$T/err" || not_ok "$1 leaves stderr empty"
}
refuses() { refused "$2" ".*$1" script "${@:2}"; }
bare() { "$PYTHON" -S "analysis/$1.py" --help >"$T/out" 2>"$T/err"; }   # without what Debian's packages add

for name in report attention plot_metrics export_torch region_error ablation; do
    works $name --help
    expect "$name --help shows its usage" says "$T/out" "^usage: $name.py "
    expect "$name.py can be started" test -x "analysis/$name.py"
    refused $name ".* has no h5py; Debian's python3-h5py" bare $name
done

"$PYTHON" tests/check_analysis.py functions || not_ok "functions of analysis/ can be called"

# ---- report ----------------------------------------------------------------------------------------
"$PYTHON" tests/check_analysis.py evaluation 4 "$T/run/evaluation.json"
cp "$T/run/samples/step-00000004.png" "$T/run/samples/step-00000099.png"   # of a later step than the run has come to
works report "$T/run" --program "$DAGAN"
"$PYTHON" tests/check_analysis.py report "$T/run/report.html" "$T/run" "$T/adventurer.h5" "$T/lorelei.h5" "$DAGAN" ||
    not_ok "the report can be read to its end"
works report "$T/run" --output "$T/again.html" --program "$T/none" --translated "$T/lorelei.h5" "$T/adventurer.h5"
grep -o '<section id="regions">.*<section id="heat">' "$T/run/report.html" >"$T/part"
expect "the report shows regions" test -s "$T/part"
expect "with --translated it needs no program and shows the same regions" cmp "$T/part" \
    <(grep -o '<section id="regions">.*<section id="heat">' "$T/again.html")
works report "$T/run" --output "$T/none.html" --program "$T/none"
expect "without the program it says so" says "$T/none.html" "$T/none: No such file"
expect "and shows training images" says "$T/none.html" "adventurer/train: training images"

expect "an evaluation of the newest checkpoint is not called old" \
    test "$(grep -c "newest checkpoint is of" "$T/none.html")" -eq 0
touch -d '1 hour ago' "$T/run/evaluation.json"   # as where the run went back to an older checkpoint and came again to step 4
works report "$T/run" --output "$T/none.html" --no-translate
expect "one that is older than it is" says "$T/none.html" "Of step 4; the newest checkpoint is of step 4, written later\."
"$PYTHON" tests/check_analysis.py evaluation 2 "$T/run/evaluation.json"
works report "$T/run" --output "$T/old.html" --no-translate
expect "so is one of an older step" says "$T/old.html" "Of step 2; the newest checkpoint is of step 4\."
"$PYTHON" tests/check_analysis.py untested data/faces.h5 "$T/untested.h5"
works report "$T/run" --output "$T/untested.html" --data "$T/untested.h5"
expect "samples of a data set without test images are training images" says "$T/untested.html" "Training images\. First three rows"
expect "which are not to be evaluated" test "$(grep -c -- "--classifier runs/" "$T/untested.html")" -eq 0

# What is damaged is left out, and both the page and stderr say so.
cp -r "$T/run" "$T/damaged"
"$PYTHON" tests/check_analysis.py cut "$T/run/latest.h5" "$T/damaged/ckpt-00000009.h5"
ln -s nowhere "$T/damaged/ckpt-00000008.h5"   # it is listed, and gone when it is opened
head -1 "$T/run/metrics.csv" >"$T/damaged/metrics.csv"
echo '{' >"$T/damaged/evaluation.json"
script report "$T/damaged" --no-translate
expect "a report without what is damaged" status_is 0 $?
expect "stderr has a line for each damaged file" test "$(grep -c "^report.py: left out: " "$T/err")/$(wc -l <"$T/err")" = 4/4
for what in "ckpt-00000008.h5: no such file" "ckpt-00000009.h5: cannot be read as HDF5" \
    "metrics.csv: holds no rows of metrics" "evaluation.json: is no JSON"; do
    expect "and the page says: $what" says "$T/damaged/report.html" "Left out: [^<]*$what"
done
expect "it shows the metrics of the checkpoint" says "$T/damaged/report.html" "Pairs per second, over steps 0 to 4"

# Domains in files of their own, in any order.
for group in adventurer lorelei; do "$PYTHON" tests/check_analysis.py alone $group data/faces.h5 "$T/only-$group.h5"; done
works report "$T/run" --output "$T/two.html" --program "$DAGAN" --data "$T"/only-{lorelei,adventurer}.h5
grep -o '<section id="regions">.*<section id="evaluation">' "$T/run/report.html" >"$T/part"
expect "regions, heat and drift are on one line" test -s "$T/part"
expect "a report over two data sets is that over one" cmp "$T/part" \
    <(grep -o '<section id="regions">.*<section id="evaluation">' "$T/two.html")
expect "it names data sets of other names" says "$T/two.html" "source: the run learned from data/faces.h5; shown are images of .*/only-adventurer"
expect "and none where they are the run's" test "$(grep -c "the run learned from" "$T/run/report.html")" -eq 0

# Models without regions.
cycle=(configs/cyclegan.yaml --set model.width=8 --set model.width_d=8 --set train.batch=2 --set samples.count=2)
untold=(--set loss.weights.label=0 --set loss.weights.label_fake=0 --set train.label_warmup=0)
for kind in "dagan ${SMALL[*]} ${WHOLE[*]} ${untold[*]}" "cyclegan ${cycle[*]}"; do
    read -ra job <<<"${kind#* }"
    name=${kind%% *}
    ranks 2 "$DAGAN" "${job[@]}" --set run.dir="$T/$name" --set train.steps=2 --set samples.every=2 >"$T/out" 2>&1 ||
        not_ok "$name without regions trains: $(tail -1 "$T/out")"
    works report "$T/$name"
    "$PYTHON" tests/check_analysis.py whole "$T/$name/report.html" "images of 64×64, $name without regions" ||
        not_ok "the report of $name can be read to its end"
done

# ---- attention, plot_metrics -----------------------------------------------------------------------
works attention "$T/run/latest.h5" --output "$T/attention"
cp "$T/out" "$T/printed"
"$PYTHON" tests/check_analysis.py attention "$T/attention" "$T/run/latest.h5" "$T/printed" ||
    not_ok "what attention wrote can be read to its end"
works attention "$T/run/latest.h5" --output "$T/two" --data "$T"/only-{lorelei,adventurer}.h5
expect "attention finds each domain in its file" cmp "$T/attention/centres.csv" "$T/two/centres.csv"
expect "and says so" says "$T/out" "^source: data/faces.h5:/adventurer/train, shown on .*/only-adventurer.h5, "
shared=()
for label in eyes mouth glasses hair; do shared+=(--set "labels.$label=0"); done
train 2 "$T/shared" "${shared[@]}" --set train.steps=2
works attention "$T/shared/latest.h5" --output "$T/shared"
cp "$T/out" "$T/printed"
"$PYTHON" tests/check_analysis.py shared "$T/shared" "$T/printed" ||
    not_ok "what attention wrote of parts that share a region can be read"
works plot_metrics "$T/run" "$T/run/ckpt-00000004.h5" --output "$T/metrics.svg"
cp "$T/out" "$T/printed"
"$PYTHON" tests/check_analysis.py metrics "$T/printed" "$T/run" || not_ok "what plot_metrics printed can be read to its end"
expect "plot_metrics draws" says "$T/metrics.svg" "</svg>"

# ---- region_error ----------------------------------------------------------------------------------
"$PYTHON" tests/check_analysis.py hide glasses data/faces.h5 "$T/hidden.h5"
works region_error "$T/adventurer.h5" "$T/hidden.h5" adventurer
expect "region_error has a line for each part that images show" \
    test "$(cut -d' ' -f1 "$T/out" | xargs)" = "adventurer eyes mouth hair"

# ---- mistakes --------------------------------------------------------------------------------------
mkdir "$T/empty" "$T/torn"
"$PYTHON" tests/check_analysis.py cut "$T/run/latest.h5" "$T/cut.h5"
cp "$T/cut.h5" "$T/torn/ckpt-00000004.h5"
refuses "holds no checkpoint" report "$T/empty"
refuses "holds no checkpoint .ckpt-\*.h5. that can be read: .*ckpt-00000004.h5: cannot be read as HDF5" report "$T/torn"
refuses "nowhere.h5: no such file" report "$T/run" --data "$T/nowhere.h5"
for shape in "1000 64" "3000 64" "2000 32"; do
    read -r rows size <<<"$shape"
    "$PYTHON" tests/check_analysis.py other $rows $size data/faces.h5 "$T/other.h5"
    for reader in "report $T/run" "attention $T/run/latest.h5"; do
        # shellcheck disable=SC2086 # two words
        refuses "other.h5: adventurer/train holds images .$rows, $size, $size, 3., wanted .2000, 64, 64, 3.$" \
            $reader --data "$T/other.h5"
    done
done
for damage in "spoil images: row 0 cannot be read" "shorten parts/eyes holds boxes .1000, 4., wanted .2000, 4.$"; do
    read -r how what <<<"$damage"
    "$PYTHON" tests/check_analysis.py "$how" data/faces.h5 "$T/bad.h5"
    refuses "bad.h5: adventurer/train/$what" report "$T/run" --data "$T/bad.h5" --no-translate
    refuses "bad.h5: adventurer/train/$what" attention "$T/run/latest.h5" --data "$T/bad.h5"
done
refuses "has no dataset inputs" report "$T/run" --translated data/faces.h5
refuses "cut.h5: cannot be read as HDF5" attention "$T/cut.h5"
refuses "format is None, wanted 'dagan-checkpoint'" attention data/faces.h5
refuses "only-lorelei.h5: has no group adventurer" report "$T/run" --data "$T/only-lorelei.h5"
refuses "only-lorelei.h5: has no group adventurer" attention "$T/run/latest.h5" --data "$T/only-lorelei.h5"
refuses "nowhere.h5: no such file" attention "$T/run/latest.h5" --data "$T/nowhere.h5"
refuses "metrics.csv/x: Not a directory" attention "$T/run/latest.h5" --output "$T/run/metrics.csv/x"
refuses "dagan without regions" attention "$T/dagan/latest.h5"
refuses "(row 0 was never visited|found '2000', wanted numbers from 0 to 1999)" attention "$T/run/latest.h5" --rows 2000
refuses "found '²', wanted numbers from 0 to 1999" attention "$T/run/latest.h5" --rows ²
refuses "images: found -1, wanted 0 or more" report "$T/run" --images -1
refuses "run: cannot be read as HDF5" region_error "$T/run" data/faces.h5 adventurer
refuses "found no region centres" region_error data/faces.h5 data/faces.h5 adventurer
refuses "found translations of other images, wanted those of data/faces.h5:lorelei/test" \
    region_error "$T/adventurer.h5" data/faces.h5 lorelei
refuses "found no group nobody/test/parts" region_error "$T/adventurer.h5" data/faces.h5 nobody
refuses "No such file" plot_metrics "$T/empty"
"$PYTHON" tests/check_analysis.py rowless "$T/run/latest.h5" "$T/rowless.h5"
refuses "rowless.h5: holds no rows of metrics" plot_metrics "$T/rowless.h5"
refuses "found none of these" plot_metrics "$T/run" --columns nothing
refuses "has no column nothing" plot_metrics "$T/run" --x nothing
