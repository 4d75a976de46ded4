#!/usr/bin/python3
"""Damages a file in one place at a time and asks tests/drill/reader what becomes of it.

corrupt.py READER resume|translate|train|test CONFIG.yaml FILE.h5 --cases N --seed N [--set KEY=VALUE]...

A case is a flipped bit or a file cut short.  It must be refused with status 1 and one line that names the file, or what
was read must be that of the undamaged file: then the bit lies in bytes that mean nothing.  A crash, a hang, another
status, a second line or other values are failures, listed one by one.
"""
import argparse
import collections
import os
import random
import shutil
import subprocess
import sys
import tempfile

import h5py


def places(path):
    """The bytes of the file as ranges: those that hold numbers, and all others (structure, attributes, gaps)."""
    held = []

    def note(_, x):
        if not isinstance(x, h5py.Dataset):
            return
        if x.chunks:
            chunks = (x.id.get_chunk_info(i) for i in range(x.id.get_num_chunks()))
            held.extend((c.byte_offset, c.byte_offset + c.size) for c in chunks)
        elif x.id.get_offset() is not None:
            held.append((x.id.get_offset(), x.id.get_offset() + x.nbytes))

    with h5py.File(path, "r") as f:
        f.visititems(note)
    others, at = [], 0
    for first, end in sorted(held) + [(os.path.getsize(path),) * 2]:
        if first > at:
            others.append((at, first))
        at = max(at, end)
    return held, others


def choose(rng, path, n):
    """n cases, of which a quarter cut the file and the others flip a bit, in numbers or in what holds them; and some more
    at the beginning and the ends."""
    size = os.path.getsize(path)
    held, others = places(path)
    yield from (("cut", length) for length in (0, 1, 48, 96, 4096, size // 2, size - 1))
    yield from (("flip", bit) for bit in range(0, 96 * 8, 31))
    for i in range(n):
        if i % 4 == 0:
            yield "cut", rng.randrange(size)
            continue
        ranges = held if i % 2 else others
        first, end = rng.choices(ranges, [e - f for f, e in ranges])[0]
        yield "flip", rng.randrange(8 * first, 8 * end)


class Reader:
    """The program, and the state that it reads from an undamaged file."""

    def __init__(self, command, path):
        self.program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                                        errors="replace")
        lines, end = self.ask(path)
        if end != "0" or not lines[-1].startswith("state "):
            sys.exit(f"not ok {path} cannot be read undamaged: {lines} {end}")
        self.state = lines[-1]

    def ask(self, path):
        self.program.stdin.write(path + "\n")
        lines = []
        for line in self.program.stdout:
            if line.startswith("end "):
                return lines, line[4:].strip()
            lines.append(line.rstrip("\n"))
        sys.exit(f"not ok the reader ended: {lines}")

    def close(self):
        self.program.stdin.close()
        return self.program.wait()

    def outcome(self, path):
        """What became of it: refused, same, or what is wrong."""
        lines, end = self.ask(path)
        if end == "0" and lines == [self.state]:
            return "same"
        if end == "1" and len(lines) == 1 and lines[0].startswith("dagan_mpi: ") and path in lines[0]:
            return "refused"
        what = "other values" if end == "0" else "hang" if end == "hang" else f"status {end}"
        return f"{what}: {' | '.join(lines)[:300]}"


def apply(kind, where, path, whole):
    """Damages the copy; returns how to mend it."""
    if kind == "cut":
        os.truncate(path, where)
        at, old = where, whole[where:]
    else:
        at, old = where // 8, whole[where // 8 : where // 8 + 1]
        with open(path, "r+b") as f:
            f.seek(at)
            f.write(bytes([old[0] ^ 1 << where % 8]))

    def mend():
        with open(path, "r+b") as f:
            f.seek(at)
            f.write(old)

    return mend


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("reader")
    p.add_argument("mode")
    p.add_argument("config")
    p.add_argument("file")
    p.add_argument("--cases", type=int, required=True)
    p.add_argument("--seed", type=int, required=True)
    p.add_argument("--set", action="append", default=[])
    p.add_argument("--verbose", action="store_true", help="a line for every case")
    w = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "damaged.h5")
        shutil.copyfile(w.file, path)
        with open(path, "rb") as f:
            whole = f.read()
        reader = Reader([w.reader, w.mode, w.config, *w.set], path)
        found = collections.Counter()
        bad = []
        for kind, where in choose(random.Random(w.seed), w.file, w.cases):
            mend = apply(kind, where, path, whole)
            outcome = reader.outcome(path)
            mend()
            found[kind, outcome if outcome in ("same", "refused") else "bad"] += 1
            place = f"cut at byte {where}" if kind == "cut" else f"bit {where % 8} of byte {where // 8}"
            if w.verbose:
                print(f"# {place}: {outcome}")
            if outcome not in ("same", "refused"):
                bad.append(f"{place}: {outcome}")
        if reader.outcome(path) != "same" or reader.close() != 0:
            bad.append("the reader or the mended file is not as before")
        if not found["cut", "refused"] or not found["flip", "refused"]:
            bad.append("nothing was refused")
    for line in bad[:20]:
        print(f"  {line}")
    counts = ", ".join(f"{n} {k} {o}" for (k, o), n in sorted(found.items()))
    print(f"{'not ok' if bad else 'ok'} {w.mode}: {sum(found.values())} damaged copies of {w.file}: {counts}")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
