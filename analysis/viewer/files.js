// The files that are open, and what can be looked at in them.
//
// A set is a list of images with the times at which their regions are known: the training images of a domain, known to
// each checkpoint (/attention), or the images that `translate` was given, known to each of its files.

export const COLOURS = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#f0e442", "#56b4e9", "#e69f00", "#000000"];

const worker = new Worker(URL.createObjectURL(new Blob([document.getElementById("worker").textContent])));
const waiting = new Map();
let tickets = 0;
worker.onmessage = ({ data: { ticket, result, error } }) => {
  const { resolve, reject } = waiting.get(ticket);
  waiting.delete(ticket);
  if (error) reject(new Error(error));
  else resolve(result);
};
function call(name, ...args) {
  const ticket = ++tickets;
  return new Promise((resolve, reject) => {
    waiting.set(ticket, { resolve, reject });
    worker.postMessage({ ticket, name, args });
  });
}

export const files = []; // { id, name, size, kind, ... } as worker.js describes them
let ids = 0;

// Opens one file; throws with a sentence about it.  The same file opened again changes nothing.
export async function openFile(file) {
  if (files.some((f) => f.name === file.name && f.bytes === file.size && f.changed === file.lastModified)) return;
  const id = ++ids;
  let about;
  try {
    about = await call("open", id, file);
  } catch (error) {
    throw new Error(`${file.name} ${error.message}`);
  }
  files.push({ id, name: file.name, bytes: file.size, changed: file.lastModified, ...about });
}

export async function closeFile(id) {
  const i = files.findIndex((f) => f.id === id);
  files.splice(i, 1);
  await call("close", id);
}

// What a file is called.  A browser tells no folders: files of one name are told apart by their runs, else by number.
export function nameOf(file) {
  const alike = files.filter((f) => f.name === file.name);
  if (alike.length < 2) return file.name;
  const isAlone = file.run && alike.every((f) => f === file || f.run !== file.run);
  return isAlone ? `${file.name} of ${file.run}` : `${file.name} (${alike.indexOf(file) + 1})`;
}

// ---- sets ----------------------------------------------------------------------------------------------

const baseName = (path) => path.split("/").pop();

const matches = new Map(); // "translation file path" -> promise of whether they hold the same images
function isMadeOf(t, s) {
  const key = `${t.id} ${s.images.file} ${s.images.path}`;
  if (s.n !== t.n || s.size !== t.size) return false;
  const isSame = () => call("same", t.id, "inputs", s.images.file, s.images.path, t.n).catch(() => false);
  if (!matches.has(key)) matches.set(key, isSame());
  return matches.get(key);
}

// Everything that can be looked at: { key, title, n, size, images, labels, parts, frames }; and what is missing.
// A frame has the id of its file, and the run of which it shows a step.
export async function findSets() {
  const sets = files.filter((f) => f.kind === "data").flatMap(dataSets);
  const notes = files.filter((f) => f.kind === "checkpoint").flatMap((c) => addCheckpoint(sets, c));
  for (const t of files.filter((f) => f.kind === "translation")) await addTranslation(sets, t);
  const byStep = (a, b) => (a.at ?? Infinity) - (b.at ?? Infinity) || a.name.localeCompare(b.name);
  for (const s of sets) s.frames.sort(byStep);
  return { sets, notes: [...new Set(notes)] };
}

function dataSets(d) {
  return d.splits.map((s) => {
    const isTaken = files.some((f) => f.kind === "data" && f.id < d.id && f.splits.some((x) => x.path === s.path));
    const title = isTaken ? `${s.path} of ${nameOf(d)}` : s.path;
    return { ...s, key: isTaken ? `${s.path} of ${d.id}` : s.path, title, file: d, frames: [], images: { file: d.id, path: `${s.path}/images` } };
  });
}

