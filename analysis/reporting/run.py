"""What a report says of a run besides its regions and evaluation: figures over steps, samples, configuration, machine."""
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from attention import mean_image
from files import Attention, Checkpoint, Mistake, Split, checkpoints, computed, find_data, mistake, read_metrics, smoothed
from reporting import evaluation
from reporting.page import chart, duration, esc, facts, ink, note, number, uri, warning

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
LAST_ROWS = 20  # of metrics, that speed and accuracy are told from
LOG_START, LOG_END = 40, 200  # lines of log.txt shown: what it says besides steps, and its last ones


@dataclass
class Run:
    """A run directory, opened: what its newest checkpoint says of each domain, and the training images."""

    folder: Path
    kept: list[Checkpoint]
    wrong: list[str]  # what was left out of the report, and why
    attention: dict[str, Attention]  # none in a model without regions
    metrics: dict[str, np.ndarray] = field(default_factory=dict)  # none where not a row is written
    evaluation: dict | None = None
    data: dict[str, Path] = field(default_factory=dict)  # only domains whose data set was found, as the next two
    splits: dict[str, Split] = field(default_factory=dict)
    greys: dict[str, np.ndarray] = field(default_factory=dict)  # the mean image

    @property
    def newest(self):
        return self.kept[-1]

    @property
    def step(self):
        return int(max(self.metrics["step"][-1] if self.metrics else 0, self.newest.step))

    @property
    def groups(self):
        return {d: self.newest.config[f"data.{d}.group"] for d in DOMAINS}

    def has_test(self, domain):
        """Whether there are test images; where the data set was not found, they are taken for granted."""
        return domain not in self.splits or f"{self.groups[domain]}/test" in self.splits[domain].file

    @property
    def label_warmup(self):
        """The last step on labels alone; a batch that grew shortens them."""
        c = self.newest.config
        pairs = c["train.label_warmup"] * c["train.batch"] if c["model.kind"] == "dagan" else 0
        return -(-pairs // self.newest.attrs.get("batch", c["train.batch"]))

    def attempt(self, read, *of):
        """What `read` finds, or None where a file is missing or damaged: the report goes without."""
        try:
            return read(*of)
        except Mistake as e:
            self.wrong.append(e.text)


def newest_metrics(run):
    """Of metrics.csv; where it is missing or damaged, those that the newest checkpoint remembers."""
    found = run.attempt(read_metrics, run.folder) if (run.folder / "metrics.csv").exists() else None
    found = found or run.newest.metrics()
    if "loss_label" not in found:
        found.pop("label_accuracy", None)  # it stays 0: no label is asked for
    return found if len(found.get("step", [])) else {}


def open_domain(run, domain, data):
    c = run.newest.config
    file = find_data(c[f"data.{domain}.file"], run.groups[domain], data)
    if file:
        split = Split(file, run.groups[domain], "train")
        split.expect(c["data.size"], len(run.attention[domain].seen) if run.attention else None)
        run.greys[domain] = mean_image(split, c["data.size"])  # first, as it reads the images
        run.data[domain], run.splits[domain] = file, split


def open_run(folder, data):
    kept, wrong = checkpoints(folder)
    if not kept:
        mistake(f"{folder}: holds no checkpoint (ckpt-*.h5)" + "".join(f" that can be read: {text}" for text in wrong[-1:]))
    run = Run(folder, kept, wrong, {d: kept[-1].attention(d) for d in DOMAINS if kept[-1].has_regions})
    run.metrics = newest_metrics(run)
    run.evaluation = run.attempt(evaluation.read, folder)
    for domain in DOMAINS:
        if data:
            open_domain(run, domain, data)  # what was asked for is there or a mistake
        else:
            run.attempt(open_domain, run, domain, data)
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
    if not run.metrics:
        return note("No row of metrics is written yet.")
    steps = 0, run.metrics["step"][-1]
    out = []
    for title, names in groups.items():
        there = [n for n in names if n in run.metrics]
        out.append(chart(title, [curve(run, n, ink(i + 1)) for i, n in enumerate(there)], steps))
    return f'<div class="charts">{"".join(out)}</div>'


def losses(run):
    known = [n for names in LOSSES.values() for n in names]
    others = {n: [n] for n in run.metrics if n.startswith("loss_") and n not in known}
    thick = "Thick: running mean. " if len(run.metrics.get("step", [])) >= SMOOTH_FROM else ""
    how = f"Unweighted, over steps. {thick}Point at a curve for its values; all charts follow."
    return note(how) + curves(run, LOSSES | others)


def times(run):
    return note("Step sizes of Adam, norms of the gradients, speed, waiting and memory, over steps.") + curves(run, TIMES)


def paces(run):
    """Pairs per second row by row, without those of steps on labels alone once there are others."""
    rate, step = run.metrics["pairs_per_s"], run.metrics["step"]
    whole = rate[np.concatenate([[0], step[:-1]]) >= run.label_warmup]  # a row counts the steps since the one before it
    return whole if len(whole) else rate


def pace(run):
    return number(round(float(np.median(paces(run)[-LAST_ROWS:])), 1))


def samples(run, most):
    step_of = lambda file: int(file.stem[5:])
    # Those of later steps are from before the run went back to an older checkpoint.
    files = [f for f in sorted((run.folder / "samples").glob("step-*.png")) if f.stem[5:].isdigit() and step_of(f) <= run.step]
    if not files or most < 1:
        return note("No samples: this run wrote none, or none are wanted.")
    shown = [files[i] for i in np.unique(np.linspace(0, len(files) - 1, min(most, len(files))).astype(int))]
    steps, last = [step_of(f) for f in shown], len(shown) - 1
    images = "".join(
        f'<img src="{uri(f.read_bytes())}" alt="step {step}"{" hidden" if f != shown[-1] else ""}>'
        for f, step in zip(shown, steps)
    )
    s, t = ("Test" if run.has_test(d) else "Training" for d in DOMAINS)  # as trainer.c takes them
    its, their = ("its regions", "its regions") if run.attention else ("s again", "t again")
    last = "Last three" if t == s else f"{t} images, last three"
    rows = f"{s} images. First three rows: s, {its}, F(s). {last}: t, {their}, F(t)."
    if len(shown) < len(files):
        rows += f" {len(shown)} of {len(files)} pictures, evenly spaced."
    early = ""
    if run.label_warmup:
        who = "DAE and D1 learn" if "loss_d1_label" in run.metrics else "DAE learns"
        until = f"Until step {number(run.label_warmup)} {who} labels alone"
        early = note(f"{until}; translations before that are of an untrained G.")
    return (
        f'{note(rows)}<div class="samples"><div class="bar"><button type="button" title="Play">▶</button>'
        f'<input type="range" min="0" max="{last}" value="{last}" aria-label="Step">'
        f"<output>step {steps[-1]}</output></div>{early}{images}</div>"
    )


# ---- configuration, machine ----------------------------------------------------------------------------


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
    return note("Every setting, as the newest checkpoint holds it.") + f'<div class="columns">{inside}</div>'


def best(run):
    """The fact that names best.h5, if there is one."""
    path = run.folder / "best.h5"
    c = run.attempt(Checkpoint, path) if path.exists() else None
    return [("best", f"{path.name}, step {c.step}, {c.config['checkpoint.best']} {c.file['state/best'][0]:.4g}")] if c else []


def speed(run):
    m = run.metrics
    if not m:
        return []
    rates, waits = paces(run), m["wait_data_s"] + m["wait_comm_s"]
    since = f" after step {number(run.label_warmup)}" if len(rates) < len(waits) else ""
    return [
        ("pairs per second", f"{pace(run)}, median of the last {min(LAST_ROWS, len(rates))} rows"),
        (f"highest{since}", number(round(float(rates.max()), 1))),
        ("waiting, last row", f"{number(1e3 * waits[-1])} ms per step"),
        ("peak memory of the largest rank", f"{m['peak_mib'].max():.0f} MiB"),
    ]


def machine(run):
    a, newest = run.newest.attrs, run.newest
    out = note("What trained this run, how fast, and what its log says.") + facts(
        [
            ("program", a["program"]),
            ("ranks", a["ranks"]),
            ("seed", a["seed"]),
            ("time in training", duration(a["seconds"])),
            *speed(run),
            ("checkpoint", f"{newest.path.name}, {newest.stat.st_size / 2**20:.1f} MiB"),
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
        ("time in training", duration(max(m["seconds"][-1] if m else 0, attrs["seconds"])), ""),
    ]
    if m:
        cells.append(("pairs per second", pace(run), f"{attrs['ranks']} rank{'s' * (attrs['ranks'] > 1)}"))
    told = m.get("label_accuracy", np.array([]))[-LAST_ROWS:]
    if np.isfinite(told).any():  # NaN where no image of the batch had a known label
        cells.append(("labels told rightly", f"{np.nanmean(told):.0%}", "in training"))
    for domain, images in shown.items():
        found = {part: np.median(d) for part, (_, _, d, _) in images.errors().items() if len(d)}
        if found:
            best, worst = min(found, key=found.get), max(found, key=found.get)
            group = run.attention[domain].data[1]
            cells.append((f"regions, {group}", f"{found[best]:.1f}–{found[worst]:.1f} px", f"{best} to {worst}"))
    cells += evaluation.tiles(run)
    out = note("How far the run has come, how fast it goes, and what it has learned.")
    out += "".join(warning(f"Left out: {text}") for text in run.wrong)
    for domain, file in run.data.items():
        name = run.newest.config[f"data.{domain}.file"]
        if Path(name).name != file.name:
            out += note(f"{domain}: the run learned from {name}; shown are images of {file}.")
    tile = "<div><dt>{}</dt><dd>{} <small>{}</small></dd></div>"
    return out + '<dl class="tiles">' + "".join(tile.format(*map(esc, cell)) for cell in cells) + "</dl>"
