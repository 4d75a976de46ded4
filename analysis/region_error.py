#!/usr/bin/python3
"""How far the regions sit from the parts they are bound to.

TRANSLATED is what `dagan_mpi translate CKPT --input DATA --group GROUP --output TRANSLATED` wrote.  A region bound to a
label that is also the name of a part (eyes, mouth, ...) is compared with that part's box in DATA, image by image.
Parts serve this measurement only; training never reads them.
"""
import argparse

from files import bindings, mistake, open_hdf5, plain, same_images

import numpy as np


def errors(centres, boxes):
    """Distance of each centre to its box's centre in pixels, and whether it lies inside; images with the part only."""
    there = boxes[:, 0] >= 0
    centres, boxes = centres[there], boxes[there].astype(float)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2 - 0.5  # pixel 0 is centred at 0.0, boxes are half open
    inside = np.all((centres >= boxes[:, :2] - 0.5) & (centres <= boxes[:, 2:] - 0.5), axis=1)
    return np.linalg.norm(centres - middle, axis=1), inside


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("translated")
    parser.add_argument("data")
    parser.add_argument("group")
    parser.add_argument("--split", default="test")
    args = parser.parse_args()
    with open_hdf5(args.translated) as f, open_hdf5(args.data) as d:
        if not {"centres", "inputs"} <= f.keys() or "labels" not in f.attrs:
            mistake(f"{args.translated}: found no region centres, wanted what `dagan_mpi translate` wrote")
        split = f"{args.group}/{args.split}"
        if f"{split}/parts" not in d:
            mistake(f"{args.data}: found no group {split}/parts")
        if not same_images(f["inputs"], d[f"{split}/images"]):
            mistake(f"{args.translated}: found translations of other images, wanted those of {args.data}:{split}")
        bound, parts = bindings(plain(f.attrs["labels"])), d[f"{split}/parts"]
        print(f"{args.group:12} {'region':>6} {'images':>6} {'median px':>9} {'90% px':>7} {'inside':>7}")
        for name, region in bound.items():
            if name not in parts:
                continue
            distance, inside = errors(f["centres"][:, region], parts[name][:])
            if not len(distance):
                continue  # no image shows it
            print(f"{name:12} {region:6} {len(distance):6} {np.median(distance):9.2f} "
                  f"{np.quantile(distance, 0.9):7.2f} {inside.mean():7.1%}")


if __name__ == "__main__":
    main()
