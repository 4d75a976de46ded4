#!/usr/bin/python3
"""Writes the seeds that are no text: data sets, the job of a checkpoint, and pictures, a folder each.

make_seeds.py FOLDER
"""
import io
import pathlib
import struct
import sys
import zlib

import h5py
import numpy as np
from PIL import Image

folder = pathlib.Path(sys.argv[1])
SIDE = 16


def data_set(name, rows=3, string=None, libver="earliest", **storage):
    (folder / "dataset").mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / "dataset" / name, "w", libver=libver) as f:
        for split in "train", "test":
            g = f.create_group(f"a/{split}")
            x = (np.arange(rows * SIDE * SIDE * 3) % 7).reshape(rows, SIDE, SIDE, 3).astype(np.uint8)
            g.create_dataset("images", data=x, **storage)
            for label, classes in ("mark", ["no", "yes"]), ("kind", ["one"]):
                d = g.create_dataset(f"labels/{label}", data=np.arange(rows, dtype=np.int16) % len(classes))
                d.attrs["classes"] = np.array(classes, string or h5py.string_dtype())


data_set("plain.h5")
data_set("packed.h5", chunks=(1, SIDE, SIDE, 3), compression="gzip", shuffle=True, fletcher32=True)
data_set("new.h5", libver="latest", chunks=(2, SIDE, SIDE, 3), compression="gzip", string="S4")
data_set("many.h5", 40, chunks=(1, SIDE, SIDE, 3), string="S4")


def png(name, colour, depth, row, *chunks):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    data = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, depth, colour, 0, 0, 0)) + b"".join(chunk(*c) for c in chunks)
    data += chunk(b"IDAT", zlib.compress(b"".join(b"\1" + row for _ in range(4)))) + chunk(b"IEND", b"")
    (folder / "picture" / name).write_bytes(b"\x89PNG\r\n\x1a\n" + data)


(folder / "picture").mkdir(parents=True, exist_ok=True)
png("rgb.png", 2, 8, bytes(range(12)), (b"tEXt", b"a\0b"), (b"gAMA", struct.pack(">I", 45455)))
png("rgba16.png", 6, 16, bytes(range(32)))
png("grey1.png", 0, 1, b"\xa0", (b"tRNS", b"\0\1"))
png("palette.png", 3, 2, b"\x1b", (b"PLTE", bytes(range(12))), (b"tRNS", b"\0\x80"))
png("grey_alpha.png", 4, 8, bytes(range(8)))
rgb = Image.fromarray((np.arange(17 * 9 * 3) % 251).reshape(17, 9, 3).astype(np.uint8))
turned = Image.Exif()
turned[0x112] = 6
for name, picture, options in (
    ("base.jpg", rgb, {}),
    ("photo.jpg", rgb, {"exif": turned}),
    ("progressive.jpg", rgb, {"progressive": True}),
    ("grey.jpg", rgb.convert("L"), {}),
    ("cmyk.jpg", rgb.convert("CMYK"), {}),
):
    out = io.BytesIO()
    picture.save(out, "JPEG", **options)
    (folder / "picture" / name).write_bytes(out.getvalue())

(folder / "checkpoint.yaml").write_text(
    f"""run: {{dir: {folder}/checkpoint.run}}
data:
  size: {SIDE}
  source: {{file: {folder}/dataset/plain.h5, group: a}}
  target: {{file: {folder}/dataset/packed.h5, group: a}}
model: {{width: 1, residuals: 0, norm: {{dae: none, g: none, d: none}}}}
attention: {{regions: 1, half: 4}}
train: {{steps: 2, batch: 1, pool: 1}}
log: {{every: 1}}
samples: {{every: 0}}
"""
)
