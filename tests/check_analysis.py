#!/usr/bin/python3
"""What analysis/ made of a run, against what the run's files hold, computed here anew.

check_analysis.py report HTML RUN TRANSLATED_SOURCE TRANSLATED_TARGET PROGRAM
check_analysis.py whole HTML WORDS       the same of a model without regions, whose subtitle has these words
check_analysis.py attention FOLDER CKPT PRINTED
check_analysis.py shared FOLDER PRINTED  attention where all labels hang on region 0
check_analysis.py metrics PRINTED RUN
check_analysis.py functions              of files.py and reporting/
check_analysis.py evaluation STEP OUTPUT writes what evaluate would of that step
check_analysis.py cut CKPT OUTPUT        copies the first half of a file
check_analysis.py hide PART DATA OUTPUT  copies a data set in which no test image shows that part
check_analysis.py alone GROUP DATA OUTPUT  copies one domain of a data set
check_analysis.py untested DATA OUTPUT   copies the training images of a data set
check_analysis.py rowless CKPT OUTPUT    copies a checkpoint without its rows of metrics
check_analysis.py spoil DATA OUTPUT      copies a data set of which the first training images of adventurer cannot be read
check_analysis.py shorten DATA OUTPUT    copies a data set in which those images have half as many boxes of eyes
check_analysis.py other ROWS SIZE DATA OUTPUT  copies so many black training images of a data set, of that size
"""
import base64
import csv
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np

from check_files import check, png_size

HALF, DATA = 10, "data/faces.h5"
BOUND = {"eyes": 0, "mouth": 1, "glasses": 2, "hair": 3}
DOMAINS = {"source": "adventurer", "target": "lorelei"}
FIGURES = {  # of evaluate, as far as the report is tested on them
    "images": 300,
    "source": "data/faces.h5:/adventurer/test",
    "target": "data/faces.h5:/lorelei/test",
    "classifier": "32916b52f8fb20e8",
    "classifier_groups": ["lorelei", "lorelei"],
    "regions": {
        domain: {
            "eyes": {"region": 0, "images": 300, "median_px": 1.652, "p90_px": 2.996, "inside": 0.99, "iou": 0.6512},
            "glasses": {"region": 2, "images": 0, "median_px": None, "p90_px": None, "inside": None, "iou": None},
            **{"overlap": 0.1588, "landmarks": 4, "nme": 0.02483, "pck": 0.9058},
        }
        for domain in DOMAINS
    },
    "labels": {
        "eyes": {
            **{"classes": 5, "dae_source": 0.8127, "dae_target": 0.7713, "kept": 0.5433, "kept_on_real": 0.66},
            **{"kept_share": 0.8232, "kept_balanced": 0.5471, "kept_balanced_on_real": 0.6487, "mode_score": 2.761},
            **{"mode_score_real": 3.218, "modes_present": 4, "modes_present_real": 3, "modes": 5, "modes_real": 4,
               "modes_missing": "wink"},
        },
        "skin": {"classes": 5, "dae_source": 1, "dae_target": None},
    },
    "distributions": {
        "kid": {"value": 0.0123, "real": 4.5e-5},
        "kid_domains": 770220.87,
        "kid_ratio": {"value": 0.083, "real": None},
        "one_nn": {"value": 0.1417, "real": 0.5517},
        "swd": {"value": 14.53, "real": 13.33},
        "swd_0": {"value": 14.86, "real": 10.59},
    },
    "distances": {"pixels": {"partner": 0.05115, "nearest": 0.05846, "partner_nearest": 0.05221}},
}
VOID = {"meta", "link", "input", "br", "img"}
LOADS = {
    "src",
    "srcset",
    "href",
    "xlink:href",
    "poster",
    "action",
    "formaction",
    "data",
    "background",
    "ping",
    "manifest",
}


def distances(centres, boxes):
    """From each centre to the middle of its box, whose last pixel is x1 - 1; only where there is a box."""
    there = boxes[:, 0] >= 0
    middle = np.stack([(boxes[:, 0] + boxes[:, 2] - 1) / 2, (boxes[:, 1] + boxes[:, 3] - 1) / 2], axis=1)
    return np.sqrt(((centres - middle) ** 2).sum(axis=1))[there], np.flatnonzero(there)


