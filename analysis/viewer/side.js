// The bar on top and the side: which images, which checkpoint, what of them, in what order, with which labels; files.
import { files, nameOf } from "./files.js";
import { areBothKnown, boundParts, className, counts, filtered, framesOfRun, statistics } from "./select.js";
import {
  $,
  el,
  frameNow,
  frameTitle,
  keepFocus,
  on,
  orderNow,
  ordersNow,
  px,
  regionName,
  state,
  wrongNow,
} from "./state.js";
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

export const drawSide = () => keepFocus(redraw);

function redraw() {
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
  $("clear").hidden = !state.filters.size && !wrongNow().length;
  $("facets").replaceChildren(...labels.map(([name, label]) => facet(name, label)));
  const shown = el("b", { textContent: state.rows.length });
  $("summary").replaceChildren(shown, ` of ${state.set.n} images`, ...remarks(frame));
}

function remarks(frame) {
  const names = new Set([...state.filters.keys(), ...wrongNow()]);
  const picked = [...names].map((name) => ` · ${name}: ${pickedOf(name, " or ")}`);
  if (frame?.outputs) picked.push(" · source beside translation");
  if (frame?.visited) picked.push(" · regions as predicted at the image's last visit");
  return picked;
}

// "closed or wink, told wrongly": what is picked of a label.
function pickedOf(name, or) {
  const classes = [...(state.filters.get(name) ?? [])].map((k) => className(state.set.labels[name], k)).join(or);
  return [classes, wrongNow().includes(name) ? "told wrongly" : ""].filter(Boolean).join(", ");
}

function fileLine(f) {
  const kinds = { checkpoint: `step ${f.step}`, data: `${f.splits?.length} splits`, translation: `${f.n} images` };
  const name = nameOf(f);
  const label = `Close ${name}`;
  const close = el("button", { id: `close-${f.id}`, textContent: "×", title: label, ariaLabel: label });
  close.onclick = () => on.shut(f.id);
  const title = `${name}, ${(f.bytes / 2 ** 20).toFixed(1)} MiB`;
  return el("li", { title }, el("span", { textContent: name }), el("small", { textContent: kinds[f.kind] }), close);
}

// ---- whole images or instances -------------------------------------------------------------------------

function choice(region, title) {
  const id = `choice-${region}`, ariaChecked = String(state.instance === region);
  const b = el("button", { id, role: "radio", ariaChecked, title });
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
  const box = el("details", { className: "facet", open: unfolded.has(name) }), lines = el("div");
  box.ontoggle = () => unfolded[box.open ? "add" : "delete"](name);
  const title = pickedOf(name, ", ");
  const words = [el("span", { textContent: name }), el("em", { textContent: title, title })];
  box.append(el("summary", { id: `facet-${name}` }, ...words), lines);
  if (areBothKnown(state.set, frameNow(), name)) lines.append(wrongLine(name));
  lines.append(...classLines(name, label));
  return box;
}

function line(id, textContent, n, checked, choose) {
  const tick = el("input", { id, type: "checkbox", checked });
  tick.onchange = () => {
    choose(tick.checked ? "add" : "delete");
    on.change();
  };
  const words = [el("span", { textContent }), el("small", { textContent: n })];
  return el("label", { className: n ? "" : "none" }, tick, ...words);
}

function wrongLine(name) {
  const { set, filters, wrong } = state;
  const n = filtered(set, frameNow(), { filters, wrong: new Set([...wrong, name]) }).length;
  return line(`wrong-${name}`, "told wrongly", n, wrong.has(name), (how) => wrong[how](name));
}

function classLines(name, label) {
  const chosen = state.filters.get(name) ?? new Set(), n = counts(state.set, frameNow(), state, name);
  const classes = [...label.classes.keys(), ...(label.values.includes(-1) ? [-1] : [])];
  return classes.map((k) =>
    line(`class-${name}-${k}`, className(label, k), n.get(k) ?? 0, chosen.has(k), (how) => {
      chosen[how](k);
      state.filters.set(name, chosen);
      if (!chosen.size) state.filters.delete(name);
    }),
  );
}
