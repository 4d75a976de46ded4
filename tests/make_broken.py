#!/usr/bin/python3
"""Writes small data sets into a folder: good.h5 with the domains a and b, and files each wrong in one thing.

make_broken.py FOLDER
"""
import struct
import sys

import h5py
import numpy as np

ROWS, TEST_ROWS, SIDE, CLASSES = 12, 4, 64, ("no", "yes")
folder = sys.argv[1]


def labels(split, values, classes=CLASSES, name="mark"):
    d = split.create_dataset(f"labels/{name}", data=np.asarray(values, np.int16))
    if classes:
        d.attrs["classes"] = list(classes)


def domain(file, name, shift=0):
    for split, n in ("train", ROWS), ("test", TEST_ROWS):
        g = file.create_group(f"{name}/{split}")
        x = (np.arange(n * SIDE * SIDE * 3) * 31 + shift) % 251
        g.create_dataset("images", data=x.reshape(n, SIDE, SIDE, 3).astype(np.uint8))
        labels(g, np.arange(n) % 2)


def data_set(name, change=None):
    """good.h5 but for what `change` does to the training split of domain b."""
    with h5py.File(f"{folder}/{name}.h5", "w") as f:
        domain(f, "a")
        domain(f, "b", 7)
        if change:
            change(f, f["b/train"])


def images(shape, dtype=np.uint8):
    def change(_, g):
        del g["images"]
        g["images"] = np.zeros(shape, dtype)

    return change


def marks(values, classes=CLASSES):
    def change(_, g):
        del g["labels/mark"]
        labels(g, values, classes)

    return change


def without(name):
    def change(f, _):
        del f[name]

    return change


good = np.arange(ROWS) % 2
data_set("good")
data_set("no_domain", without("b"))
data_set("no_split", without("b/train"))
data_set("no_test", without("b/test"))
data_set("no_images", without("b/train/images"))
data_set("no_labels", without("b/train/labels"))
data_set("float_images", images((ROWS, SIDE, SIDE, 3), np.float32))
data_set("wide_images", images((ROWS, SIDE, SIDE, 3), np.uint16))
data_set("flat_images", images((ROWS, SIDE * SIDE * 3)))
data_set("grey_images", images((ROWS, SIDE, SIDE, 1)))
data_set("planar_images", images((ROWS, 3, SIDE, SIDE)))
data_set("small_images", images((ROWS, 32, 32, 3)))
data_set("no_rows", images((0, SIDE, SIDE, 3)))
data_set("few_rows", lambda f, g: (images((3, SIDE, SIDE, 3))(f, g), marks([0, 1, 0])(f, g)))
data_set("large_label", marks([0, 1, 2] * 4))
data_set("low_label", marks([0, 1, -2] * 4))
data_set("short_labels", marks([0, 1]))
data_set("no_classes", marks(good, None))
data_set("three_classes", marks(good, ("no", "yes", "both")))
data_set("other_classes", marks(good, ("yes", "no")))


def other_test_classes(f, _):
    del f["b/test/labels/mark"]
    labels(f["b/test"], np.arange(TEST_ROWS) % 2, ("yes", "no"))


data_set("other_test_classes", other_test_classes)


def numbers_as_classes(_, g):
    g["labels/mark"].attrs["classes"] = [1, 2]


def text_labels(_, g):
    del g["labels/mark"]
    g["labels"].create_dataset("mark", data=[b"no"] * ROWS)


def group_as_images(_, g):
    del g["images"]
    g.create_group("images")


def images_elsewhere(_, g):
    del g["images"]
    g["images"] = h5py.ExternalLink(f"{folder}/good.h5", "/b/train/images")


data_set("elsewhere", images_elsewhere)
data_set("number_classes", numbers_as_classes)
data_set("text_labels", text_labels)
data_set("group_images", group_as_images)

with open(f"{folder}/good.h5", "rb") as f:
    whole = f.read()
with open(f"{folder}/half.h5", "wb") as f:
    f.write(whole[: len(whole) // 2])
# The class names are said to lie far behind the names there are: HDF5 1.10.8 ends by signal 11.
killer, address = whole, struct.pack("<Q", whole.index(b"GCOL"))
for i in range(16):
    killer = killer.replace(address + struct.pack("<I", i), address + struct.pack("<I", i | 0x7F000000))
with open(f"{folder}/killer.h5", "wb") as f:
    f.write(killer)
with open(f"{folder}/text.h5", "w") as f:
    f.write("not an HDF5 file\n")
open(f"{folder}/empty.h5", "w").close()

# One chunk of compressed images is damaged: the header is fine, reading fails.
with h5py.File(f"{folder}/damaged.h5", "w") as f:
    domain(f, "a")
    domain(f, "b", 7)
    x = f["b/train/images"][()]
    del f["b/train/images"]
    d = f["b/train"].create_dataset("images", data=x, chunks=(1, SIDE, SIDE, 3), compression="gzip")
    chunk = d.id.get_chunk_info(ROWS - 1)
with open(f"{folder}/damaged.h5", "r+b") as f:
    f.seek(chunk.byte_offset + chunk.size // 2)
    f.write(b"\xff" * 16)

# A first layer of VGG16, and nothing behind it.
with h5py.File(f"{folder}/vgg.h5", "w") as f:
    f["block1_conv1/kernel:0"] = np.zeros((3, 3, 3, 64), np.float32)
    f["block1_conv1/bias:0"] = np.zeros(64, np.float32)
