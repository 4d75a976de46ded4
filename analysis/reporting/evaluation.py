"""The section of a report on what `dagan_mpi evaluate` found: each figure with its unit, what it is, and the same of real
images."""
import json
import shlex

from files import ROOT, mistake
from reporting.page import esc, note, number, table, warning

UP, DOWN = "\u00a0↑", "\u00a0↓"  # which way is better
DOMAINS = "source", "target"
NONE = "–"


def read(folder):
    """What evaluation.json holds; None where there is none."""
    path = folder / "evaluation.json"
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except OSError as e:
        mistake(f"{path}: {e.strerror}")
    except ValueError as e:
        mistake(f"{path}: is no JSON: {e}")
    if not isinstance(found, dict) or not {"step", "images", "labels", "distributions"} <= found.keys():
        mistake(f"{path}: holds no figures of `dagan_mpi evaluate`")
    return found


# ---- how figures are written, and what they are ----------------------------------------------------------


def share(v):
    return NONE if v is None else f"{v:.1%}"


def amount(v):
    return NONE if v is None else number(round(v)) if abs(v) >= 1000 else f"{v:.2f}" if abs(v) >= 1 else number(v)


def pixels(v):
    return NONE if v is None else f"{v:.2f} px"


def iou(v):
    return NONE if v is None else f"{v:.3f}"


def ratio(a, b):
    return a / b if a is not None and b else None


def mean(values):
    values = [v for v in values if v is not None]
    return sum(values) / len(values) if values else None


DISTRIBUTIONS = {  # key of the JSON: name, how it is written, what it is
    "kid_ratio": (
        "KID over that of the domains" + DOWN,
        share,
        "0% where s′ is like target, 100% where it is as far off as source",
    ),
    "kid": ("KID" + DOWN, amount, "distance of two sets in features of the classifier; about 0 where both are drawn alike"),
    "kid_domains": ("KID of the domains", amount, "the same of the training images of source and target"),
    "fid": ("Fréchet distance" + DOWN, amount, "of two Gaussians with the means and covariances of the features"),
    "precision": ("precision" + UP, share, "s′ that lie among real images: no farther from one than its third neighbour"),
    "recall": ("recall" + UP, share, "real images that lie among s′ in the same sense"),
    "one_nn": (
        "1-NN accuracy" + DOWN,
        share,
        "images whose nearest other one is of their own set; 50% where nothing tells the sets apart, "
        "less where each s′ lies beside its partner",
    ),
    "swd": ("sliced Wasserstein, mean" + DOWN, amount, "distance of 7×7 patches, mean of all levels of a Laplacian pyramid"),
}
DISTANCES = {
    "pixels": ("pixels", share, "mean |difference|, as a share of the range of a pixel"),
    "features": ("features", amount, "root mean square of the difference in features of the classifier"),
}
REGIONS = {
    "overlap": ("overlap of regions", iou, "intersection over union of two regions, mean of all pairs"),
    "nme": (
        "landmarks off by" + DOWN,
        share,
        "of the image's side, mean: middles of part boxes told from all centres by a linear map fitted to training images",
    ),
    "pck": ("landmarks within 5%" + UP, share, "share of them told nearer than 5% of the image's side"),
}


# ---- tables --------------------------------------------------------------------------------------------


def regions_tables(e, groups):
    domains = [(groups[d], e["regions"].get(d, {})) for d in DOMAINS]
    parts = [(f"{g}: {part}", x) for g, found in domains for part, x in found.items() if isinstance(x, dict)]
    rows = [
        (name, number(x.get("region")), number(x.get("images")), pixels(x.get("median_px")),
         pixels(x.get("p90_px")), share(x.get("inside")), iou(x.get("iou")))
        for name, x in parts
    ]  # fmt: skip
    how = (
        "Regions against the boxes of their parts, which training never saw. Median and 90%: so far is the region's centre "
        "from the middle of the box, or nearer, in half and in nine of ten images that show the part. Centre inside: share "
        "of images where it lies in the box. IoU: intersection over union of region and box, mean."
    )
    head = ["", "region", "images", "median" + DOWN, "90%" + DOWN, "centre inside" + UP, "IoU" + UP]
    whole = [
        (name, *(write(found.get(key)) for _, found in domains), words) for key, (name, write, words) in REGIONS.items()
    ]
    return (
        f"<h3>Regions</h3>{note(how)}"
        + (table(head, rows) if rows else "")
        + table(["", *(g for g, _ in domains), "what it is"], whole, True)
    )


