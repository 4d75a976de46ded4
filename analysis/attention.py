#!/usr/bin/python3
"""Where the regions of a checkpoint look: drawn on images, as statistics, as CSV.

A checkpoint keeps, for each training image, the centres predicted at its last visit (/attention).  Written to --output:

  DOMAIN-regions.png  training images with their regions; parts of the data set dashed
  DOMAIN-heat.png     where the centres of each region fall over the whole training set, on the mean image
  centres.csv         a line for each image and region: domain, row, step, region, x, y, and where the region is bound to a
                      part of the data set: part, its distance in pixels, inside (0 or 1); a line for each part if to several

Parts serve this measurement only; training never reads them.
"""
import argparse
import csv
from pathlib import Path

from files import COLOURS, Checkpoint, Split, find_data, mistake, part_of, pyplot
from region_error import errors

import numpy as np

DOMAINS = "source", "target"


# ---- statistics --------------------------------------------------------------------------------------


def overlap(centres, half):
    """Mean share of region i that region j covers, (N', N')."""
    apart = np.abs(centres[:, :, None] - centres[:, None])  # (n, N', N', 2)
    mine, other = half[:, None], half[None]
    return np.prod(np.clip(mine + other - apart, 0, 2 * np.minimum(mine, other)) / (2 * mine), axis=-1).mean(axis=0)


def cut(centres, half, size):
    """Share of images in which a region's box reaches over the image's edge, (N')."""
    return np.any((centres - half < -0.5) | (centres + half > size - 0.5), axis=-1).mean(axis=0)


def part_errors(attention, parts):
    """{part: (region, rows, distances, inside)} over the visited images that show the part."""
    found = {}
    for part, region in part_of(attention, parts).items():
        rows = np.flatnonzero(attention.seen & (parts[part][:, 0] >= 0))
        found[part] = (region, rows, *errors(attention.centres[rows, region], parts[part][rows]))
    return found


def print_statistics(domain, a, split):
    centres, parts, file = a.centres[a.seen], split.parts, split.file.filename
    shown = f", shown on {file}" if Path(file).name != Path(a.data[0]).name else ""
    print(
        f"{domain}: {a.data[0]}:/{a.data[1]}/{a.data[2]}{shown}, {a.seen.sum()} of {len(a.seen)} images visited"
        + (f", last at steps {a.step[a.seen].min()} to {a.step.max()}" if a.seen.any() else "")
    )
    if not a.seen.any():
        return
    shared = overlap(centres, a.half)
    np.fill_diagonal(shared, 0)
    errs = [(region, part, d, inside) for part, (region, _, d, inside) in part_errors(a, parts).items() if len(d)]
    print(
        f"  {'region':24} {'mean x':>6} {'mean y':>6} {'sd x':>5} {'sd y':>5} {'cut':>5} {'covered':>14}"
        f"  {'part':10} {'median px':>9} {'90% px':>7} {'inside':>7}"
    )
    for r in range(a.regions):
        mean, sd = centres[:, r].mean(axis=0), centres[:, r].std(axis=0)
        by = int(np.argmax(shared[r]))
        covered = f"{shared[r, by]:.0%} by {by}" if a.regions > 1 else "-"
        line = (
            f"  {a.name(r):24} {mean[0]:6.1f} {mean[1]:6.1f} {sd[0]:5.1f} {sd[1]:5.1f} "
            f"{cut(centres, a.half, a.size)[r]:5.0%} {covered:>14}"
        )
        told = [
            f"  {part:10} {np.median(d):9.2f} {np.quantile(d, 0.9):7.2f} {inside.mean():7.1%}"
            for region, part, d, inside in errs
            if region == r
        ]
        print(line + "".join(told[:1]))
        for more in told[1:]:
            print(" " * len(line) + more)


