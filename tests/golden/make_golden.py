#!/usr/bin/python3
"""Writes golden.h5, the numbers the C tests compare with; see README.md for what it holds.

Weights, images and all settings are fixed here, so the same PyTorch writes the same bytes.
"""
import argparse
import dataclasses
import pathlib

import h5py
import numpy as np
import torch

from reference import Settings, model

SIZE, PAIRS, STEPS = 32, 4, 10
KEEP = 640     # entries of the largest gradient tensor stored for a case that changes the losses only
SALT = 194     # of the weights, chosen so that rounding moves no unit of the first job across a kink
ROUGH, TRIALS = 2e-6, 6    # roughness of convolutions tried, and how often
JOB = Settings(width=4, regions=3, half=8.0)
NORMS = lambda dae, g, d: dict(norm_dae=dae, norm_g=g, norm_d=d)
CASES = {
    "minimax": {"gan": "minimax"},
    "lsgan": {"gan": "lsgan"},
    "hinge": {"gan": "hinge"},
    "l2": {"distance": "l2"},
    "weights": {"weight_gan_s": 0.5, "weight_gan_t": 2.0, "weight_cst": 3.0, "weight_sym": 0.25,
                "weight_pixel": 10.0},
    "soft": {"half": 9.5, "sharpness": 0.5},
    "whole": {"regions": 0, **NORMS("group", "group", "instance")},
    "cyclegan": {"kind": "cyclegan", "gan": "lsgan", "weight_identity": 5.0},
    "norm_group_layer_none": NORMS("group", "layer", "none"),
    "norm_layer_none_group": NORMS("layer", "none", "group"),
    "norm_none_group_layer": NORMS("none", "group", "layer"),
}


def images(rng):
    """Smooth pictures (n, 3, H, W): soft-edged ellipses of two colours on a slanted background."""
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    out = np.empty((PAIRS, 3, SIZE, SIZE))
    for image in out:
        slope = rng.uniform(-1.5, 1.5, (3, 2))
        value = rng.uniform(-0.5, 0.5, (3, 1, 1)) + slope[:, :1, None] * (x - 0.5) + slope[:, 1:, None] * (y - 0.5)
        for _ in range(4):
            cx, cy, rx, ry = *rng.uniform(0.2, 0.8, 2), *rng.uniform(0.08, 0.25, 2)
            inside = 1 / (1 + np.exp(6 * (np.hypot((x - cx) / rx, (y - cy) / ry) - 1)))
            value += inside * (rng.uniform(-1.5, 1.5, (3, 1, 1)) - value)
        image[:] = np.tanh(value + 0.02 * rng.standard_normal((3, SIZE, SIZE)))
    return torch.tensor(out, dtype=torch.float32)


def initial(name, shape):
    """Values by name, so that two cases share what they have in common.

    Scales and shifts differ by channel and the localiser is confident, so that the centres leave the
    middle and a swap of any two things shows.  Norms shift by about 1.75 and the second norm of a
    residual block scales by 0.3, so that few units sit at a kink of relu, where rounding decides
    which way a gradient goes.
    """
    x = np.random.default_rng([SALT, *name.encode()]).standard_normal(shape)
    last = name.split(".")[-2]
    if len(shape) == 4:
        gain = {"dae.loc.out.weight": 4.0, "g.out.weight": 0.4}.get(name, 1.0)
        x *= gain / np.sqrt(np.prod(shape[1:]))
    elif last[0] in "nm":                                    # n0, nf, m1, norm1: affine part of a norm
        x = 0.2 * x + (1.0 if name.endswith("weight") else 0.0 if last == "norm2" else 1.75)
        x *= 0.3 if last == "norm2" else 1.0
    elif name == "dae.loc.conv.bias":
        x = 0.2 * x + 0.5
    else:
        x *= 0.1
    return torch.tensor(x, dtype=torch.float32)


def rough_convolutions(model, size, seed=1):
    """Adds noise of `size` times its root mean square to what each convolution puts out, forward and
    backward: a stand-in for convolution algorithms that round more than the direct sum does.
    Returns the hooks."""
    g = torch.Generator().manual_seed(seed)
    noisy = lambda x: x + size * x.square().mean().sqrt() * torch.randn(x.shape, generator=g, dtype=x.dtype)

    def hook(_, __, y):
        y = y + (noisy(y) - y).detach()
        y.register_hook(noisy)
        return y
    return [m.register_forward_hook(hook) for m in model.modules() if isinstance(m, torch.nn.Conv2d)]


def run(o, s, t, dtype, steps, rough=0.0, seed=1):
    """{"loss": {name: tensor}, "wires": .., "grad": .., "after": .., "after10": .., "weights": ..}"""
    m = model(o)
    m.load_state_dict({n: initial(n, p.shape) for n, p in m.state_dict().items()})
    m.to(dtype)
    if rough:
        rough_convolutions(m, rough, seed)
    weights = lambda: {n: p.detach().clone() for n, p in m.named_parameters()}
    out, optimizers = {"weights": weights()}, m.optimizers()
    for step in range(1, steps + 1):
        wires, loss, grad = m.step(optimizers, s.to(dtype), t.to(dtype))
        if step == 1:
            out.update(wires=wires, loss=loss, grad=grad, after=weights())
        if step == STEPS:
            out.update(after10=weights(), loss10=loss)
    return out


