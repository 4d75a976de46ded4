#!/usr/bin/python3
"""The job of configs/reference.yaml in PyTorch, for speed on CPUs: what `make bench` runs beside dagan_mpi.

    python3 analysis/peer/train.py --threads 2
    python3 analysis/peer/train.py --processes 2        # DistributedDataParallel over gloo
    python3 analysis/peer/train.py --check STEP.h5      # from dagan_mpi ... --dump-step: the same step?

The network is that of tests/golden/reference.py.  How it is run is here: s and t go through DAE and G as one
batch, D1 and D2 keep no gradients while F learns and then learn on the detached fakes of the same forward pass,
and each of them sees real and fake as one batch (norms are per image).  Measured with PyTorch 1.13 on Zen 4: NCHW
is a third faster than channels_last, group norm with a group per channel faster than InstanceNorm2d, in-place relu
saves nothing, and tcmalloc (LD_PRELOAD) is 13 % faster than glibc's malloc and peaks 25 % lower.
"""
import argparse
import os
import pathlib
import resource
import sys
import tempfile
import time

import h5py
import numpy as np
import torch
from torch import distributed, multiprocessing, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/golden"))
from reference import GAN, Model, Settings  # noqa: E402

loss_d, loss_g = GAN["nonsaturating"]


class Translate(nn.Module):
    """The objective of DAE and G, a module of its own so that DDP can wrap it; its terms, and the fakes."""
    def __init__(self, m):
        super().__init__()
        self.m = m

    def forward(self, x):
        n = len(x) // 2                                         # s, then t
        features, _, instances = self.m.dae(x)
        fake = self.m.g(features, instances)
        _, _, again = self.m.dae(fake)
        return {"gan_s": loss_g(self.m.d1(fake[:n])), "gan_t": loss_g(self.m.d2(fake[n:])),
                "cst": F.l1_loss(again[:n], instances[:n]), "sym": F.l1_loss(again[n:], instances[n:]),
                "pixel": F.l1_loss(fake[n:], x[n:])}, fake.detach()


class Discriminate(nn.Module):
    def __init__(self, m):
        super().__init__()
        self.d1, self.d2 = m.d1, m.d2

    def forward(self, t, fake):
        n = len(t)
        one, two = self.d1(torch.cat([t, fake[:n]])), self.d2(torch.cat([t, fake[n:]]))
        return {"d1": loss_d(one[:n], one[n:]), "d2": loss_d(two[:n], two[n:])}


class Trainer:
    def __init__(self, model, channels_last=False):
        self.model, self.layout = model, torch.channels_last if channels_last else torch.contiguous_format
        model.to(memory_format=self.layout)
        self.of_d = [*model.d1.parameters(), *model.d2.parameters()]
        self.translate, self.discriminate = Translate(model), Discriminate(model)
        self.optimizers = model.optimizers()
        if distributed.is_initialized():                        # DDP sees what wants a gradient when it wraps
            ddp = lambda net: DistributedDataParallel(net, broadcast_buffers=False, gradient_as_bucket_view=True)
            self.discriminate = ddp(self.discriminate)
            self.train_d(False)
            self.translate = ddp(self.translate)

    def train_d(self, on):
        for p in self.of_d:
            p.requires_grad_(on)

    def step(self, s, t):
        """One update of DAE and G, then of D1 and D2; every loss term."""
        terms = {}
        x = torch.cat([s, t]).contiguous(memory_format=self.layout)
        self.train_d(False)
        terms_g, fake = self.translate(x)
        self.learn(self.optimizers[0], terms_g)
        self.train_d(True)
        terms_d = self.discriminate(x[len(s):], fake)
        self.learn(self.optimizers[1], terms_d)
        return {**terms, **terms_g, **terms_d}

    @staticmethod
    def learn(optimizer, terms):
        optimizer.zero_grad(set_to_none=True)
        sum(terms.values()).backward()                          # the reference job's weights are all 1
        optimizer.step()


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def over_processes(x, op):
    x = torch.as_tensor(x)
    if distributed.is_initialized():
        distributed.all_reduce(x, op)
    return x.item()


