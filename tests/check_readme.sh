#!/usr/bin/env bash
# The README stays true: its configuration reference is the key table, its links lead somewhere, and what it shows of a run
# is what its commands print.
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/lib.sh
. tests/lib.sh

same_help() {
    "$DAGAN" --help config | grep '^train\.steps' >/dev/null &&
        diff <(sed -n '/^```text$/,/^```$/p' README.md | sed '1d;$d') <("$DAGAN" --help config)
}
expect readme_lists_every_key_as_the_program_does same_help

links_exist() {   # of a page, from its folder
    local missing=0 link
    for link in $(grep -oE '\]\([^)#]+' "$1" | sed 's/](//' | grep -v '^http'); do
        [ -e "$(dirname "$1")/$link" ] || { echo "$1 links to $link"; missing=1; }
    done
    return "$missing"
}
expect every_link_of_the_readme_leads_to_a_file links_exist README.md
expect every_link_of_the_page_on_sites_leads_to_a_file links_exist jobs/README.md

# What "Looking at a run" shows, on a run of the faces job that is shorter, and so has learned other numbers.
scratch
export MPLCONFIGDIR=$T
"$PYTHON" -c 'import matplotlib.font_manager' 2>/dev/null # on a slow machine its first start says something
mkdir "$T/runs"
ln -s "$PWD/data" "$PWD/analysis" "$T"
ln -s "$(realpath "$DAGAN")" "$T/dagan_mpi"
ranks 2 "$DAGAN" configs/faces.yaml --set run.dir="$T/runs/faces" --set train.steps=6 --set train.label_warmup=4 \
    --set checkpoint.every=3 --set samples.every=3 --set log.every=1 >"$T/out" 2>&1
expect the_faces_job_runs_for_six_steps status_is 0 $?
PATH=/usr/bin:$PATH "$PYTHON" tests/check_readme.py README.md "$T" || not_ok what_the_readme_shows_can_be_run_to_its_end
