#!/usr/bin/python3
"""Reads what a run leaves behind as anyone would, with h5py, and compares it with what is promised.

check_files.py RUN DATA                      the run directory of the small job, which learned from DATA
check_files.py --pictures FOLDER             writes folders of PNGs and labels to pack
check_files.py --png FILE...                 decodes PNGs
check_files.py --translated CHECKPOINT FILE  whether translations tell the checkpoint's step and sharpness
check_files.py --zero GROUP CHECKPOINT COPY  copies a checkpoint with zeros and their checksums in that group
check_files.py --trace FILE RANKS [THREADS]  checks a profile
"""
import csv
import ctypes
import ctypes.util
import json
import shutil
import struct
import sys
import zlib
from pathlib import Path

import h5py
import numpy as np

W, REGIONS, SIDE = 8, 4, 64
LABELS = {"eyes": 0, "mouth": 1, "glasses": 2, "hair": 3, "skin": "all"}


def check(name, good, found=""):
    print(f"{'ok' if good else 'not ok'} {name}" + ("" if good else f": found {found}"))


# ---- PNG -------------------------------------------------------------------------------------------


def write_png(path, rgb):
    h, w, _ = rgb.shape

    def part(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + rgb[y].tobytes() for y in range(h))
    header = struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)
    Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", zlib.compress(rows)) +
                           part(b"IEND", b""))


def png_size(path):
    """(width, height) of a whole 8-bit PNG; raises where it is damaged."""
    data = Path(path).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG"
    at, packed, last = 8, b"", b""
    while at < len(data):
        n, last = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + n]
        assert struct.unpack(">I", data[at + 8 + n : at + 12 + n])[0] == zlib.crc32(last + body), "wrong CRC"
        if last == b"IHDR":
            w, h, depth, colour = struct.unpack(">IIBB", body[:10])
        if last == b"IDAT":
            packed += body
        at += n + 12
    assert last == b"IEND" and depth == 8, "not whole"
    assert len(zlib.decompress(packed)) == h * (1 + w * {0: 1, 2: 3, 6: 4}[colour]), "wrong length"
    return w, h


def pictures(folder):
    """source/ and target/, each with train/ of 6 and test/ of 4 pictures, and their labels in .csv."""
    with h5py.File("data/faces.h5") as f:
        for domain, group in ("source", "adventurer"), ("target", "lorelei"):
            rows = [("file", "hair")]
            for split, n in ("train", 6), ("test", 4):
                (folder / domain / split).mkdir(parents=True)
                g = f[f"{group}/{split}"]
                for i, x in enumerate(g["images"][:n]):
                    write_png(folder / domain / split / f"face{i}.png", x)
                    rows.append((f"{split}/face{i}.png", "short" if i % 2 else "long"))
            with open(folder / f"{domain}.csv", "w", newline="") as out:
                csv.writer(out).writerows(rows)


# ---- checkpoint ------------------------------------------------------------------------------------


def conv(n_out, n_in, k, bias=False):
    return {"weight": (n_out, n_in, k, k)} | ({"bias": (n_out,)} if bias else {})


def norm(n):
    return {"weight": (n,), "bias": (n,)}


def network():
    """net/layer -> {weight, bias} -> shape: the table of the reference network, at width 8 with one residual block."""
    w, w2, w4, t = W, 2 * W, 4 * W, {}

    def block(at, c=w4):
        t.update({at + ".conv1": conv(c, c, 3), at + ".norm1": norm(c)})
        t.update({at + ".conv2": conv(c, c, 3), at + ".norm2": norm(c)})

    t |= {"dae.enc.c0": conv(w, 3, 3), "dae.enc.n0": norm(w), "dae.enc.c1": conv(w2, w, 3), "dae.enc.n1": norm(w2)}
    t |= {"dae.enc.c2": conv(w4, w2, 3), "dae.enc.n2": norm(w4)}
    block("dae.enc.res.0")
    t |= {"dae.loc.conv": conv(w4, w4, 3, True), "dae.loc.out": conv(REGIONS, w4, 1, True)}
    t |= {"g.fuse": conv(w4, (1 + REGIONS) * w4, 1), "g.nf": norm(w4)}
    block("g.res.0")
    t |= {"g.u1": conv(w2, w4, 3), "g.m1": norm(w2), "g.u2": conv(w, w2, 3), "g.m2": norm(w), "g.out": conv(3, w, 7, True)}
    for d in "d1", "d2":
        t |= {d + ".c0": conv(w, 3, 4, True), d + ".c1": conv(w2, w, 4), d + ".n1": norm(w2), d + ".c2": conv(w4, w2, 4)}
        t |= {d + ".n2": norm(w4), d + ".out": conv(1, w4, 3, True)}
    block("d1.res", w2)
    t |= {"d1.loc.conv": conv(w2, w2, 3, True), "d1.loc.out": conv(REGIONS, w2, 1, True)}
    return t


