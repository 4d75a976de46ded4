"""What dagan_mpi leaves on disk, as Python values: checkpoints, data sets, metrics.  Shared by the scripts beside it.

Centres are x, y in pixels of the image; pixel 0 is centred at 0.0, so an image of 64 pixels runs from -0.5 to 63.5.
"""
import csv
import importlib.util
import os
import re
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# File systems of clusters have no locks, and HDF5 would refuse to open files there: dagan_mpi does the same.
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
# Scripts import this module before h5py and numpy: a Python that lacks one, or matplotlib, ends here, in one line.
try:
    import h5py
    import numpy as np

    if not importlib.util.find_spec("matplotlib"):
        raise ModuleNotFoundError(name="matplotlib")
except ModuleNotFoundError as e:
    wanted = "Debian's python3-h5py and python3-matplotlib are for /usr/bin/python3"
    sys.exit(f"{os.path.basename(sys.argv[0])}: {sys.executable} has no {e.name}; {wanted}")

ROOT = Path(__file__).resolve().parent.parent
# Okabe and Ito's palette, region by region, as in the pictures of samples/ (src/run/draw.c).
COLOURS = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#f0e442", "#56b4e9", "#e69f00", "#000000"]


def pyplot():
    """matplotlib's, without a display.  Importing it takes a second, for which --help and mistakes do not wait."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    return plt


def said(text):
    """As dagan_mpi begins what it says on stderr."""
    return f"{os.path.basename(sys.argv[0])}: {text}"


class Mistake(SystemExit):
    """Ends the script as dagan_mpi ends, one line and status 1, unless somebody does without what is wrong."""

    def __init__(self, text):
        super().__init__(said(text))
        self.text = text


def mistake(text):
    raise Mistake(text)


def open_hdf5(path):
    try:
        return h5py.File(path)
    except OSError:
        mistake(f"{path}: {'cannot be read as HDF5' if os.path.exists(path) else 'no such file'}")


@contextmanager
def reading(what):
    """Ends the script where h5py cannot read `what`, a part of a file that opens."""
    try:
        yield
    except (OSError, KeyError, RuntimeError):
        mistake(f"{what} cannot be read (damaged file?)")


def plain(value):
    """An HDF5 attribute as a Python value."""
    value = value.decode() if isinstance(value, bytes) else value
    return value.item() if isinstance(value, np.generic) else value


def bindings(text):
    """'eyes: 0, skin: all' -> {'eyes': 0}"""
    pairs = (item.split(": ") for item in text.split(", ") if item)
    return {name: int(region) for name, region in pairs if region != "all"}


# ---- configuration -----------------------------------------------------------------------------------


def scalar(text):
    if text.startswith('"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if text in ("true", "false"):
        return text == "true"
    for kind in int, float:
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def config_values(text):
    """{"train.batch": 8, ...} of the YAML that dagan_mpi writes: nested by two spaces, one KEY: VALUE a line."""
    values, path = {}, []
    for line in text.splitlines():
        indent, key, value = re.fullmatch(r'( *)("(?:[^"\\]|\\.)*"|[^ :]+):(?: (.*))?', line).groups()
        path[len(indent) // 2 :] = [str(scalar(key)) if key[0] == '"' else key]
        if value is not None and value != "{}":
            values[".".join(path)] = scalar(value)
    return values


# ---- checkpoints -------------------------------------------------------------------------------------


@dataclass
class Attention:
    """Where the regions of each training image of a domain were at its last visit."""

    centres: np.ndarray  # (n, N', 2)
    step: np.ndarray  # (n), -1 never visited
    half: np.ndarray  # (N', 2): half-sides w, h of each region
    sharpness: float
    size: int  # side of the images in pixels
    bound: dict  # {"eyes": 0}: labels bound to one region
    data: tuple  # (file, group, split)

    @property
    def seen(self):
        return self.step >= 0

    @property
    def regions(self):
        return self.centres.shape[1]

    def name(self, region):
        """'0 eyes', or '0' where no label is bound to the region."""
        return " ".join([str(region), ", ".join(k for k, r in self.bound.items() if r == region)]).strip()


class Checkpoint:
    def __init__(self, path):
        self.path = Path(path)
        self.file = open_hdf5(path)
        self.stat = os.fstat(self.file.id.get_vfd_handle())  # by its path it may be gone: training keeps the newest ones
        self.attrs = {k: plain(v) for k, v in self.file.attrs.items()}
        if self.attrs.get("format") != "dagan-checkpoint":
            mistake(f"{path}: format is {self.attrs.get('format')!r}, wanted 'dagan-checkpoint'")
        if self.attrs.get("version") != 2 or not self.attrs.get("complete"):
            found = f"version is {self.attrs.get('version')}, complete is {self.attrs.get('complete')}"
            mistake(f"{path}: {found}; wanted 2 and 1")
        self.step = self.attrs["step"]
        self.config = config_values(self.attrs["config"])

    @property
    def has_regions(self):
        return "attention" in self.file

    def attention(self, domain):
        if f"attention/{domain}" not in self.file:
            mistake(f"{self.path}: has no /attention/{domain}: {self.config['model.kind']} without regions")
        with reading(f"{self.path}: /attention/{domain}"):
            g = self.file[f"attention/{domain}"]
            a = {k: plain(v) for k, v in g.attrs.items()}
            centres, step = g["centres"][:], g["step"][:]
        file, path = a["data"].rsplit(":", 1)
        return Attention(
            centres,
            step,
            np.broadcast_to(a["half"], (centres.shape[1], 2)),
            a["sharpness"],
            a["image_size"],
            bindings(a["labels"]),
            (file, *path.strip("/").rsplit("/", 1)),
        )

    def metrics(self):
        with reading(f"{self.path}: /metrics"):
            return {name: x[:] for name, x in self.file["metrics"].items()}


def checkpoints(run):
    """The checkpoints kept in a run directory, oldest first, and what is wrong with those that cannot be read."""
    kept, wrong = [], []
    for path in sorted(Path(run).glob("ckpt-*.h5")):
        try:
            kept.append(Checkpoint(path))
        except Mistake as e:
            wrong.append(e.text)
    return kept, wrong


# ---- data sets ---------------------------------------------------------------------------------------


class Split:
    """One split of one domain: images (n, h, w, 3), labels by name, boxes of parts where the data set has them."""

    def __init__(self, file, group, split):
        self.name = f"{group}/{split}"
        self.file = open_hdf5(file)
        if self.name not in self.file:
            mistake(f"{file}: has no group {self.name}")
        with reading(f"{file}: {self.name}"):
            self.domain = {k: plain(v) for k, v in self.file[group].attrs.items()}
            here = self.file[self.name]
            self.images = here["images"]
            self.parts = {k: x[:] for k, x in here.get("parts", {}).items()}
        for name, boxes in self.parts.items():
            wanted = len(self.images), 4
            if boxes.shape != wanted:
                mistake(f"{file}: {self.name}/parts/{name} holds boxes {boxes.shape}, wanted {wanted}")

    def expect(self, size, rows=None):
        """Ends the script unless the images are of this size, and as many where that is known: a run's own."""
        shape = self.images.shape
        wanted = (shape[0] if rows is None else rows, size, size, 3)
        if shape != wanted:
            mistake(f"{self.file.filename}: {self.name} holds images {shape}, wanted {wanted}")

    def image(self, row):
        with reading(f"{self.file.filename}: {self.name}/images: row {row}"):
            return self.images[row]