def train(a, rank):
    imported = peak_mib()
    torch.manual_seed(1)
    trainer = Trainer(Model(Settings()), a.channels_last)
    with h5py.File(a.data) as f:
        images = [torch.from_numpy(f[f"{domain}/train/images"][:]) for domain in (a.source, a.target)]
    draw = np.random.default_rng(rank)
    for step in range(1, a.steps + 1):
        began = time.perf_counter()
        rows = [draw.choice(len(x), a.batch // a.processes, replace=False) for x in images]
        s, t = ((x[r].permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous() for x, r in zip(images, rows))
        terms = trainer.step(s, t)
        if rank == 0:
            print(f"step {step:4}  {a.batch / (time.perf_counter() - began):7.3f} pairs/s  "
                  + "  ".join(f"{n} {x.item():.3f}" for n, x in terms.items()), flush=True)
    peak = over_processes(peak_mib(), distributed.ReduceOp.MAX)
    if rank == 0:
        print(f"peak {peak:.1f} MiB, of it {imported:.1f} before the model was built")


def check(a, rank):
    """The losses, gradients and weights of one step against what dagan_mpi made of the same batch and weights."""
    from check_dump import read, settings
    with h5py.File(a.check) as f:
        batch, weights, loss, grad, after = (read(f, k) for k in ("batch", "weights", "loss", "grad", "after"))
        o = settings(f.attrs, dict.fromkeys(Settings.__dataclass_fields__))
    if o != Settings():
        sys.exit(f"{a.check}: found {o}, wanted the reference job")
    model = Model(o)
    model.load_state_dict({n: torch.tensor(x) for n, x in weights.items()})
    own, lines, good = dict(model.named_parameters()), [], True
    mine = slice(*(len(batch["s"]) * r // a.processes for r in (rank, rank + 1)))
    terms = Trainer(model, a.channels_last).step(*(torch.tensor(batch[n][mine], dtype=torch.float32) for n in "st"))
    for n, x in terms.items():
        value = over_processes(x.item(), distributed.ReduceOp.SUM) / a.processes
        off = abs(value - loss[n]) / max(abs(loss[n]), 0.1)
        good &= off <= 1e-4
        lines.append(f"loss {n:5} {value:.7f}, dagan_mpi {loss[n]:.7f}: off by {off:.1e}, allowed 1e-4")
    # Norms over a network: single entries jump where rounding moves a unit across a kink of relu or l1.  Allowed is
    # three times what convolutions that err by 2e-6 (Winograd's size) do.
    for net in ("dae", "g", "d1", "d2"):
        part = [n for n in own if n.split(".")[0] == net and n != "dae.loc.out.bias"]
        flat = lambda of: np.concatenate([np.ravel(of(n)) for n in part])
        wanted, rate = flat(grad.get), o.rate_d if net in ("d1", "d2") else o.rate_g
        off = np.linalg.norm(flat(lambda n: own[n].grad.numpy()) - wanted) / np.linalg.norm(wanted)
        moved = flat(lambda n: own[n].detach().numpy()) - flat(after.get)
        astray = np.sqrt(np.mean((moved / rate) ** 2))
        good &= off <= 3e-2 and astray <= 0.3
        lines.append(f"{net:4} gradients off by {off:.1e}, allowed 3e-2; weights after the step by {astray:.1e} "
                     "rates, root mean square, allowed 0.3")
    if rank == 0:
        print(*lines, f"{a.check}: {'the same step' if good else 'another step'}", sep="\n")
    if not good:
        sys.exit(1)


def run(rank, a, rendezvous):
    torch.set_num_threads(a.threads)
    if a.processes > 1:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        distributed.init_process_group("gloo", f"file://{rendezvous}", rank=rank, world_size=a.processes)
    (check if a.check else train)(a, rank)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--processes", type=int, default=1)
    p.add_argument("--threads", type=int, default=1, help="of each process; default 1")
    p.add_argument("--steps", type=int, default=6)
    p.add_argument("--batch", type=int, default=8, help="pairs per step over all processes; default 8")
    p.add_argument("--channels-last", action="store_true")
    p.add_argument("--data", default="data/faces.h5")
    p.add_argument("--source", default="adventurer")
    p.add_argument("--target", default="lorelei")
    p.add_argument("--check", metavar="STEP.h5")
    a = p.parse_args()
    if a.processes == 1:
        return run(0, a, None)
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(run, (a, f"{folder}/rendezvous"), a.processes)


if __name__ == "__main__":
    main()