# ---- report ------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Every element, what it would load, and the words of each section."""

    def __init__(self):
        super().__init__()
        self.open, self.loads, self.scripts, self.styles, self.ids = [], [], [], [], []
        self.crossed, self.section, self.text, self.images = [], None, {}, []
        self.rows, self.drawings = {}, []  # rows of tables by section; what each drawing is called
        self.chart, self.charts = None, {}  # what the chart begun last holds; by title

    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        self.loads += [(tag, k, v) for k, v in attrs if k in LOADS]
        self.styles += [a["style"]] if "style" in a else []
        self.ids += [a["id"]] if "id" in a else []
        if tag == "section":
            self.section = a["id"]
        if tag == "img":
            self.images.append((a["alt"], a["src"]))
        if "data-chart" in a:
            self.chart = json.loads(a["data-chart"])
        if tag == "tr":
            self.rows.setdefault(self.section, []).append([])
        if tag == "svg" and "svg" not in self.open:
            self.drawings.append(a.get("aria-label") if a.get("role") == "img" else None)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.crossed.append(tag)
        if tag == "section":
            self.section = None

    def handle_data(self, data):
        inside = self.open[-1] if self.open else ""
        if inside == "style":
            self.styles.append(data)
        elif inside == "script":
            self.scripts.append(data)
        else:
            self.text[self.section] = self.text.get(self.section, "") + data + "\n"
        if inside == "strong" and "figcaption" in self.open:
            self.charts[data], self.chart = self.chart and {"section": self.section, **self.chart}, None
        if inside in ("th", "td"):
            self.rows[self.section][-1].append(data.replace("\u00a0", " "))


def check_alone(page, text):
    """The page asks for nothing: no address, no import, no request."""
    outside = [x for x in page.loads if x[2] and not x[2].startswith(("data:", "#"))]
    check("report: no attribute refers to anything outside", not outside, outside)
    styles = [s for s in page.styles if re.search(r"url\(|@import|image-set|src:", s)]
    check("report: no style does", not styles, styles)
    code = "".join(page.scripts)
    asks = re.findall(
        r"fetch|XMLHttpRequest|import|WebSocket|EventSource|sendBeacon|https?:|\.src\b|window\.open|location", code
    )
    check("report: no script does", code and not asks, asks)
    check(
        "report: what links within the page leads somewhere",
        all(v[1:] in page.ids for _, _, v in page.loads if v.startswith("#")),
    )
    check("report: every element is closed in its turn", not page.crossed and not page.open, page.crossed or page.open)
    check("report: it is UTF-8 and says so", '<meta charset="utf-8">' in text[:200])


def check_regions(page, translated):
    """The tables of the regions section, in their order, with the figures of what translate wrote."""
    wanted = []
    for (_, group), path in zip(DOMAINS.items(), translated):
        with h5py.File(DATA) as d, h5py.File(path) as f:
            for part, region in BOUND.items():
                dist, _ = distances(
                    f["centres"][:, region].astype(float), d[f"{group}/test/parts/{part}"][:].astype(float)
                )
                wanted.append([part, str(region), str(len(dist)), f"{np.median(dist):.2f}"])
    found = [row[:4] for row in page.rows["regions"] if row and row[0] in BOUND]
    near = len(found) == len(wanted) and all(
        a[:3] == b[:3] and abs(float(a[3]) - float(b[3])) < 0.011 for a, b in zip(found, wanted)
    )
    check("report: distances are those of the test images", near, (found, wanted))
    text = page.text["regions"]
    check(
        "report: source beside translation, both domains",
        "adventurer/test: s and F(s)" in text and "lorelei/test: t and F(t)" in text,
        text[:300],
    )


SECTIONS = "overview samples losses timing regions heat drift evaluation config machine".split()


