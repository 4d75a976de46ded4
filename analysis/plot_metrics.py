#!/usr/bin/python3
"""Compares runs: their losses, speed and whatever else metrics.csv holds, one panel for each column.

RUN is a run directory, a metrics.csv or a checkpoint.  Prints the last values and draws the curves, smoothed by a
running mean of --smooth rows, over --x.  Losses are drawn from the first step at which they are computed.
"""
import argparse
import fnmatch
from pathlib import Path

import matplotlib

from files import computed, mistake, read_metrics, smoothed

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402  after the backend is chosen

COLUMNS = ["loss_*", "label_accuracy", "norm_*", "rate_*", "pairs_per_s", "peak_mib"]


def name_of(path):
    path = Path(path)
    return path.parent.name if path.name == "metrics.csv" else path.name or path.resolve().name


def draw(runs, columns, x_name, smooth):
    across = min(3, len(columns))
    down = -(-len(columns) // across)
    figure, axes = plt.subplots(down, across, figsize=(4.2 * across, 2.6 * down), squeeze=False, layout="constrained")
    for ax, column in zip(axes.flat, columns):
        for i, (name, m) in enumerate(runs.items()):
            if column not in m:
                continue
            there = computed(column, m[column])
            x, y = m[x_name][there], m[column][there]
            if smooth > 1:
                ax.plot(x, y, color=f"C{i % 10}", alpha=0.25, linewidth=0.7)
            ax.plot(x, smoothed(y, smooth), color=f"C{i % 10}", linewidth=1.4, label=name)
        ax.set_title(column, fontsize=10, loc="left")
        ax.grid(alpha=0.25)
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    for ax in axes.flat[len(columns) :]:
        ax.remove()
    handles = {label: h for ax in axes.flat[: len(columns)] for h, label in zip(*ax.get_legend_handles_labels())}
    if len(runs) > 1:
        figure.legend(
            handles.values(),
            handles.keys(),
            loc="lower center",
            bbox_to_anchor=(0.5, 1),
            ncol=min(4, len(runs)),
            frameon=False,
        )  # above the figure: saved with it by bbox_inches
    figure.supxlabel(x_name, fontsize=9)
    return figure


def print_table(runs, columns):
    width = max(map(len, columns)) + 2
    print("last row".ljust(width) + "".join(f"{name:>18}" for name in runs))
    for column in ["step", *columns]:
        there = lambda m: column in m and computed(column, m[column])[-1]
        cells = (f"{m[column][-1]:.5g}" if there(m) else "-" for m in runs.values())
        print(column.ljust(width) + "".join(f"{cell:>18}" for cell in cells))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="+", metavar="RUN")
    parser.add_argument(
        "--columns", default=",".join(COLUMNS), metavar="A,B", help="names or patterns; default %(default)s"
    )
    parser.add_argument("--x", default="step", metavar="COLUMN", help="step, epoch, seconds or another column")
    parser.add_argument("--smooth", type=int, default=5, metavar="ROWS", help="1: as logged; default %(default)s")
    parser.add_argument(
        "--output", default="metrics.png", metavar="FILE", help=".png, .svg or .pdf; default %(default)s"
    )
    args = parser.parse_args()

    runs = {}
    for path in args.run:
        name = name_of(path) if name_of(path) not in runs else str(path)
        runs[name] = read_metrics(path)
        if args.x not in runs[name]:
            mistake(f"{path}: has no column {args.x}, only {', '.join(runs[name])}")
    there = list(dict.fromkeys(c for m in runs.values() for c in m))
    columns = [c for pattern in args.columns.split(",") for c in there if fnmatch.fnmatchcase(c, pattern)]
    columns = list(dict.fromkeys(columns))
    if not columns:
        mistake(f"--columns {args.columns}: found none of these, only {', '.join(there)}")
    print_table(runs, columns)
    try:
        draw(runs, columns, args.x, max(1, args.smooth)).savefig(args.output, dpi=130, bbox_inches="tight")
    except (OSError, ValueError) as e:
        mistake(f"{args.output}: {e}")
    print(f"drawn into {args.output}")


if __name__ == "__main__":
    main()
