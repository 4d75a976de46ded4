#!/usr/bin/python3
"""Recomputes what `evaluate` says, from its --arrays and the data set, with numpy alone.

check_evaluate.py DATA.h5 FIGURES.json ARRAYS.h5 SOURCE TARGET

The program computes features' products in float32, so kernels and distances agree to some 1e-6 of their size; figures
that are counts agree exactly.
"""
import functools
import json
import math
import sys

import h5py
import numpy as np

sys.path.insert(0, "analysis")
from check_files import check  # noqa: E402
from files import bindings  # noqa: E402
from region_error import errors  # noqa: E402

EVALUATE = 6  # the stream of src/base/rng.c that evaluation draws from
BOUND = "eyes: 0, mouth: 1, glasses: 2, hair: 3"  # of configs/smoke.yaml
HALF = np.array([(10, 5), (4, 2.5), (11, 5.5), (18, 15)])  # of check_evaluate.sh
NAMES = "skin hair hair_color eyes eyebrows mouth glasses background".split()  # of configs/classifier-lorelei.yaml


# ---- random numbers by place, as src/base/rng.c draws them ----------------------------------------------


def philox(counter, key):
    """Philox4x32-10 of (..., 4) counters."""
    c = counter.astype(np.uint64)
    k = np.array(key, np.uint64)
    low = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        p0, p1 = c[..., 0] * np.uint64(0xD2511F53), c[..., 2] * np.uint64(0xCD9E8D57)
        c = np.stack([(p1 >> np.uint64(32)) ^ c[..., 1] ^ k[0], p1 & low, (p0 >> np.uint64(32)) ^ c[..., 3] ^ k[1],
                      p0 & low], axis=-1)
        k = (k + np.array([0x9E3779B9, 0xBB67AE85], np.uint64)) & low
    return c


def words(seed, a, b, count):
    """The first `count` words of rng_at(seed, STREAM_EVALUATE, a, b)."""
    key = [seed & 0xFFFFFFFF, (seed >> 32) ^ (EVALUATE << 24)]
    place = philox(np.array([a & 0xFFFFFFFF, a >> 32, b & 0xFFFFFFFF, b >> 32], np.uint64), key)
    start = sum(int(w) << (32 * i) for i, w in enumerate(place))
    blocks = [[(start + j >> (32 * i)) & 0xFFFFFFFF for i in range(4)] for j in range((count + 3) // 4)]
    return philox(np.array(blocks, np.uint64), key).reshape(-1)[:count]


def below(w, n):
    """rng_below for words none of which is refused: n is far below 2^32, so one in some 10^7 is."""
    product = w * np.uint64(n)
    assert not np.any((product & np.uint64(0xFFFFFFFF)) < (2**32 % n))
    return (product >> np.uint64(32)).astype(int)


def normals(w):
    u, v = (w[0::2].astype(float) + 0.5) * 2.0**-32, w[1::2].astype(float) * 2.0**-32
    return (np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v)).astype(np.float32)


# ---- figures --------------------------------------------------------------------------------------------


def iou(a, b):
    """Of boxes (n, 4) x0 y0 x1 y1."""
    size = np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None)
    area = lambda x: (x[:, 2] - x[:, 0]) * (x[:, 3] - x[:, 1])  # noqa: E731
    both = size[:, 0] * size[:, 1]
    return both / (area(a) + area(b) - both)


def region_boxes(centres, region):
    """Of centres (n, N', 2); not cut off at the image's edges."""
    x = centres[:, region].astype(float)
    return np.concatenate([x - HALF[region], x + HALF[region]], axis=1)


def landmarks(train_x, train_boxes, x, boxes, side):
    middle = lambda b: np.concatenate([(v[:, :2] + v[:, 2:]) / 2 - 0.5 for v in b], axis=1)  # noqa: E731
    y_train, y = middle(train_boxes), middle(boxes)
    m, s, my, sy = train_x.mean(0), train_x.std(0), y_train.mean(0), y_train.std(0)
    w = np.linalg.lstsq((train_x - m) / s, (y_train - my) / sy, rcond=1e-9)[0]
    told = (x - m) / s @ w * sy + my
    off = np.linalg.norm((told - y).reshape(len(y), -1, 2), axis=2) / side
    return off.mean(), (off < 0.05).mean()


