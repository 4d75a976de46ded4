// What moves in a report: samples over time, values under the pointer, outlines on and off, light and dark.
"use strict";

const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];

// ---- samples: one of many pictures, by slider or as a film --------------------------------------------
for (const samples of all(".samples")) {
  const pictures = all("img", samples);
  const slider = samples.querySelector("input");
  const output = samples.querySelector("output");
  const button = samples.querySelector("button");
  let film = 0;
  const show = (i) => {
    slider.value = i;
    pictures.forEach((p, j) => {
      p.hidden = j !== i;
    });
    output.textContent = pictures[i].alt;
  };
  const stop = () => {
    clearInterval(film);
    film = 0;
    button.textContent = "▶";
  };
  slider.addEventListener("input", () => {
    stop();
    show(+slider.value);
  });
  button.addEventListener("click", () => {
    if (film) return stop();
    if (+slider.value === pictures.length - 1) show(0);
    button.textContent = "❚❚";
    film = setInterval(() => {
      if (+slider.value === pictures.length - 1) stop();
      else show(+slider.value + 1);
    }, 450);
  });
}

// ---- charts: the pointer in one shows the same step in all ----------------------------------------------
const number = (v) => (v === null ? "–" : Number.isInteger(v) ? String(v) : String(+v.toPrecision(4)));
const nearest = (x, at) => {
  let best = 0;
  x.forEach((v, i) => {
    if (Math.abs(v - at) < Math.abs(x[best] - at)) best = i;
  });
  return best;
};
const charts = all("[data-chart]").map((figure) => ({
  data: JSON.parse(figure.dataset.chart),
  svg: figure.querySelector("svg"),
  cursor: figure.querySelector(".cursor"),
  title: figure.querySelector("strong"),
  name: figure.querySelector("strong").textContent,
  values: all(".key b", figure),
  last: all(".key b", figure).map((b) => b.textContent),
}));
const point = (step) =>
  charts.forEach((c) => {
    const d = c.data,
      inside = step !== null && step >= d.x[0] && step <= d.x[1];
    c.cursor.style.visibility = inside ? "visible" : "hidden";
    if (inside)
      c.cursor.setAttribute(
        "transform",
        `translate(${d.left + ((step - d.x[0]) / (d.x[1] - d.x[0])) * (d.right - d.left)})`,
      );
    c.values.forEach((b, i) => {
      b.textContent = inside ? number(d.series[i].y[nearest(d.series[i].x, step)]) : c.last[i];
    });
    c.title.textContent = inside ? `${c.name} · ${Math.round(step)}` : c.name;
  });
for (const c of charts) {
  c.svg.addEventListener("pointermove", (e) => {
    const r = c.svg.getBoundingClientRect();
    const at = ((e.clientX - r.left) / r.width) * c.svg.viewBox.baseVal.width;
    const share = Math.min(Math.max((at - c.data.left) / (c.data.right - c.data.left), 0), 1);
    point(c.data.x[0] + share * (c.data.x[1] - c.data.x[0]));
  });
  c.svg.addEventListener("pointerleave", () => point(null));
}

// ---- the rest ------------------------------------------------------------------------------------------
for (const tick of all("[data-hides]"))
  tick.addEventListener("change", () => document.body.classList.toggle(`no-${tick.dataset.hides}`, !tick.checked));

document.getElementById("scheme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.scheme = (root.dataset.scheme ?? (dark ? "dark" : "light")) === "dark" ? "light" : "dark";
});

const links = new Map(all("nav a").map((a) => [a.hash.slice(1), a]));
const watcher = new IntersectionObserver(
  (entries) => entries.forEach((e) => links.get(e.target.id).classList.toggle("here", e.isIntersecting)),
  { rootMargin: "-20% 0px -75% 0px" },
);
all("section[id]").forEach((s) => watcher.observe(s));