def write_csv(path, attention, parts):
    with open(path, "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow("domain row step region x y part distance inside".split())
        for domain, a in attention.items():
            found = {}
            for part, (region, rows, distance, inside) in part_errors(a, parts[domain]).items():
                for row, d, i in zip(rows, distance, inside):
                    found.setdefault((row, region), []).append((part, f"{d:.3f}", int(i)))
            for row in np.flatnonzero(a.seen):
                for r, (x, y) in enumerate(a.centres[row]):
                    for part in found.get((row, r), [("", "", "")]):
                        out.writerow([domain, row, a.step[row], r, f"{x:.3f}", f"{y:.3f}", *part])


# ---- pictures ----------------------------------------------------------------------------------------


def draw_image(ax, image, a, row, parts):
    """One image, its regions, and the parts to which regions are bound."""
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    outline = [withStroke(linewidth=1.6, foreground="white")]
    ax.imshow(image, interpolation="nearest")
    for part, region in part_of(a, parts).items():
        x0, y0, x1, y1 = parts[part][row]
        if x0 >= 0:
            ax.add_patch(
                Rectangle(
                    (x0 - 0.5, y0 - 0.5),
                    x1 - x0,
                    y1 - y0,
                    fill=False,
                    linestyle=(0, (2, 1.5)),
                    linewidth=0.8,
                    edgecolor=COLOURS[region % 8],
                )
            )
    for r, ((x, y), (w, h)) in enumerate(zip(a.centres[row], a.half)):
        ax.add_patch(
            Rectangle(
                (x - w, y - h), 2 * w, 2 * h, fill=False, linewidth=1.2, edgecolor=COLOURS[r % 8]
            )
        )
        ax.text(
            x,
            y,
            str(r),
            color=COLOURS[r % 8],
            fontsize=6,
            weight="bold",
            ha="center",
            va="center",
            path_effects=outline,
        )
    ax.set(xlim=(-0.5, a.size - 0.5), ylim=(a.size - 0.5, -0.5), xticks=[], yticks=[])
    ax.set_xlabel(f"row {row}, step {a.step[row]}", fontsize=5, labelpad=2)
    ax.spines[:].set_visible(False)


def draw_regions(a, split, rows):
    across = min(8, len(rows))
    down = -(-len(rows) // across)
    figure, axes = pyplot().subplots(down, across, figsize=(1.3 * across, 1.4 * down), squeeze=False, layout="constrained")
    for ax, row in zip(axes.flat, rows):
        draw_image(ax, split.image(row), a, row, split.parts)
    for ax in axes.flat[len(rows) :]:
        ax.remove()
    return figure


def heat(centres, size):
    """Images whose centre falls on each pixel, (size, size)."""
    edges = np.arange(size + 1) - 0.5
    return np.histogram2d(centres[:, 1], centres[:, 0], bins=(edges, edges))[0]


def mean_image(split, size, most=1000):
    """The mean of up to `most` images spread over the split, as grey in [0, 1]."""
    total, rows = np.zeros((size, size)), np.unique(np.linspace(0, len(split.images) - 1, most).astype(int))
    for row in rows:
        total += split.image(row).mean(axis=2)
    return total / (255 * len(rows))


def draw_heat(a, split):
    figure, axes = pyplot().subplots(1, a.regions, figsize=(2 * a.regions, 2.2), squeeze=False, layout="constrained")
    grey = mean_image(split, a.size)
    for r, ax in enumerate(axes.flat):
        h = heat(a.centres[a.seen, r], a.size)
        ax.imshow(grey, cmap="gray", vmin=-0.6, vmax=1)
        ax.imshow(h, cmap="inferno", alpha=np.sqrt(h / max(h.max(), 1)))
        ax.set_title(a.name(r), fontsize=7, color=COLOURS[r % 8])
        ax.set(xticks=[], yticks=[])
    return figure


# ---- the command -------------------------------------------------------------------------------------


def rows_wanted(text, a):
    """The rows named by the user, else some spread over those that were visited."""
    if not text:
        seen = np.flatnonzero(a.seen)
        return seen[np.unique(np.linspace(0, len(seen) - 1, min(24, len(seen))).astype(int))] if len(seen) else seen
    for word in text.split(","):
        if not word.strip().isdecimal() or int(word) >= len(a.seen):
            mistake(f"--rows: found {word!r}, wanted numbers from 0 to {len(a.seen) - 1}")
        if not a.seen[int(word)]:
            mistake(f"--rows: row {word} was never visited")
    return np.array([int(word) for word in text.split(",")])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", metavar="CKPT")
    parser.add_argument("--domain", choices=DOMAINS, help="default: both")
    parser.add_argument("--rows", metavar="A,B", help="training images to draw; default 24 spread over the set")
    parser.add_argument("--data", metavar="FILE", nargs="+", help="the data sets, if they are not where the run found them")
    parser.add_argument("--output", metavar="FOLDER", help="default: CKPT without .h5, and -attention")
    args = parser.parse_args()

    checkpoint = Checkpoint(args.checkpoint)
    folder = Path(args.output or str(checkpoint.path.with_suffix("")) + "-attention")
    attention = {d: checkpoint.attention(d) for d in ([args.domain] if args.domain else DOMAINS)}
    splits = {}
    for domain, a in attention.items():
        file = find_data(*a.data[:2], args.data)
        if not file:
            mistake(f"{a.data[0]}: no such file; --data names the data set")
        splits[domain] = Split(file, *a.data[1:])
        splits[domain].expect(a.size, len(a.seen))
    figures = {}
    for domain, a in attention.items():
        rows = rows_wanted(args.rows, a)
        print_statistics(domain, a, splits[domain])
        if len(rows):
            figures[f"{domain}-regions.png"] = draw_regions(a, splits[domain], rows)
            figures[f"{domain}-heat.png"] = draw_heat(a, splits[domain])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            figure.savefig(folder / name, dpi=160)
        write_csv(folder / "centres.csv", attention, {d: s.parts for d, s in splits.items()})
    except OSError as e:
        mistake(f"{folder}: {e.strerror}")
    print(f"written to {folder}/")


if __name__ == "__main__":
    main()
