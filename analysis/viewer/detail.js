// One image large: source and translation, its instances one by one, its labels.
import {
  areBothKnown,
  boundParts,
  centre,
  className,
  distance,
  framesOfRun,
  isInside,
  isKnown,
  isWrong,
  toldName,
} from "./select.js";
import { $, el, frameNow, keepFocus, on, px, regionName, state } from "./state.js";
import { colour, drawImage, drawInstance, drawOutlines, drawTracks, isMasked, prepare } from "./draw.js";

const SINGLE = 320, PAIRED = 192, CROP = 88; // CSS pixels: an image alone, beside its translation, an instance

export const drawDetail = () => keepFocus(redraw);

function redraw() {
  const panel = $("detail"), top = panel.scrollTop;
  panel.hidden = !state.set || !state.isOpen || state.selected === null;
  if (panel.hidden) return;
  panel.replaceChildren(heading(), pictures(), ...instances(), ...labels());
  panel.scrollTop = top;
}

function heading() {
  const { selected: row } = state, frame = frameNow(), visit = frame?.visited?.[row];
  const seen = visit === undefined ? (frame?.name ?? "") : visit < 0 ? "never visited" : `last visit: step ${visit}`;
  const close = el("button", { id: "close", textContent: "×", title: "Close ( Esc )", ariaLabel: "Close" });
  close.onclick = () => on.close();
  return el("header", {}, el("h2", { textContent: `Row ${row}` }), el("small", { textContent: seen }), close);
}

function figure(side, draw, text) {
  const canvas = el("canvas");
  draw(prepare(canvas, side, side));
  return el("figure", {}, canvas, ...(text ? [el("figcaption", { textContent: text })] : []));
}

function pictures() {
  const { set, selected: row, view } = state, frame = frameNow(), side = frame?.outputs ? PAIRED : SINGLE;
  const hasTracks = frame?.regions && framesOfRun(set, frame).length > 1 && view.regions;
  const source = figure(side, (g) => {
    drawImage(g, set.images, frame, row, 0, side, view);
    drawOutlines(g, set, frame, row, side, view);
    if (hasTracks) drawTracks(g, set, frame, row, side, view);
  }, hasTracks ? "with the ways of the centres" : "image");
  if (!frame?.outputs) return el("div", { className: "pair" }, source);
  const output = figure(side, (g) => drawImage(g, frame.outputs, frame, row, 0, side, view), "translation");
  return el("div", { className: "pair" }, source, output);
}

function instances() {
  const { selected: row, view } = state, frame = frameNow();
  if (!frame?.regions || !isKnown(frame, row)) return [];
  const plain = frame.outputs ? "Instances, source and translation" : "Instances";
  const title = isMasked(frame, view) ? "Instances, as E sees them" : plain;
  const lines = Array.from({ length: frame.regions }, (_, r) => instance(frame, row, r));
  return [el("h3", { textContent: title }), ...lines];
}

function instance(frame, row, region) {
  const { set, view } = state, crops = el("div", { className: "pair" });
  for (const where of frame.outputs ? [set.images, frame.outputs] : [set.images])
    crops.append(figure(CROP, (g) => drawInstance(g, where, set, frame, row, region, 0, CROP, view)));
  const name = el("b", { textContent: `${region} ${regionName(frame, region)}` });
  const { x, y } = centre(frame, row, region);
  name.style.borderColor = colour(region);
  const words = [`centre ${x.toFixed(1)}, ${y.toFixed(1)}`];
  for (const [part, r] of boundParts(set, frame)) {
    if (r !== region) continue;
    const d = distance(set, frame, part, row), place = d >= 0 && isInside(set, frame, part, row) ? "inside" : "outside";
    words.push(d >= 0 ? `${part}: ${px(d)} off, ${place} its box` : `${part}: none in this image`);
  }
  for (const [label, r] of Object.entries(frame.bound))
    if (r === region && isLabelled(label)) words.push(`${label}: ${labelOf(label, row)}`);
  const lines = words.map((textContent) => el("span", { textContent }));
  return el("div", { className: "instance" }, crops, el("div", { className: "words" }, name, ...lines));
}

// ---- labels: what the data set has, what DAE told, or both -----------------------------------------------

const toldNow = () => frameNow()?.told ?? {};
const isLabelled = (name) => name in state.set.labels || name in toldNow();

function labelOf(name, row) {
  const label = state.set.labels[name], truth = label?.values[row] ?? -1;
  if (!toldNow()[name]) return className(label, truth);
  return `told ${toldName(state.set, frameNow(), name, row)}${truth >= 0 ? `, true ${className(label, truth)}` : ""}`;
}

function labels() {
  const { set, selected: row } = state, names = [...new Set([...Object.keys(set.labels), ...Object.keys(toldNow())])];
  if (!names.length) return [];
  const isFalse = (name) => areBothKnown(set, frameNow(), name) && isWrong(set, frameNow(), name, row);
  const line = (name) => [
    el("dt", { textContent: name }),
    el("dd", { textContent: labelOf(name, row), className: isFalse(name) ? "wrong" : "" }),
  ];
  return [el("h3", { textContent: "Labels" }), el("dl", {}, ...names.flatMap(line))];
}
