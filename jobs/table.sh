#!/bin/bash
# The table of a sweep, or of any folder of runs:  jobs/table.sh runs/faces-sweep
# A line for each run directory in the folder: how it stands, and the last row of its metrics.csv without times and rates.
set -u
folder=${1:?usage: jobs/table.sh FOLDER}
cd "$folder" || exit 1

for run in */; do
    run=${run%/}
    [ -s "$run/metrics.csv" ] || continue
    state=$(sed -nE 's/^(done|stopped).*/\1/p; s/^[0-9]+ ranks, .*/unfinished/p' "$run/log.txt" | tail -1)
    printf '%s\n%s\n' "$run" "${state:-?}"
    head -1 "$run/metrics.csv"
    tail -n 1 "$run/metrics.csv"
done | awk '
    function put(row, column, text) {
        cell[row, column] = text
        if (length(text) > width[column]) width[column] = length(text)
    }
    function place(name) {
        if (!(name in column)) { column[name] = ++columns; put(0, columns, name) }
        return column[name]
    }
    NR == 1 { place("run"); place("state") }
    NR % 4 == 1 { put(++rows, place("run"), $0) }
    NR % 4 == 2 { put(rows, place("state"), $0) }
    NR % 4 == 3 { n = split($0, names, ",") }
    NR % 4 == 0 {
        split($0, values, ",")
        for (i = 1; i <= n; i++)
            if (names[i] ~ /^(step|pairs_per_s|loss_.*|label_accuracy)$/)
                put(rows, place(names[i]), values[i] == names[i] ? "-" : sprintf("%.5g", values[i]))
    }
    END {
        for (r = 0; r <= rows; r++) {
            line = ""
            for (c = 1; c <= columns; c++)
                line = line sprintf(c == 1 ? "%-*s" : "  %*s", width[c], (r, c) in cell ? cell[r, c] : "-")
            print line
        }
    }'
