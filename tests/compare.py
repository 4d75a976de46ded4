#!/usr/bin/python3
"""Compares every dataset of two HDF5 files, in bits or closely, and lists what differs.

compare.py A.h5 B.h5 [--ignore REGEX]... [--only REGEX] [--close TOLERANCE]

Times and memory of /metrics are ignored: they are measured.  --close asks of each floating-point dataset
|a - b| <= TOLERANCE |a| in the Euclidean norm over /weights/NET and the like (the first two parts of its name);
whole numbers must be equal all the same.
"""
import argparse
import re
import sys

import h5py
import numpy as np

MEASURED = r"^/metrics/(seconds|pairs_per_s|wait_data_s|wait_comm_s|peak_mib|checkpoint_s)$"


def read(path):
    """name -> array, for every dataset."""
    found = {}
    with h5py.File(path, "r") as f:
        f.visititems(lambda name, x: found.update({"/" + name: x[()]}) if isinstance(x, h5py.Dataset) else None)
    return found


def bits(x):
    return x.dtype.str, x.shape, x.tobytes()


def differences(a, b, tolerance):
    squares = {}
    for name in sorted(a.keys() | b.keys()):
        if name not in a or name not in b:
            yield f"{name}: only in the {'first' if name in a else 'second'}"
            continue
        x, y = a[name], b[name]
        if bits(x) == bits(y):
            continue
        if x.dtype != y.dtype or x.shape != y.shape:
            yield f"{name}: {x.dtype} {x.shape} and {y.dtype} {y.shape}"
        elif tolerance is None or x.dtype.kind != "f":
            unequal = np.count_nonzero(np.frombuffer(x.tobytes(), np.uint8) != np.frombuffer(y.tobytes(), np.uint8))
            largest = np.max(np.abs(x.astype(float) - y.astype(float)))
            yield f"{name}: {unequal} of {x.nbytes} bytes, by at most {largest:.3g}"
        else:
            group = "/".join(name.split("/")[:3])
            d, n = squares.get(group, (0.0, 0.0))
            squares[group] = d + np.sum((x.astype(float) - y) ** 2), n + np.sum(x.astype(float) ** 2)
    for group, (d, n) in squares.items():
        print(f"{group}: differs by {np.sqrt(d / n) if n else np.inf:.2e} of its norm")
        if not d <= tolerance**2 * n:
            yield f"{group}: {np.sqrt(d):.3g} of {np.sqrt(n):.3g}, wanted at most {tolerance:g} of it"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("a")
    p.add_argument("b")
    p.add_argument("--ignore", action="append", default=[MEASURED])
    p.add_argument("--only", default="")
    p.add_argument("--close", type=float)
    w = p.parse_args()
    a, b = ({k: v for k, v in read(f).items() if re.search(w.only, k) and not any(re.search(i, k) for i in w.ignore)}
            for f in (w.a, w.b))
    if not a:
        sys.exit(f"{w.a}: has no datasets to compare")
    found = list(differences(a, b, w.close))
    for line in found[:20]:
        print(line)
    if len(found) > 20:
        print(f"and {len(found) - 20} more")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
