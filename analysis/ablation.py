#!/usr/bin/python3
"""Trains the variants of a table such as configs/ablation/faces.txt with the same budget, evaluates and compares them.

Written to --output: a run directory NAME/seed-S for each run; table.md, the main figures, mean over seeds and half the
range; runs.csv, every figure, a line for each run; pictures.png, the same test images through every variant's first seed
that came to its end.

What is finished is skipped, what is not continues where it stopped: start it again after any interruption.  A run that was
begun with other settings (NAME/seed-S.options holds them) is refused.  What another classifier judged is evaluated anew.
--steps shortens every run, its warm-up on labels in proportion.  What a variant's line sets holds against --set.
"""
import argparse
import csv
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from files import ROOT, Checkpoint, mistake, pyplot

import h5py
import numpy as np

PARTS = "eyes", "mouth", "glasses", "hair"  # labels that are also parts of the faces data


def mean(values):
    values = [v for v in values if v is not None]
    return float(np.mean(values)) if values else None


def figures(e):
    """{heading of the table: value, or None where the variant has no such figure} of what `evaluate` wrote."""
    real, partner = e["distributions"], e.get("distances", {})
    regions = e.get("regions", {}).values()  # of both domains
    told = {name: x for name, x in e["labels"].items() if x.get("kept_share") is not None}  # by the classifier
    return {
        "KID / KID of domains": real.get("kid_ratio", {}).get("value"),
        "SWD": real["swd"]["value"],
        "precision": real.get("precision", {}).get("value"),
        "recall": real.get("recall", {}).get("value"),
        "modes present %": mean(100 * x["modes_present"] / x["modes"] for x in told.values()),
        "labels kept %": mean(100 * x["kept_share"] for x in told.values()),
        **{f"{p} kept %": mean(100 * told[x]["kept_share"] for x in [p] if x in told) for p in PARTS},
        "pixels to partner": partner.get("pixels", {}).get("partner"),
        "features to partner": partner.get("features", {}).get("partner"),
        **{f"{p} off by px": mean(d.get(p, {}).get("median_px") for d in regions) for p in PARTS},
        "parts off by px": mean(mean(d.get(p, {}).get("median_px") for d in regions) for p in PARTS),
        "landmarks NME": mean(d.get("nme") for d in regions),
    }


# What fits a page: {figure: its heading in table.md, decimals, what it is}.
COLUMNS = {
    "KID / KID of domains": ("KID", 2, "of s' and target, as a share of that of source and target"),
    "SWD": ("SWD", 0, "sliced Wasserstein distance of s' and target"),
    "precision": ("precision", 2, "share of s' that could be of target"),
    "recall": ("recall", 2, "share of target that s' could give"),
    "modes present %": ("modes %", 0, "classes that s' shows at least half as often as it should, mean of all labels"),
    "labels kept %": ("kept %", 0, "labels that s' keeps, of those that the classifier finds in real images, mean of all"),
    "features to partner": ("partner", 2, "distance of s' to its true partner, in features of the classifier"),
    "parts off by px": ("off px", 1, f"median distance of regions to their parts, mean of {', '.join(PARTS)}"),
}


# ---- the table of variants -------------------------------------------------------------------------------


@dataclass
class Variant:
    name: str
    config: str
    sets: list  # "KEY=VALUE"
    steps: int = 0  # that each of its runs takes


def given(text, pattern, default=None):
    found = re.search(pattern, text, re.M)
    return found.group(1) if found else default


def expand(word, text, path):
    """labels=R: a KEY=VALUE for every label of the configuration."""
    key, value = word.split("=", 1)
    if key != "labels":
        return [word]
    labels = given(text, r"^labels: *\{(.*)\}")
    if labels is None:
        mistake(f"{path}: has no line 'labels: {{...}}', which labels={value} wants")
    return [f"labels.{pair.split(':')[0].strip()}={value}" for pair in labels.split(",")]


