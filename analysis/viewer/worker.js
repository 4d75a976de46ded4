// HDF5 in a worker: opens files where they lie on the user's disk, says what they are, reads rows of images.
// Small arrays (centres, labels, boxes) come whole with the description; images only when asked for.
import h5wasm from "h5wasm";

const opened = new Map(); // id -> h5wasm.File
const DEPTH_MAX = 6; // of groups in which images are looked for

// What is wrong with a file, as a sentence that its name begins.
class Flaw extends Error {}

// h5wasm drops the status of a read, and whatever then lies in its buffer would be shown.  A file that the browser no
// longer gives must be an error inside of HDF5, too: an exception through it would never close what it had opened.
const ready = h5wasm.ready.then((hdf5) => {
  const EIO = 29, { stream_ops } = hdf5.FS.filesystems.WORKERFS, { read } = stream_ops;
  stream_ops.read = (...args) => {
    try {
      return read(...args);
    } catch {
      throw new hdf5.FS.ErrnoError(EIO);
    }
  };
  for (const name of ["get_dataset_data", "get_attribute_data"]) {
    const get = hdf5[name];
    hdf5[name] = (file, path, ...args) => {
      if (get(file, path, ...args) < 0) throw new Flaw(`is damaged: ${path} cannot be read`);
    };
  }
  return hdf5;
});

const plain = (v) => (typeof v === "bigint" ? Number(v) : v);
function attributes(object, ...needed) {
  const found = Object.fromEntries(Object.entries(object.attrs).map(([name, a]) => [name, plain(a.value)]));
  const missing = needed.find((name) => found[name] === undefined);
  if (missing) throw new Flaw(`has no attribute ${missing} at ${object.path}`);
  return found;
}

// `shape`: null is any length.
const hasShape = (d, shape) =>
  d instanceof h5wasm.Dataset &&
  d.shape?.length === shape.length &&
  shape.every((n, i) => n === null || n === d.shape[i]);
function dataset(group, name, ...shape) {
  const d = group.get(name), text = `(${shape.map((n) => n ?? "any").join(", ")})`;
  if (!(d instanceof h5wasm.Dataset)) throw new Flaw(`has no dataset ${name}`);
  if (!hasShape(d, shape)) throw new Flaw(`has ${name} of shape (${d.shape?.join(", ")}), wanted ${text}`);
  return d;
}

const whole = (d, Kind) => Kind.from(d.value, Number);
// [[name, dataset]]: those of such a shape in a group that need not be there.
const datasets = (group, name, ...shape) =>
  (group.get(name)?.keys?.() ?? []).map((k) => [k, group.get(`${name}/${k}`)]).filter(([, d]) => hasShape(d, shape));

// "eyes: 0, skin: all" -> { eyes: 0 }: the labels bound to one region.
function bindings(text) {
  const pairs = text
    .split(", ")
    .filter(Boolean)
    .map((item) => item.split(": "));
  return Object.fromEntries(pairs.filter(([, region]) => region !== "all").map(([name, region]) => [name, +region]));
}

// ---- what a file is ------------------------------------------------------------------------------------

// Half-sides of each region: one number where all are the same, else w, h of one after the other.
function sides(half, regions) {
  const v = typeof half === "number" ? [half, half] : [...half].flat();
  return Array.from({ length: regions }, (_, r) => {
    const at = (2 * r) % v.length;
    return { w: v[at], h: v[at + 1] };
  });
}

function checkpoint(file, a) {
  if (a.version !== 2) throw new Flaw(`is a checkpoint of version ${a.version}, wanted 2`);
  if (!a.complete) throw new Flaw("is a checkpoint that was never completed");
  const known = file.keys().includes("attention") ? ["source", "target"] : []; // a model without regions
  const domains = known.map((domain) => {
    const path = `attention/${domain}`,
      centres = dataset(file, `${path}/centres`, null, null, 2),
      step = dataset(file, `${path}/step`, centres.shape[0]),
      at = attributes(file.get(path), "data", "half", "sharpness", "image_size", "labels");
    if (!at.data.includes(":")) throw new Flaw(`has data ${at.data} at ${path}, wanted FILE:/GROUP/SPLIT`);
    return {
      domain,
      data: at.data,
      half: sides(at.half, centres.shape[1]),
      sharpness: at.sharpness,
      size: at.image_size,
      bound: bindings(at.labels),
      n: centres.shape[0],
      regions: centres.shape[1],
      centres: centres.value,
      step: whole(step, Float64Array),
    };
  });
  const run = /^run:\n(?: .*\n)*? +dir: "?(.*?)"?$/m.exec(a.config)?.[1];
  return { kind: "checkpoint", run, step: a.step, seconds: a.seconds, program: a.program, config: a.config, domains };
}

