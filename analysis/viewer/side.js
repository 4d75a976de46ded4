// The bar on top and the side: which images, which checkpoint, what of them, in what order, with which labels; files.
import { files, nameOf } from "./files.js";
import { boundParts, counts, framesOfRun, statistics } from "./select.js";
import { $, className, el, frameNow, frameTitle, on, orderNow, ordersNow, px, regionName, state } from "./state.js";
import { colour, onColour } from "./draw.js";

export function drawBar() {
  const { set } = state, frame = frameNow();
  $("set").replaceChildren(
    ...state.sets.map((s) => {
      const textContent = s.frames.length ? s.title : `${s.title} (no regions)`;
      return el("option", { value: s.key, textContent, selected: s === set });
    }),
  );
  document.body.classList.toggle("no-times", !set?.frames.length);
  $("frame").max = Math.max(0, (set?.frames.length ?? 0) - 1);
  $("frame").value = state.frame;
  $("older").disabled = state.frame <= 0;
  $("newer").disabled = !set || state.frame >= set.frames.length - 1;
  const step = el("b", { textContent: frame ? frameTitle(frame) : "" });
  $("at").replaceChildren(step, frame ? ` · ${state.frame + 1} of ${set.frames.length}` : "");
  for (const name of ["regions", "parts", "mask"]) $(name).ariaPressed = String(state.view[name]);
  $("regions").disabled = !frame?.regions;
  $("parts").disabled = !frame || !boundParts(set, frame).length;
  $("mask").disabled = !frame?.regions || frame.sharpness === null; // null: k is not known
  $("size").value = state.size;
}

export function drawSide() {
  $("files").replaceChildren(...files.map(fileLine));
  if (!state.set) return;
  const frame = frameNow(), regions = Array.from({ length: frame?.regions ?? 0 }, (_, r) => r);
  $("instances").replaceChildren(wholeButton(), ...regions.map(instanceButton));
  $("order").replaceChildren(
    ...ordersNow().map((o) => el("option", { value: o.key, textContent: o.title, selected: o === orderNow() })),
  );
  $("reverse").textContent = state.reversed ? "↑" : "↓";
  const labels = Object.entries(state.set.labels);
  $("filters").hidden = !labels.length;
  $("clear").hidden = !state.filters.size;
  $("facets").replaceChildren(...labels.map(([name, label]) => facet(name, label)));
  const shown = el("b", { textContent: state.rows.length });
  $("summary").replaceChildren(shown, ` of ${state.set.n} images`, ...remarks(frame));
}

function remarks(frame) {
  const picked = [...state.filters].map(([name, classes]) => {
    const words = [...classes].map((k) => className(state.set.labels[name], k));
    return ` · ${name}: ${words.join(" or ")}`;
  });
  if (frame?.outputs) picked.push(" · source beside translation");
  if (frame?.visited) picked.push(" · regions as predicted at the image's last visit");
  return picked;
}

function fileLine(f) {
  const kinds = { checkpoint: `step ${f.step}`, data: `${f.splits?.length} splits`, translation: `${f.n} images` };
  const name = nameOf(f);
  const close = el("button", { textContent: "×", title: `Close ${name}`, ariaLabel: `Close ${name}` });
  close.onclick = () => on.shut(f.id);
  const title = `${name}, ${(f.bytes / 2 ** 20).toFixed(1)} MiB`;
  return el("li", { title }, el("span", { textContent: name }), el("small", { textContent: kinds[f.kind] }), close);
}

// ---- whole images or instances -------------------------------------------------------------------------

function choice(region, title) {
  const b = el("button", { role: "radio", ariaChecked: String(state.instance === region), title });
  b.onclick = () => {
    state.instance = region;
    on.change();
  };
  return b;
}

function wholeButton() {
  const b = choice(null, "Whole images ( a )");
  b.append(el("i"), el("span", { textContent: "whole images" }));
  return b;
}

// A region, the labels it is bound to, and how far it lies from its part over the images that are shown.
function instanceButton(region) {
  const { set } = state, frame = frameNow(), b = choice(region, `Only its instances ( ${region} )`);
  const focus = (r) => () => {
    state.view.focus = r;
    on.repaint();
  };
  b.onpointerenter = focus(region);
  b.onpointerleave = focus(null);
  const swatch = el("i", { textContent: region });
  swatch.style.background = colour(region);
  swatch.style.color = onColour(region);
  b.append(swatch, el("span", { textContent: regionName(frame, region) }));
  for (const [part, r] of boundParts(set, frame)) {
    const s = statistics(set, frame, part, state.kept.rows);
    if (r !== region || !s.n) continue;
    const title = `${part}: median distance from region to part, both at their centres; how often the centre is inside`;
    const words = el("span", { textContent: `${px(s.median)}, ${Math.round(100 * s.inside)} % inside` });
    b.append(el("small", { title }, words, spark(part, region)));
  }
  return b;
}

// The median distance of a part over all frames of the run, the one shown as a dot.  From 0 up, so that noise looks small.
function spark(part, region) {
  const { set } = state, frames = framesOfRun(set, frameNow()), now = frames.indexOf(frameNow());
  const values = frames.map((f) => (part in f.bound ? statistics(set, f, part, state.kept.rows).median : NaN));
  const there = values.filter((v) => v >= 0), high = Math.max(...there) || 1;
  if (there.length < 2) return "";
  const at = (v, i) => [(i / (values.length - 1)) * 62 + 2, 15 - (v / high) * 12];
  const path = values.map((v, i) => (v >= 0 ? at(v, i).join(" ") : "")).filter(Boolean).join("L");
  const [x, y] = values[now] >= 0 ? at(values[now], now) : [-9, -9];
  const title = `${part}: median distance, ${px(values[0])} to ${px(values.at(-1))}`;
  const innerHTML = `<svg class="spark" viewBox="0 0 67 17" style="color: ${colour(region)}"><title></title>
    <path d="M${path}"/><circle cx="${x}" cy="${y}" r="2.4"/></svg>`;
  const { content } = el("template", { innerHTML });
  content.querySelector("title").textContent = title;
  return content;
}

// ---- labels --------------------------------------------------------------------------------------------

const unfolded = new Set(); // names of labels

function facet(name, label) {
  const chosen = state.filters.get(name) ?? new Set(), n = counts(state.set, state.filters, name);
  const box = el("details", { className: "facet", open: unfolded.has(name) }), lines = el("div");
  box.ontoggle = () => unfolded[box.open ? "add" : "delete"](name);
  const title = [...chosen].map((k) => className(label, k)).join(", ");
  box.append(el("summary", {}, el("span", { textContent: name }), el("em", { textContent: title, title })), lines);
  const classes = [...label.classes.keys(), ...(label.values.includes(-1) ? [-1] : [])];
  for (const k of classes) {
    const tick = el("input", { type: "checkbox", checked: chosen.has(k) });
    tick.onchange = () => {
      chosen[tick.checked ? "add" : "delete"](k);
      state.filters.set(name, chosen);
      if (!chosen.size) state.filters.delete(name);
      on.change();
    };
    const words = [el("span", { textContent: className(label, k) }), el("small", { textContent: n.get(k) ?? 0 })];
    lines.append(el("label", { className: n.get(k) ? "" : "none" }, tick, ...words));
  }
  return box;
}