def open_page(html, sections):
    text = Path(html).read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    page.close()
    check_alone(page, text)
    check("report: all its sections are there", [i for i in page.ids if i in SECTIONS] == sections, page.ids)
    check(
        "report: none of them is empty",
        all(len(page.text.get(s, "").split()) > 4 for s in sections),
        {s: page.text.get(s) for s in sections},
    )
    mute = re.findall(r'<section id="(\w+)"><h2>[^<]*</h2>(?!<p class="note">)', text)
    check("report: each says first what it shows", not mute, mute)
    check("report: every drawing has a name", page.drawings and all(page.drawings), page.drawings)
    return page


def check_evaluation(page):
    """What FIGURES says, in words and with units."""
    rows, text = page.rows["evaluation"], page.text["evaluation"].replace("\u00a0", " ")
    wanted = [
        ["eyes", "54.3%", "66.0%", "82.3%", "84.3%"],
        ["eyes", "4 of 5", "3 of 4", "2.76", "3.22", "wink"],
        ["adventurer: eyes", "0", "300", "1.65 px", "3.00 px", "99.0%", "0.651"],
        ["lorelei: glasses", "2", "0", "–", "–", "–", "–"],
        ["landmarks within 5% ↑", "90.6%", "90.6%"],
        ["KID over that of the domains ↓", "8.3%", "–"],
        ["KID ↓", "0.0123", "4.5e-5"],
        ["KID of the domains", "770\u202f221"],
        ["pixels", "5.1%", "5.8%", "5.2%"],
        ["skin", "5", "100.0%", "–"],
    ]
    missing = [w for w in wanted if not any(row[: len(w)] == w for row in rows)]
    check("report: the evaluation's figures have names and units", not missing, (missing, rows))
    keys = {k for k in re.findall(r'"(\w+)":', json.dumps(FIGURES)) if "_" in k or len(k) == 3} & set(re.findall(r"\w+", text))
    check("report: it tells what the classifier learned from", "learned from real images of lorelei." in text, text[:900])
    check("report: no key of its JSON is shown", not keys, keys)
    check("report: null in it is nothing", "None" not in text and "nan" not in text, text)
    tiles = page.text["overview"]
    check("report: tiles of it", all(w in tiles for w in ("8.3%", "4 of 5", "on real 3 of 4", "82.3%")), tiles)


def check_whole(html, words):
    """Of a model without regions."""
    page = open_page(html, [s for s in SECTIONS if s not in ("regions", "heat", "drift")])
    check("report without regions: it says so", words in Path(html).read_text(encoding="utf-8"))
    check("report without regions: samples say what their rows are", "s again, F(s)" in page.text["samples"])
    check("report without regions: it credits the images", "Lisa Wischofsky" in page.text[None], page.text[None])
    told = "labels told rightly" in page.text["overview"] or "Labels told rightly" in page.charts
    check("report without regions: no accuracy where no label is asked for", not told, page.text["overview"])
    check("report without regions: losses are drawn", page.charts["Adversarial, G"]["series"], page.charts)
    check("report without regions: it has no steps on labels alone", "labels alone" not in page.text["samples"])
    wanted = r"evaluate \S+/latest\.h5 --classifier runs/classifier-lorelei/latest\.h5 --output \S+/evaluation\.json"
    check("report without an evaluation: it says how to make one", re.search(wanted, page.text["evaluation"]))


