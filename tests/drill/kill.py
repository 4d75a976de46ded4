#!/usr/bin/python3
"""Trains, kills it with SIGKILL at a random moment, starts it again, until N kills are done and the last run has ended.

kill.py DAGAN_MPI CONFIG.yaml FOLDER --cases N --seed N [--set KEY=VALUE]...

Victims are one rank, all ranks, mpirun alone, or all of them; moments are any from the start on, or while a *.tmp is being
written; ranks are 1, 2 or 4, others at every start.  After each kill everything must have ended within HANG seconds, and
latest.h5, if there is one, must be whole and no older than before.  Each run must end in the checkpoint of the run that
nobody disturbed.
"""
import signal

from job import Drill, arguments, children, send, writing


def strike(drill, job, run_dir, _):
    ranks = children(job.pid)
    victims = drill.rng.choice(["of one rank", "of all ranks", "of mpirun", "of all"]) if ranks else "of mpirun"
    one = drill.rng.choice(ranks or [0])
    chosen = {"of one rank": [one], "of all ranks": ranks, "of mpirun": [job.pid], "of all": [job.pid, *ranks]}
    send(signal.SIGKILL, chosen[victims])
    drill.count(victims)
    drill.count("while a checkpoint was written", bool(writing(run_dir, drill.since)))


Drill(arguments(__doc__)).run_all("killed", strike)
