#!/usr/bin/env bash
# `make data` draws the shipped faces (make test-viewer, for it needs node): a person does not depend on how many are drawn.
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/lib.sh
. tests/lib.sh
scratch

draw() { make -s data COUNT=9 PAIRED=5 "$@" >"$T/out" 2>&1; }
draw OUTPUT="$T/few.h5"
expect "a few faces are drawn" status_is 0 $?
draw OUTPUT="$T/others.h5" SEED=2
expect "and a few others" status_is 0 $?
"$PYTHON" tests/faces.py "$T/few.h5" "$T/others.h5" >"$T/out" 2>&1
expect "they are the first of the shipped ones, and no others are" status_is 0 $?
ranks 1 "$DAGAN" "${SMALL[@]}" --set train.steps=1 --set data.source.file="$T/few.h5" --set data.target.file="$T/few.h5" --set run.dir="$T/run" >"$T/out" 2>&1
expect "a step is trained on them" status_is 0 $?

draw OUTPUT="$T/styles.h5" STYLES=avataaars,adventurer
expect "another style is drawn" status_is 0 $?
ranks 1 "$DAGAN" "${SMALL[@]}" --set train.steps=1 --set data.source.file="$T/styles.h5" --set data.source.group=avataaars \
    --set data.target.file="$T/styles.h5" --set data.target.group=adventurer --set run.dir="$T/style" >"$T/out" 2>&1
expect "a step is trained between the two" status_is 0 $?
draw OUTPUT="$T/none.h5" STYLES=avataaars,cubist
expect "a style that there is not is refused: status" test $? -ne 0
expect "a style that there is not is refused" says "$T/out" "^make_faces: --styles is 'avataaars,cubist', wanted are two of"