def balanced(told, truth):
    return np.mean([np.mean(told[truth == k] == k) for k in np.unique(truth)])


def mmd(x, y):
    m, d = x.shape
    k = lambda a, b: (a @ b.T / d + 1) ** 3  # noqa: E731
    xx, yy = k(x, x), k(y, y)
    pairs = m * (m - 1)
    return (xx.sum() - np.trace(xx)) / pairs + (yy.sum() - np.trace(yy)) / pairs - 2 * k(x, y).mean()


def shuffled(n, most, subset, side):
    """The first `most` of a shuffle of n rows, as eval_kid_subset draws them."""
    rows, w = list(range(n)), words(0, subset, side, most)
    for i in range(most):
        j = i + int(below(w[i : i + 1], n - i)[0])
        rows[i], rows[j] = rows[j], rows[i]
    return rows[:most]


def kid(x, y):
    """Whole sets where they are equally large and small enough, else subsets of the smaller one's size."""
    most = min(len(x), len(y), 1000)
    subsets = 1 if most == len(x) == len(y) else 100
    return np.mean([mmd(x[shuffled(len(x), most, i, 0)], y[shuffled(len(y), most, i, 1)]) for i in range(subsets)])


def fid(x, y):
    s1, s2 = np.cov(x.T), np.cov(y.T)
    values, vectors = np.linalg.eigh(s1)
    half = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
    root = np.sqrt(np.clip(np.linalg.eigvalsh(half @ s2 @ half), 0, None)).sum()
    return np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(s1) + np.trace(s2) - 2 * root


def squared(x, y):
    return np.array([[np.sum((a - b) ** 2) for b in y] for a in x])


def covered(x, y):
    yy = squared(y, y)
    np.fill_diagonal(yy, np.inf)
    return np.mean(np.any(squared(x, y) <= np.sort(yy, axis=1)[:, 2].astype(np.float32), axis=1))


def one_nn(x, y):
    both = np.concatenate([x, y])
    d = squared(both, both)
    np.fill_diagonal(d, np.inf)
    side = np.arange(len(both)) < len(x)
    return np.mean(side[np.argmin(d, axis=1)] == side)


def mode_score(p, real):
    share = np.bincount(real, minlength=p.shape[1]).astype(float)
    share[share == 0] = 0.5
    share /= len(real)
    mean = p.mean(0)
    return np.exp(np.mean(np.sum(p * np.log(p / mean), axis=1)) - np.sum(mean * np.log(mean / share)))


def modes(told, truth, names):
    """How many of the classes that occur are told at least half as often, and which are not."""
    there, wanted = (np.bincount(x, minlength=len(names)) for x in (told, truth))
    missing = [name for name, a, b in zip(names, there, wanted) if 2 * a < b]
    return np.sum(wanted > 0) - len(missing), missing


# ---- sliced Wasserstein ---------------------------------------------------------------------------------

TAP = np.array([1, 4, 6, 4, 1]) / 16


def blur(x):
    for axis in 1, 2:
        pad = [(0, 0)] * 4
        pad[axis] = (2, 2)
        wide = np.pad(x, pad, "reflect")
        x = sum(t * np.take(wide, range(k, k + x.shape[axis]), axis) for k, t in enumerate(TAP))
    return x


def pyramid(x):
    levels = []
    while x.shape[1] // 2 >= 16:
        small = blur(x)[:, ::2, ::2]
        apart = np.zeros_like(x)
        apart[:, ::2, ::2] = small
        levels.append(x - 4 * blur(apart))
        x = small
    return levels + [x]


def patches(images, level):
    out = []
    for i, image in enumerate(images):
        at = below(words(level + 1, i, 0, 256), image.shape[0] - 6)
        out += [image[y : y + 7, x : x + 7] for x, y in zip(at[0::2], at[1::2])]
    out = np.array(out)
    return ((out - out.mean((0, 1, 2))) / out.std((0, 1, 2))).reshape(len(out), -1)


