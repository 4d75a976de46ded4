"""What the drills share: jobs, their processes wherever they belong by now, and what a run directory holds."""
import argparse
import glob
import os
import random
import re
import signal
import subprocess
import sys
import time

from verify import faults

HANG = 60  # seconds: far more than a busy machine takes
RANKS = (1, 2, 1, 2, 4, 2)  # of one start after the other


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(x) for x in f.read().split()]
    except OSError:
        return []


def alive(run_dir):
    """The processes of a job, mpirun's and the ranks', wherever they belong by now."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if f"run.dir={run_dir}".encode() in f.read().split(b"\0"):
                    found.append(int(pid))
        except OSError:
            pass
    return found


def wait_until(condition, seconds):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True


def send(number, pids):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def writing(run_dir, since):
    """The checkpoints that are being written, not those left behind before the moment `since`."""
    found = set()
    for path in glob.glob(f"{glob.escape(run_dir)}/ckpt-*.tmp"):
        try:
            found |= {path} if os.stat(path).st_mtime >= since else set()
        except OSError:
            pass
    return found


def newest(run_dir):
    """The step of latest.h5, -1 where there is none."""
    try:
        return int(re.fullmatch(r"ckpt-0*(\d+)\.h5", os.readlink(f"{run_dir}/latest.h5"))[1])
    except OSError:
        return -1


def arguments(doc):
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("program")
    p.add_argument("config")
    p.add_argument("folder")
    p.add_argument("--cases", type=int, required=True)
    p.add_argument("--seed", type=int, required=True)
    p.add_argument("--set", action="append", default=[])
    p.add_argument("--sometimes", action="append", default=[], help="KEY=VALUE of which each run takes one")
    return p.parse_args()


class Drill:
    """Runs that are disturbed `cases` times in all."""

    def __init__(self, w):
        self.w = w
        self.rng = random.Random(w.seed)
        self.counts = {}
        self.begin = {1: 1.0, 2: 1.0, 4: 2.0}  # seconds to the first checkpoint, learnt
        self.starts = 0
        self.since = 0.0  # the time of the newest start
        self.whole = f"{w.folder}/undisturbed"
        if self.start(self.whole, 1).wait():
            self.fail("the undisturbed run fails", self.whole)

    def count(self, what, n=1):
        self.counts[what] = self.counts.get(what, 0) + n

    def start(self, run_dir, np, extra=()):
        command = ["mpirun", "--quiet", "-np", str(np), self.w.program, self.w.config]
        for s in [*self.w.set, *extra, f"run.dir={run_dir}"]:
            command += ["--set", s]
        self.since = time.time()
        with open(f"{run_dir}.out", "w") as out:
            return subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def fail(self, what, run_dir):
        send(signal.SIGKILL, alive(run_dir))
        print(f"not ok {what} (seed {self.w.seed}, {self.counts}, {run_dir})")
        with open(f"{run_dir}.out", errors="replace") as f:
            print("".join("  " + line for line in f.readlines()[-15:]), end="")
        sys.exit(1)

    def moment(self, job, run_dir, np):
        """Waits for a moment: any from the start on, or while a checkpoint is being written.  False if the job has ended."""
        began, first = time.monotonic(), newest(run_dir)
        ended = lambda: job.poll() is not None
        if self.rng.random() < 0.5:
            for _ in range(self.rng.randint(1, 3)):
                before = writing(run_dir, self.since)
                wait_until(lambda: ended() or writing(run_dir, self.since) - before, HANG)
                time.sleep(self.rng.uniform(0, 0.15))
        else:
            time.sleep(self.rng.uniform(0, 1.5 * self.begin[np]))
        if newest(run_dir) > first:
            self.begin[np] += 0.2 * (min(time.monotonic() - began, 10) - self.begin[np])
        return not ended()

    def expect_end(self, job, run_dir, seconds=HANG):
        """Waits until nothing of the job is left."""
        if not wait_until(lambda: job.poll() is not None, seconds):
            self.fail(f"mpirun is still there after {seconds} s", run_dir)
        if not wait_until(lambda: not alive(run_dir), HANG):
            self.fail(f"still there after {HANG} s: {alive(run_dir)}", run_dir)

    def expect_whole(self, run_dir, before):
        """latest.h5 is whole and no older than step `before`."""
        step = newest(run_dir)
        if step < before:
            self.fail(f"latest.h5 went from step {before} to {step}", run_dir)
        wrong = faults(f"{run_dir}/latest.h5") if step >= 0 else []
        if wrong:
            self.fail(f"latest.h5: {wrong[0]}", run_dir)

    def expect_same_end(self, run_dir):
        compare = os.path.join(os.path.dirname(__file__), "..", "compare.py")
        if subprocess.run([sys.executable, compare, f"{self.whole}/latest.h5", f"{run_dir}/latest.h5"]).returncode:
            self.fail("the run does not end in the checkpoint of the undisturbed one", run_dir)

    def run(self, run_dir, disturb):
        """One run from its first start to its end, disturbed at every start while cases are left."""
        extra = [self.rng.choice(self.w.sometimes)] if self.w.sometimes else []
        while True:
            np, before = RANKS[self.starts % len(RANKS)], newest(run_dir)
            self.starts += 1
            job = self.start(run_dir, np, extra)
            is_calm = self.counts.get("cases", 0) >= self.w.cases or not self.moment(job, run_dir, np)
            if not is_calm:
                self.count("cases")
                disturb(self, job, run_dir, before)
            self.expect_end(job, run_dir, 10 * HANG if is_calm else HANG)
            self.expect_whole(run_dir, before)
            if is_calm:
                break
        if job.returncode:
            self.fail(f"a run that nobody disturbs ends with status {job.returncode}", run_dir)
        self.expect_same_end(run_dir)
        self.count("runs")

    def run_all(self, name, disturb):
        while self.counts.get("cases", 0) < self.w.cases:
            self.run(f"{self.w.folder}/{name}-{self.counts.get('runs', 0)}", disturb)
        n = {k: v for k, v in sorted(self.counts.items()) if k not in ("cases", "runs")}
        print(f"ok {name}: {self.counts['cases']} times ({', '.join(f'{v} {k}' for k, v in n.items())}); "
              f"{self.counts['runs']} runs end in the checkpoint of the undisturbed one")
