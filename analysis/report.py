#!/usr/bin/python3
"""Writes a run as one HTML page that needs nothing else: losses, samples, regions, evaluation, configuration, machine.

The page goes to RUN/report.html and can be mailed or opened offline.  What dagan_mpi keeps in RUN is all it is made
from, with one exception: regions and translations of test images are computed by `dagan_mpi translate` from the newest
checkpoint, in seconds, or taken from files that it wrote before (--translated).  RUN may still be training.  A model
without regions gets a page without them; what cannot be read is left out, and page and stderr say so.
"""
import argparse
import sys
import tempfile
import time
from pathlib import Path

from files import ROOT, mistake, said
from reporting import evaluation, images, places, run as about
from reporting.page import document, esc, number

WHEN = "%Y-%m-%d %H:%M"


def footer(run):
    made = {}
    for split in run.splits.values():
        words = [str(split.domain[k]) for k in ("attribution", "license") if split.domain.get(k)]
        if words:
            made[split.name.split("/")[0]] = " · ".join(words)
    credit = "<br>".join(f"{esc(group)}: {esc(text)}" for group, text in made.items())
    return f"<p>Made by analysis/report.py on {time.strftime(WHEN)}.</p>" + (f"<p>Images. {credit}</p>" if made else "")


def build(args, folder):
    run = about.open_run(args.run, args.data)
    program = None if args.no_translate else args.program
    shown, trouble = images.open_images(run, folder, program, args.translated) if run.attention else ({}, [])
    newest, c = run.newest, run.newest.config
    written = time.strftime(WHEN, time.localtime(newest.stat.st_mtime))
    title = Path(c["run.dir"]).name or str(args.run)
    kind = f"N′ = {run.attention['source'].regions}" if run.attention else f"{c['model.kind']} without regions"
    subtitle = (
        f"{c['data.source.group']} → {c['data.target.group']}, images of {c['data.size']}×{c['data.size']}, {kind}, "
        f"seed {newest.attrs['seed']}; weights after step {number(newest.step)}, written {written}"
    )
    about_regions = [
        ("regions", "Regions", lambda: images.regions(run, shown, trouble, args.images)),
        ("heat", "Where regions look", lambda: places.heat_maps(run)),
        ("drift", "Drift of centres", lambda: places.drift(run)),
    ]
    sections = [
        ("samples", "Samples over time", about.samples(run, args.samples)),
        ("losses", "Losses", about.losses(run)),
        ("timing", "Rates and timing", about.times(run)),
        *((name, heading, make()) for name, heading, make in about_regions if run.attention),
        ("evaluation", "Evaluation", evaluation.section(run)),
        ("config", "Configuration", about.configuration(run)),
        ("machine", "Machine", about.machine(run)),
    ]
    # Made last: it says what could not be read on the way.
    sections.insert(0, ("overview", "Overview", about.overview(run, shown)))
    for text in run.wrong:
        print(said(f"left out: {text}"), file=sys.stderr)
    return document(title, subtitle, sections, footer(run))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("run", metavar="RUN", type=Path)
    add("--output", metavar="FILE", type=Path, help="default: RUN/report.html")
    add("--images", type=int, default=12, metavar="N", help="test images shown of each domain; default %(default)s")
    add("--samples", type=int, default=40, metavar="N", help="pictures of samples/ at most; default %(default)s")
    add("--data", metavar="FILE", nargs="+", help="the data sets, if they are not where the run found them")
    add("--translated", metavar="FILE", nargs="+", default=[], help="what translate wrote of the test splits as .h5")
    add("--program", metavar="FILE", default=ROOT / "dagan_mpi", help="default: the project's dagan_mpi")
    add("--no-translate", action="store_true", help="show training images instead of computing test images")
    args = parser.parse_args()
    if args.images < 0:
        mistake(f"--images: found {args.images}, wanted 0 or more")

    with tempfile.TemporaryDirectory() as folder:
        text = build(args, folder)
    output = args.output or args.run / "report.html"
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as e:
        mistake(f"{output}: {e.strerror}")
    print(f"{output}, {len(text.encode()) / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
