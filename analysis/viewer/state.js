// What is shown, as one object, and words about it.  Whoever changes it says so: on.change() draws everything anew.
import { areBothKnown, filtered, ordered, orders } from "./select.js";

export const state = {
  sets: [],
  set: null,
  frame: -1, // index into set.frames; -1: there is none
  order: "row",
  reversed: false,
  filters: new Map(), // label -> Set of classes
  wrong: new Set(), // labels: only images of which the frame tells them wrongly
  kept: { key: null, rows: [] }, // rows of the set that the filters let through
  rows: [], // the same in order
  arranged: null, // what that order was made by
  instance: null, // only the instances of this region; null: whole images
  selected: null, // a row of the set
  isOpen: false, // shown large
  size: 128, // least side of an image in the grid
  view: { regions: true, parts: true, mask: false, focus: null }, // focus: the region to stand out
};

// Set by main.js.
export const on = { change() {}, repaint() {}, pick() {}, close() {}, shut() {} };

export const frameNow = () => state.set?.frames[state.frame] ?? null;
// Of state.wrong, what the frame can be asked for.
export const wrongNow = () => [...state.wrong].filter((name) => areBothKnown(state.set, frameNow(), name));

let known = { set: null, frame: null, list: [] };
export function ordersNow() {
  if (known.set !== state.set || known.frame !== frameNow())
    known = { set: state.set, frame: frameNow(), list: orders(state.set, frameNow()) };
  return known.list;
}
export const orderNow = () => ordersNow().find((o) => o.key === state.order) ?? ordersNow()[0];

// Filters and orders the rows; true where the list is another one than before.
export function arrange() {
  const frame = frameNow();
  if (!frame || state.instance >= frame.regions) state.instance = null;
  const filters = [...state.filters].map(([name, classes]) => [name, ...classes]), wrong = wrongNow();
  const key = JSON.stringify([state.set.key, state.set.n, ...filters, wrong, wrong.length ? frame.id : null]);
  if (state.kept.key !== key) state.kept = { key, rows: filtered(state.set, frame, state) };
  state.rows = ordered(state.kept.rows, orderNow(), state.reversed);
  if (!state.rows.includes(state.selected)) state.selected = null;
  if (state.selected === null) state.isOpen = false;
  const before = state.arranged;
  state.arranged = `${key} ${orderNow().key} ${state.reversed}`;
  return state.arranged !== before;
}

// ---- words ---------------------------------------------------------------------------------------------

export const px = (v) => (Number.isNaN(v) ? "–" : `${v.toFixed(1)} px`);
export function frameTitle({ at, name, run }) {
  if (at === null) return name;
  return state.set.frames.every((f) => f.run === run) ? `step ${at}` : `step ${at} of ${run}`;
}

// "mouth, skin": the labels bound to a region.
export function regionName(frame, region) {
  const names = Object.entries(frame.bound).filter(([, r]) => r === region);
  return names.map(([name]) => name).join(", ") || `region ${region}`;
}

// ---- elements ------------------------------------------------------------------------------------------

export const $ = (id) => document.getElementById(id);

export function el(tag, properties = {}, ...inside) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...inside);
  return node;
}

// Draws anew; who goes by keyboard stays at the element of the same id, though it is another one.  After a click the
// focus goes, so that keys are for images.
export function keepFocus(draw) {
  const { activeElement: before } = document, id = before.matches(":focus-visible") ? before.id : "";
  draw();
  if (id && document.activeElement !== before) $(id)?.focus({ preventScroll: true });
}