def budget(steps, text):
    """The run is shorter than its configuration says, and so is the warm-up on labels."""
    warm, whole = given(text, r"\blabel_warmup: *(\d+)", 0), given(text, r"\bsteps: *(\d+)", steps)
    return [f"train.steps={steps}", *([f"train.label_warmup={int(warm) * steps // int(whole)}"] if warm else [])]


def text_of(path):
    try:
        return Path(path).read_text()
    except UnicodeDecodeError:
        mistake(f"{path}: is no text")


def words_of(line):
    """None where a quote is left open."""
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        return None


def read_variants(path, steps, sets_of_all):
    """A variant is what its line says, so that comes last: of settings of one key the last holds."""
    found = []
    for number, line in enumerate(text_of(path).splitlines(), 1):
        words = words_of(line)
        if words == []:
            continue
        if not words or len(words) < 2 or not all("=" in w for w in words[2:]):
            mistake(f"{path}:{number}: found '{line}', wanted NAME CONFIG.yaml [KEY=VALUE]...")
        name, config, *sets = words
        text = text_of(config)
        first = [*(budget(steps, text) if steps else []), *sets_of_all]
        found.append(Variant(name, config, first + [s for word in sets for s in expand(word, text, config)]))
    return found


# ---- runs ------------------------------------------------------------------------------------------------


@dataclass
class Run:
    variant: Variant
    seed: int
    folder: Path
    evaluation: dict = None

    @property
    def name(self):
        return f"{self.variant.name}/seed-{self.seed}"

    @property
    def sets(self):
        return [*self.variant.sets, f"run.seed={self.seed}"]

    def beside(self, kind):
        return self.folder.parent / f"{self.folder.name}.{kind}"

    @property
    def begun(self):
        return (self.folder / "latest.h5").exists()


class Program:
    def __init__(self, args):
        self.args = args
        self.env = os.environ | {
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "OMPI_MCA_rmaps_base_oversubscribe": "1",
        }
        if args.jobs > 1:  # else all of them would share the first cores
            self.env["OMPI_MCA_hwloc_base_binding_policy"] = "none"
        self.ranks = ["-np", str(args.ranks)] if args.ranks else []

    def __call__(self, *words, log=None):
        """What the program prints, unless it goes to a log; ends in CalledProcessError."""
        command = ["mpirun", "--quiet", *self.ranks, self.args.program, *map(str, words)]
        if not log:
            return subprocess.run(command, check=True, env=self.env, capture_output=True, text=True).stdout
        with open(log, "a") as out:
            subprocess.run(command, check=True, env=self.env, stdout=out, stderr=subprocess.STDOUT)

    def options(self, run):
        sets = ["checkpoint.keep_every=0", *run.sets, f"run.dir={run.folder}"]  # a table needs the last one
        return [run.variant.config, *(word for s in sets for word in ("--set", s))]


class Judge:
    """The classifier given, if any.  Evaluations name it by a hash of its weights, which is known once it judged a run:
    classifiers.json holds that name for each checkpoint, told by what is in the file."""

    def __init__(self, path, folder):
        self.known = folder / "classifiers.json"
        self.names = json.loads(self.known.read_text()) if self.known.exists() else {}
        # latest.h5 is a link to a checkpoint that nobody changes any more.
        self.options = ["--classifier", Path(path).resolve()] if path else []
        self.content = hashlib.sha256(self.options[1].read_bytes()).hexdigest() if path else "none"

    def made(self, evaluation):
        name = evaluation.get("classifier", "none")
        return name == ("none" if not self.options else self.names.get(self.content))

    def learn(self, evaluation):
        self.names[self.content] = evaluation.get("classifier")
        self.known.write_text(json.dumps(self.names, indent=2) + "\n")


def made_with(run):
    """The file that says so; what it holds of a run that begins now, {key: value}."""
    return run.beside("options"), dict(s.split("=", 1) for s in [f"config={run.variant.config}", *run.sets])