def check_report(html, run, source, target, program):
    page, run = open_page(html, SECTIONS), Path(run)
    samples = [p for p in sorted((run / "samples").glob("step-*.png")) if "99" not in p.name]  # see check_analysis.sh
    shown = [(alt, base64.b64decode(src.split(",")[1])) for alt, src in page.images]
    check(
        "report: every picture of a step in samples/, as it is",
        shown == [(f"step {int(p.stem[5:])}", p.read_bytes()) for p in samples],
        [alt for alt, _ in shown],
    )
    with open(run / "metrics.csv", newline="") as f:
        head, *rows = csv.reader(f)
    column = {name: [float(r[i]) for r in rows] for i, name in enumerate(head)}
    for title, name in (
        ("Pairs per second", "pairs_per_s"),
        ("Peak memory, MiB", "peak_mib"),
        ("Labels told from instances", "loss_label"),
    ):
        series = page.charts[title]["series"][0]
        check(
            f"report: the curve of {name} is that of metrics.csv",
            np.allclose(series["y"], column[name], rtol=1e-4) and series["x"] == column["step"],
            series,
        )
    names = [c.removeprefix("loss_") for c in head if c.startswith("loss_")]
    drawn = sum(len(c["series"]) for c in page.charts.values() if c and c["section"] == "losses")
    check("report: every loss is drawn", drawn == len(names) + ("label_accuracy" in head), (drawn, names))
    check_regions(page, (source, target))
    keys = subprocess.run([program, "--help", "config"], capture_output=True, text=True, check=True).stdout
    keys = [k for k in re.findall(r"^([a-z0-9_.]+) +", keys, re.M) if k != "labels"]
    words = page.text["config"].split()
    check(
        "report: every key of the configuration is shown",
        all(k.split(".", 1)[1] in words and k.split(".")[0] in words for k in keys),
        keys,
    )
    check_evaluation(page)
    early = "Until step 1 DAE and D1 learn labels alone"
    check("report: it says which samples are of an untrained G", early in page.text["samples"], page.text["samples"])
    machine = page.text["machine"]
    check("report: the log's first lines are", "in 8 leaves of 1" in machine, machine[:400])
    check("report: the machine is", re.search(r"ranks on \S+ x 2\b", machine), machine[:400])


# ---- attention ---------------------------------------------------------------------------------------