def noise(a, exact, rate):
    """How far `a` is from `exact`, one figure per kind of number; README.md defines them."""
    away = lambda kind, n: (a[kind][n].double() - exact[kind][n]).abs()
    worst = lambda kind: max((away(kind, n).max() / exact[kind][n].abs().max()).item()
                             for n in exact[kind] if n != "dae.loc.out.bias")
    out = {"loss": worst("loss"), "wires": worst("wires"), "grad": worst("grad")}
    for kind in ("after", "after10"):
        if kind in exact:
            d = torch.cat([away(kind, n).flatten() for n in exact[kind] if n != "dae.loc.out.bias"]) / rate
            out.update({f"{kind}_max": d.max().item(), f"{kind}_rms": d.square().mean().sqrt().item(),
                        f"{kind}_over_0.1": (d > 0.1).double().mean().item()})
    if "loss10" in exact:
        out["loss10"] = worst("loss10")
    return out


def timeless(group, path):
    """The group at `path`, made without the times of creation that HDF5 records by default."""
    for name in filter(None, path.split("/")):
        if name not in group:
            plist = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
            plist.set_obj_track_times(False)
            h5py.h5g.create(group.id, name.encode(), gcpl=plist)
        group = group[name]
    return group


def create(path):
    """A new file in HDF5 1.10's format, whose small groups and datasets take little room."""
    create, access = h5py.h5p.create(h5py.h5p.FILE_CREATE), h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    create.set_obj_track_times(False)
    access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
    return h5py.File(h5py.h5f.create(str(path).encode(), h5py.h5f.ACC_TRUNC, create, access))


def write(group, kind, values, shared=None):
    """One dataset per name, dots becoming groups; those found equal in `shared` become hard links."""
    for name, x in values.items():
        path = f"{kind}/{name.replace('.', '/')}"
        where, leaf = path.rsplit("/", 1)
        where, x = timeless(group, where), x.detach().numpy()
        if shared is not None and path in shared and np.array_equal(shared[path], x):
            where[leaf] = shared[path]
        elif x.size < 256:
            where[leaf] = x.astype(np.float64) if x.ndim == 0 else x
        else:
            where.create_dataset(leaf, data=x, compression="gzip", compression_opts=9, shuffle=True)


def attributes(group, o, figures=()):
    for key, value in {"size": SIZE, "pairs": PAIRS, **dataclasses.asdict(o)}.items():
        group.attrs[key] = np.bytes_(value) if isinstance(value, str) else value
    for key, value in dict(figures).items():
        group.attrs[key] = value


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = pathlib.Path(__file__).parent
    p.add_argument("--output", default=here / "golden.h5", help="default: golden.h5 beside this program")
    a = p.parse_args()
    torch.set_num_threads(1)                                 # sums in one order
    torch.use_deterministic_algorithms(True)

    s, t = (images(np.random.default_rng(seed)) for seed in (1, 2))
    with create(a.output) as f:
        f.attrs["format"] = np.bytes_("dagan-step")
        f.attrs["step"] = 0
        f.attrs["torch"] = np.bytes_(torch.__version__)
        for name, change in {"": {}, **CASES}.items():
            o = dataclasses.replace(JOB, **change)
            steps = STEPS if name == "" else 1
            r = run(o, s, t, torch.float32, steps)
            exact = run(o, s, t, torch.float64, steps)
            plain = noise(r, exact, o.rate_g)
            tried = [noise(run(o, s, t, torch.float64, steps, ROUGH, seed), exact, o.rate_g)
                     for seed in range(1, TRIALS + 1)]
            rough = {n: max(x[n] for x in tried) for n in plain}
            group = f if name == "" else timeless(f, f"cases/{name}")
            attributes(group, o, {**{f"noise_{n}": x for n, x in plain.items()},
                                  **{f"rough_{n}": x for n, x in rough.items()}})
            shared = None if name == "" else f
            write(group, "batch", {"s": s, "t": t}, shared)
            write(group, "weights", r["weights"], shared)
            write(group, "loss", r["loss"])
            if name == "":
                for kind in ("wires", "grad", "after", "after10", "loss10"):
                    write(group, kind, r[kind])
            else:                                            # to save space
                whole = name.startswith("norm")
                write(group, "grad", {n: g for n, g in r["grad"].items() if whole or g.numel() <= KEEP})
            print(f"{name or 'reference job'}:", *(f"{n} {v.item():.4f}" for n, v in r["loss"].items()))
            for label, values in (("float32", plain), (f"rough {ROUGH:g}", rough)):
                print(f"  {label:12}", *(f"{n} {v:.1e}" for n, v in values.items()))
    print(f"{a.output}: {pathlib.Path(a.output).stat().st_size} bytes")


if __name__ == "__main__":
    main()
