#!/usr/bin/python3
"""check_dump.py passes a right step and finds each of these mistakes, made in a copy of the network."""
import contextlib
import io
import pathlib
import sys
import tempfile
from unittest import mock

import h5py
import numpy as np
import torch
from torch.nn import functional as F

import check_dump
import make_golden
import reference

mask, forward = reference.mask, reference.Model.forward
patch = mock.patch.object


def d2_sees_d1s_fake(self, s, t):
    q = forward(self, s, t)
    return {**q, "d2_fake": self.d2(q["s_fake"])}


def instances_detached(self, s, t):
    q = forward(self, s, t)
    return {**q, "s_instances": q["s_instances"].detach()}


def centres_detached(c, *rest):
    return mask(c.detach() + 0 * c, *rest)


def decayed(parameters, rate, betas, eps):
    return torch.optim.AdamW(parameters, rate, betas, eps, weight_decay=0.1)


MISTAKES = {
    "x and y swapped in the mask": patch(reference, "mask", lambda c, *rest: mask(c.flip(2), *rest)),
    "centres half a pixel off": patch(reference, "mask", lambda c, *rest: mask(c + 0.5, *rest)),
    "centres rounded": patch(reference, "mask", lambda c, *rest: mask(c.round(), *rest)),
    "no gradient through the centres": patch(reference, "mask", centres_detached),
    "k off by 1 %": patch(reference, "mask", lambda c, h, w, half, k: mask(c, h, w, half, 1.01 * k)),
    "D2 fed with D1's fakes": patch(reference.Model, "forward", d2_sees_d1s_fake),
    "one side of L_cst detached": patch(reference.Model, "forward", instances_detached),
    "D's loss halved": mock.patch.dict(reference.GAN, nonsaturating=(
        lambda r, f: reference.ns_d(r, f) / 2, reference.GAN["nonsaturating"][1])),
    "G's loss saturating": mock.patch.dict(reference.GAN, nonsaturating=reference.GAN["minimax"]),
    "sum instead of mean": mock.patch.dict(reference.DISTANCE, l1=lambda a, b: F.l1_loss(a, b, reduction="sum")),
    "eps 1e-4 in the norms": patch(reference, "norm", lambda kind, c: torch.nn.GroupNorm(c, c, eps=1e-4)),
    "leaky slope 0.1": patch(F, "leaky_relu", lambda x, _: torch.where(x > 0, x, 0.1 * x)),
    "weight decay": patch(torch.optim, "Adam", decayed),
    "no update": patch(torch.optim.Adam, "step", lambda self: None),
}


def misses(path):
    """What check_dump.py says of the file, the lines that miss."""
    out = io.StringIO()
    with patch(sys, "argv", ["check_dump.py", str(path)]), contextlib.redirect_stdout(out):
        status = check_dump.main()
    found = [" ".join(line.split()[:2]) for line in out.getvalue().splitlines() if "MISS" in line]
    assert status == bool(found)
    return found


def main():
    torch.set_num_threads(1)
    s, t = (make_golden.images(np.random.default_rng(seed)) for seed in (1, 2))
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "step.h5"
        for name, mistake in {"no mistake": contextlib.nullcontext(), **MISTAKES}.items():
            with mistake:
                r = make_golden.run(make_golden.JOB, s, t, torch.float32, 1)
            with h5py.File(path, "w") as f:
                make_golden.attributes(f, make_golden.JOB)
                make_golden.write(f, "batch", {"s": s, "t": t})
                for kind in ("weights", "loss", "wires", "grad", "after"):
                    make_golden.write(f, kind, r[kind])
            found = misses(path)
            good = bool(found) == (name != "no mistake")
            failed += not good
            print(f"{'ok  ' if good else 'FAIL'} {name}: "
                  + (f"{len(found)} misses, first {found[0]}, last {found[-1]}" if found else "agrees"))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
