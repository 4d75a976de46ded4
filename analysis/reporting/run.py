"""What a report says of a run besides its regions: figures over steps, samples, evaluation, configuration, machine."""
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from attention import mean_image
from files import Attention, Checkpoint, Split, checkpoints, computed, find_data, mistake, read_metrics, smoothed
from reporting.page import chart, duration, esc, facts, figures, ink, note, number, uri

DOMAINS = "source", "target"
SMOOTH_FROM = 40  # rows of metrics from which curves are smoothed, by a running mean of a 20th of them
SMOOTHED = "loss_", "label_", "norm_", "pairs_", "wait_"
LOSSES = {
    "Adversarial, G": ["loss_gan_s", "loss_gan_t"],
    "Adversarial, D": ["loss_d1", "loss_d2"],
    "Consistency, Eqs. 5 and 6": ["loss_cst", "loss_sym"],
    "Pixels, F(t) and t": ["loss_pixel"],
    "Labels told from instances": ["loss_label"],
    "Labels of s told from F(s)": ["loss_label_fake", "loss_label_d"],
    "Labels as D1 sees them": ["loss_d1_label"],
    "Labels told rightly": ["label_accuracy"],
}
TIMES = {
    "Rates": ["rate_g", "rate_d"],
    "Gradient norms": ["norm_g", "norm_d"],
    "Pairs per second": ["pairs_per_s"],
    "Seconds per step spent waiting": ["wait_data_s", "wait_comm_s"],
    "Peak memory, MiB": ["peak_mib"],
}
LOG_START, LOG_END = 40, 200  # lines of log.txt shown: what it says besides steps, and its last ones


@dataclass
class Run:
    """A run directory, opened: what its newest checkpoint says of each domain, and the training images."""

    folder: Path
    kept: list[Checkpoint]
    metrics: dict[str, np.ndarray]
    attention: dict[str, Attention]  # none in a model without regions
    data: dict[str, Path] = field(default_factory=dict)  # only domains whose data set was found, as the next two
    splits: dict[str, Split] = field(default_factory=dict)
    greys: dict[str, np.ndarray] = field(default_factory=dict)  # the mean image

    @property
    def newest(self):
        return self.kept[-1]

    @property
    def step(self):
        return int(max(self.metrics["step"][-1], self.newest.step))


def open_run(folder, data):
    kept = checkpoints(folder)
    if not kept:
        mistake(f"{folder}: holds no checkpoint (ckpt-*.h5)")
    metrics = read_metrics(folder if (folder / "metrics.csv").exists() else kept[-1].path)
    if "loss_label" not in metrics:
        metrics.pop("label_accuracy", None)  # it stays 0: no label is asked for
    run = Run(folder, kept, metrics, {d: kept[-1].attention(d) for d in DOMAINS if kept[-1].has_regions})
    c = run.newest.config
    for domain in DOMAINS:
        group = c[f"data.{domain}.group"]
        file = find_data(c[f"data.{domain}.file"], group, data)
        if file:
            run.data[domain], run.splits[domain] = file, Split(file, group, "train")
            run.splits[domain].expect(c["data.size"], len(run.attention[domain].seen) if run.attention else None)
            run.greys[domain] = mean_image(run.splits[domain].images, c["data.size"])
    return run


# ---- figures over steps ------------------------------------------------------------------------------


