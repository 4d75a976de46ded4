#!/usr/bin/env bash
# The viewer and a report in a browser, on two runs of the small job and what translate makes of two checkpoints
# (make test-viewer).
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/lib.sh
. tests/lib.sh
scratch

CHROMIUM=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
export CHROMIUM
train 1 "$T/run" --set checkpoint.every=2 --set samples.every=1
expect "the small job trains" status_is 0 $?
for step in 2 4; do
    cp "$T/run/ckpt-0000000$step.h5" "$T/this.h5"   # a name that does not tell the step
    ranks 1 "$DAGAN" translate "$T/this.h5" --input data/faces.h5 --group adventurer --output "$T/test-$step.h5" >"$T/out" 2>&1
    expect "translate at step $step" status_is 0 $?
done
train 1 "$T/second" --set run.seed=2 --set attention.sharpness=2 --set attention.half="10x5 4x2.5 11x5.5 18x15"
expect "and with another seed and mask" status_is 0 $?
train 1 "$T/whole" "${WHOLE[@]}"
expect "a model without regions trains" status_is 0 $?
cp "$T/whole/latest.h5" "$T/whole.h5"
ranks 1 "$DAGAN" translate "$T/whole.h5" --input data/faces.h5 --group lorelei --output "$T/whole-test.h5" >"$T/out" 2>&1
expect "and translates" status_is 0 $?
"$PYTHON" -c "
import h5py, sys
h5py.File(sys.argv[1], 'w').create_dataset('large/images', (400, 512, 512, 3), 'u1', chunks=(1, 512, 512, 3), fillvalue=90)" \
    "$T/large.h5"
node analysis/viewer/test.mjs build/viewer.html data/faces.h5 "$T"/run/ckpt-*.h5 "$T"/test-*.h5 "$T"/whole*.h5 \
    "$T"/{run,second}/latest.h5 || not_ok "the viewer's test comes to its end"
MPLCONFIGDIR=$T "$PYTHON" analysis/report.py "$T/run" >"$T/out" 2>&1
expect "a report is written" status_is 0 $?
node analysis/viewer/report.test.mjs "$T/run/report.html" || not_ok "the report's test comes to its end"