def compare_settings(run):
    """What another table or other --set made is no run of this one.  Where the file is missing nobody can tell."""
    file, wanted = made_with(run)
    if not run.begun or not file.exists():
        return
    found = dict(line.split("=", 1) for line in file.read_text().splitlines())
    for key in [*wanted, *found]:
        if found.get(key) != wanted.get(key):
            had, want = (f"{key}={x[key]}" if key in x else f"no {key}" for x in (found, wanted))
            mistake(f"{run.name}: was made with {had}, wanted {want}: give another --output, or remove {run.folder}")


def plan(program, run):
    """Finds mistakes before hours have passed, and how long the runs of a variant are on these ranks."""
    try:
        run.variant.steps = int(given(program("check", *program.options(run)), r"^steps +(\d+)"))
    except subprocess.CalledProcessError as e:
        said = [line for line in e.stderr.splitlines() if re.search("[a-z]", line)]  # mpirun begins with a line of dashes
        mistake(f"{run.name}: {said[0] if said else f'{program.args.program} ended with status {e.returncode}'}")


def steps_done(folder):
    try:
        with h5py.File(folder / "latest.h5") as f:
            return int(f.attrs["step"])
    except OSError:
        return 0


def is_newer(file, than):
    return file.exists() and file.stat().st_mtime >= than.stat().st_mtime


def judged(run, judge, evaluation):
    """What `evaluate` wrote of the run's checkpoint with this classifier, or None."""
    if not is_newer(evaluation, run.folder / "latest.h5"):
        return None
    try:
        found = json.loads(evaluation.read_text())
    except ValueError:
        return None  # it was interrupted while it wrote
    return found if judge.made(found) else None


def carry_out(program, judge, run):
    """Trains, evaluates, translates: whatever is not done yet.  False where a part failed."""
    checkpoint, log = run.folder / "latest.h5", run.beside("log")
    evaluation, translated = run.folder / "evaluation.json", run.folder / "translated.h5"
    run.folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        if not run.begun:
            file, settings = made_with(run)
            file.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        if steps_done(run.folder) < run.variant.steps:
            program("train", *program.options(run), log=log)
        run.evaluation = judged(run, judge, evaluation)
        if not run.evaluation:
            program("evaluate", checkpoint, *judge.options, "--output", evaluation, log=log)
            run.evaluation = json.loads(evaluation.read_text())
            judge.learn(run.evaluation)
        if not is_newer(translated, checkpoint):
            data = Checkpoint(checkpoint).config["data.source.file"]
            program("translate", checkpoint, "--input", data, "--output", translated, log=log)
    except subprocess.CalledProcessError as e:
        print(f"{run.name}: status {e.returncode}, see {log}", flush=True)
        return False
    print(f"{run.name}: done", flush=True)
    return True


# ---- what is left behind ---------------------------------------------------------------------------------


def cell(values, decimals):
    values = [v for v in values if v is not None]
    if not values:
        return "-"
    half = (max(values) - min(values)) / 2
    return f"{np.mean(values):.{decimals}f}" + (f" ± {half:.{decimals}f}" if len(values) > 1 else "")


