"""The reference network and one training step of DA-GAN, and of CycleGAN, in PyTorch, written from the papers' equations.

Shares nothing with the C program but the names ("dae.enc.c0.weight" is /weights/dae/enc/c0/weight).
Images are (n, 3, H, W) in [-1, 1]; centres are x, y in pixels, pixel 0 being centred at 0.0.
"""
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Settings:              # the defaults are the reference job
    kind: str = "dagan"      # or cyclegan
    width: int = 32          # w: channels of the first convolution
    regions: int = 4         # N' of Eq. 1; 0: the whole image is the one instance
    half: float = 12.0       # w, h of Eq. 2 in pixels
    sharpness: float = 1.0   # k of Eq. 4 in 1/pixel
    settle: int = 0          # steps by which centres move to the contrast in their boxes
    gan: str = "nonsaturating"
    distance: str = "l1"     # d of Eqs. 5, 6; "classifier" compares what Model.loss_net makes of the regions
    norm_dae: str = "instance"
    norm_g: str = "instance"
    norm_d: str = "instance"
    spectral: int = 0        # 1: spectral norm in D1 and D2
    rate_g: float = 2e-4     # Adam's rate for DAE and G; rate_d for D1 and D2
    rate_d: float = 2e-4
    weight_gan_s: float = 1.0    # of the terms in the objective of DAE and G
    weight_gan_t: float = 1.0
    weight_cst: float = 1.0
    weight_sym: float = 1.0
    weight_pixel: float = 1.0
    weight_cycle: float = 10.0
    weight_identity: float = 0.0
    weight_lecam: float = 0.0    # of that of D1 and D2


def norm(kind, channels):
    """Every kind takes its statistics per image and has affine parameters per channel."""
    groups = {"instance": channels, "group": min(8, channels), "layer": 1}
    return nn.Identity() if kind == "none" else nn.GroupNorm(groups[kind], channels, eps=1e-5)


def conv(inputs, outputs, size, stride=1, before=None):
    """A convolution; `before` is the kind of the norm that follows and makes a bias superfluous."""
    return nn.Conv2d(inputs, outputs, size, stride, (size - 1) // 2, bias=before in (None, "none"))


class Residual(nn.Module):
    def __init__(self, c, kind):
        super().__init__()
        self.conv1, self.norm1 = conv(c, c, 3, before=kind), norm(kind, c)
        self.conv2, self.norm2 = conv(c, c, 3, before=kind), norm(kind, c)

    def forward(self, x):
        return x + self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))


class Encoder(nn.Module):
    def __init__(self, w, kind):
        super().__init__()
        self.c0, self.n0 = conv(3, w, 3, before=kind), norm(kind, w)
        self.c1, self.n1 = conv(w, 2 * w, 3, 2, before=kind), norm(kind, 2 * w)
        self.c2, self.n2 = conv(2 * w, 4 * w, 3, 2, before=kind), norm(kind, 4 * w)
        self.res = nn.ModuleList([Residual(4 * w, kind)])

    def forward(self, x):
        for c, n in ((self.c0, self.n0), (self.c1, self.n1), (self.c2, self.n2)):
            x = F.relu(n(c(x)))
        return self.res[0](x)


class Localiser(nn.Module):
    """Eq. 1: the expected position under a softmax over the cells of the feature map."""
    def __init__(self, w, regions):
        super().__init__()
        self.conv, self.out = conv(4 * w, 4 * w, 3), conv(4 * w, regions, 1)

    def forward(self, features):
        p = self.out(F.relu(self.conv(features)))
        p = p.flatten(2).softmax(2).view_as(p)               # (n, N', rows, columns)
        at = lambda n: (torch.arange(n, dtype=p.dtype) + 0.5) * 4 - 0.5
        x = (p.sum(2) * at(p.shape[3])).sum(2)               # p.sum(2): over rows, leaves columns
        y = (p.sum(3) * at(p.shape[2])).sum(2)
        return torch.stack([x, y], 2)                        # (n, N', 2)


def mask(centres, height, width, half, k):
    """Eqs. 2 and 4 as (n, N', 1, H, W)."""
    x, y = centres[..., 0, None], centres[..., 1, None]      # (n, N', 1)
    px, py = (torch.arange(n, dtype=centres.dtype) for n in (width, height))
    box = lambda p, c: torch.sigmoid(k * (p - (c - half))) - torch.sigmoid(k * (p - (c + half)))
    return (box(py, y)[..., :, None] * box(px, x)[..., None, :])[:, :, None]


