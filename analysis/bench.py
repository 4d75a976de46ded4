#!/usr/bin/python3
"""How fast dagan_mpi is, beside the alternatives, in the same run.  make bench [PARTS="a c"] [BENCH_ARGS=--quick]

  a  every convolution of the reference and faces jobs, beside im2col + BLIS, BLIS's product alone, and oneDNN
  b  one step by op and phase, from the trace of --profile, and what that costs
  c  the whole step beside PyTorch (analysis/peer/train.py), after showing that both compute the same step
  d  the sum over two ranks beside MPI_Allreduce
  e  peak resident memory of both
  f  cost per pair as width, resolution and regions grow, and crop mode beside mask mode
  g  a checkpoint beside a plain parallel write of as many bytes, and how long training stands still for it

Rivals take turns.  Printed are medians [lowest..highest]; bench.csv holds the same numbers.
"""
import argparse
import collections
import csv
import ctypes.util
import functools
import importlib.util
import json
import math
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
REFERENCE, FACES, PEER = "configs/reference.yaml", "configs/faces.yaml", "analysis/peer/train.py"
rows = []                                        # of bench.csv


def note(part, case, what, unit, figures):
    """Keeps the median, lowest and highest of some figures and returns them as text."""
    m, low, high = statistics.median(figures), min(figures), max(figures)
    rows.append((part, case, what, unit, f"{m:.6g}", f"{low:.6g}", f"{high:.6g}", len(figures)))
    return f"{m:.4g} [{low:.4g}..{high:.4g}]"