def datasets(group):
    found = {}
    group.visititems(lambda name, x: found.update({name: x}) if isinstance(x, h5py.Dataset) else None)
    return found


def check_weights(f, data):
    wanted = {f"{layer.replace('.', '/')}/{part}": shape for layer, parts in network().items()
              for part, shape in parts.items()}
    for label, region in LABELS.items():
        classes = len(data[f"adventurer/train/labels/{label}"].attrs["classes"])
        told_from = REGIONS if region == "all" else 1
        for net, n, c in ("dae", classes, 4 * W), ("d1", classes + 1, 2 * W):
            wanted |= {f"{net}/head/{label}/weight": (n, c * told_from, 1, 1), f"{net}/head/{label}/bias": (n,)}
    found = {name: x.shape for name, x in datasets(f["weights"]).items()}
    check("/weights has PyTorch's names and shapes", found == wanted, set(found.items()) ^ set(wanted.items()))
    check("/weights is float32", all(x.dtype == "<f4" for x in datasets(f["weights"]).values()))
    ema = {name: x.shape for name, x in datasets(f["ema"]).items()}
    generator = {n: s for n, s in wanted.items() if n.startswith(("dae/", "g/"))}
    check("/ema has those of DAE and G", ema == generator, set(ema.items()) ^ set(generator.items()))
    moments = {name: x.shape for name, x in datasets(f["optimizer"]).items()}
    both = {f"{n}/{m}": s for n, s in wanted.items() for m in "mv"}
    check("/optimizer has m and v of every weight", moments == both, set(moments.items()) ^ set(both.items()))
    check("all of them are finite", all(np.isfinite(x[()]).all() for x in datasets(f).values() if x.dtype.kind == "f"))
    check("second moments are not negative", all((x[()] >= 0).all() for n, x in datasets(f["optimizer"]).items()
                                                 if n.endswith("/v")))


def check_attention(f, data, steps, batch):
    for domain, group in ("source", "adventurer"), ("target", "lorelei"):
        a, n = f[f"attention/{domain}"], len(data[f"{group}/train/images"])
        centres, step = a["centres"], a["step"]
        good = centres.shape == (n, REGIONS, 2) and centres.dtype == "<f4" and step.shape == (n,) and step.dtype == "<i8"
        check(f"/attention/{domain} has a row for every image", good, (centres.shape, step.shape))
        seen = step[()] >= 0
        check(f"/attention/{domain}: as many rows are known as images were seen", seen.sum() == steps * batch, seen.sum())
        check(f"/attention/{domain}: each step saw a batch", (np.bincount(step[()][seen]) == batch).all())
        check(f"/attention/{domain}: -1 and no centres where never seen",
              (step[()][~seen] == -1).all() and (centres[()][~seen] == 0).all())
        c = centres[()][seen]
        check(f"/attention/{domain}: centres lie in the image", (c >= -0.5).all() and (c <= SIDE - 0.5).all())
        text = a.attrs["labels"]
        wanted = ", ".join(f"{k}: {v}" for k, v in LABELS.items())
        got = (float(a.attrs["half"]), float(a.attrs["sharpness"]), int(a.attrs["image_size"]),
               text.decode() if isinstance(text, bytes) else str(text))
        check(f"/attention/{domain}: attributes", got == (10, 0.5, SIDE, wanted), got)


def sums_of(x):
    """The 64-bit XXH3 of each block of a dataset."""
    lib = ctypes.CDLL(ctypes.util.find_library("xxhash") or "libxxhash.so.0")
    xxh3 = lib.XXH3_64bits
    xxh3.restype, xxh3.argtypes = ctypes.c_uint64, [ctypes.c_char_p, ctypes.c_size_t]
    rows, all_rows = int(x.attrs["block_rows"]), x[()]
    blocks = [all_rows[i : i + rows].tobytes() for i in range(0, len(all_rows), rows)]
    return [xxh3(b, len(b)) for b in blocks]


def zero(group, checkpoint, copy):
    shutil.copyfile(checkpoint, copy)
    with h5py.File(copy, "r+") as f:
        for x in datasets(f[group]).values():
            x[...] = 0
            x.attrs.modify("xxh3", np.array(sums_of(x), x.attrs["xxh3"].dtype))