// Returns what there is to say.
function addCheckpoint(sets, c) {
  if (!c.domains.length) return [`${c.name} is of a model without regions: open what translate made with it`];
  return c.domains.flatMap((a) => {
    const [, file, path] = /^(.*):\/*(.*?)$/.exec(a.data);
    const there = sets.filter((s) => s.path === path);
    const fitting = there.filter((s) => s.n === a.n && s.size === a.size);
    const home = fitting.find((s) => s.file?.name === baseName(file)) ?? fitting[0];
    home?.frames.push({ ...a, id: c.id, run: c.run, name: nameOf(c), at: c.step, visited: a.step, outputs: null });
    if (home?.file.name === baseName(file)) return [];
    if (home) return [`${c.name} knows regions of ${baseName(file)}, shown on ${nameOf(home.file)}`];
    if (!there.length) return [`${c.name} knows regions of ${path}: open ${baseName(file)} too`];
    return [`${c.name} knows ${a.n} images of ${path}, the data set has ${there[0].n}`];
  });
}

async function addTranslation(sets, t) {
  let home = null;
  for (const s of sets) if (!home && (await isMadeOf(t, s))) home = s;
  if (!home) {
    const title = `what ${nameOf(t)} was made of`;
    const images = { file: t.id, path: "inputs" };
    home = { key: `made of ${t.id}`, title, n: t.n, size: t.size, labels: {}, parts: {}, frames: [], images };
    sets.push(home);
  }
  const outputs = { file: t.id, path: "outputs" };
  home.frames.push({ ...t, name: nameOf(t), at: t.step, sharpness: sharpnessOf(t), visited: null, outputs });
}

// k of Eq. 4.  Older translations do not say it, the checkpoint of which they are does; null where it is not open.
function sharpnessOf(t) {
  const isIts = (f) => f.kind === "checkpoint" && f.name === baseName(t.checkpoint) && f.step === t.step;
  return t.sharpness ?? files.find(isIts)?.domains[0]?.sharpness ?? null;
}

// ---- images --------------------------------------------------------------------------------------------

const CACHE_MAX = 256 * 2 ** 20; // bytes of pixels kept
const TOGETHER = 64; // images asked for at once
const cache = new Map(); // "file path row" -> { bitmap, pixels, used: a round }, least recently used first
let cached = 0, round = 0; // bytes of its pixels; times that images were asked for
const wanted = new Map(); // "file path" -> rows
let onArrival = () => {}, onFailure = () => {};
export const whenImagesArrive = (f) => {
  onArrival = f;
};
export const whenReadingFails = (f) => {
  onFailure = f;
};

// The image { pixels: ImageData, bitmap }, or null: then it has been asked for, and whenImagesArrive tells.
export function image(where, row) {
  const key = `${where.file} ${where.path} ${row}`;
  const found = cache.get(key);
  if (found) {
    cache.delete(key);
    cache.set(key, Object.assign(found, { used: round }));
    return found.bitmap ? found : null;
  }
  cache.set(key, { used: round });
  const name = `${where.file} ${where.path}`;
  if (!wanted.size) queueMicrotask(fetchWanted);
  wanted.set(name, [...(wanted.get(name) ?? []), row]);
  return null;
}

async function fetchWanted() {
  const lists = [...wanted];
  wanted.clear();
  round++;
  for (const [name, list] of lists) {
    const failed = [];
    for (let i = 0; i < list.length; i += TOGETHER)
      failed.push(...(await fetchRows(name, list.slice(i, i + TOGETHER))));
    if (failed.length) tellFailed(name, failed);
  }
}

function placeOf(name) {
  const [id, ...path] = name.split(" ");
  return { file: files.find((f) => f.id === +id), id: +id, path: path.join(" ") };
}

const unreadable = new Map(); // "file path" -> rows

function tellFailed(name, failed) {
  const rows = [...new Set([...(unreadable.get(name) ?? []), ...failed])];
  unreadable.set(name, rows);
  const { file, path } = placeOf(name), more = rows.length > 3 ? ` and ${rows.length - 3} more` : "";
  const words = `row${rows.length > 1 ? "s" : ""} ${rows.slice(0, 3).join(", ")}${more}`;
  if (file) onFailure(`${nameOf(file)} is damaged or has changed: ${words} of ${path} cannot be read`, name);
}

// Returns the rows that cannot be read.  They stay in the cache as asked for, so that nobody asks again.
async function fetchRows(name, list) {
  const { id, path } = placeOf(name);
  let bytes;
  try {
    bytes = await call("rows", id, path, list);
  } catch {
    return findFailed(name, list);
  }
  const each = bytes.length / list.length;
  const side = Math.sqrt(each / 3);
  for (const [i, row] of list.entries()) {
    const pixels = new ImageData(side, side);
    for (let p = 0; p < side * side; p++) {
      for (let c = 0; c < 3; c++) pixels.data[4 * p + c] = bytes[i * each + 3 * p + c];
      pixels.data[4 * p + 3] = 255;
    }
    const bitmap = await createImageBitmap(pixels), key = `${name} ${row}`;
    cached += pixels.data.length - (cache.get(key)?.pixels?.data.length ?? 0);
    cache.set(key, { pixels, bitmap, used: round });
  }
  shrink();
  onArrival();
  return [];
}

// What is in sight stays, whatever its size: else its images would drive out each other without an end.
function shrink() {
  for (const [key, { pixels, used }] of cache) {
    if (cached <= CACHE_MAX) break;
    if (!pixels || used > round - 2) continue;
    cache.delete(key);
    cached -= pixels.data.length;
  }
}

async function findFailed(name, list) {
  if (!placeOf(name).file) {
    list.forEach((row) => cache.delete(`${name} ${row}`)); // closed meanwhile
    return [];
  }
  if (list.length === 1) return list;
  const failed = [];
  for (const row of list) failed.push(...(await fetchRows(name, [row])));
  return failed;
}
