"""The section of a report that shows images with their regions, beside their translations, and the parts as truth."""
import subprocess
from pathlib import Path

import h5py
import numpy as np

from files import COLOURS, Split, mistake, open_hdf5, part_of, reading, same_images
from region_error import errors
from reporting.page import box, esc, ink, note, number, picture, table

WORST = 4  # images shown for being farthest off
DATASETS = "inputs", "outputs", "centres"  # of what translate writes


class Images:
    """Images of one domain with their centres: a test split and what translate made of it, else the training images."""

    def __init__(self, attention, data, translated=None):
        self.a = attention
        self.split = Split(data, attention.data[1], "test" if translated else attention.data[2])
        self.centres, self.outputs, self.known = attention.centres, None, np.flatnonzero(attention.seen)
        if translated:
            with open_hdf5(translated) as f, reading(translated):
                self.centres, self.outputs = f["centres"][:], f["outputs"][:]
            self.known = np.arange(len(self.centres))
        self.parts = part_of(attention, self.split.parts)

    def errors(self):
        """{part: (region, rows, distances, inside)}, of the images that show the part."""
        found = {}
        for part, region in self.parts.items():
            rows = self.known[self.split.parts[part][self.known, 0] >= 0]
            found[part] = (region, rows, *errors(self.centres[rows, region], self.split.parts[part][rows]))
        return found

    def spread(self, n):
        """n rows, evenly spaced."""
        return self.known[np.unique(np.linspace(0, len(self.known) - 1, min(n, len(self.known))).astype(int))]

    def worst(self, n):
        """Rows with the largest distance, in units of the median of each part, so that all parts count alike."""
        score = np.zeros(len(self.centres))
        for _, rows, d, _ in self.errors().values():
            score[rows] = np.maximum(score[rows], d / max(np.median(d), 1e-6) if len(d) else d)
        return np.argsort(-score, kind="stable")[:n] if score.any() else []


# ---- what translate makes of the test images -----------------------------------------------------------


def given(file, attention, data):
    """Whether `file`, which translate wrote, was made of the domain's test split."""
    with open_hdf5(file) as f, h5py.File(data) as d, reading(f"{file} or {data}"):
        missing = [name for name in DATASETS if name not in f]
        if missing:
            mistake(f"{file}: has no dataset {missing[0]}, wanted what translate --output FILE.h5 wrote")
        images = d.get(f"{attention.data[1]}/test/images")
        return images and same_images(images, f["inputs"])


def has_test(attention, data):
    with h5py.File(data) as d:
        return f"{attention.data[1]}/test" in d


def translate(program, checkpoint, data, group, output):
    """Runs dagan_mpi; None, or a line that says what went wrong."""
    command = [program, "translate", checkpoint, "--input", data, "--group", group, "--output", output]
    try:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    except OSError as e:
        return f"{program}: {e.strerror}."
    said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()
    return f"{program} translate ended with status {done.returncode} and said: {said[-1]}" if done.returncode else None


def open_images(run, folder, program, translated):
    """{domain: Images} and what to tell the reader.  `translated`: files that translate wrote before; `program`: what
    writes the others into `folder`, None: none of them."""
    shown, trouble = {}, []
    for domain, data in run.data.items():
        a = run.attention[domain]
        file = next((f for f in translated if given(f, a, data)), None)
        if not file and program and has_test(a, data):
            file = Path(folder) / f"{domain}.h5"
            said = translate(program, run.newest.path, data, a.data[1], file)
            if said:
                trouble.append(said)
                file = None
        images = run.attempt(Images, a, data, file)
        if images:
            shown[domain] = images
    return shown, list(dict.fromkeys(trouble))


# ---- the section ---------------------------------------------------------------------------------------


def outlines(images, row):
    a, out = images.a, []
    for part, region in images.parts.items():
        x0, y0, x1, y1 = map(float, images.split.parts[part][row])
        if x0 >= 0:
            out.append(box(x0 - 0.5, y0 - 0.5, x1 - 0.5, y1 - 0.5, "truth", COLOURS[region % 8]))
    for r, ((x, y), (w, h)) in enumerate(zip(images.centres[row], a.half)):
        out.append(box(x - w, y - h, x + w, y + h, "region", COLOURS[r % 8]))
        out.append(f'<text class="label" x="{x:.2f}" y="{y:.2f}" fill="{COLOURS[r % 8]}">{r}</text>')
    return "".join(out)


def cards(images, rows):
    """Each image with its regions, its translation, and the distances of its regions."""
    found, out = images.errors(), []
    for row in rows:
        name = f"{images.split.name} row {row}"
        pair = picture(images.split.image(row), images.a.size, f"{name} and its regions", outlines(images, row))
        if images.outputs is not None:
            pair += picture(images.outputs[row], images.a.size, f"{name} translated")
        words = [f"<span>row {row}</span>"]
        for part, (region, at, distances, _) in found.items():
            for d in distances[at == row]:
                words.append(f'<span style="color:{ink(region)}">{esc(part)} {d:.1f}</span>')
        out.append(f"<figure><div>{pair}</div><figcaption>{''.join(words)}</figcaption></figure>")
    return f'<div class="faces">{"".join(out)}</div>'


def error_table(images):
    rows = [
        (part, region, number(len(d)), f"{np.median(d):.2f}", f"{np.quantile(d, 0.9):.2f}", f"{inside.mean():.1%}")
        for part, (region, _, d, inside) in images.errors().items()
        if len(d)
    ]
    return table(["", "region", "images", "median px", "90 % px", "centre inside"], rows) if rows else ""


def all_cards(images, count):
    rows, worst = images.spread(count), images.worst(WORST)
    out = note(f"{len(rows)} images, evenly spaced in the split.") + cards(images, rows)
    if len(worst):
        out += note("Those whose regions lie farthest off, by the standard of each region.") + cards(images, worst)
    return out


def regions(run, shown, trouble, count):
    ticks = "".join(
        f'<label><input type="checkbox" checked data-hides="{kind}"> {word}</label>'
        for kind, word in (("regions", "regions"), ("truth", "parts"))
    )
    how = (
        "Solid: the regions, coloured and numbered; dashed: the box of the part to which a region is bound, from the "
        "data set, never seen in training. Distances are from the region's centre to its part's centre, in pixels of "
        f"{run.newest.config['data.size']}."
    )
    out = [note(how), f'<div class="bar">{ticks}</div>', *map(note, trouble)]
    for domain in run.attention:
        if domain not in shown:
            out.append(f"<h3>{esc(domain)}</h3>{note('Its data set was not found or cannot be read; --data names the file.')}")
            continue
        images = shown[domain]
        what = "training images, regions as predicted at their last visit"
        if images.outputs is not None:
            what = "s and F(s)" if domain == "source" else "t and F(t)"
        out.append(f"<h3>{esc(images.split.name)}: {what}</h3>{error_table(images)}")
        out.append(run.attempt(all_cards, images, count) or note("Its images cannot be read."))
    return "".join(out)