def table(variants, runs, found):
    """The columns that some variant has; under it what they are."""
    columns = {name: c for name, c in COLUMNS.items() if any(x[name] is not None for x in found)}
    lines = ["| variant | " + " | ".join(c[0] for c in columns.values()) + " |", "|---" * (len(columns) + 1) + "|"]
    seeds = max(run.seed for run in runs)
    for v in variants:
        mine = [x for run, x in zip(runs, found) if run.variant is v]
        name = v.name if len(mine) == seeds else f"{v.name} ({len(mine)} of {seeds} seeds)"
        cells = [cell([x[n] for x in mine], c[1]) for n, c in columns.items()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    spread = f"Mean of {seeds} seeds ± half the range. " if seeds > 1 else ""
    judges = {run.evaluation.get("classifier") for run in runs} - {None}
    judge = f"  Classifier {', '.join(sorted(judges))}." if judges else ""
    return [*lines, "", spread + "; ".join(f"{c[0]}: {c[2]}" for c in columns.values()) + "." + judge]


def write_tables(folder, variants, runs):
    found = [figures(run.evaluation) for run in runs]
    names = [name for name in found[0] if any(x[name] is not None for x in found)]
    with open(folder / "runs.csv", "w", newline="") as f:
        out = csv.writer(f)
        out.writerow(["variant", "seed", "steps", *names])
        for run, x in zip(runs, found):
            out.writerow([run.variant.name, run.seed, run.variant.steps, *("" if x[n] is None else x[n] for n in names)])
    text = "\n".join(table(variants, runs, found)) + "\n"
    (folder / "table.md").write_text(text)
    print(text, end="")


def write_pictures(path, runs, count):
    """A row for each test image: the source, then what each variant made of it."""
    columns = []
    for run in runs:
        with h5py.File(run.folder / "translated.h5") as f:
            columns.append((run.variant.name, f["outputs"][:count]))
            source = f["inputs"][:count]
    columns = [("s", source), *columns]
    rows = len(source)
    figure, axes = pyplot().subplots(rows, len(columns), figsize=(len(columns) * 0.8, rows * 0.8 + 0.5), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for column, (name, images) in enumerate(columns):
        axes[0, column].set_title(name, fontsize=6, rotation=30, ha="left")
        for row, image in enumerate(images):
            axes[row, column].imshow(image, interpolation="nearest")
    figure.subplots_adjust(0.005, 0.005, 0.99, 1 - 0.5 / (rows * 0.8 + 0.5), 0.03, 0.03)
    figure.savefig(path, dpi=160)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", metavar="TABLE.txt")
    parser.add_argument("--output", metavar="FOLDER", help="default: runs/ and the table's name, as in runs/faces-ablation")
    parser.add_argument("--steps", type=int, metavar="N", help="of every run; default: what its configuration says")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="default: 3")
    parser.add_argument("--only", metavar="NAME,NAME", help="these variants")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for every run")
    parser.add_argument("--classifier", metavar="CKPT", help="of configs/classifier-*.yaml; most figures need it")
    parser.add_argument("--ranks", type=int, metavar="N", help="of a run; default: one for each core")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at a time; default: 1")
    parser.add_argument("--dry-run", action="store_true", help="only look whether every run could begin")
    parser.add_argument("--images", type=int, default=8, metavar="N", help="rows of pictures.png; default: 8")
    parser.add_argument("--program", default=str(ROOT / "dagan_mpi"), help="default: dagan_mpi of the project")
    args = parser.parse_args()

    for word in args.set:
        if "=" not in word:
            mistake(f"--set: found '{word}', wanted KEY=VALUE")
    try:
        variants = read_variants(args.table, args.steps, args.set)
    except OSError as e:
        mistake(f"{e.filename}: {e.strerror}")
    names = args.only.split(",") if args.only else [v.name for v in variants]
    unknown = [n for n in names if n not in [v.name for v in variants]]
    if unknown:
        mistake(f"{args.table}: has no variant {unknown[0]}")
    variants = [v for v in variants if v.name in names]
    folder = Path(args.output or f"runs/{Path(args.table).stem}-ablation")
    program = Program(args)
    try:
        judge = Judge(args.classifier, folder)
    except OSError as e:
        mistake(f"{args.classifier}: {e.strerror}")
    # All first seeds, then all second ones: a table of one seed is there early.
    runs = [Run(v, s, folder / v.name / f"seed-{s}") for s in range(1, args.seeds + 1) for v in variants]
    for run in runs:
        compare_settings(run)
    for run in runs[: len(variants)]:
        plan(program, run)
    if args.dry_run:
        print(f"{len(runs)} runs, {sum(run.variant.steps for run in runs)} steps")
        return
    with ThreadPoolExecutor(args.jobs) as pool:
        good = list(pool.map(lambda run: carry_out(program, judge, run), runs))
    done = [run for run, well in zip(runs, good) if well]
    if done:
        write_tables(folder, variants, done)
        first = {run.variant.name: run for run in reversed(done)}  # of each variant
        write_pictures(folder / "pictures.png", [first[v.name] for v in variants if v.name in first], args.images)
        print(f"written to {folder}/: table.md, runs.csv, pictures.png")
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