@functools.cache
def directions(level):
    x = np.array([normals(words(level + 1, d, 1, 2 * 147)) for d in range(512)])
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def sliced(a, b, level):
    return 1000 * np.mean([np.abs(np.sort(a @ u) - np.sort(b @ u)).mean() for u in directions(level)])


# ---- all of it ------------------------------------------------------------------------------------------


def near(name, found, wanted, tolerance=1e-5):
    close = found is not None and math.isclose(found, wanted, rel_tol=tolerance, abs_tol=1e-9)
    check(f"evaluate: {name}", close, f"{found}, wanted {wanted}")


def check_regions(said, data, arrays, groups):
    for domain, group in groups.items():
        test, train = data[f"{group}/test"], data[f"{group}/train"]
        x, x_train = arrays[f"{domain}_test/centres"][:], arrays[f"{domain}_train/centres"][:]
        for part, region in bindings(BOUND).items():
            boxes, f = test[f"parts/{part}"][:], said["regions"][domain][part]
            there = boxes[:, 0] >= 0
            distance, inside = errors(x[:, region], boxes)
            near(f"{domain} {part}: median", f["median_px"], np.median(distance))
            near(f"{domain} {part}: 90 %", f["p90_px"], np.quantile(distance, 0.9))
            near(f"{domain} {part}: inside", f["inside"], inside.mean())
            near(f"{domain} {part}: IoU", f["iou"], iou(region_boxes(x[there], region), boxes[there] - 0.5).mean())
            near(f"{domain} {part}: images", f["images"], there.sum())
        pairs = [iou(region_boxes(x, a), region_boxes(x, b)).mean() for a in range(4) for b in range(a)]
        near(f"{domain}: overlap", said["regions"][domain]["overlap"], np.mean(pairs))
        shown = [p for p in test["parts"] if all(np.all(s[f"parts/{p}"][:, 0] >= 0) for s in (train, test))]
        nme, pck = landmarks(x_train.reshape(len(x_train), -1).astype(float), [train[f"parts/{p}"][:] for p in shown],
                             x.reshape(len(x), -1).astype(float), [test[f"parts/{p}"][:] for p in shown], 64)
        near(f"{domain}: landmarks", said["regions"][domain]["landmarks"], len(shown))
        # An untrained encoder's regions hardly move: standardising magnifies the last bits of their centres.
        near(f"{domain}: NME", said["regions"][domain]["nme"], nme, 1e-4)
        near(f"{domain}: PCK", said["regions"][domain]["pck"], pck)


def check_labels(said, data, arrays, groups):
    target = data[f"{groups['target']}/test/labels"]
    first = 0
    told = {d: arrays[f"{d}_test/told"][:] for d in groups}
    for k, name in enumerate(list(bindings(BOUND)) + ["skin"]):
        for d, group in groups.items():
            near(f"{name}: DAE on {d}", said["labels"][name][f"dae_{d}"],
                 balanced(told[d][k], data[f"{group}/test/labels/{name}"][:]))
    for name in NAMES:
        truth, f = target[name][:], said["labels"][name]
        classes = len(target[name].attrs["classes"])
        p = {of: arrays[f"{of}/probabilities"][:, first : first + classes] for of in ("fake", "target_test")}
        first += classes
        fake, real = p["fake"].argmax(1), p["target_test"].argmax(1)
        train = data[f"{groups['target']}/train/labels/{name}"][:]
        near(f"{name}: kept", f["kept"], np.mean(fake == truth))
        near(f"{name}: on real", f["kept_on_real"], np.mean(real == truth))
        if np.any(real == truth):
            near(f"{name}: kept, of what is found in real ones", f["kept_share"], np.mean(fake == truth) / np.mean(real == truth))
        near(f"{name}: kept, balanced", f["kept_balanced"], balanced(fake, truth))
        near(f"{name}: on real, balanced", f["kept_balanced_on_real"], balanced(real, truth))
        near(f"{name}: MODE", f["mode_score"], mode_score(p["fake"].astype(float), train))
        near(f"{name}: MODE of real", f["mode_score_real"], mode_score(p["target_test"].astype(float), train))
        names = [c.decode() if isinstance(c, bytes) else c for c in target[name].attrs["classes"]]
        present, missing = modes(fake, truth, names)
        wanted = present, modes(real, truth, names)[0], len(np.unique(truth)), ", ".join(missing)
        found = f["modes_present"], f["modes_present_real"], f["modes"], f["modes_missing"]
        check(f"evaluate: {name}: modes", found == wanted, wanted)