def curve(run, name, colour):
    there = computed(name, run.metrics[name])
    x, y, rows = run.metrics["step"][there], run.metrics[name][there], len(there)
    short = name.removeprefix("loss_").replace("wait_data_s", "data").replace("wait_comm_s", "messages")
    if rows < SMOOTH_FROM or not name.startswith(SMOOTHED):
        return short, colour, x, y, None
    return short, colour, x, smoothed(y, rows // 20), y


def curves(run, groups):
    steps = 0, run.metrics["step"][-1]
    out = []
    for title, names in groups.items():
        there = [n for n in names if n in run.metrics]
        out.append(chart(title, [curve(run, n, ink(i + 1)) for i, n in enumerate(there)], steps))
    return f'<div class="charts">{"".join(out)}</div>'


def losses(run):
    known = [n for names in LOSSES.values() for n in names]
    others = {n: [n] for n in run.metrics if n.startswith("loss_") and n not in known}
    thick = "Thick: running mean. " if len(run.metrics["step"]) >= SMOOTH_FROM else ""
    how = f"Unweighted, over steps. {thick}Point at a curve for its values; all charts follow."
    return note(how) + curves(run, LOSSES | others)


def times(run):
    return curves(run, TIMES)


def samples(run, most):
    step_of = lambda file: int(file.stem[5:])
    # Those of later steps are from before the run went back to an older checkpoint.
    files = [f for f in sorted((run.folder / "samples").glob("step-*.png")) if step_of(f) <= run.step]
    if not files or most < 1:
        return note("No samples: this run wrote none, or none are wanted.")
    shown = [files[i] for i in np.unique(np.linspace(0, len(files) - 1, min(most, len(files))).astype(int))]
    steps, last = [step_of(f) for f in shown], len(shown) - 1
    images = "".join(
        f'<img src="{uri(f.read_bytes())}" alt="step {step}"{" hidden" if f != shown[-1] else ""}>'
        for f, step in zip(shown, steps)
    )
    rows = "Test images. First three rows: s, its regions, F(s). Last three: t, its regions, F(t)."
    if not run.attention:
        rows = "Test images. First three rows: s, s again, F(s). Last three: t, t again, F(t)."
    if len(shown) < len(files):
        rows += f" {len(shown)} of {len(files)} pictures, evenly spaced."
    return (
        f'{note(rows)}<div class="samples"><div class="bar"><button type="button" title="Play">▶</button>'
        f'<input type="range" min="0" max="{last}" value="{last}" aria-label="Step">'
        f"<output>step {steps[-1]}</output></div>{images}</div>"
    )


# ---- evaluation, configuration, machine ----------------------------------------------------------------


def evaluation(run):
    path = run.folder / "evaluation.json"
    if not path.exists():
        return note(f"{path} is not there: this run has not been evaluated.")
    try:
        return figures(json.loads(path.read_text()))
    except ValueError as e:
        return mistake(f"{path}: is no JSON: {e}")


def setting(value):
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def configuration(run):
    groups = {}
    for key, value in run.newest.config.items():
        section, name = key.split(".", 1)
        groups.setdefault(section, []).append((name, setting(value)))
    inside = "".join(f"<div><h3>{esc(section)}</h3>{facts(lines)}</div>" for section, lines in groups.items())
    return f'<div class="columns">{inside}</div>'


def best(run):
    """The fact that names best.h5, if there is one."""
    path = run.folder / "best.h5"
    if not path.exists():
        return []
    c = Checkpoint(path)
    return [("best", f"{path.name}, step {c.step}, {c.config['checkpoint.best']} {c.file['state/best'][0]:.4g}")]


def machine(run):
    a, m, file = run.newest.attrs, run.metrics, run.newest.path
    waits = m["wait_data_s"] + m["wait_comm_s"]
    out = facts(
        [
            ("program", a["program"]),
            ("ranks", a["ranks"]),
            ("seed", a["seed"]),
            ("time in training", duration(a["seconds"])),
            ("pairs per second, last row", number(m["pairs_per_s"][-1])),
            ("highest", number(m["pairs_per_s"].max())),
            ("waiting, last row", f"{number(1e3 * waits[-1])} ms per step"),
            ("peak memory of the largest rank", f"{m['peak_mib'].max():.0f} MiB"),
            ("checkpoint", f"{file.name}, {file.stat().st_size / 2**20:.1f} MiB"),
            *best(run),
        ]
    )
    log = run.folder / "log.txt"
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    besides = [line for line in lines if not line.startswith(("step ", "checkpoint "))][:LOG_START]
    text = lambda some: f"<pre>{esc(chr(10).join(some))}</pre>"
    if besides:
        out += note("What the log says besides steps and checkpoints:") + text(besides)
    if lines:
        last = lines[-LOG_END:]
        out += f"<details><summary>The last {len(last)} lines of log.txt</summary>{text(last)}</details>"
    return out


def overview(run, shown):
    """Tiles; `shown`: the Images of each domain."""
    m, attrs = run.metrics, run.newest.attrs
    step, steps = run.step, int(attrs["steps"])
    cells = [
        ("step", number(step), f"of {number(steps)}" if steps >= step else ""),
        ("time in training", duration(max(m["seconds"][-1], attrs["seconds"])), ""),
        ("pairs per second", number(round(m["pairs_per_s"][-1], 1)), f"{attrs['ranks']} ranks"),
    ]
    told = m.get("label_accuracy", np.array([]))[-20:]
    if np.isfinite(told).any():  # NaN where no image of the batch had a known label
        cells.append(("labels told rightly", f"{np.nanmean(told):.0%}", "in training"))
    for domain, images in shown.items():
        found = {part: np.median(d) for part, (_, _, d, _) in images.errors().items() if len(d)}
        if found:
            best, worst = min(found, key=found.get), max(found, key=found.get)
            group = run.attention[domain].data[1]
            cells.append((f"regions, {group}", f"{found[best]:.1f}–{found[worst]:.1f} px", f"{best} to {worst}"))
    tile = "<div><dt>{}</dt><dd>{} <small>{}</small></dd></div>"
    return '<dl class="tiles">' + "".join(tile.format(*map(esc, cell)) for cell in cells) + "</dl>"
