#!/usr/bin/python3
"""few_faces.py OUTPUT.h5 TRAIN TEST: the first rows of data/faces.h5 as a data set of its own.

A sixth fewer of lorelei's training images, so that domains differ in size and KID draws subsets.
"""
import sys

import h5py


def few(target, n_train, n_test):
    with h5py.File("data/faces.h5") as f, h5py.File(target, "w") as out:
        for domain in f:
            for split, n in ("train", n_train), ("test", n_test):
                def copy(name, x, to=out.require_group(f"{domain}/{split}"), n=n):
                    if isinstance(x, h5py.Dataset):
                        d = to.create_dataset(name, data=x[: n - (to.name == "/lorelei/train") * n // 6])
                        if "classes" in x.attrs:
                            d.attrs["classes"] = x.attrs["classes"]
                f[f"{domain}/{split}"].visititems(copy)


if __name__ == "__main__":
    few(sys.argv[1], *map(int, sys.argv[2:]))
