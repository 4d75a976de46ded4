#!/usr/bin/python3
"""Trains, asks it to stop by a signal at a random moment, starts it again, until N signals were sent and the last run ended.

signals.py DAGAN_MPI CONFIG.yaml FOLDER --cases N --seed N [--set KEY=VALUE]...

SIGTERM, SIGINT or SIGUSR1 goes to one rank or to all, or SIGUSR1 to mpirun, which passes it on; a moment is any from the
start on, or while a checkpoint is being written.  The job ends with status 75 after a checkpoint of the step that it says it
stopped after, or it was about to end anyway and is done, or it had not begun and ends by the signal.  Each run must end in
the checkpoint of the run that nobody disturbed.
"""
import re
import signal
import sys

from job import HANG, Drill, arguments, children, newest, send, wait_until, writing

SIGNALS = signal.SIGTERM, signal.SIGINT, signal.SIGUSR1


def ask(drill, job, run_dir, before):
    number = drill.rng.choice(SIGNALS)
    ranks = children(job.pid)
    whom = drill.rng.choice(["to one rank", "to all ranks", "to mpirun"])
    chosen = {"to one rank": ranks and [drill.rng.choice(ranks)], "to all ranks": ranks, "to mpirun": [job.pid]}[whom]
    if whom == "to mpirun" or not ranks:
        number, chosen = signal.SIGUSR1, [job.pid]  # at any other mpirun ends the ranks in its own way
    drill.count(number.name)
    drill.count("while a checkpoint was written", bool(writing(run_dir, drill.since)))
    send(number, chosen)
    if not wait_until(lambda: job.poll() is not None, HANG):
        drill.fail(f"mpirun is still there {HANG} s after {number.name}", run_dir)
    with open(f"{run_dir}.out", errors="replace") as f:
        said = f.read()
    stopped = re.findall(r"^stopped after step (\d+) on request", said, re.M)
    if job.returncode == 75:
        drill.count("stopped")
        if len(stopped) != 1 or int(stopped[0]) != newest(run_dir):
            drill.fail(f"status 75 after {number.name}, latest.h5 is of step {newest(run_dir)}", run_dir)
    elif job.returncode == 0 or (not ranks and re.search(r"^done: ", said, re.M)):  # mpirun alone may end by the signal
        drill.count("at the end")
    elif re.search(r"^(step|checkpoint) ", said, re.M) or newest(run_dir) != before:
        drill.fail(f"status {job.returncode} after {number.name} {whom}", run_dir)
    else:
        drill.count("before it began")


drill = Drill(arguments(__doc__))
drill.run_all("stopped", ask)
if drill.w.cases >= 20 and not drill.counts.get("stopped"):  # of a few, all may come before the start or at the end
    sys.exit("not ok no signal stopped a run")
