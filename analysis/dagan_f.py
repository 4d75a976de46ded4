"""F = G o DAE in PyTorch: what export_torch.py wrote, as a module.  Needs torch alone.

    from dagan_f import load
    f = load("exported")          # the folder with f.pt and f.json
    y, centres = f(x)             # x (n, 3, size, size) in [-1, 1], y alike; centres (n, N', 2): x, y in pixels

Where model.range is above 1, y may leave [-1, 1]: y.clamp(-1, 1) before it becomes bytes, as `translate` does.
Parameters have the names of the checkpoint: "dae.enc.c0.weight" is /ema/dae/enc/c0/weight.  Pixel 0 is centred at 0.0.
"""
import json
import math
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

STRIDE = 4  # pixels per cell of the feature map
WINDOW_STEP = 4  # windows of mode crop start at multiples of it


def norm(kind, channels, groups):
    """Statistics are those of one image; affine parameters for each channel."""
    n = {"instance": channels, "group": min(channels, groups), "layer": 1}
    return nn.Identity() if kind == "none" else nn.GroupNorm(n[kind], channels, eps=1e-5)


def conv(inputs, outputs, kernel, stride=1, before=None):
    """A convolution; a norm that follows (`before`) makes its bias superfluous."""
    return nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, bias=before in (None, "none"))


class Residual(nn.Module):
    def __init__(self, c, kind, groups):
        super().__init__()
        self.conv1, self.norm1 = conv(c, c, 3, before=kind), norm(kind, c, groups)
        self.conv2, self.norm2 = conv(c, c, 3, before=kind), norm(kind, c, groups)

    def forward(self, x):
        return x + self.norm2(self.conv2(functional.relu(self.norm1(self.conv1(x)))))


class ResnetEncoder(nn.Module):
    """model.encoder: resnet"""

    def __init__(self, s):
        super().__init__()
        w, kind, groups = s["width"], s["norm_dae"], s["groups"]
        self.c0, self.n0 = conv(3, w, 3, before=kind), norm(kind, w, groups)
        self.c1, self.n1 = conv(w, 2 * w, 3, 2, before=kind), norm(kind, 2 * w, groups)
        self.c2, self.n2 = conv(2 * w, 4 * w, 3, 2, before=kind), norm(kind, 4 * w, groups)
        self.res = nn.ModuleList([Residual(4 * w, kind, groups)])

    def forward(self, x):
        for c, n in ((self.c0, self.n0), (self.c1, self.n1), (self.c2, self.n2)):
            x = functional.relu(n(c(x)))
        return self.res[0](x)


class SoftargmaxLocaliser(nn.Module):
    """model.localiser: softargmax.  The expected position under a softmax over the cells of each region's map."""

    def __init__(self, s):
        super().__init__()
        self.conv, self.out = conv(4 * s["width"], 4 * s["width"], 3), conv(4 * s["width"], s["regions"], 1)

    def forward(self, features):
        p = self.out(functional.relu(self.conv(features)))
        p = p.flatten(2).softmax(2).view_as(p)
        at = [(torch.arange(n, dtype=p.dtype, device=p.device) + 0.5) * STRIDE - 0.5 for n in p.shape[2:]]
        return torch.stack([(p.sum(2) * at[1]).sum(2), (p.sum(3) * at[0]).sum(2)], 2)