def judged(e):
    """The labels that the classifier told."""
    return {name: x for name, x in e["labels"].items() if x.get("kept") is not None}


def balanced(x):
    return ratio(x.get("kept_balanced"), x.get("kept_balanced_on_real"))


def learned_from(e, target):
    """What the classifier learned from, where the evaluation tells; a warning where that is not the target's images alone."""
    groups = list(dict.fromkeys(group.strip("/") for group in e.get("classifier_groups", [])))
    words = f", which learned from real images of {' and '.join(groups)}" if groups else ""
    if set(groups) <= {target.strip("/")}:
        return words, ""
    return words, warning(f"The classifier learned from images of {' and '.join(groups)}, wanted {target} alone.")


def kept_table(e, told, target):
    columns = [lambda x: x["kept"], lambda x: x.get("kept_on_real"), lambda x: x.get("kept_share"), balanced]
    rows = [(name, *(share(c(x)) for c in columns)) for name, x in told.items()]
    rows.append(("mean", *(share(mean(c(x) for x in told.values())) for c in columns)))
    learned, wrong = learned_from(e, target)
    how = (
        f"Judged by the classifier{learned}. Kept: its accuracy on s′ against the "
        f"labels of s. On real: its accuracy on the test images of {target}. Of it: the former over the latter; balanced, with "
        "every class counting alike."
    )
    head = ["", "kept" + UP, "on real", "of it" + UP, "of it, balanced" + UP]
    return f"<h3>Labels kept in s′</h3>{wrong}{note(how)}{table(head, rows)}"


def out_of(present, of):
    return f"{number(present)} of {number(of)}" if of else number(present)


def classes_table(told):
    rows = [
        (name, out_of(x.get("modes_present"), x.get("modes")), out_of(x.get("modes_present_real"), x.get("modes_real")),
         amount(x.get("mode_score")), amount(x.get("mode_score_real")), x.get("modes_missing", ""))
        for name, x in told.items()
    ]  # fmt: skip
    how = (
        "Present: classes that the classifier sees in s′ at least half as often as s has them; on real: in real images, at "
        "least half as often as those have them. MODE score: high where it is "
        "sure of each image and sees the classes as often as real training images have them; at most their number."
    )
    head = ["", "present" + UP, "on real", "MODE score" + UP, "on real", "missing in s′"]
    return f"<h3>Classes in s′</h3>{note(how)}{table(head, rows, True)}"


def told_table(e, groups):
    """By DAE."""
    labels = {name: x for name, x in e["labels"].items() if any(x.get(f"dae_{d}") is not None for d in DOMAINS)}
    rows = [(name, number(x.get("classes")), *(share(x.get(f"dae_{d}")) for d in DOMAINS)) for name, x in labels.items()]
    head = ["", "classes", *(groups[d] + UP for d in DOMAINS)]
    how = "Accuracy of DAE on test images, with every class counting alike."
    return f"<h3>Labels told by DAE</h3>{note(how)}{table(head, rows)}" if rows else ""


def distributions_table(e, target):
    found, known = e["distributions"], DISTRIBUTIONS.copy()
    for level in range(sum(key.startswith("swd_") for key in found)):
        words = "of the finest details alone" if level == 0 else f"of details {2**level} times as coarse"
        known[f"swd_{level}"] = (f"sliced Wasserstein, level {level}" + DOWN, amount, words)
    rows = []
    for key, (name, write, words) in known.items():
        x = found.get(key)
        if x is not None:
            pair = [x.get("value"), x.get("real")] if isinstance(x, dict) else [x]
            rows.append((name, *map(write, pair), *[""] * (2 - len(pair)), words))
    how = f"The set of all s′ against the test images of {target}. On real: as many training images of {target} in their place."
    return f"<h3>s′ beside real images</h3>{note(how)}{table(['', 's′', 'on real', 'what it is'], rows, True)}"


