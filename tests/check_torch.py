#!/usr/bin/python3
"""Compares an exported F with what translate wrote.

check_torch.py NAME EXPORTED TRANSLATED CKPT
check_torch.py --change HOW CKPT OUTPUT    writes a checkpoint that export_torch.py must refuse

Tolerances.  F runs in double precision here.  The program's float32 convolutions err by up to 2e-4 of their output
(Winograd), which a dozen layers carry into centres and pixels: 0.02 pixels and 0.25 of 255 levels.  translate then
rounds to whole levels, at most half a level more.  A region half a pixel off, or k half as large, moves pixels by
several levels; that is checked too.
"""
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import torch

from check_files import check

CENTRES, LEVELS, IMAGES = 0.02, 0.75, 48
WINDOW_STEP = 4


def run(f, inputs):
    with torch.no_grad():
        y, centres = f.double()(torch.tensor(inputs).permute(0, 3, 1, 2).double() / 127.5 - 1)
    return ((y.permute(0, 2, 3, 1) + 1) * 127.5).clamp(0, 255).numpy(), centres.numpy()


def safe(centres, windows, size):
    """Images none of whose windows has a centre so near to where the window jumps that rounding decides."""
    sides = np.reshape(windows, (-1, 2))
    at = (centres + 0.5 - sides / 2) / WINDOW_STEP + 0.5
    near = (np.abs(at - np.round(at)) * WINDOW_STEP < CENTRES) & (sides < size)
    return ~near.any(axis=(1, 2))


def compare(name, folder, translated, checkpoint):
    sys.path.insert(0, folder)  # the module beside the weights, as its user has it
    import dagan_f

    torch.set_num_threads(1)
    with h5py.File(translated) as t:
        inputs, outputs, centres = (t[k][:IMAGES] for k in ("inputs", "outputs", "centres"))
    f = dagan_f.load(folder)
    y, c = run(f, inputs)
    if f.dae.s["regions"]:
        spread = centres.std(axis=0).max()
        check(f"{name}: regions stand in different places", spread > 0.5, spread)
        check(f"{name}: centres agree", np.abs(c - centres).max() < CENTRES, np.abs(c - centres).max())
    use = safe(centres.astype(float), f.dae.windows, f.dae.s["size"])
    check(f"{name}: most images can be compared", use.mean() > 0.6, use.mean())
    check(f"{name}: outputs agree", np.abs(y - outputs)[use].max() < LEVELS, np.abs(y - outputs)[use].max())

    with h5py.File(checkpoint) as k:
        state = f.float().state_dict()
        same = all(
            np.array_equal(x.numpy(), k["ema/" + n.replace(".", "/")][()])
            for n, x in dagan_f.load(folder).state_dict().items()
        )
        moved = any(
            not np.array_equal(k["ema/" + n.replace(".", "/")][()], k["weights/" + n.replace(".", "/")][()])
            for n in state
        )
    check(f"{name}: the averaged weights, to the bit, not the others", same and moved)

    if name == "reference":
        sys.path.insert(0, str(Path(__file__).parent / "golden"))
        import reference

        model = reference.Model(reference.Settings(width=8, half=10, sharpness=0.5))
        model.load_state_dict(state, strict=False)  # D1 and D2 keep what they were
        features, c2, instances = model.double().dae(torch.tensor(inputs[:8]).permute(0, 3, 1, 2).double() / 127.5 - 1)
        y2 = ((model.g(features, instances).permute(0, 2, 3, 1) + 1) * 127.5).detach().numpy()
        check(
            f"{name}: the independent network of tests/golden does the same",
            np.allclose(c2.detach().numpy(), c[:8], atol=1e-4) and np.allclose(y2, y[:8], atol=1e-2),
            np.abs(y2 - y[:8]).max(),
        )

    for key, value in ("half", np.add(f.dae.s["half"], 0.5).tolist()), ("sharpness", f.dae.s["sharpness"] / 2):
        if not f.dae.s["regions"]:
            continue
        other = dagan_f.load(folder)
        other.dae.s = other.dae.s | {key: value}
        wrong = np.abs(run(other, inputs)[0] - outputs)[use].max()
        check(f"{name}: another {key} would be noticed", wrong > LEVELS, wrong)


def change(how, checkpoint, output):
    shutil.copy(checkpoint, output)
    with h5py.File(output, "r+") as f:
        config = f.attrs["config"].decode()
        if how == "key":
            config = config.replace("model:\n", "model:\n  depth: 3\n")
        if how == "localiser":
            config = config.replace('localiser: "softargmax"', 'localiser: "spline"')
        if how == "width":
            config = config.replace("\n  width: 8\n", "\n  width: 16\n")
        if how == "weight":
            f["ema/g/extra/weight"] = np.zeros(3, np.float32)
        f.attrs["config"] = np.bytes_(config)


if __name__ == "__main__":
    change(*sys.argv[2:]) if sys.argv[1] == "--change" else compare(*sys.argv[1:])
