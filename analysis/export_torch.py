#!/usr/bin/python3
"""Exports F = G o DAE of a checkpoint to PyTorch: the averaged weights, as `dagan_mpi translate` uses them.

Written to --output, to be used anywhere with torch alone:

  f.pt        the state dict, the checkpoint's names and shapes
  f.json      the settings of the network
  dagan_f.py  the module:  from dagan_f import load; y, centres = load(FOLDER)(x)

Needs python3-torch, and the configuration in the checkpoint to be one that dagan_f.py knows.
"""
import argparse
import json
import shutil
from pathlib import Path

from files import Checkpoint, mistake

import h5py

# Configuration key -> setting of dagan_f.py; None: of no effect on F.
SETTINGS = {
    "data.size": "size",
    "model.kind": None,
    "model.width": "width",
    "model.width_d": None,
    "model.encoder": "encoder",
    "model.localiser": "localiser",
    "model.norm.dae": "norm_dae",
    "model.norm.g": "norm_g",
    "model.norm.d": None,
    "model.norm.groups": "groups",
    "model.spectral": None,
    "model.residuals": "residuals",
    "model.range": "range",
    "attention.regions": "regions",
    "attention.half": "half",
    "attention.grid": None,
    "attention.settle": "settle",
    "attention.jitter": None,
    "attention.sharpness": "sharpness",
    "attention.mode": "mode",
    "attention.window": "window",
}
NORMS = "instance", "group", "layer", "none"


def sides_of(value):
    """12 stays; "11x6 8" becomes [[11, 6], [8, 8]]."""
    if not isinstance(value, str):
        return value
    sides = [[float(side) for side in part.split("x")] for part in value.split()]
    return [[side[0], side[-1]] for side in sides]


def settings(path, config):
    known_values = {
        "model.kind": ("dagan",),
        "model.encoder": dagan_f.ENCODERS,
        "model.localiser": dagan_f.LOCALISERS,
        "model.norm.dae": NORMS,
        "model.norm.g": NORMS,
        "attention.mode": ("mask", "crop"),
    }
    config.setdefault("attention.settle", 0)  # younger than the format
    for key, value in config.items():
        if key.startswith(("model.", "attention.")) and key not in SETTINGS:
            mistake(f"{path}: {key} is {value}, a key that dagan_f.py does not know")
    for key, name in SETTINGS.items():
        if name and key not in config:
            mistake(f"{path}: its configuration has no {key}")
    for key, known in known_values.items():
        if config[key] not in known:
            mistake(f"{path}: {key} is {config[key]!r}, dagan_f.py knows {', '.join(known)}")
    found = {name: config[key] for key, name in SETTINGS.items() if name}
    return found | {"half": sides_of(found["half"]), "settle": sides_of(found["settle"])}


def weights(file):
    """{"dae.enc.c0.weight": tensor} of /ema."""
    found = {}
    file["ema"].visititems(
        lambda name, x: found.update({name.replace("/", "."): torch.tensor(x[()])})
        if isinstance(x, h5py.Dataset)
        else None
    )
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", metavar="CKPT")
    parser.add_argument("--output", metavar="FOLDER", help="default: CKPT without .h5, and -torch")
    args = parser.parse_args()
    global torch, dagan_f  # only here, so that --help needs neither
    try:
        import torch
        import dagan_f
    except ModuleNotFoundError as e:
        mistake(f"{e}; Debian's package is python3-torch")

    checkpoint = Checkpoint(args.checkpoint)
    chosen = settings(checkpoint.path, checkpoint.config)
    found, wanted = weights(checkpoint.file), dagan_f.F(chosen).state_dict()
    heads = [name for name in found if name.startswith("dae.head.")]  # of the label loss; F has no use for them
    for name in heads:
        del found[name]
    for name in sorted(found.keys() | wanted.keys()):
        shapes = [tuple(x[name].shape) if name in x else "absent" for x in (found, wanted)]
        if shapes[0] != shapes[1]:
            mistake(
                f"{checkpoint.path}: {name} is {shapes[0]}, wanted {shapes[1]} for the network of its configuration"
            )

    folder = Path(args.output or str(checkpoint.path.with_suffix("")) + "-torch")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(found, folder / "f.pt")
        (folder / "f.json").write_text(json.dumps(chosen, indent=2) + "\n")
        shutil.copy(dagan_f.__file__, folder / "dagan_f.py")
    except OSError as e:
        mistake(f"{folder}: {e.strerror}")
    print(
        f"{sum(x.numel() for x in found.values())} parameters of F after step {checkpoint.step} written to {folder}/"
        + (f"; {len(heads)} arrays of label heads left out" if heads else "")
    )


if __name__ == "__main__":
    main()