def distances_table(e):
    rows = [
        (name, *(write(x.get(c)) for c in ("partner", "nearest", "partner_nearest")), words)
        for key, (name, write, words) in DISTANCES.items()
        for x in [e["distances"].get(key)]
        if x
    ]
    how = (
        "The partner of s′ is the real image of the same subject, never shown with s. Much nearer to a training image than the "
        "partner is, s′ would be its copy."
    )
    head = ["", "to the partner" + DOWN, "to the nearest training image", "partner to its nearest", "what it is"]
    return f"<h3>Distance of s′</h3>{note(how)}{table(head, rows, True)}"


# ---- the section and its tiles -------------------------------------------------------------------------


def is_stale(run):
    """Whether it is of another step, or of weights that had come to the same step before."""
    written = (run.folder / "evaluation.json").stat().st_mtime
    return run.evaluation["step"] != run.newest.step or written < run.newest.stat.st_mtime


def commands(run):
    """How an evaluation is made."""
    if not all(run.has_test(d) for d in DOMAINS):
        return note("An evaluation is of test images, which the data set does not have.")
    name = f"classifier-{run.groups['target']}"
    latest, output = (shlex.quote(str(run.folder / file)) for file in ("latest.h5", "evaluation.json"))
    lines = [
        f"mpirun -np 2 ./dagan_mpi configs/{name}.yaml",
        f"mpirun -np 2 ./dagan_mpi evaluate {latest} --classifier runs/{name}/latest.h5 --output {output}",
    ]
    how = "The first line trains the classifier that judges translations, once for a data set; the second evaluates the run."
    if not (ROOT / "configs" / f"{name}.yaml").exists():
        how += f" configs/{name}.yaml is still to be written, after configs/classifier-lorelei.yaml."
    return note(how) + f"<pre>{esc(chr(10).join(lines))}</pre>"


def section(run):
    if run.newest.config["model.kind"] == "classifier":
        return note("A classifier translates nothing: there is nothing to evaluate.")
    if not run.evaluation:
        damaged = [warning(text) for text in run.wrong if "evaluation.json: " in text]
        return ("".join(damaged) or note("This run has not been evaluated.")) + commands(run)
    e, groups = run.evaluation, run.groups
    source, target, told = groups["source"], groups["target"], judged(e)
    how = (
        f"{number(e['images'])} test images s of {source}, translated with the averaged weights into s′. On real: the same "
        f"figure of real images of {target}. Where s has a true partner among the test images, s′ can do better than other "
        "real images. ↑ more is better, ↓ less is better."
    )
    out = note(how)
    if is_stale(run):
        newest = number(run.newest.step) + (", written later" if e["step"] == run.newest.step else "")
        out += warning(f"Of step {number(e['step'])}; the newest checkpoint is of step {newest}.") + commands(run)
    judge = f"classifier {e['classifier']}" if "classifier" in e else "no classifier: figures that need one are not there"
    out += note(f"Step {number(e['step'])}; {e.get('source')} and {e.get('target')}; {judge}.")
    out += kept_table(e, told, target) + classes_table(told) if told else ""
    out += distributions_table(e, target)
    out += distances_table(e) if e.get("distances") else ""
    out += regions_tables(e, groups) if e.get("regions") else ""
    return out + told_table(e, groups)


def tiles(run):
    """Of the overview: what an evaluation says above all."""
    e = run.evaluation
    if not e:
        return []
    cells, told = [], judged(e).values()
    kid = e["distributions"].get("kid_ratio")
    if kid:
        cells.append(("KID over that of the domains" + DOWN, share(kid.get("value")), f"on real {share(kid.get('real'))}"))
    if told:
        keys = "modes_present", "modes", "modes_present_real", "modes_real"
        present, modes, real, modes_real = (sum(x.get(k, 0) for x in told) for k in keys)
        cells.append(("classes present in s′" + UP, out_of(present, modes), f"on real {out_of(real, modes_real)}"))
        cells.append(("labels kept in s′" + UP, share(mean(x.get("kept_share") for x in told)), "of those told on real"))
    stale = f" · step {number(e['step'])}" if is_stale(run) else ""
    return [(name, value, small + stale) for name, value, small in cells]