class FcLocaliser(nn.Module):
    """model.localiser: fc.  A sigmoid over the image's extent."""

    def __init__(self, s):
        super().__init__()
        self.size, c = s["size"], 4 * s["width"]
        self.hidden, self.out = nn.Conv2d(c * (s["size"] // STRIDE) ** 2, c, 1), nn.Conv2d(c, 2 * s["regions"], 1)

    def forward(self, features):
        x = features.permute(0, 2, 3, 1).flatten(1)[:, :, None, None]  # pixels first, then channels
        x = self.out(functional.relu(self.hidden(x))).flatten(1).unflatten(1, (-1, 2))
        return self.size * torch.sigmoid(x) - 0.5


ENCODERS = {"resnet": ResnetEncoder}
LOCALISERS = {"softargmax": SoftargmaxLocaliser, "fc": FcLocaliser}


def soft_box(centres, size, half, k):
    """Eqs. 2 and 4: (n, N', 1, size, size).  half: a number, or w, h of each region."""
    p = torch.arange(size, dtype=centres.dtype, device=centres.device)
    c = centres[..., None]  # (n, N', 2, 1)
    half = torch.as_tensor(half, dtype=centres.dtype, device=centres.device).expand(centres.shape[1:])[..., None]
    m = torch.sigmoid(k * (p - (c - half))) - torch.sigmoid(k * (p - (c + half)))
    return (m[:, :, 1, :, None] * m[:, :, 0, None, :])[:, :, None]


def settle(x, centres, s):
    """Mean shift: a centre moves to the centroid of the contrast in its box, the edges of which are twice as sharp."""
    at = torch.arange(s["size"], dtype=x.dtype, device=x.device)
    total = lambda m, values: (m * values).sum((-2, -1), keepdim=True)
    x = x.detach()
    steps = torch.tensor(s["settle"], device=x.device).expand(centres.shape[1:])
    for step in range(int(steps.max())):
        m = soft_box(centres, s["size"], s["half"], 2 * s["sharpness"])
        colour = total(m, x[:, None]) / total(m, torch.ones_like(m)).clamp(min=1e-3)
        m = m * (x[:, None] - colour).abs().sum(2, keepdim=True)
        moved = torch.stack([total(m, at), total(m, at[:, None])], -1).flatten(2)
        moved = (moved + 1e-3 * centres) / (total(m, torch.ones_like(m)).flatten(2) + 1e-3)
        centres = torch.where(steps > step, moved, centres)
    return centres


def window_side(s, half):
    """Of a region's window along one axis; the whole image in mode mask."""
    side = math.ceil(2 * half + 4 / s["sharpness"] + WINDOW_STEP)
    chosen = min(-(-side // WINDOW_STEP) * WINDOW_STEP, s["size"])
    return s["size"] if s["mode"] == "mask" else s["window"] or chosen


def window_first(centres, side, size):
    """First pixel of the window around each centre."""
    first = torch.floor((centres.double() + 0.5 - side / 2) / WINDOW_STEP + 0.5).long() * WINDOW_STEP
    return first.clamp(0, size - side)


class DAE(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s, self.enc = s, ENCODERS[s["encoder"]](s)
        self.loc = LOCALISERS[s["localiser"]](s) if s["regions"] else None
        half = torch.tensor(s["half"], dtype=torch.double).expand(s["regions"], 2).tolist()
        self.windows = [[window_side(s, h) for h in sides] for sides in half]  # width and height of each region's

    def instance(self, region, centre, width, height):
        """E of one region (n, 3, size, size) of each image; in mode crop of its window, pasted back at its place."""
        size = self.s["size"]
        if width == height == size:
            return self.enc(region)
        left, top = window_first(centre[:, 0], width, size), window_first(centre[:, 1], height, size)

        def place(step):
            """Indices (n, 1, 1), (n, rows, 1), (n, 1, columns) of the window at one cell for each `step` pixels."""
            n, j, i = (torch.arange(k, device=left.device) for k in (len(left), height // step, width // step))
            return n[:, None, None], (top // step)[:, None, None] + j[:, None], (left // step)[:, None, None] + i

        n, y, x = place(1)
        inside = self.enc(region[n, :, y, x].permute(0, 3, 1, 2))
        whole = inside.new_zeros(len(left), size // STRIDE, size // STRIDE, inside.shape[1])
        whole[place(STRIDE)] = inside.permute(0, 2, 3, 1)
        return whole.permute(0, 3, 1, 2)

    def forward(self, x):
        """E(X), the centres (n, N', 2) and the instances (n, N', c, h, w) of Eq. 3."""
        features = self.enc(x)
        if not self.loc:  # G sees E(X) alone
            return features, x.new_zeros(len(x), 0, 2), x.new_zeros(len(x), 0, *features.shape[1:])
        centres = settle(x, self.loc(features), self.s)
        regions = x[:, None] * soft_box(centres, self.s["size"], self.s["half"], self.s["sharpness"])
        instances = [self.instance(regions[:, r], centres[:, r], *sides) for r, sides in enumerate(self.windows)]
        return features, centres, torch.stack(instances, 1)


class Generator(nn.Module):
    def __init__(self, s):
        super().__init__()
        w, kind, groups = s["width"], s["norm_g"], s["groups"]
        self.fuse, self.nf = conv((1 + s["regions"]) * 4 * w, 4 * w, 1, before=kind), norm(kind, 4 * w, groups)
        self.res = nn.ModuleList(Residual(4 * w, kind, groups) for _ in range(s["residuals"]))
        self.u1, self.m1 = conv(4 * w, 2 * w, 3, before=kind), norm(kind, 2 * w, groups)
        self.u2, self.m2 = conv(2 * w, w, 3, before=kind), norm(kind, w, groups)
        self.out = conv(w, 3, 7)
        self.range = s["range"]

    def forward(self, features, instances):
        x = functional.relu(self.nf(self.fuse(torch.cat([features, instances.flatten(1, 2)], 1))))
        for block in self.res:
            x = block(x)
        for u, m in ((self.u1, self.m1), (self.u2, self.m2)):
            x = functional.relu(m(u(functional.interpolate(x, scale_factor=2, mode="nearest"))))
        return self.range * torch.tanh(self.out(x) / self.range)


class F(nn.Module):
    def __init__(self, settings):
        super().__init__()
        self.dae, self.g = DAE(settings), Generator(settings)

    def forward(self, x):
        features, centres, instances = self.dae(x)
        return self.g(features, instances), centres


def load(folder):
    folder = Path(folder)
    f = F(json.loads((folder / "f.json").read_text()))
    f.load_state_dict(torch.load(folder / "f.pt", map_location="cpu"))
    return f.eval()
