#!/usr/bin/python3
"""Holds checkpoints against their checksums, independently of the program that wrote them.

verify.py CKPT.h5...
"""
import sys

import h5py
import numpy as np
import xxhash


def faults(path):
    """What is wrong with a checkpoint, in words; nothing if it is whole."""
    found, checked = [], [0]

    def check(name, x):
        if not isinstance(x, h5py.Dataset):
            return
        if "block_rows" not in x.attrs:
            found.append(f"{name} has no checksums")
            return
        rows, data = int(x.attrs["block_rows"]), np.ascontiguousarray(x[()])
        sums = [xxhash.xxh3_64_intdigest(data[i : i + rows].tobytes()) for i in range(0, len(data), rows)]
        stored = [int(s) for s in x.attrs.get("xxh3", [])]
        found.extend([] if sums == stored else [f"{name} is not that of its checksums"])
        checked[0] += 1

    try:
        with h5py.File(path, "r") as f:
            f.visititems(check)
            if f.attrs.get("complete") != 1:
                found.append("it is not complete")
    except (OSError, RuntimeError, KeyError) as e:
        found.append(f"it cannot be read: {e}")
    return found if checked[0] else found + ["it holds no dataset"]


if __name__ == "__main__":
    wrong = [f"{path}: {fault}" for path in sys.argv[1:] for fault in faults(path)]
    print("\n".join(wrong) if wrong else f"{len(sys.argv) - 1} whole")
    sys.exit(bool(wrong))
