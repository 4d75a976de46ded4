#!/usr/bin/python3
"""Compares runs: their losses, speed and whatever else metrics.csv holds, one panel for each column.

RUN is a run directory, a metrics.csv or a checkpoint.  Draws the curves over --x and prints where they end, both smoothed
by a running mean of --smooth rows.  Losses are drawn from the first step at which they are computed.
"""
import argparse
import fnmatch
import os
from pathlib import Path

from files import computed, mistake, pyplot, read_metrics, smoothed

COLUMNS = ["loss_*", "label_accuracy", "norm_*", "rate_*", "pairs_per_s", "peak_mib"]
UNITS = {  # of the columns that a pattern matches
    "loss_*": "loss, unweighted",
    "label_accuracy": "share told rightly",
    "norm_*": "norm of the gradient",
    "rate_*": "step size of Adam",
    "pairs_per_s": "pairs per second",
    "peak_mib": "MiB",
    "seconds": "s",
    "*_s": "s",
}


def names_of(paths):
    """Each path by as many of its last parts as tell all of them apart."""
    parts = [Path(os.path.abspath(p)).parts for p in paths]
    parts = [p[:-1] if p[-1] == "metrics.csv" else p for p in parts]
    most = max(map(len, parts))
    shortest = next((n for n in range(1, most) if len({p[-n:] for p in parts}) == len(set(parts))), most)
    return [str(Path(*p[-shortest:])) for p in parts]


def unit_of(column):
    return next((unit for pattern, unit in UNITS.items() if fnmatch.fnmatchcase(column, pattern)), column)


def draw(runs, columns, x_name, smooth):
    across = min(3, len(columns))
    down = -(-len(columns) // across)
    figure, axes = pyplot().subplots(down, across, figsize=(4.2 * across, 2.6 * down), squeeze=False, layout="constrained")
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
        ax.set_ylabel(unit_of(column), fontsize=8)
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


def last_value(m, column, smooth):
    """Where the curve of the picture ends."""
    there = computed(column, m[column]) if column in m else [False]
    return f"{smoothed(m[column][there], smooth)[-1]:.5g}" if there[-1] else "-"


def print_table(runs, columns, smooth):
    lines = [["last, smoothed" if smooth > 1 else "last row", *runs]]
    lines.append(["step", *(f"{m['step'][-1]:.0f}" for m in runs.values())])
    lines += [[column, *(last_value(m, column, smooth) for m in runs.values())] for column in columns if column != "step"]
    first, other = max(len(line[0]) for line in lines), max(len(cell) for line in lines for cell in line[1:]) + 2
    for name, *cells in lines:
        print(name.ljust(first) + "".join(cell.rjust(other) for cell in cells))


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

    runs, smooth = {}, max(1, args.smooth)
    for path, name in zip(args.run, names_of(args.run)):
        runs[name] = read_metrics(path)
        if args.x not in runs[name]:
            mistake(f"{path}: has no column {args.x}, only {', '.join(runs[name])}")
    there = list(dict.fromkeys(c for m in runs.values() for c in m))
    columns = [c for pattern in args.columns.split(",") for c in there if fnmatch.fnmatchcase(c, pattern)]
    columns = list(dict.fromkeys(columns))
    if not columns:
        mistake(f"--columns {args.columns}: found none of these, only {', '.join(there)}")
    print_table(runs, columns, smooth)
    try:
        draw(runs, columns, args.x, smooth).savefig(args.output, dpi=130, bbox_inches="tight")
    except (OSError, ValueError) as e:
        mistake(f"{args.output}: {e}")
    print(f"drawn into {args.output}")


if __name__ == "__main__":
    main()
