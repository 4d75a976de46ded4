#!/usr/bin/python3
"""What check_ablation.sh asks of files.

check_ablation.py results FOLDER PRINTED  what a comparison of dagan and cyclegan by two seeds left behind
check_ablation.py judged FOLDER           what one with a classifier left behind
"""
import csv
import json
import sys
from pathlib import Path

import numpy as np

from check_files import check


def results(folder, printed):
    import matplotlib.image

    folder, variants = Path(folder), ["dagan", "cyclegan"]
    rows = list(csv.DictReader(open(folder / "runs.csv", newline="")))
    check("runs.csv has a line for each run", [(r["variant"], r["seed"], r["steps"]) for r in rows]
          == [(v, s, "2") for s in "12" for v in variants])
    evaluation = json.loads((folder / "cyclegan/seed-2/evaluation.json").read_text())
    check("runs.csv holds what evaluate wrote", float(rows[3]["SWD"]) == evaluation["distributions"]["swd"]["value"])
    check("what a variant lacks is empty", rows[0]["eyes off by px"] and not rows[1]["eyes off by px"])

    table = (folder / "table.md").read_text()
    lines = [[c.strip() for c in line.strip("|").split("|")] for line in table.splitlines()]
    check("table.md has a line for each variant", [x[0] for x in lines[:4]] == ["variant", "---", *variants])
    for heading, name, decimals in ("SWD", "SWD", 0), ("off px", "parts off by px", 1):
        x = [float(r[name]) for r in rows if r["variant"] == "dagan"]
        wanted = f"{np.mean(x):.{decimals}f} ± {abs(x[0] - x[1]) / 2:.{decimals}f}"
        found = lines[2][lines[0].index(heading)]
        check(f"table.md has mean and half the range of {heading}", found == wanted, found)
    parts = [float(rows[0][f"{p} off by px"]) for p in ("eyes", "mouth", "glasses", "hair")]
    check("which for parts is their mean", np.isclose(np.mean(parts), float(rows[0]["parts off by px"])))
    check("table.md says - where a variant lacks a figure", lines[3][lines[0].index("off px")] == "-")
    check("and what its columns are", all(f"{h}: " in table for h in lines[0][1:]))
    check("the table is printed", table in Path(printed).read_text())

    picture = matplotlib.image.imread(folder / "pictures.png")
    size = picture.shape[1] / 160 / 0.8, (picture.shape[0] / 160 - 0.5) / 0.8  # 0.8 inches a cell, 0.5 for names, 160 dpi
    check("pictures.png has three images of s and of each variant", np.allclose(size, (3, 3)) and picture.std() > 0.1, size)


def judged(folder):
    """By classifiers: every figure has a column, and all fit a page."""
    rows = list(csv.DictReader(open(Path(folder) / "runs.csv", newline="")))
    lines = [line.strip("|").split("|") for line in (Path(folder) / "table.md").read_text().splitlines()]
    check("table.md has nine columns", len(lines[0]) == len(lines[2]) == 9, lines[0])
    sys.path.insert(0, "analysis")
    from ablation import figures

    evaluation = json.loads((Path(folder) / "dagan/seed-1/evaluation.json").read_text())
    table = (Path(folder) / "table.md").read_text()
    check("table.md names the classifier", f"Classifier {evaluation['classifier']}." in table, table)
    found = figures(evaluation)
    wanted = [name for name, x in found.items() if x is not None]
    check("runs.csv has a column for every figure", list(rows[0])[3:] == wanted, list(rows[0]))
    check("most of which the classifier gives", len(wanted) > 14, wanted)


if __name__ == "__main__":
    {"results": results, "judged": judged}[sys.argv[1]](*sys.argv[2:])