def check_attention(folder, checkpoint, printed):
    folder, printed = Path(folder), Path(printed).read_text()
    with open(folder / "centres.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    with h5py.File(checkpoint) as f, h5py.File(DATA) as d:
        n = 0
        for domain, group in DOMAINS.items():
            step, centres = f[f"attention/{domain}/step"][:], f[f"attention/{domain}/centres"][:]
            mine = [r for r in rows if r["domain"] == domain]
            wanted = [(i, r) for i in np.flatnonzero(step >= 0) for r in range(centres.shape[1])]
            check(
                f"attention: a line for each region of each {domain} image seen",
                [(int(r["row"]), int(r["region"])) for r in mine] == wanted,
                len(mine),
            )
            check(
                f"attention: {domain} steps and centres are the checkpoint's",
                all(int(r["step"]) == step[int(r["row"])] for r in mine)
                and np.allclose(
                    [(float(r["x"]), float(r["y"])) for r in mine], [centres[i, r] for i, r in wanted], atol=6e-4
                ),
            )
            for part, region in BOUND.items():
                boxes = d[f"{group}/train/parts/{part}"][:].astype(float)
                boxes[step < 0] = -1
                dist, at = distances(centres[:, region].astype(float), boxes)
                found = {int(r["row"]): float(r["distance"]) for r in mine if r["part"] == part}
                check(
                    f"attention: {domain} distances to {part}",
                    list(found) == list(at) and np.allclose(list(found.values()), dist, atol=6e-4),
                    (len(found), len(at)),
                )
                n += len(found)
            mean = centres[step >= 0].mean(axis=0)[0]
            line = next(x for x in printed.split(f"{domain}: ")[1].splitlines() if x.startswith("  0 eyes"))
            check(
                f"attention: the mean of {domain} is printed",
                [f"{mean[0]:.1f}", f"{mean[1]:.1f}"] == line.split()[2:4],
                line,
            )
        check("attention: no other line has a distance", n == sum(r["distance"] != "" for r in rows))
    for name in "source-regions", "source-heat", "target-regions", "target-heat":
        check(f"attention: {name}.png decodes", min(png_size(folder / f"{name}.png")) > 200)


def check_shared(folder, printed):
    with open(Path(folder) / "centres.csv", newline="") as f:
        rows = [r for r in csv.DictReader(f) if r["region"] == "0"]
    for part in "eyes", "mouth", "glasses", "hair":
        lines = re.findall(rf" {part} +[0-9.]+ +[0-9.]+ +[0-9.]+%$", Path(printed).read_text(), re.M)
        check(f"attention: one region of several parts: a line of {part} for each domain", len(lines) == 2, lines)
        check("attention: and lines of the file", any(r["part"] == part for r in rows))
    lines = {(r["domain"], r["row"], r["part"]) for r in rows}
    check("attention: none of which comes twice", len(lines) == len(rows), (len(lines), len(rows)))


def check_metrics(printed, run):
    with open(Path(run) / "metrics.csv", newline="") as f:
        head, *rows = csv.reader(f)
    lines = {
        line.split()[0]: line.split()[1:] for line in Path(printed).read_text().splitlines() if len(line.split()) == 3
    }
    for name in "step", "loss_cst", "pairs_per_s":
        found = [float(v) for v in lines.get(name, [])]
        last = [float(r[head.index(name)]) for r in rows[-1 if name == "step" else -3 :]]  # smoothed over five: two are to come
        check(
            f"plot_metrics: the last {name} of both runs, as it is drawn",
            len(found) == 2 and np.allclose(found, np.mean(last), rtol=1e-4),
            lines.get(name),
        )


def check_functions():
    sys.path.insert(0, "analysis")
    from files import smoothed
    from plot_metrics import names_of
    from reporting.evaluation import classes_table, learned_from
    from reporting.images import outlines
    from reporting.page import chart
    from reporting.places import moves
    from reporting.run import Run, pace, paces, setting

    check("files: HDF5's locks are off, unless the user wants them", os.environ["HDF5_USE_FILE_LOCKING"] == "FALSE")
    found = [setting(v) for v in (20240607, 2e-4, True, "mask")]
    check("configuration: values as they were given", found == ["20240607", "0.0002", "true", "mask"], found)
    x, nan = np.arange(50.0), np.nan
    one, many = x.copy(), x.copy()
    one[20], many[20:30] = nan, np.inf
    check("smoothed: the mean of the rows around", np.allclose(smoothed(x, 4)[[0, 20, -1]], [1, 20, 48]))
    check("smoothed: of those that are finite", np.allclose(smoothed(one, 4)[[18, 20, 22]], [17.5, 20, 22.5]))
    check("smoothed: NaN only where none is", np.flatnonzero(np.isnan(smoothed(many, 4))).tolist() == [*range(22, 28)])
    one[-1] = nan
    drawn = chart("", [("", "", x, smoothed(one, 4), one)])
    check("chart: one row that is not finite does not name the last", "not finite" not in drawn)
    spike = np.where(x == 25, 4.5, x / 50)
    drawn = chart("L", [("", "", x, spike, None)])
    check("chart: what its scale leaves out is told", drawn.count("largest 4.5, off the chart") == 2, drawn)
    check("chart: its name tells last value and range", "L, over steps 0 to 49: last 0.98, from 0 to 4.5" in drawn, drawn)
    check("chart: nothing is told where all is shown", "off the chart" not in chart("", [("", "", x, x, None)]))

    found = [learned_from({"classifier_groups": g} if g else {}, "lorelei") for g in ([], ["a", "lorelei"], ["lorelei"])]
    good = found[0] == ("", "") and "images of a and lorelei, wanted lorelei alone" in found[1][1] and not found[2][1]
    check("evaluation: a classifier of other images is warned of, and none is made up", good, found)

    found = classes_table({"eyes": {"modes_present": 4, "modes": 5, "modes_present_real": 3}})
    check("evaluation: an older one does not tell of how many classes of real images", "<td>3</td>" in found, found)

    paths = ["runs/a/seed-1", "runs/b/seed-1/metrics.csv", "runs/b/seed-2/"]
    found = [names_of(paths), names_of(paths[1:]), names_of(["x/r", "x/r"])]
    wanted = [["a/seed-1", "b/seed-1", "b/seed-2"], ["seed-1", "seed-2"], ["r", "r"]]
    check("plot_metrics: names tell runs apart", found == wanted, found)

    box = lambda *xs: np.array([xs], np.int16)
    split = SimpleNamespace(parts={"eyes": box(0, 2, 9, 6), "mouth": box(-1, -1, -1, -1)})
    a = SimpleNamespace(half=np.ones((1, 2)))
    seen = outlines(SimpleNamespace(a=a, parts={"eyes": 0, "mouth": 0}, split=split, centres=np.zeros((1, 1, 2))), 0)
    good = seen.count("truth") == 1 and 'x="-0.50"' in seen
    check("regions: a box at the left edge is drawn, one of a hidden part is not", good, seen)

    # Three images: visited between all checkpoints but the last two, before the first one alone, after it.
    visited = [(0, 0, -1), (2000, 0, 1900), (2400, 0, 2400), (2400, 0, 2400)]
    at = lambda step, x: SimpleNamespace(step=np.array(step), seen=np.array(step) >= 0, regions=1, name=str,
                                         centres=np.array([[[x, 0.0]], [[0, 0]], [[x, 0]]]))  # fmt: skip
    kept = [SimpleNamespace(step=2000 + 500 * i, attention=lambda _, i=i: at(visited[i], (0, 4, 5, 5)[i])) for i in range(4)]
    (_, _, steps, moved, _), = moves(kept, "source")
    good = np.allclose(moved, [2, (2.5 + 2) / 2]) and steps.tolist() == [2500, 3000]
    check("drift: moves are those of images visited in between, by the steps between their visits", good, (steps, moved))

    config = {"model.kind": "dagan", "train.label_warmup": 200, "train.batch": 4}
    newest = SimpleNamespace(step=400, config=config, attrs={"batch": 8})
    metrics = {"step": np.array([50, 100, 150, 200.0]), "pairs_per_s": np.array([60, 50, 10, 20.0])}
    run = Run(Path(), [newest], [], {}, metrics=metrics)
    check("report: speed is that after the steps on labels alone", paces(run).tolist() == [10, 20] and pace(run) == "15")
    config["train.label_warmup"] = 400
    check("report: or theirs, as long as there are no others", pace(run) == "35", pace(run))


def evaluation(step, output):
    Path(output).write_text(json.dumps({"step": int(step), **FIGURES}))


def cut(path, output):
    data = Path(path).read_bytes()
    Path(output).write_bytes(data[: len(data) // 2])


def hide(part, path, output):
    shutil.copyfile(path, output)
    with h5py.File(output, "r+") as f:
        for domain in f:
            f[f"{domain}/test/parts/{part}"][:] = -1


def alone(group, path, output):
    with h5py.File(path) as f, h5py.File(output, "w") as out:
        f.copy(group, out)


def untested(path, output):
    with h5py.File(path) as f, h5py.File(output, "w") as out:
        for domain in f:
            f.copy(f"{domain}/train", out, f"{domain}/train")


def rowless(path, output):
    shutil.copyfile(path, output)
    with h5py.File(output, "r+") as f:
        for name in list(f["metrics"]):
            del f[f"metrics/{name}"]
            f[f"metrics/{name}"] = np.zeros(0)


def spoil(path, output):
    shutil.copyfile(path, output)
    with h5py.File(output) as f:
        chunk = f["adventurer/train/images"].id.get_chunk_info(0)
    with open(output, "r+b") as f:
        f.seek(chunk.byte_offset)
        f.write(bytes(chunk.size))


def shorten(path, output):
    shutil.copyfile(path, output)
    with h5py.File(output, "r+") as f:
        parts = f["adventurer/train/parts"]
        boxes = parts["eyes"][::2]
        del parts["eyes"]
        parts["eyes"] = boxes


def other(rows, size, path, output):
    with h5py.File(path) as f, h5py.File(output, "w") as out:
        for domain in f:
            out[f"{domain}/train/images"] = np.zeros((int(rows), int(size), int(size), 3), np.uint8)


if __name__ == "__main__":
    whats = {"report": check_report, "whole": check_whole, "attention": check_attention, "shared": check_shared,
             "metrics": check_metrics, "functions": check_functions, "evaluation": evaluation, "cut": cut, "hide": hide,
             "alone": alone, "untested": untested, "rowless": rowless, "spoil": spoil, "shorten": shorten, "other": other}
    whats[sys.argv[1]](*sys.argv[2:])