function translation(file) {
  const a = attributes(file, "checkpoint", "half", "labels");
  const inputs = dataset(file, "inputs", null, null, null, 3);
  const centres = dataset(file, "centres", inputs.shape[0], null, 2);
  const both = [inputs, dataset(file, "outputs", ...inputs.shape)];
  if (!both.every(isImages)) throw new Flaw("has inputs and outputs that are no square images of bytes");
  return {
    kind: "translation",
    checkpoint: a.checkpoint,
    run: a.checkpoint.replace(/\/?[^/]*$/, ""), // its folder
    step: a.step ?? null, // older files do not tell, nor k
    sharpness: a.sharpness ?? null,
    input: a.input,
    half: sides(a.half, centres.shape[1]),
    bound: bindings(a.labels),
    n: inputs.shape[0],
    size: inputs.shape[1],
    regions: centres.shape[1],
    centres: centres.shape[1] ? centres.value : [],
    told: Object.fromEntries(datasets(file, "told", inputs.shape[0]).map(([name, d]) => [name, labelled(d)])),
  };
}

// Classes by number, and their names.
const labelled = (d) => ({ classes: d.attrs.classes?.value ?? [], values: whole(d, Int16Array) });

const isImages = (d) => hasShape(d, [null, null, null, 3]) && d.shape[1] === d.shape[2] && d.metadata.size === 1;

function split(group, path) {
  const [n, size] = group.get("images").shape;
  const labels = {};
  const parts = {};
  for (const [name, d] of datasets(group, "labels", n)) labels[name] = labelled(d);
  for (const [name, d] of datasets(group, "parts", n, 4)) parts[name] = whole(d, Int16Array);
  return { path, n, size, labels, parts };
}

function splits(group, path, found, depth = 0) {
  for (const name of depth < DEPTH_MAX ? group.keys() : []) {
    const inside = group.get(name);
    if (!(inside instanceof h5wasm.Group)) continue;
    if (isImages(inside.get("images"))) found.push(split(inside, path + name));
    else splits(inside, `${path}${name}/`, found, depth + 1);
  }
  return found;
}

function describe(file) {
  const a = attributes(file);
  if (a.format === "dagan-checkpoint") return checkpoint(file, a);
  if (["inputs", "outputs", "centres"].every((name) => file.get(name) instanceof h5wasm.Dataset))
    return translation(file);
  const found = splits(file, "", []);
  if (!found.length) throw new Flaw("is neither a checkpoint, nor a data set, nor what translate wrote");
  return { kind: "data", splits: found };
}

// ---- calls ---------------------------------------------------------------------------------------------

function rows(id, path, list) {
  const d = opened.get(id).get(path);
  const bytes = d.shape.slice(1).reduce((a, b) => a * b, 1);
  const out = new Uint8Array(list.length * bytes);
  list.forEach((row, i) => out.set(d.slice([[row, row + 1]]), i * bytes));
  return out;
}

function openHdf5(hdf5, path) {
  hdf5.activate_throwing_error_handler(); // else a failure is only printed
  try {
    return new h5wasm.File(path, "r");
  } catch (error) {
    const ends = /truncated file: eof = (\d+).* stored_eof = (\d+)/.exec(error.message);
    throw new Flaw(ends ? `is cut short: it has ${ends[1]} bytes, wanted ${ends[2]}` : "cannot be read as HDF5");
  } finally {
    hdf5.deactivate_throwing_error_handler(); // asking for what is not there is no failure
  }
}

const calls = {
  async open(id, file) {
    const hdf5 = await ready,
      folder = `/${id}`;
    hdf5.FS.mkdir(folder);
    hdf5.FS.mount(hdf5.FS.filesystems.WORKERFS, { files: [file] }, folder);
    try {
      opened.set(id, openHdf5(hdf5, `${folder}/${file.name}`));
      return describe(opened.get(id));
    } catch (error) {
      await calls.close(id);
      throw error instanceof Flaw ? error : new Flaw(`is damaged or not of dagan_mpi (${error.message})`);
    }
  },
  async close(id) {
    const { FS } = await ready;
    opened.get(id)?.close();
    opened.delete(id);
    FS.unmount(`/${id}`);
    FS.rmdir(`/${id}`);
  },
  rows,
  // Whether two datasets of images begin and end with the same image.
  same(a, path_a, b, path_b, n) {
    const ends = [0, n - 1],
      x = rows(a, path_a, ends),
      y = rows(b, path_b, ends);
    return x.length === y.length && x.every((v, i) => v === y[i]);
  },
};

// One call after the other: h5wasm works on one thread of one mind.
let queue = Promise.resolve();
self.onmessage = ({ data: { ticket, name, args } }) => {
  queue = queue
    .then(() => calls[name](...args))
    .then(
      (result) => self.postMessage({ ticket, result }, result instanceof Uint8Array ? [result.buffer] : []),
      (error) => self.postMessage({ ticket, error: error.message }),
    );
};
