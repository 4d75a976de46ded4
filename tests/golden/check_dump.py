#!/usr/bin/python3
"""Checks a file written by `dagan_mpi train CONFIG --dump-step FILE.h5` against PyTorch.

Takes /weights and /batch from the file, recomputes the step in double precision with reference.py
and compares every loss, wire and gradient, and the weights after the step.  Where units stand at a
kink of relu or of l1, rounding decides which way a gradient goes: to see by how much at these
weights, the step is repeated with convolutions that err by --rough, and gradients are allowed twice
the largest change that made, if that is more than --tol-grad.  Settings come from
the options below, else from the file's attributes (width, regions, half, settle, sharpness, gan, distance,
norm_dae, norm_g, norm_d, spectral, rate_g, rate_d, weight_<term>), else from the reference job; the network
of distance classifier is in no step's file: --loss-net names it.
"""
import argparse
import dataclasses
import re
import sys

import h5py
import numpy as np
import torch

from make_golden import rough_convolutions
import reference
from reference import DISTANCE, GAN, Settings

FLOOR = 1e-3    # gradients are compared on a scale of at least this share of their network's largest:
                # a softmax does not see dae.loc.out.bias, whose gradient is nothing but rounding


def read(group, kind):
    """{"dae.enc.c0.weight": array, ...} of the datasets below group/kind, in double precision."""
    found = {}
    if kind in group:
        group[kind].visititems(lambda n, x: found.update({n.replace("/", "."): np.asarray(x, np.float64)})
                               if isinstance(x, h5py.Dataset) else None)
    return found


def loss_net(path):
    """The frozen network of distance classifier: VGG16 as Keras saves it, or a checkpoint of a classifier."""
    with h5py.File(path, "r") as f:
        vgg = f["model_weights"] if "model_weights" in f else f
        if "block1_conv1" in vgg:
            net, weights = reference.Vgg16(), {}
            for layer in net.conv:
                vgg[layer].visititems(lambda _, x, layer=layer: weights.update(
                    {f"conv.{layer}.weight": x[:].transpose(3, 2, 0, 1)} if x.ndim == 4 else
                    {f"conv.{layer}.bias": x[:]}) if isinstance(x, h5py.Dataset) else None)
        else:
            kind = re.search(r"norm:\s+dae: \"?(\w+)", f.attrs["config"] if isinstance(f.attrs["config"], str)
                             else f.attrs["config"].decode())[1]
            weights = {n: x for n, x in read(f["ema"], "cls").items() if n.startswith(("enc.", "res."))}
            net = reference.Classifier(len(weights["enc.c0.weight"]), kind)
    net.load_state_dict({n: torch.tensor(x) for n, x in weights.items()})
    return net.double().requires_grad_(False)


def refuse_others(attributes):
    """Ends where the step is of a network that reference.py does not compute."""
    config = attributes.get("config", "")
    config = config.decode() if isinstance(config, bytes) else config
    for section, key, wanted in ("attention", "mode", "mask"), ("model", "residuals", "4"):
        found = re.search(rf"^{section}:\n(?:  .*\n)*?  {key}: \"?(\w+)", config, re.M)
        if found and found[1] != wanted:
            sys.exit(f"check_dump.py: found {section}.{key} {found[1]}, wanted {wanted}, as reference.py computes it")
    for key in "half", "settle":
        if np.size(attributes.get(key, 0)) > 1:
            sys.exit(f"check_dump.py: found attention.{key} of several sizes, wanted one for all regions")


def settings(attributes, flags):
    """The flags, then the file's attributes, then the reference job, saying which ones were assumed."""
    chosen, assumed = {}, []
    for field in dataclasses.fields(Settings):
        value = flags[field.name]
        value = attributes.get(field.name) if value is None else value
        if value is None:
            value, _ = field.default, assumed.append(f"{field.name} {field.default}")
        value = value.decode() if isinstance(value, bytes) else value
        chosen[field.name] = field.type(value)
    if assumed:
        print("assumed:", ", ".join(assumed))
    return Settings(**chosen)