def check_sums(f):
    """Every dataset's blocks against the sums beside them."""
    bare, wrong = [], []
    for name, x in datasets(f).items():
        if "xxh3" not in x.attrs or "block_rows" not in x.attrs:
            bare.append(name)
            continue
        if sums_of(x) != [int(v) for v in x.attrs["xxh3"]]:
            wrong.append(name)
    check("every dataset carries checksums", not bare, bare)
    check("they are XXH3's over its blocks", not wrong, wrong)


def check_root(f, run, steps):
    a = {k: v.decode() if isinstance(v, bytes) else v for k, v in f.attrs.items()}
    check("format, version, complete", (a["format"], a["version"], a["complete"]) == ("dagan-checkpoint", 2, 1), a)
    check("step, epoch, seed, ranks", (a["step"], a["epoch"], a["seed"], a["ranks"]) == (steps, 0, 1, 2), a)
    check("seconds and program", a["seconds"] > 0 and str(a["program"]).startswith("dagan_mpi "), a)
    check("config is the run's config.yaml", str(a["config"]) == (run / "config.yaml").read_text(), a["config"])


def check_metrics(f, run, steps):
    with open(run / "metrics.csv", newline="") as file:
        rows = list(csv.reader(file))
    head = "step,epoch,seconds,pairs_per_s,wait_data_s,wait_comm_s,peak_mib,rate_g,rate_d".split(",")
    check("metrics.csv begins with the promised columns", rows[0][: len(head)] == head, rows[0])
    losses = [c for c in rows[0] if c.startswith("loss_")]
    wanted = ["loss_" + x for x in "cst d1 d1_label d2 gan_s gan_t label label_d overlap pixel sym".split()]
    check("metrics.csv has a column for each loss", losses == wanted, losses)
    table = np.array(rows[1:], float)
    check("metrics.csv has a row for each step", table[:, 0].tolist() == list(range(1, steps + 1)), table[:, 0])
    check("metrics.csv: speed is above 0, waits are not below", (table[:, 3] > 0).all() and (table[:, 4:6] >= 0).all())
    check("/metrics has the same columns", sorted(f["metrics"]) == sorted(rows[0]), sorted(f["metrics"]))
    same = all(np.allclose(f["metrics"][name][()], table[:, i], rtol=1e-8, atol=0) for i, name in enumerate(rows[0]))
    check("/metrics has the same numbers, in float64", same and all(x.dtype == "<f8" for x in f["metrics"].values()))


def trace(path, ranks, threads=1):
    events = json.loads(path.read_text())["traceEvents"]
    assert {(e["pid"], e["tid"]) for e in events} == {(r, t) for r in range(ranks) for t in range(threads)}, "ranks, threads"
    assert all(e["ts"] >= 0 and (e["ph"] != "X" or e["dur"] >= 0) for e in events), "an event without a time"
    sums = {p: {(e["id2"]["local"], e["pid"], e["name"], e["cat"]): e["ts"] for e in events if e["ph"] == p} for p in "be"}
    assert sums["b"].keys() == sums["e"].keys() and all(sums["e"][k] >= at for k, at in sums["b"].items()), "half a sum"
    assert {(pid, cat[-1]) for _, pid, _, cat in sums["b"]} == {(r, x) for r in range(ranks) for x in "FD"}, "no sum"
    passes = {(e["name"], e["cat"]) for e in events}
    for wanted in [("conv", "F forward"), ("norm", "F backward"), ("conv", "D backward"), ("adam", "F update"),
                   ("wait for sum", "F ranks"), ("wait for rows", "data"), ("step", "")]:
        assert wanted in passes, f"no {wanted}"


def main():
    if sys.argv[1] == "--pictures":
        return pictures(Path(sys.argv[2]))
    if sys.argv[1] == "--png":
        for path in sys.argv[2:]:
            print(path, *png_size(path))
        return None
    if sys.argv[1] == "--translated":
        checkpoint, translated = map(h5py.File, sys.argv[2:])
        k = checkpoint["attention/source"].attrs["sharpness"]
        same = translated.attrs["step"] == checkpoint.attrs["step"] and translated.attrs["sharpness"] == k
        return sys.exit(int(not same))
    if sys.argv[1] == "--zero":
        return zero(*sys.argv[2:])
    if sys.argv[1] == "--trace":
        return trace(Path(sys.argv[2]), *map(int, sys.argv[3:]))
    run = Path(sys.argv[1])
    with h5py.File(run / "latest.h5") as f, h5py.File(sys.argv[2]) as data:
        steps = int(f.attrs["step"])
        check_root(f, run, steps)
        check_weights(f, data)
        check_attention(f, data, steps, 8)
        check_sums(f)
        check_metrics(f, run, steps)
    return None


if __name__ == "__main__":
    main()
