// What the user does: opens files, goes through images and checkpoints, by mouse and by key.
import { closeFile, findSets, openFile, whenImagesArrive, whenReadingFails } from "./files.js";
import { $, arrange, el, frameNow, on, orderNow, ordersNow, state } from "./state.js";
import { drawBar, drawSide } from "./side.js";
import { columnsNow, fill, layOut, linesInSight, repaintCards, showSelected } from "./grid.js";
import { drawDetail } from "./detail.js";

const MESSAGE_SECONDS = 7, SIZES = { min: 48, max: 320, step: 24 }; // CSS pixels

// ---- drawing -------------------------------------------------------------------------------------------

on.change = () => {
  document.body.classList.toggle("empty", !state.set);
  if (state.set && arrange()) $("scroll").scrollTop = 0; // another list is read from its beginning
  drawBar();
  drawSide();
  drawDetail();
  layOut();
  showSelected();
};
on.repaint = () => {
  repaintCards();
  drawDetail();
};

// ---- files ---------------------------------------------------------------------------------------------

// A line about something takes the place of the one before about the same.
function say(text, about = text) {
  const p = el("p", { textContent: text });
  p.dataset.about = about;
  [...$("messages").children].find((other) => other.dataset.about === about)?.remove();
  $("messages").append(p);
  setTimeout(() => p.remove(), 1000 * MESSAGE_SECONDS);
}

async function openFiles(list) {
  for (const file of list) {
    try {
      await openFile(file);
    } catch (error) {
      say(error.message);
    }
  }
  await filesChanged();
}

// Stays with what was shown if it is still there, else turns to where there is most to see: translations, then regions.
async function filesChanged() {
  const { sets, notes } = await findSets(), before = state.set?.key, at = frameNow()?.id;
  notes.forEach((note) => say(note));
  state.sets = sets;
  const known = sets.filter((s) => s.frames.length);
  const same = sets.find((s) => s.key === before && (s.frames.length || !known.length));
  choose(same ?? known.find((s) => s.frames.some((f) => f.outputs)) ?? known[0] ?? sets[0] ?? null, at);
}

// Shows a set, at the frame of that file if it has one, else at its newest.
function choose(set, at) {
  if (state.set?.key !== set?.key) state.selected = null;
  state.set = set;
  const same = set ? set.frames.findIndex((f) => f.id === at) : -1;
  state.frame = same >= 0 || !set ? same : set.frames.length - 1;
  for (const name of state.filters.keys()) if (!set?.labels[name]) state.filters.delete(name);
  for (const name of state.wrong) if (!set?.labels[name]) state.wrong.delete(name);
  on.change();
}

on.shut = async (id) => {
  await closeFile(id);
  await filesChanged();
};

// ---- images and checkpoints ----------------------------------------------------------------------------

function select(row) {
  const wasHidden = $("detail").hidden;
  state.selected = row;
  drawDetail();
  if (wasHidden !== $("detail").hidden) layOut(); // the panel takes room from the grid
  showSelected();
}

on.pick = (row) => {
  state.isOpen = true;
  select(row);
};
on.close = () => {
  if ($("detail").contains(document.activeElement)) $("scroll").focus({ preventScroll: true });
  state.isOpen = false;
  select(state.selected);
};

function go(by) {
  const { rows, selected } = state, at = rows.indexOf(selected);
  if (rows.length) select(rows[at < 0 ? 0 : Math.min(Math.max(at + by, 0), rows.length - 1)]);
}

function step(by) {
  if (!state.set?.frames.length) return;
  state.frame = Math.min(Math.max(state.frame + by, 0), state.set.frames.length - 1);
  on.change();
}

function toggle(name) {
  state.view[name] = !state.view[name];
  drawBar();
  on.repaint();
}

function resize(size) {
  state.size = Math.min(Math.max(size, SIZES.min), SIZES.max);
  drawBar();
  layOut();
}

const set = (changes) => () => {
  Object.assign(state, changes());
  on.change();
};
const after = (list, now) => list[(list.indexOf(now) + 1) % list.length];

const actions = {
  ArrowLeft: () => go(-1),
  ArrowRight: () => go(1),
  ArrowUp: () => go(-columnsNow()),
  ArrowDown: () => go(columnsNow()),
  PageUp: () => go(-columnsNow() * linesInSight()),
  PageDown: () => go(columnsNow() * linesInSight()),
  Home: () => go(-Infinity),
  End: () => go(Infinity),
  Enter: () => on.pick(state.selected ?? state.rows[0] ?? null),
  Escape: () => on.close(),
  ",": () => step(-1),
  ".": () => step(1),
  a: set(() => ({ instance: null })),
  r: () => toggle("regions"),
  p: () => toggle("parts"),
  m: () => toggle("mask"),
  s: set(() => ({ order: after(ordersNow(), orderNow()).key })),
  d: set(() => ({ reversed: !state.reversed })),
  v: () => choose(after(state.sets, state.set), frameNow()?.id),
  c: set(() => ({ filters: new Map(), wrong: new Set() })),
  "+": () => resize(state.size + SIZES.step),
  "=": () => resize(state.size + SIZES.step),
  "-": () => resize(state.size - SIZES.step),
};
for (let r = 0; r < 10; r++) actions[r] = set(() => (r < (frameNow()?.regions ?? 0) ? { instance: r } : {}));

// ---- events --------------------------------------------------------------------------------------------

addEventListener("keydown", (e) => {
  const isPress = e.target.matches("button, summary, [type=checkbox]") && (e.key === "Enter" || e.key === " ");
  const isTyped = e.target.matches("select, input:not([type=checkbox])") && e.key !== "Escape";
  if (e.ctrlKey || e.metaKey || e.altKey || $("keys").open || isPress || isTyped) return;
  if (e.key === "o") $("input").click();
  else if (e.key === "?") $("keys").showModal();
  else if (state.set && actions[e.key]) actions[e.key]();
  else return;
  e.preventDefault();
});

// Keys are for images again as soon as a choice is made.
for (const id of ["set", "order", "frame", "size"]) $(id).addEventListener("change", (e) => e.target.blur());
$("set").oninput = (e) => choose(state.sets.find((s) => s.key === e.target.value), frameNow()?.id);
$("order").oninput = (e) => set(() => ({ order: e.target.value }))();
$("frame").oninput = (e) => step(e.target.value - state.frame);
$("size").oninput = (e) => resize(+e.target.value);
$("older").onclick = actions[","];
$("newer").onclick = actions["."];
for (const name of ["regions", "parts", "mask"]) $(name).onclick = () => toggle(name);
$("reverse").onclick = actions.d;
$("clear").onclick = actions.c;
$("help").onclick = () => $("keys").showModal();
$("open").onclick = $("choose").onclick = () => $("input").click();
$("input").onchange = async (e) => {
  const list = [...e.target.files];
  e.target.value = ""; // so that the same file can be chosen again
  await openFiles(list);
};

$("scroll").onscroll = fill;
new ResizeObserver(layOut).observe($("scroll"));
let isDue = false;
whenImagesArrive(() => {
  if (!isDue)
    requestAnimationFrame(() => {
      isDue = false;
      on.repaint();
    });
  isDue = true;
});
whenReadingFails(say);

addEventListener("dragover", (e) => {
  e.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (e) => {
  if (!e.relatedTarget) document.body.classList.remove("dropping");
});
addEventListener("drop", (e) => {
  e.preventDefault();
  document.body.classList.remove("dropping");
  openFiles([...e.dataTransfer.files]);
});

on.change();