class Table:
    """One line per group of names: its worst figure, against what is allowed."""
    def __init__(self, partial):
        self.partial, self.misses = partial, 0
        print(f"{'group':18}{'items':>6} {'worst':>10} {'allowed':>8}  worst at")

    def line(self, group, allowed, expected, found, distance):
        absent = [n for n in expected if n not in found]
        figures = {n: distance(n) if expected[n].shape == found[n].shape else np.inf
                   for n in expected if n in found}
        at = max(figures, key=lambda n: np.nan_to_num(figures[n], nan=np.inf), default=None)
        bad = sum(not x <= allowed for x in figures.values())            # NaN is bad
        missing = 0 if self.partial else len(absent)
        self.misses += bad + missing
        if at is not None:
            shape = "" if figures[at] < np.inf else f", shape {found[at].shape}, expected {expected[at].shape}"
            print(f"{group:18}{len(figures):6} {figures[at]:10.2e} {allowed:8.0e}  {at}{shape}"
                  + (f"   MISS ({bad} of {len(figures)})" if bad else ""))
        if missing:
            print(f"{group:18}{missing:6}     absent           {absent[0]}   MISS")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("file")
    p.add_argument("--group", default="/", help="where in the file, e.g. /cases/lsgan of golden.h5")
    p.add_argument("--partial", action="store_true", help="what the file does not hold is no miss")
    for kind, value, text in (("loss", 1e-4, "relative"), ("wires", 1e-3, "of the largest entry"),
                              ("grad", 1e-3, "of the tensor's largest entry"),
                              ("after", 1e-2, "in units of Adam's rate, given the file's gradients")):
        p.add_argument(f"--tol-{kind}", type=float, default=value, help=f"{text}; default {value:g}")
    p.add_argument("--rough", type=float, default=2e-6, help="relative error of a convolution; default 2e-6")
    p.add_argument("--trials", type=int, default=3, help="repetitions with that error; default 3, 0: none")
    p.add_argument("--loss-net", help="the network of distance classifier, HDF5")
    choices = {"gan": list(GAN), "distance": list(DISTANCE)}
    for field in dataclasses.fields(Settings):
        names = ["instance", "group", "layer", "none"] if field.name.startswith("norm") else choices.get(field.name)
        p.add_argument("--" + field.name.replace("_", "-"), type=field.type, choices=names, help=argparse.SUPPRESS
                       if field.name.startswith("weight") else f"default {field.default}")
    a = p.parse_args()

    with h5py.File(a.file, "r") as f:
        here = f[a.group]
        refuse_others(here.attrs)
        o = settings(here.attrs, vars(a))
        step = int(here.attrs.get("step", 0))
        batch, weights, wires, loss, grad, after = (
            read(here, kind) for kind in ("batch", "weights", "wires", "loss", "grad", "after"))

    model = reference.model(o).double()
    own = dict(model.named_parameters()) | dict(model.named_buffers())
    if o.distance == "classifier":
        if not a.loss_net:
            sys.exit(f"{a.file}: its distance wants --loss-net")
        model.__dict__["loss_net"] = loss_net(a.loss_net)   # no part of the model: it has no gradients
    wrong = [f"{n} {weights[n].shape if n in weights else 'absent'}, expected {tuple(x.shape)}"
             for n, x in own.items() if n not in weights or weights[n].shape != tuple(x.shape)]
    if wrong or not {"s", "t"} <= batch.keys():
        sys.exit(f"{a.file}: not these settings' network: "
                 + "; ".join(wrong[:3] or ["/batch/s or /batch/t absent"]) + f" ({len(wrong)} weights in all)")
    unknown = sorted(weights.keys() - own)
    if unknown:
        print(f"not in the reference network, not checked: {', '.join(unknown)}")
    labelled = loss.get("label", np.zeros(()))
    if labelled != 0:
        print("the file has a label loss: gradients of dae contain it and are not checked")

    model.load_state_dict({n: torch.tensor(weights[n]) for n in own})
    s, t = (torch.tensor(batch[name]) for name in "st")
    q, terms, exact = model.gradients(s, t)
    q, terms, exact = ({n: x.detach().numpy() for n, x in d.items()} for d in (q, terms, exact))

    nets = {net: {n: g for n, g in exact.items() if n.split(".")[0] == net} for net in (*model.ours, "d1", "d2")}
    largest = {n: max(np.abs(g).max(), FLOOR * max(np.abs(x).max() for x in part.values()))
               for part in nets.values() for n, g in part.items()}
    allowed = dict.fromkeys(nets, a.tol_grad)
    for seed in range(a.trials):
        handles = rough_convolutions(model, a.rough, seed)
        for n, g in model.gradients(s, t)[2].items():
            net = n.split(".")[0]
            allowed[net] = max(allowed[net], 2 * np.abs(g.numpy() - exact[n]).max() / largest[n])
        for handle in handles:
            handle.remove()

    # What no gradient trains follows the weights and the scores.
    scores = [np.array([q[f"{d}_real"].mean(), q[f"{d}_fake"].mean()]) for d in ("d1", "d2")]
    follows = {n: 0.99 * weights[n] + 0.01 * scores[n.startswith("d2")] if n.endswith("average") else
               model.get_submodule(n[:-2]).next_u(torch.tensor(after[n[:-1] + "weight"])).numpy()
               for n, _ in model.named_buffers() if n in after}

    table = Table(a.partial)
    absent = [n for n, _ in model.named_buffers() if n not in after]
    if absent and not a.partial:
        table.misses += len(absent)
        print(f"{'after, follows':18}{len(absent):6}     absent           {absent[0]}   MISS")
    for n in terms:
        table.line(f"loss {n}", a.tol_loss, {n: terms[n]}, loss,
                   lambda n: abs(loss[n] - terms[n]) / max(abs(terms[n]), 0.1))
    for n in q:
        table.line(f"wires {n}", a.tol_wires, {n: q[n]}, wires,
                   lambda n: np.abs(wires[n] - q[n]).max() / np.abs(q[n]).max())
    for net, part in nets.items():
        if net != "dae" or labelled == 0:
            table.line(f"grad {net}", allowed[net], part, grad,
                       lambda n: np.abs(grad[n] - part[n]).max() / largest[n])
    if follows:
        table.line("after, follows", a.tol_wires, follows, after,
                   lambda n: np.abs(after[n] - follows[n]).max() / np.abs(follows[n]).max())
    # Adam divides by the gradient's size, so the weights after one step tell about the gradients'
    # signs only; what is checked here is the optimizer, given the file's own gradients.
    for net in nets if step == 0 else ():
        rate = o.rate_d if net[0] == "d" and net != "dae" else o.rate_g
        part = {n: weights[n] - rate * grad[n] / (np.abs(grad[n]) + 1e-8)
                for n in nets[net] if n in grad and grad[n].shape == weights[n].shape}
        table.line(f"after {net}", a.tol_after, part, after, lambda n: np.abs(after[n] - part[n]).max() / rate)
    if step != 0:
        print(f"step {step}: Adam's moments are not in the file, weights after the step not checked")
    print(f"{a.file}: " + (f"{table.misses} misses" if table.misses else "agrees"))
    return 1 if table.misses else 0


if __name__ == "__main__":
    sys.exit(main())