def same_images(a, b):
    """Whether two datasets hold the same images, told by their shape and first rows: domains may be of one size."""
    return a.shape == b.shape and np.array_equal(a[:8], b[:8])


def find_data(name, group, instead=None):
    """The path of a data set named in a configuration: where dagan_mpi was started, else in the project; or the first of
    the files given instead that holds the group, as each domain may have its own."""
    for path in instead or []:
        with open_hdf5(path) as f:
            if group in f:
                return Path(path)
    if instead:
        mistake(f"{' '.join(instead)}: has no group {group}")
    return next((p for p in (Path(name), ROOT / name) if p.exists()), None)


def part_of(attention, parts):
    """{"eyes": 0}: the parts whose name is that of a label bound to one region."""
    return {name: region for name, region in attention.bound.items() if name in parts}


# ---- metrics -----------------------------------------------------------------------------------------


def parse_metrics(text):
    whole = text[: text.rfind("\n") + 1]  # the last line of a running job may be half written
    head, *rows = list(csv.reader(whole.splitlines())) or [[]]
    return dict(zip(head, np.array([r for r in rows if len(r) == len(head)], float).T))


def read_metrics(path):
    """The columns of a run's metrics.csv, or of a checkpoint."""
    path = Path(path)
    path = path / "metrics.csv" if path.is_dir() else path
    try:
        found = Checkpoint(path).metrics() if path.suffix == ".h5" else parse_metrics(path.read_text())
    except OSError as e:
        mistake(f"{path}: {e.strerror}")
    except (csv.Error, ValueError) as e:
        mistake(f"{path}: cannot be read as metrics: {e}")
    if not len(found.get("step", [])):
        mistake(f"{path}: holds no rows of metrics")
    return found


def computed(name, y):
    """Losses stand at 0 while their step has not begun (label_warmup): these rows say nothing, and may be all."""
    if not name.startswith(("loss_", "norm_")):
        return np.full(len(y), True)
    return np.cumsum(y != 0) > 0


def smoothed(y, n):
    """Running mean over n rows around each row, fewer at the ends, of what is finite; NaN where nothing is."""
    finite, at = np.isfinite(y), np.arange(len(y))
    first, end = np.maximum(at - n // 2, 0), np.minimum(at + n // 2 + 1, len(y))
    sums, counts = (np.concatenate([[0], np.cumsum(v)]) for v in (np.where(finite, y, 0), finite))
    count = counts[end] - counts[first]
    return np.where(count, (sums[end] - sums[first]) / np.maximum(count, 1), np.nan)