def check_distributions(said, arrays):
    feature = {of: arrays[f"{of}/features"][:].astype(float)
               for of in ("fake", "target_test", "source_train", "target_train")}
    fake, real, train = feature["fake"], feature["target_test"], feature["target_train"]
    f = said["distributions"]
    # Differences of sums of products in float32: an error of 1e-6 of the sums is 1e-4 of a difference of 1 % of them.
    near("KID of the domains", f["kid_domains"], kid(train, feature["source_train"]), 1e-3)
    for which, x in ("value", fake), ("real", train[: len(fake)]):
        near(f"KID, {which}", f["kid"][which], kid(x, real), 1e-3)
        near(f"KID over that of the domains, {which}", f["kid_ratio"][which], f["kid"][which] / f["kid_domains"])
        near(f"Frechet distance, {which}", f["fid"][which], fid(x, real), 1e-4)
        near(f"precision, {which}", f["precision"][which], covered(x, real))
        near(f"recall, {which}", f["recall"][which], covered(real, x))
        near(f"1-NN, {which}", f["one_nn"][which], one_nn(x, real))


def check_pixels(said, data, arrays, groups):
    real, train = (data[f"{groups['target']}/{split}/images"][:].astype(float) for split in ("test", "train"))
    fake = arrays["fake/images"][:].astype(float)
    levels = [pyramid(x) for x in (fake, real, train[: len(fake)])]
    swd = said["distributions"]
    for which in "value", "real":
        near(f"sliced Wasserstein, mean, {which}", swd["swd"][which], np.mean([swd[f"swd_{i}"][which] for i in range(3)]))
    for level in range(3):
        a, b, c = (patches(x[level], level) for x in levels)
        f = swd[f"swd_{level}"]
        near(f"sliced Wasserstein, level {level}", f["value"], sliced(a, b, level), 1e-4)
        near(f"sliced Wasserstein of real, level {level}", f["real"], sliced(c, b, level), 1e-4)
    mean = lambda x, y: np.abs(x - y).mean((1, 2, 3)) / 255  # noqa: E731
    f = said["distances"]["pixels"]
    near("pixels to partner", f["partner"], mean(fake, real).mean())
    near("pixels to nearest", f["nearest"], np.mean([mean(x, train).min() for x in fake]))
    near("pixels of partner to nearest", f["partner_nearest"], np.mean([mean(x, train).min() for x in real]))
    x, y, t = (arrays[f"{of}/features"][:] for of in ("fake", "target_test", "target_train"))
    rms = lambda a, b: np.sqrt(np.mean((a.astype(float) - b) ** 2, axis=-1))  # noqa: E731
    f = said["distances"]["features"]
    near("features to partner", f["partner"], rms(x, y).mean())
    near("features to nearest", f["nearest"], np.mean([rms(a, t).min() for a in x]))
    near("features of partner to nearest", f["partner_nearest"], np.mean([rms(a, t).min() for a in y]))


def main():
    groups = dict(zip(("source", "target"), sys.argv[4:]))
    with open(sys.argv[2]) as f:
        said = json.load(f)
    with h5py.File(sys.argv[1]) as data, h5py.File(sys.argv[3]) as arrays:
        check_regions(said, data, arrays, groups)
        check_labels(said, data, arrays, groups)
        check_distributions(said, arrays)
        check_pixels(said, data, arrays, groups)


if __name__ == "__main__":
    main()
