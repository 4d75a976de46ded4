"""The sections of a report that say where regions look: heat maps over the training set, and how centres drift."""
import numpy as np

from attention import heat, overlap
from files import COLOURS, part_of
from region_error import errors
from reporting.page import box, chart, esc, ink, note, number, picture, png

VISITS_MIN, POINTS_MAX = 60, 24  # of a curve over steps: visits in a point at least, points at most


def backdrop(grey):
    """The mean image, pale enough for colours to stand out."""
    return np.repeat((255 * (0.35 + 0.65 * grey[..., None])).astype(np.uint8), 3, axis=2)


# ---- heat maps -----------------------------------------------------------------------------------------


def blurred(h, sigma):
    """Gaussian of `sigma` pixels along both axes."""
    reach = int(4 * sigma) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    for axis in 0, 1:
        h = np.apply_along_axis(lambda line: np.convolve(line, kernel / kernel.sum(), "same"), axis, h)
    return h


def heat_map(a, region, grey):
    """Where the centres of a region fall, over the mean image, and the region at their mean."""
    centres, colour, (w, h) = a.centres[a.seen, region], COLOURS[region % 8], a.half[region]
    (x, y), (sx, sy) = centres.mean(axis=0), centres.std(axis=0)
    seen = blurred(heat(centres, a.size), max(a.size / 80, 0.6))
    rgb = [np.full(seen.shape, int(colour[i : i + 2], 16)) for i in (1, 3, 5)]
    layer = png(np.dstack([*rgb, 255 * (seen / seen.max()) ** 0.6]).astype(np.uint8))
    inside = f'<image href="{layer}" x="-0.5" y="-0.5" width="{a.size}" height="{a.size}"/>'
    inside += box(x - w, y - h, x + w, y + h, "truth", colour)
    words = f"Centres of region {a.name(region)} in {a.data[1]}: mean {x:.1f}, {y:.1f}, sd {sx:.1f}, {sy:.1f} px"
    return (
        f"<figure>{picture(backdrop(grey), a.size, words, inside)}<figcaption>{esc(a.name(region))}<br>"
        f"<small>mean {x:.1f}, {y:.1f} · sd {sx:.1f}, {sy:.1f} px</small></figcaption></figure>"
    )


def closest(a):
    """Which two regions cover each other most."""
    if a.regions < 2:
        return ""
    shared = overlap(a.centres[a.seen], a.half)
    np.fill_diagonal(shared, -1)
    i, j = np.unravel_index(np.argmax(shared), shared.shape)
    return f" Most covered is region {i}: region {j} takes in {shared[i, j]:.0%} of it on average."


def heat_maps(run):
    how = (
        "Where the centres of each region fall over the whole training set, as predicted at each image's last visit, "
        "over the mean image. Dashed: the region at its mean centre."
    )
    out = [note(how)]
    for domain, grey in run.greys.items():
        a = run.attention[domain]
        if not a.seen.any():
            continue
        seen = f"{number(int(a.seen.sum()))} of {number(len(a.seen))} images visited.{closest(a)}"
        maps = "".join(heat_map(a, r, grey) for r in range(a.regions))
        out.append(f'<h3>{esc(a.data[1])}</h3>{note(seen)}<div class="heat">{maps}</div>')
    return "".join(out)


# ---- drift ---------------------------------------------------------------------------------------------


def visits(kept, domain):
    """Every visit that the checkpoints remember, each once: rows, steps, centres."""
    all_of = [c.attention(domain) for c in kept]
    rows = np.concatenate([np.flatnonzero(a.seen) for a in all_of])
    steps = np.concatenate([a.step[a.seen] for a in all_of])
    centres = np.concatenate([a.centres[a.seen] for a in all_of])
    first = np.unique(np.stack([steps, rows]), axis=1, return_index=True)[1]  # in the order of steps
    return rows[first], steps[first], centres[first]


def in_groups(n):
    """Indices of n visits in the order of steps, in groups that follow each other and are about equal."""
    return np.array_split(np.arange(n), max(1, min(POINTS_MAX, n // VISITS_MIN)))


def distance_curve(groups, steps, rows, centres, boxes):
    """Median distance to a part, by group: x and y of a curve."""
    found = [(steps[g].mean(), errors(centres[g], boxes[rows[g]])[0]) for g in groups]
    found = [(x, np.median(d)) for x, d in found if len(d)]
    return np.array(found).reshape(-1, 2).T


def moves(kept, domain):
    """How far the centre of an image typically moves in 1000 steps, between its last visits before one checkpoint and before
    the next: series of a chart.  Images that were not visited in between have not moved."""
    all_of, x, y = [c.attention(domain) for c in kept], [], []
    for then, now, checkpoint in zip(all_of, all_of[1:], kept[1:]):
        both = then.seen & (now.step > then.step)
        if both.any():
            steps = (now.step - then.step)[both, None]
            apart = np.linalg.norm(now.centres[both] - then.centres[both], axis=2) * 1000 / steps
            x.append(float(checkpoint.step))
            y.append(np.median(apart, axis=0))
    last = all_of[-1]
    return [(last.name(r), ink(r), np.array(x), np.array(y)[:, r], None) for r in range(last.regions)] if y else []


def ways(a, means, grey):
    """The mean centre of each region from point to point, on the mean image."""
    lines = []
    for r in range(a.regions):
        points, colour, (x, y) = " ".join(f"{x:.2f},{y:.2f}" for x, y in means[:, r]), COLOURS[r % 8], means[-1, r]
        lines.append(f'<polyline class="way" points="{points}" stroke="{colour}"/>')
        lines.append(f'<circle r="1" cx="{x:.2f}" cy="{y:.2f}" fill="{colour}"/>')
    now = "; ".join(f"{a.name(r)} at {x:.1f}, {y:.1f} px" for r, (x, y) in enumerate(means[-1]))
    way = picture(backdrop(grey), a.size, f"The way of the mean centres in {a.data[1]}, now {now}", "".join(lines))
    return (
        '<figure class="chart walk"><figcaption><strong>The way of the mean centres</strong>'
        f'<span class="key">dots: now</span></figcaption>{way}</figure>'
    )


def drift(run):
    which, n = "one checkpoint remembers", len(run.kept)
    if n > 1:
        which = f"{n} checkpoints of steps {number(run.kept[0].step)} to {number(run.newest.step)} remember"
    out = [note(f"Training images, by the step of the visit: every visit that the {which}. With data.shift an image "
                "lies elsewhere at each visit, so the moves do not end at 0.")]
    for domain, a in run.attention.items():
        rows, steps, centres = visits(run.kept, domain)
        if not len(rows):
            continue
        groups, charts = in_groups(len(rows)), []
        if domain in run.splits:
            parts = run.splits[domain].parts
            series = [
                (part, ink(r), *distance_curve(groups, steps, rows, centres[:, r], parts[part]), None)
                for part, r in part_of(a, parts).items()
            ]
            charts.append(chart("Median distance to the part, px", series))
        charts.append(chart("Median move between visits, px per 1000 steps", moves(run.kept, domain)))
        if domain in run.greys:
            charts.append(ways(a, np.array([centres[g].mean(axis=0) for g in groups]), run.greys[domain]))
        out.append(f'<h3>{esc(a.data[1])}</h3><div class="charts">{"".join(charts)}</div>')
    return "".join(out)