def settle(x, centres, half, k):
    """The centroid of |x - mean colour| in each box, with edges twice as sharp; no gradient in x."""
    x = x.detach()[:, None]
    box = mask(centres, *x.shape[3:], half, 2 * k)
    colour = (box * x).sum((3, 4), keepdim=True) / box.sum((3, 4), keepdim=True)
    contrast = (box * (x - colour).abs()).sum(2)             # (n, N', H, W)
    across, down = contrast.sum(2), contrast.sum(3)
    at = lambda n: torch.arange(n, dtype=x.dtype)
    found = torch.stack([(across * at(x.shape[4])).sum(2), (down * at(x.shape[3])).sum(2)], 2)
    return (found + 1e-3 * centres) / (contrast.sum((2, 3)) + 1e-3)[..., None]


class DAE(nn.Module):
    def __init__(self, o):
        super().__init__()
        self.enc, self.o = Encoder(o.width, o.norm_dae), o
        self.loc = Localiser(o.width, o.regions) if o.regions else None

    def forward(self, x):
        """E(X), the centres (n, N', 2) and the instances (n, N', 4w, h, w) of Eq. 3."""
        features = self.enc(x)
        if not self.loc:
            return features, None, features[:, None]
        centres = self.loc(features)
        for _ in range(self.o.settle):
            centres = settle(x, centres, self.o.half, self.o.sharpness)
        regions = x[:, None] * mask(centres, *x.shape[2:], self.o.half, self.o.sharpness)
        return features, centres, self.enc(regions.flatten(0, 1)).unflatten(0, centres.shape[:2])


class Decoder(nn.Module):
    def __init__(self, o):
        super().__init__()
        w, kind = o.width, o.norm_g
        self.res = nn.ModuleList(Residual(4 * w, kind) for _ in range(4))
        self.u1, self.m1 = conv(4 * w, 2 * w, 3, before=kind), norm(kind, 2 * w)
        self.u2, self.m2 = conv(2 * w, w, 3, before=kind), norm(kind, w)
        self.out = conv(w, 3, 7)

    def forward(self, x):
        for block in self.res:
            x = block(x)
        for u, m in ((self.u1, self.m1), (self.u2, self.m2)):
            x = F.relu(m(u(F.interpolate(x, scale_factor=2, mode="nearest"))))
        return torch.tanh(self.out(x))


class Generator(Decoder):
    def __init__(self, o):
        super().__init__(o)
        w, kind = o.width, o.norm_g
        self.fuse, self.nf = conv((1 + o.regions) * 4 * w, 4 * w, 1, before=kind), norm(kind, 4 * w)

    def forward(self, features, instances):
        x = torch.cat([features, instances.flatten(1, 2)], 1) if self.fuse.in_channels > features.shape[1] else features
        return super().forward(F.relu(self.nf(self.fuse(x))))


class Mapping(Decoder):
    """A generator of CycleGAN."""
    def __init__(self, o):
        super().__init__(o)
        self.enc = Encoder(o.width, o.norm_g)

    def forward(self, x):
        return super().forward(self.enc(x))


class SpectralConv(nn.Conv2d):
    """Its weight is divided by the singular value that belongs to u."""
    def __init__(self, *args, **named):
        super().__init__(*args, **named)
        self.register_buffer("u", torch.ones(self.out_channels))

    def forward(self, x):
        w, u = self.weight.flatten(1), F.normalize(self.u, dim=0)
        v = F.normalize(w.detach().T @ u, dim=0)
        return F.conv2d(x, self.weight / (u @ w @ v), self.bias, self.stride, self.padding)

    def next_u(self, w):
        """After another power iteration with the new weight w."""
        v = F.normalize(w.flatten(1).T @ self.u, dim=0)
        return F.normalize(w.flatten(1) @ v, dim=0)


class LeCam(nn.Module):
    """Holds scores near the averages of the other side's."""
    def __init__(self):
        super().__init__()
        self.register_buffer("average", torch.zeros(2))      # of real, of fake

    def forward(self, real, fake):
        return (real - self.average[1]).square().mean() + (fake - self.average[0]).square().mean()