def table(head, lines):
    text = lambda x: "" if x is None else f"{x:.2f}" if isinstance(x, float) else str(x)
    lines = [head] + [list(map(text, line)) for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        print("  ".join(x.ljust(w) if i == 0 else x.rjust(w) for i, (x, w) in enumerate(zip(line, widths))))
    print(flush=True)


def start(command, threads=1, ranks=1, preload=None):
    env = {**os.environ, "OMP_NUM_THREADS": str(threads), "OMPI_ALLOW_RUN_AS_ROOT": "1",
           "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1"}
    if preload:
        env["LD_PRELOAD"] = preload
    if ranks > 1:
        command = ["mpirun", "--quiet", "-np", ranks, *command]
    return subprocess.Popen([str(x) for x in command], cwd=ROOT, env=env, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finish(process):
    out, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(process.args)}: status {process.returncode}\n{out[-2000:]}")
    return out


def set_options(sets):
    return [word for s in sets for word in ("--set", s)]


class Dagan:
    """One short run: its timed second half, as metrics.csv has it."""
    def __init__(self, scratch, steps, config=REFERENCE, ranks=1, threads=1, sets=(), flags=()):
        self.folder = tempfile.mkdtemp(dir=scratch)
        sets = [f"run.dir={self.folder}", f"train.steps={2 * steps}", f"log.every={steps}", "samples.every=0",
                "checkpoint.every=1000000000", *sets]
        self.process = start(["./dagan_mpi", config, *set_options(sets), *flags], threads, ranks)

    def result(self):
        finish(self.process)
        with open(f"{self.folder}/metrics.csv") as f:
            return {k: float(v) for k, v in list(csv.DictReader(f))[-1].items()}


class Peer:
    def __init__(self, steps, processes, threads):
        # What a PyTorch user on CPUs is advised to do: an allocator that keeps its pages.
        self.steps, preload = steps, ctypes.util.find_library("tcmalloc_minimal")
        self.process = start([sys.executable, PEER, "--steps", 2 * steps, "--processes", processes,
                              "--threads", threads], threads, preload=preload)

    def result(self):
        out = finish(self.process)
        speed = [float(x) for x in re.findall(r"([\d.]+) pairs/s", out)][self.steps:]
        peak, imported = map(float, re.search(r"peak ([\d.]+) MiB, of it ([\d.]+)", out).groups())
        return {"pairs_per_s": statistics.harmonic_mean(speed), "peak_mib": peak, "imported_mib": imported}


@functools.lru_cache
def has_peer():
    missing = [m for m in ("torch", "h5py") if not importlib.util.find_spec(m)]
    if missing:
        print(f"PyTorch is left out: no {' and '.join(missing)} (Debian: python3-torch python3-h5py)\n")
    return not missing


# ---- a: convolutions ------------------------------------------------------------------------------------

def work(case):
    """GFLOP and what the goals ask: whether it is 3x3, stride 1, 128 channels and more."""
    n, h, w, ci, co, k, s = map(int, re.findall(r"\d+", case))
    return 2e-9 * n * (h // s) * (w // s) * ci * co * k * k, k == 3 and s == 1 and min(ci, co) >= 128


def part_a(a):
    rounds = a.rounds or (3 if a.quick else 15)
    out = finish(start([f"{a.build}/bench/conv", rounds, REFERENCE, FACES]))
    found, uses = collections.defaultdict(dict), {}
    for case, use, passed, who, *figures in csv.reader(out.splitlines()):
        found[case, passed][who], uses[case] = list(map(float, figures)), use
        rows.append(("a", case, f"{passed} {who}".strip(), "GFLOP/s", *figures, rounds))
    large = found.pop(("peak", ""))["sgemm 2048"][0]
    fma = statistics.median(r["fma"][0] for r in found.values())
    print(f"peak: {fma:.1f} GFLOP/s in an FMA loop, {large:.1f} in BLIS's sgemm at 2048^3.  One thread; GFLOP/s counted\n"
          "as direct convolution, padding too, without bias, activation and norm.  sgemm: the product alone, at the\n"
          "same m, n, k.  oneDNN: in layouts of its choice, reorders of activations and weights not counted.")
    if not any("onednn" in r for r in found.values()):
        print("oneDNN is left out: not installed when the benchmark was built (Debian: libdnnl-dev)")
    lines, ratios, took = [], {True: [], False: []}, collections.Counter()
    for (case, passed), r in found.items():
        (mine, low, high), one = r["dagan_mpi"], r.get("onednn", [None])[0]
        gemm, (gflop, is_large) = r["sgemm"][0], work(case)
        lines.append([case, uses[case], passed, f"{mine:.1f} [{low:.1f}..{high:.1f}]", mine / r["fma"][0],
                      r["im2col"][0], gemm, one, mine / gemm, one and mine / one])
        against = one if is_large else gemm
        if against:
            ratios[is_large].append((mine / against, case, passed))
        for who, figures in r.items():
            took[who] += 1e3 * int(uses[case].split("/")[0]) * gflop / figures[0]
    table(["convolution", "uses ref/faces", "pass", "dagan_mpi", "of fma", "im2col", "sgemm", "oneDNN", "/sgemm",
           "/oneDNN"], lines)
    for is_large, text in ((True, "3x3, stride 1, 128 channels and more, against oneDNN"),
                           (False, "all others, against sgemm")):
        if ratios[is_large]:
            low, median = min(ratios[is_large]), statistics.median(x for x, *_ in ratios[is_large])
            goal = 2 if is_large else 0.85
            reached = sum(x >= goal for x, *_ in ratios[is_large])
            print(f"{text}: {low[0]:.2f} at the least ({low[1]}, {low[2]}), median {median:.2f},\n"
                  f"  {reached} of {len(ratios[is_large])} at {goal} or more")
    print("a leaf of the reference job, three passes for every use: "
          + ", ".join(f"{who} {ms:.0f} ms" for who, ms in took.items() if who != "fma") + "\n")


# ---- b: one step by op and phase --------------------------------------------------------------------------

def print_trace(path, steps):
    """Events of a Chrome trace by name and category.  Those named "step", if any, mark steps; the first is left out."""
    with open(path) as f:
        events = json.load(f)
    events = [e for e in (events["traceEvents"] if isinstance(events, dict) else events) if "dur" in e]
    marks = collections.defaultdict(list)
    for e in events:
        if e["name"] == "step":
            marks[e.get("pid", 0)].append(e)
    if all(len(m) > 1 for m in marks.values()) and marks:
        begin = {rank: sorted(e["ts"] for e in m)[1] for rank, m in marks.items()}
        events = [e for e in events if e["ts"] >= begin[e.get("pid", 0)]]
        steps = len(min(marks.values(), key=len)) - 1
    whole = [e["dur"] for e in events if e["name"] == "step"]
    inside = [e for e in events if e.get("cat") == "detail"]  # parts of other events
    events = [e for e in events if e["name"] != "step" and e.get("cat") != "detail"]
    ranks = len({e.get("pid", 0) for e in events}) or 1
    ms, count = collections.Counter(), collections.Counter()
    for e in events:
        ms[e["name"], e.get("cat", "")] += e["dur"] / 1e3 / steps / ranks
        count[e["name"]] += 1 / steps / ranks
    total = sum(whole) / 1e3 / len(whole) if whole else sum(ms.values())
    names = sorted(count, key=lambda n: -sum(x for (m, _), x in ms.items() if m == n))
    phases = sorted({p for _, p in ms}, key=lambda p: -sum(x for (_, q), x in ms.items() if q == p))
    for (name, phase), x in ms.items():
        rows.append(("b", name, phase, "ms per step", f"{x:.6g}", "", "", steps))
    def line(title, part):
        by_phase = [sum(ms[n, p] for n in part) for p in phases]
        return [title, f"{sum(count[n] for n in part):.0f}", *by_phase, sum(by_phase),
                f"{100 * sum(by_phase) / total:.1f} %"]
    print(f"ms per step and rank: {ranks} ranks, {steps} steps, {total:.1f} ms per step"
          + ("" if whole else " in all that was traced"))
    table(["op", "calls", *phases, "together", "share"], [line(n, [n]) for n in names] + [line("all", names)])
    for name in sorted({e["name"] for e in inside}):
        part = sum(e["dur"] for e in inside if e["name"] == name) / 1e3 / steps / ranks
        print(f"of the backward passes, {name}: {part:.1f} ms\n")


def part_b(a):
    if a.trace:
        return print_trace(a.trace, a.steps or 1)
    rounds, steps = a.rounds or (1 if a.quick else 5), a.steps or (1 if a.quick else 3)
    costs = []
    for _ in range(rounds):
        plain = Dagan(a.scratch, steps).result()["pairs_per_s"]
        run = Dagan(a.scratch, steps, flags=["--profile"])
        costs.append(100 * (plain / run.result()["pairs_per_s"] - 1))
    print_trace(f"{run.folder}/trace.json", 2 * steps)
    print(f"--profile makes a step longer by {note('b', '--profile', 'cost', '% of a step', costs)} %\n")


# ---- c and e: the whole step, and memory ------------------------------------------------------------------

SETUPS = {"1 rank x 1 thread": (1, 1), "2 ranks": (2, 1), "1 rank x 2 threads": (1, 2)}


def race(a, rounds, steps):
    """{(setup, who): [what one run of it gave, ...]}"""
    found, peer = collections.defaultdict(list), has_peer()
    for _ in range(rounds):
        for setup, (ranks, threads) in SETUPS.items():
            found[setup, "dagan_mpi"].append(Dagan(a.scratch, steps, ranks=ranks, threads=threads).result())
            if peer:
                found[setup, "PyTorch"].append(Peer(steps, ranks, threads).result())
        pair = [Dagan(a.scratch, steps, sets=["train.batch=4"]) for _ in range(2)]
        found["2 apart", "dagan_mpi"].append({"pairs_per_s": sum(p.result()["pairs_per_s"] for p in pair)})
    return found


def part_c(a):
    if has_peer():
        step = f"{a.scratch}/step.h5"
        finish(start(["./dagan_mpi", REFERENCE, "--set", f"run.dir={a.scratch}/dump", "--dump-step", step]))
        for processes in (1, 2):
            out = finish(start([sys.executable, PEER, "--processes", processes, "--check", step]))
            off = [max(map(float, re.findall(kind + r".*off by ([^,]+)", out))) for kind in ("loss", "gradients")]
            print(f"PyTorch, {processes} processes: the same step; losses off by {off[0]:.0e}, "
                  f"gradients of a network by {off[1]:.0e}")
    rounds, steps = a.rounds or (1 if a.quick else 5), a.steps or (1 if a.quick else 3)
    a.steps_seen = found = race(a, rounds, steps)
    microbatch = re.search(r"microbatch: (\d+)", (ROOT / REFERENCE).read_text()).group(1)
    malloc = ctypes.util.find_library("tcmalloc_minimal") or "glibc's malloc; Debian's libtcmalloc-minimal4 is faster"
    print(f"pairs/s on {REFERENCE}, batch 8 in leaves of {microbatch} (PyTorch: its share of the batch at once, with\n"
          f"{malloc}); {rounds} runs of each in turn, each the mean of {steps} steps after {steps} of warm-up")
    speed = {k: [r["pairs_per_s"] for r in v] for k, v in found.items()}
    lines = []
    for setup in SETUPS:
        mine, other, runs = speed[setup, "dagan_mpi"], speed.get((setup, "PyTorch")), found[setup, "dagan_mpi"]
        share = lambda key: [100 * r[key] * r["pairs_per_s"] / 8 for r in runs]
        lines.append([setup, note("c", setup, "dagan_mpi", "pairs/s", mine),
                      note("c", setup, "PyTorch", "pairs/s", other) if other else None,
                      note("c", setup, "ratio", "", [x / y for x, y in zip(mine, other)]) if other else None,
                      note("c", setup, "waiting for communication", "% of a step", share("wait_comm_s")),
                      note("c", setup, "waiting for data", "% of a step", share("wait_data_s"))])
    table(["", "dagan_mpi", "PyTorch", "ratio", "waits: comm %", "data %"], lines)
    apart = speed["2 apart", "dagan_mpi"]
    scaling = [100 * x / y for x, y in zip(speed["2 ranks", "dagan_mpi"], apart)]
    print("two one-rank processes side by side, 4 pairs each: "
          f"{note('c', '2 apart', 'dagan_mpi', 'pairs/s', apart)} pairs/s; "
          f"2 ranks reach {note('c', '2 ranks', 'of 2 apart', '%', scaling)} % of it\n")


def part_e(a):
    found = a.steps_seen or race(a, 1, 1)
    lines = []
    for setup in SETUPS:
        mine, other = ([r["peak_mib"] for r in found.get((setup, who), ())] for who in ("dagan_mpi", "PyTorch"))
        line = [setup, note("e", setup, "dagan_mpi", "MiB", mine)]
        if other:
            line += [note("e", setup, "PyTorch", "MiB", other), statistics.median(mine) / statistics.median(other),
                     found[setup, "PyTorch"][0]["imported_mib"]]
        lines.append(line + [None] * (5 - len(line)))
    print("peak resident MiB of the largest process, reference job with its data; imports: Python and PyTorch alone")
    table(["", "dagan_mpi", "PyTorch", "ratio", "of it imports"], lines)


# ---- d: reduction -----------------------------------------------------------------------------------------

def part_d(a):
    rounds = a.rounds or (5 if a.quick else 25)
    out = finish(start([f"{a.build}/bench/reduce", rounds], ranks=2))
    found = collections.defaultdict(dict)
    for mib, who, *figures in csv.reader(out.splitlines()):
        rows.append(("d", f"{mib} MiB", who, "ms", *figures, rounds))
        found[mib][who] = list(map(float, figures))
    text = lambda x: f"{x[0]:.3f} [{x[1]:.3f}..{x[2]:.3f}]"
    print("ms to sum over 2 ranks, in place, in messages of 4 MiB as comm.bucket has it; MPI_Allreduce in one")
    table(["MiB", "dagan_mpi", "MPI_Allreduce", "ratio"],
          [[mib, text(mine := r["dagan_mpi"]), text(other := r["MPI_Allreduce"]), other[0] / mine[0]]
           for mib, r in found.items()])


# ---- f: growth --------------------------------------------------------------------------------------------

def images(a, size):
    """Settings for noise of that size in place of the faces."""
    import h5py
    import numpy as np
    path = f"{a.scratch}/noise{size}.h5"
    with h5py.File(path, "w") as f:
        for domain in ("source", "target"):
            f[f"{domain}/train/images"] = np.random.default_rng(1).integers(0, 256, (8, size, size, 3), np.uint8)
    return [f"data.size={size}", *(f"data.{d}.file={path}" for d in ("source", "target")),
            *(f"data.{d}.group={d}" for d in ("source", "target"))]


def measure(a, settings, gflop_aim):
    """{name: (GFLOP per pair, [seconds per pair, ...])} of runs in turn, 4 pairs a step."""
    flops, cost = {}, collections.defaultdict(list)
    for _ in range(a.rounds or (1 if a.quick else 3)):
        for name, sets in settings.items():
            sets = ["train.batch=4", *sets]
            if name not in flops:
                out = finish(start(["./dagan_mpi", "check", REFERENCE, *set_options(sets)]))
                flops[name] = float(re.search(r"work per step +([\d.]+) GFLOP", out).group(1)) / 4
            steps = a.steps or min(20, math.ceil(gflop_aim / flops[name] / 4))
            cost[name].append(1 / Dagan(a.scratch, steps, sets=sets).result()["pairs_per_s"])
    return {name: (flops[name], cost[name]) for name in settings}


def part_f(a):
    keep = slice(0, 2) if a.quick else slice(None)
    series = {"width": {f"width {w}": [f"model.width={w}"] for w in (16, 32, 64, 128)[keep]},
              "regions": {f"{n} regions": [f"attention.regions={n}"] for n in (1, 2, 4, 8)[keep]},
              "resolution": {}}
    if importlib.util.find_spec("h5py"):
        series["resolution"] = {f"{s} px": images(a, s) for s in (32, 64, 128, 256)[keep]}
    else:
        print("resolutions are left out: no h5py to make images with (Debian: python3-h5py)\n")
    print(f"{REFERENCE} otherwise, 4 pairs a step, 1 rank x 1 thread; growth from each series' first line")
    lines = []
    for settings in series.values():
        base = None
        for name, (gflop, cost) in measure(a, settings, 40 if a.quick else 300).items():
            seconds = statistics.median(cost)
            base = base or (gflop, seconds)
            dearer, larger = seconds / base[1], gflop / base[0]
            lines.append([name, gflop, note("f", name, "cost", "s per pair", cost), gflop / seconds, dearer, larger,
                          dearer / larger])
            rows.append(("f", name, "work", "GFLOP per pair", f"{gflop:.6g}", "", "", 1))
    table(["", "GFLOP/pair", "s/pair", "GFLOP/s", "cost x", "FLOPs x", "cost/FLOPs"], lines)
    modes = measure(a, {f"{m} mode": [f"attention.mode={m}"] for m in ("mask", "crop")}, 100 if a.quick else 500)
    table(["N' = 4, half 12", "GFLOP/pair", "s/pair"],
          [[name, gflop, note("f", name, "cost", "s per pair", cost)] for name, (gflop, cost) in modes.items()])
    (_, mask), (_, crop) = modes.values()
    times = note("f", "crop mode", "speed against mask mode", "times", [x / y for x, y in zip(mask, crop)])
    print(f"crop mode is {times} times as fast as mask mode\n")


# ---- g: checkpoints -----------------------------------------------------------------------------------------

def part_g(a):
    rounds = a.rounds or (3 if a.quick else 15)
    print(f"seconds of the slowest rank, {REFERENCE} with width 64, in {a.scratch}.  plain: each rank's even share to one\n"
          "file by pwrite, and fsync; written: ours on disk; committed: read back and renamed as well; stall: what\n"
          "training waits with checkpoint.async")
    lines = []
    for ranks in (1, 2, 4):
        out = finish(start([f"{a.build}/bench/checkpoint", a.scratch, rounds, REFERENCE, "model.width=64"], ranks=ranks))
        found = {who: list(map(float, filter(None, figures))) for who, *figures in csv.reader(out.splitlines())}
        (mib,), text = found.pop("MiB"), lambda x: f"{x[0]:.3f} [{x[1]:.3f}..{x[2]:.3f}]"
        for who, figures in found.items():
            rows.append(("g", f"{ranks} ranks, {mib} MiB", who, "s", *figures, rounds))
        lines.append([str(ranks), str(mib), *map(text, found.values()), found["plain"][0] / found["written"][0]])
    table(["ranks", "MiB", *found, "plain/written"], lines)


HEADING = "part", "case", "what", "unit", "median", "min", "max", "runs"


def write(path):
    """All rows; those of parts that did not run stay as they were."""
    old = []
    if os.path.exists(path):
        with open(path, newline="") as f:
            old = [r for r in csv.reader(f) if r and r[0] not in {"part", *(x[0] for x in rows)}]
    with open(path, "w", newline="") as f:
        csv.writer(f).writerows([HEADING, *sorted([*old, *rows], key=lambda r: r[0])])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("parts", nargs="*", metavar="PART", help="of a b c d e f g; default all")
    p.add_argument("--quick", action="store_true", help="fewer repetitions, shorter series")
    p.add_argument("--rounds", type=int, help="repetitions of everything")
    p.add_argument("--steps", type=int, help="timed steps of a run, after as many of warm-up")
    p.add_argument("--trace", help="for part b: a trace.json that is there already")
    p.add_argument("--build", default="build", help="where the benchmark programs are")
    p.add_argument("--output", default="bench.csv")
    a = p.parse_args()
    wrong = [x for x in a.parts if x not in "abcdefg" or len(x) != 1]
    if wrong:
        p.error(f"part {wrong[0]}: wanted one of a b c d e f g")
    a.steps_seen = None
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    print(f"{model.group(1) if model else platform.machine()}, {os.cpu_count()} cores, "
          f"load {os.getloadavg()[0]:.1f} before\n")
    titles = dict(re.findall(r"^  ([a-g])  (.*)", __doc__, re.M))
    with tempfile.TemporaryDirectory() as a.scratch:
        for part in a.parts or "abcdefg":
            print(f"== {part}: {titles[part]}")
            globals()[f"part_{part}"](a)
            write(a.output)
    print(f"written to {a.output}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, OSError) as error:
        sys.exit(f"bench.py: {error}")
