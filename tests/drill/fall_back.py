#!/usr/bin/python3
"""Damages the newest checkpoints of a finished run and continues it: from the newest that is whole, to the same end.

fall_back.py DAGAN_MPI CONFIG.yaml FOLDER --cases N --seed N [--set KEY=VALUE]...

Each checkpoint that cannot be read is named in a line of its own; where none is left the job ends with status 1 and says
what to do.
"""
import glob
import os
import re
import shutil

from corrupt import apply, choose
from job import RANKS, Drill, arguments


def damage(drill, path):
    with open(path, "rb") as f:
        whole = f.read()
    kind, where = drill.rng.choice(list(choose(drill.rng, path, 40)))
    apply(kind, where, path, whole)
    drill.count(kind)


def case(drill, run_dir, i):
    shutil.rmtree(run_dir, ignore_errors=True)
    shutil.copytree(drill.whole, run_dir, symlinks=True)
    files = sorted(glob.glob(f"{glob.escape(run_dir)}/ckpt-*.h5"), reverse=True)
    damaged = files[: 1 + i % len(files)]
    for path in damaged:
        damage(drill, path)
    job = drill.start(run_dir, RANKS[i % len(RANKS)])
    drill.expect_end(job, run_dir)
    with open(f"{run_dir}.out", errors="replace") as f:
        said = f.read()
    passed = re.findall(r"^dagan_mpi: passed over (.*?\.h5): ", said, re.M)
    if not set(passed) <= set(damaged):
        drill.fail(f"passed over what is whole: {sorted(set(passed) - set(damaged))}", run_dir)
    if job.returncode == 1:
        last = said.rstrip("\n").rsplit("\n", 1)[-1]
        if passed != files or not last.endswith("none of its 3 checkpoints can be used; --fresh starts anew"):
            drill.fail(f"status 1 having passed over {passed}", run_dir)
        drill.count("without any left")
        return
    first_whole = files[len(passed)]
    step = int(re.search(r"-0*(\d+)\.h5$", first_whole)[1])
    if job.returncode or passed != files[: len(passed)] or f"\ncontinuing after step {step}\n" not in said:
        drill.fail(f"status {job.returncode} having passed over {passed}", run_dir)
    if first_whole in damaged:
        drill.count("in bytes that mean nothing")
    drill.expect_same_end(run_dir)


def main():
    w = arguments(__doc__)
    drill = Drill(w)
    for i in range(w.cases):
        case(drill, os.path.join(w.folder, "damaged"), i)
    print(f"ok {w.cases} runs continued with damaged checkpoints: "
          f"{', '.join(f'{v} {k}' for k, v in sorted(drill.counts.items()))}")


main()