class Discriminator(nn.Module):
    def __init__(self, o):
        super().__init__()
        w, kind = o.width, o.norm_d
        convolution = nn.Conv2d if not o.spectral else SpectralConv
        conv = lambda inputs, outputs, size, stride=1, before=None: convolution(
            inputs, outputs, size, stride, (size - 1) // 2, bias=before in (None, "none"))
        self.c0, self.out = conv(3, w, 4, 2), conv(4 * w, 1, 3)
        self.c1, self.n1 = conv(w, 2 * w, 4, 2, before=kind), norm(kind, 2 * w)
        self.c2, self.n2 = conv(2 * w, 4 * w, 4, 2, before=kind), norm(kind, 4 * w)
        if o.weight_lecam:
            self.lecam = LeCam()

    def forward(self, x):
        x = F.leaky_relu(self.c0(x), 0.2)
        for c, n in ((self.c1, self.n1), (self.c2, self.n2)):
            x = F.leaky_relu(n(c(x)), 0.2)
        return self.out(x)                                   # (n, 1, H / 8, W / 8), no sigmoid


# Eqs. 7, 8: what D, given its outputs for real and fake images, and what G minimise.
ns_d = lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean()
GAN = {
    "minimax": (ns_d, lambda fake: -F.softplus(fake).mean()),    # mean log(1 - sigmoid(D))
    "nonsaturating": (ns_d, lambda fake: F.softplus(-fake).mean()),
    "lsgan": (lambda r, f: (r - 1).square().mean() + f.square().mean(), lambda f: (f - 1).square().mean()),
    "hinge": (lambda r, f: F.relu(1 - r).mean() + F.relu(1 + f).mean(), lambda f: -f.mean()),
}
DISTANCE = {"l1": F.l1_loss, "l2": F.mse_loss, "classifier": F.l1_loss}      # means over all elements


class Vgg16(nn.Module):
    """Up to block3_conv3, of images in [-1, 1]; trained on BGR in 0..255 less these means."""
    widths = [(1, 1, 3, 64), (1, 2, 64, 64), (2, 1, 64, 128), (2, 2, 128, 128),
              (3, 1, 128, 256), (3, 2, 256, 256), (3, 3, 256, 256)]

    def __init__(self):
        super().__init__()
        self.conv = nn.ModuleDict({f"block{b}_conv{i}": conv(c, w, 3) for b, i, c, w in self.widths})

    def forward(self, x):
        mean = torch.tensor([103.939, 116.779, 123.68], dtype=x.dtype)[:, None, None]
        x = (x.flip(1) + 1) * 127.5 - mean
        for name, c in self.conv.items():
            x = F.max_pool2d(x, 2) if name in ("block2_conv1", "block3_conv1") else x
            x = F.relu(c(x))
        return x


class Classifier(nn.Module):
    """What the heads of a classifier average."""
    def __init__(self, w, kind):
        super().__init__()
        self.enc, self.res = Encoder(w, kind), Residual(4 * w, kind)

    def forward(self, x):
        return self.res(self.enc(x))


class Model(nn.Module):
    loss_net = None     # frozen, from images to features
    ours, terms = ("dae", "g"), ("gan_s", "gan_t", "cst", "sym", "pixel")    # of the generators' objective

    def __init__(self, o):
        super().__init__()
        self.o, self.dae, self.g = o, DAE(o), Generator(o)
        self.d1, self.d2 = Discriminator(o), Discriminator(o)

    def forward(self, s, t):
        """Every named quantity of a step, with its graph."""
        q = {}
        for name, x in (("s", s), ("t", t)):
            features, q[f"{name}_centres"], q[f"{name}_instances"] = self.dae(x)
            q[f"{name}_fake"] = self.g(features, q[f"{name}_instances"])
            _, q[f"{name}f_centres"], q[f"{name}f_instances"] = self.dae(q[f"{name}_fake"])
        q["d1_real"], q["d1_fake"] = self.d1(t), self.d1(q["s_fake"])
        q["d2_real"], q["d2_fake"] = self.d2(t), self.d2(q["t_fake"])
        return {n: x for n, x in q.items() if x is not None}

    def losses(self, q, s, t):
        """Every term, unweighted: gan_s to pixel make up the objective of DAE and G."""
        d, (loss_d, loss_g) = DISTANCE[self.o.distance], GAN[self.o.gan]
        if self.o.distance == "classifier":
            for name, x in (("s", s), ("t", t), ("sf", q["s_fake"]), ("tf", q["t_fake"])):
                box = mask(q[f"{name}_centres"], *x.shape[2:], self.o.half, self.o.sharpness)
                q = {**q, f"{name}_instances": self.loss_net((x[:, None] * box).flatten(0, 1))}
        return self.hold(q) | {
            "gan_s": loss_g(q["d1_fake"]), "gan_t": loss_g(q["d2_fake"]),
            "cst": d(q["sf_instances"], q["s_instances"]),   # Eq. 5, gradient into both sides
            "sym": d(q["tf_instances"], q["t_instances"]),   # Eq. 6
            "pixel": F.l1_loss(q["t_fake"], t),
            "d1": loss_d(q["d1_real"], q["d1_fake"]), "d2": loss_d(q["d2_real"], q["d2_fake"]),
        }

    def hold(self, q):
        if not self.o.weight_lecam:
            return {}
        return {"lecam": sum(d.lecam(q[f"{n}_real"], q[f"{n}_fake"]) for n, d in (("d1", self.d1), ("d2", self.d2)))}

    def gradients(self, s, t):
        """Quantities, losses, gradients: each of its own player's loss, which detaches D's fakes."""
        q = self(s, t)
        loss = self.losses(q, s, t)
        weighted = lambda term: getattr(self.o, f"weight_{term}") * loss[term]
        objective = sum(map(weighted, self.terms))
        grad = {}
        held = self.o.weight_lecam * loss.get("lecam", 0)    # of each D the part that it is in
        for nets, value in ((self.ours, objective), (("d1",), loss["d1"] + held), (("d2",), loss["d2"] + held)):
            own = {n: p for n, p in self.named_parameters() if n.split(".")[0] in nets}
            grad.update(zip(own, torch.autograd.grad(value, own.values(), retain_graph=True)))
        return q, loss, grad

    def optimizers(self):
        adam = lambda rate, *nets: torch.optim.Adam(
            nn.ModuleList(nets).parameters(), rate, betas=(0.5, 0.999), eps=1e-8)
        return adam(self.o.rate_g, *(getattr(self, n) for n in self.ours)), adam(self.o.rate_d, self.d1, self.d2)

    def step(self, optimizers, s, t):
        """Updates DAE and G against the current D1, D2, then D1, D2 on the same forward pass."""
        q, loss, grad = self.gradients(s, t)
        for name, p in self.named_parameters():
            p.grad = grad[name]
        for optimizer in optimizers:
            optimizer.step()
        return q, loss, grad


class CycleGAN(Model):
    """The same step with two mappings and the way there and back; D2 tells s from TS(t)."""
    ours, terms = ("st", "ts"), ("gan_s", "gan_t", "cycle", "identity")

    def __init__(self, o):
        nn.Module.__init__(self)
        self.o, self.st, self.ts = o, Mapping(o), Mapping(o)
        self.d1, self.d2 = Discriminator(o), Discriminator(o)

    def forward(self, s, t):
        q = {"s_fake": self.st(s), "t_fake": self.ts(t)}
        q["s_cycle"], q["t_cycle"] = self.ts(q["s_fake"]), self.st(q["t_fake"])
        q["d1_real"], q["d1_fake"] = self.d1(t), self.d1(q["s_fake"])
        q["d2_real"], q["d2_fake"] = self.d2(s), self.d2(q["t_fake"])
        return q

    def losses(self, q, s, t):
        loss_d, loss_g = GAN[self.o.gan]
        return self.hold(q) | {
            "gan_s": loss_g(q["d1_fake"]), "gan_t": loss_g(q["d2_fake"]),
            "cycle": F.l1_loss(q["s_cycle"], s) + F.l1_loss(q["t_cycle"], t),
            "identity": F.l1_loss(self.st(t), t) + F.l1_loss(self.ts(s), s),
            "d1": loss_d(q["d1_real"], q["d1_fake"]), "d2": loss_d(q["d2_real"], q["d2_fake"]),
        }


def model(o):
    return {"dagan": Model, "cyclegan": CycleGAN}[o.kind](o)
