"""The building blocks of a report: pictures, line charts and tables as HTML and SVG that refer to nothing outside.

Colours are variables of page.css, so that everything follows the reader's light or dark scheme.
"""
import base64
import html
import io
import json
import math
import re
from pathlib import Path

import numpy as np
from matplotlib.image import imsave
from matplotlib.ticker import MaxNLocator

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 380, 200, 46, 20, 8, 34  # of a chart, in its own units
POINTS_MAX = 500  # of a curve; longer ones are averaged to as many


def esc(value):
    return html.escape(str(value))


def number(v):
    """Four digits that count; whole numbers in full; nothing for None."""
    if v is None or isinstance(v, (bool, str)):
        return "" if v is None else str(v)
    if not math.isfinite(v):
        return "not finite"
    if float(v).is_integer() and abs(v) < 1e15:
        return f"{int(v):,}".replace(",", "\u202f")
    return f"{v:.4g}" if abs(v) >= 1e-3 else re.sub(r"\.?0*e-0*", "e-", f"{v:.2e}")


def duration(seconds):
    s = round(seconds)
    parts = [(s // 86400, "d"), (s // 3600 % 24, "h"), (s // 60 % 60, "min"), (s % 60, "s")]
    first = next((i for i, (n, _) in enumerate(parts) if n), 3)
    return " ".join(f"{n} {unit}" for n, unit in parts[first : first + 2])


def ink(i):
    """The colour of region or curve i on the page, which follows the scheme; on images it is COLOURS[i % 8]."""
    return f"var(--r{i % 8})"


def note(text):
    return f'<p class="note">{esc(text)}</p>'


def warning(text):
    return f'<p class="warning">{esc(text)}</p>'


# ---- pictures ----------------------------------------------------------------------------------------


def uri(data, kind="image/png"):
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def png(pixels):
    """A data URI of (h, w, 3 or 4) bytes."""
    out = io.BytesIO()
    imsave(out, pixels, format="png", metadata={"Software": None})
    return uri(out.getvalue())


def named(words):
    """What tells a drawing to those who cannot see it."""
    return f'role="img" aria-label="{esc(words)}"'


def picture(pixels, size, words, inside=""):
    """Pixels under SVG drawn in their own coordinates: pixel 0 is centred at 0."""
    return (
        f'<svg class="picture" {named(words)} viewBox="-0.5 -0.5 {size} {size}"><image href="{png(pixels)}" x="-0.5" '
        f'y="-0.5" width="{size}" height="{size}"/>{inside}</svg>'
    )


def box(left, top, right, bottom, kind, colour):
    return (
        f'<rect class="{kind}" x="{left:.2f}" y="{top:.2f}" width="{right - left:.2f}" height="{bottom - top:.2f}" '
        f'stroke="{colour}"/>'
    )


# ---- charts ------------------------------------------------------------------------------------------


def thinned(x, y):
    """At most POINTS_MAX points, each the mean of its neighbours."""
    if len(x) <= POINTS_MAX:
        return x, y
    bins = np.array_split(np.arange(len(x)), POINTS_MAX)
    return np.array([x[b].mean() for b in bins]), np.array([y[b].mean() for b in bins])


def extent(values):
    """What a chart shows of its values: nearly all of them, a little more than their range, never nothing."""
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = (values.min(), values.max()) if len(values) < 40 else np.quantile(values, [0.002, 0.998])
    pad = 0.05 * (high - low) or abs(high) * 0.1 or 1.0
    return (0.0 if low >= 0 and low - pad < 0 else low - pad), high + pad


def beyond(values, low, high):
    """What a chart from low to high leaves out of its values, in words."""
    above, below = (values[np.isfinite(values) & is_out] for is_out in (values > high, values < low))
    ends = [f"largest {number(float(above.max()))}"] if len(above) else []
    ends += [f"smallest {number(float(below.min()))}"] if len(below) else []
    return f"{', '.join(ends)}, off the chart" if ends else ""


class Frame:
    """Where a chart's values lie on it: x0 to x1 across, y0 to y1 upwards."""

    def __init__(self, x0, x1, y0, y1):
        self.x0, self.x1, self.y0, self.y1 = float(x0), float(x1 if x1 > x0 else x0 + 1), y0, y1

    def across(self, x):
        return LEFT + (x - self.x0) / (self.x1 - self.x0) * (WIDTH - LEFT - RIGHT)

    def down(self, y):
        share = (y - self.y0) / (self.y1 - self.y0)
        return HEIGHT - BOTTOM - np.clip(share, -1, 2) * (HEIGHT - TOP - BOTTOM)  # beyond 0 and 1 it is not seen

    def grid(self):
        out = []
        for v in (v for v in MaxNLocator(4).tick_values(self.y0, self.y1) if self.y0 <= v <= self.y1):
            y, words = self.down(v), number(round(v, 12))
            out.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
            out.append(f'<text x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{words}</text>')
        for v in (v for v in MaxNLocator(5, integer=True).tick_values(self.x0, self.x1) if self.x0 <= v <= self.x1):
            out.append(f'<text x="{self.across(v):.1f}" y="{HEIGHT - 19}" text-anchor="middle">{number(v)}</text>')
        out.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 5}" text-anchor="end">step</text>')
        return "".join(out)

    def curve(self, x, y, colour, kind="line"):
        """A line, with a gap where y is not finite; dots where there are too few points for one."""
        pen, steps, points = "M", [], list(zip(self.across(x), self.down(y)))
        for px, py in points:
            steps.append(f"{pen}{px:.1f} {py:.1f}" if math.isfinite(py) else "")
            pen = "L" if math.isfinite(py) else "M"
        line = f'<path class="{kind}" stroke="{colour}" d="{"".join(steps)}"/>'
        dots = points if len(points) < 3 else []
        return line + "".join(f'<circle r="2.5" fill="{colour}" cx="{px:.1f}" cy="{py:.1f}"/>' for px, py in dots)


def in_words(title, frame, series, cut):
    """A chart for those who cannot see it: the last value and the range of each curve."""
    told = []
    for name, _, _, y, _ in series:
        finite = y[np.isfinite(y)]
        span = f", from {number(float(finite.min()))} to {number(float(finite.max()))}" if len(finite) else ""
        told.append(f"{f'{name} ' if len(series) > 1 else ''}last {number(float(y[-1]))}{span}")
    return f"{title}, over steps {number(frame.x0)} to {number(frame.x1)}: {'; '.join(told)}" + (f"; {cut}" if cut else "")


def chart(title, series, steps=None):
    """A line chart over steps.  `series`: (name, colour, x, y, faint) with faint the values before smoothing, or None.
    `steps`: the first and the last step on its axis, if not those of the series."""
    series = [s for s in series if len(s[2])]
    if not series:
        return ""
    first, last = steps or (min(s[2].min() for s in series), max(s[2].max() for s in series))
    drawn = np.concatenate([v for s in series for v in s[3:] if v is not None])
    frame = Frame(first, last, *extent(drawn))
    cut = beyond(drawn, frame.y0, frame.y1)
    curves, key, data = [], [], []
    for name, colour, x, y, faint in series:
        if faint is not None:
            curves.append(frame.curve(*thinned(x, faint), colour, "line faint"))
        tx, ty = thinned(x, y)
        curves.append(frame.curve(tx, ty, colour))
        label = f'<i style="background:{colour}"></i>{esc(name)} ' if len(series) > 1 else ""
        key.append(f"<span>{label}<b>{number(float(y[-1]))}</b></span>")
        values = [float(f"{v:.5g}") if math.isfinite(v) else None for v in ty]
        data.append({"x": [round(float(v), 3) for v in tx], "y": values})
    values = json.dumps({"x": [frame.x0, frame.x1], "left": LEFT, "right": WIDTH - RIGHT, "series": data})
    inside = LEFT, TOP, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    place = 'x="{}" y="{}" width="{}" height="{}" viewBox="{} {} {} {}"'.format(*inside, *inside)
    return (
        f'<figure class="chart" data-chart="{esc(values)}"><figcaption><strong>{esc(title)}</strong>'
        f'<span class="key">{"".join(key)}</span></figcaption><svg {named(in_words(title, frame, series, cut))} '
        f'viewBox="0 0 {WIDTH} {HEIGHT}">{frame.grid()}<text x="{LEFT}" y="{HEIGHT - 5}">{cut}</text>'
        f'<svg {place}>{"".join(curves)}</svg><path class="cursor" d="M0 {TOP}V{HEIGHT - BOTTOM}"/></svg></figure>'
    )


# ---- tables ------------------------------------------------------------------------------------------


def table(head, rows, has_words=False):
    """The first column names the row; the others are right-aligned, but for the last one where it has words."""
    cells = lambda row, tag: "".join(f"<{tag}>{esc(c)}</{tag}>" for c in row)
    top = f"<thead><tr>{cells(head, 'th')}</tr></thead>"
    body = "".join(f'<tr><th scope="row">{esc(r[0])}</th>{cells(r[1:], "td")}</tr>' for r in rows)
    kind = ' class="told"' if has_words else ""
    return f'<div class="scroll"><table{kind}>{top}<tbody>{body}</tbody></table></div>'


def facts(pairs):
    return '<dl class="facts">' + "".join(f"<div><dt>{esc(k)}</dt><dd>{esc(v)}</dd></div>" for k, v in pairs) + "</dl>"


# ---- the page ----------------------------------------------------------------------------------------


def document(title, subtitle, sections, footer):
    """`sections`: (id, heading, HTML).  Style and script are inside, images are data URIs: nothing else is loaded."""
    css, js = ((HERE / f"page.{kind}").read_text() for kind in ("css", "js"))
    nav = "".join(f'<a href="#{i}">{esc(h)}</a>' for i, h, _ in sections)
    body = "".join(f'<section id="{i}"><h2>{esc(h)}</h2>{content}</section>' for i, h, content in sections)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{esc(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{css}</style></head><body><nav><p>{esc(title)}</p>{nav}"
        f'<button type="button" id="scheme" title="Light or dark">◐</button></nav><main><header><h1>{esc(title)}</h1>'
        f"<p>{esc(subtitle)}</p></header>{body}<footer>{footer}</footer></main><script>{js}</script></body></html>\n"
    )
