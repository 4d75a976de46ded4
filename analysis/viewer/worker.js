// HDF5 in a worker: opens files where they lie on the user's disk, says what they are, reads rows of images.
// Small arrays (centres, labels, boxes) come whole with the description; images only when asked for.
import h5wasm from "h5wasm";

const opened = new Map(); // id -> h5wasm.File
const DEPTH_MAX = 6; // of groups in which images are looked for

const plain = (v) => (typeof v === "bigint" ? Number(v) : v);
const attributes = (object) =>
  Object.fromEntries(Object.entries(object.attrs).map(([name, a]) => [name, plain(a.value)]));
const whole = (dataset, Kind) => Kind.from(dataset.value, Number);

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
  if (a.version !== 2) throw new Error(`is a checkpoint of version ${a.version}, wanted 2`);
  if (!a.complete) throw new Error("is a checkpoint that was never completed");
  const known = file.keys().includes("attention") ? ["source", "target"] : []; // a model without regions
  const domains = known.map((domain) => {
    const g = file.get(`attention/${domain}`),
      at = attributes(g),
      centres = g.get("centres");
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
      step: whole(g.get("step"), Float64Array),
    };
  });
  const run = /^run:\n(?: .*\n)*? +dir: "?(.*?)"?$/m.exec(a.config)?.[1];
  return { kind: "checkpoint", run, step: a.step, seconds: a.seconds, program: a.program, config: a.config, domains };
}

function translation(file, a) {
  const inputs = file.get("inputs");
  const centres = file.get("centres");
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
  };
}

function split(group, path) {
  const images = group.get("images");
  const labels = {};
  const parts = {};
  for (const name of group.get("labels")?.keys() ?? []) {
    const d = group.get(`labels/${name}`);
    labels[name] = { classes: d.attrs.classes?.value ?? [], values: whole(d, Int16Array) };
  }
  for (const name of group.get("parts")?.keys() ?? []) parts[name] = whole(group.get(`parts/${name}`), Int16Array);
  return { path, n: images.shape[0], size: images.shape[1], labels, parts };
}

function splits(group, path, found, depth = 0) {
  for (const name of depth < DEPTH_MAX ? group.keys() : []) {
    const inside = group.get(name);
    if (!(inside instanceof h5wasm.Group)) continue;
    const images = inside.get("images");
    const shape = images instanceof h5wasm.Dataset ? images.shape : [];
    if (shape.length === 4 && shape[1] === shape[2] && shape[3] === 3) found.push(split(inside, path + name));
    else splits(inside, `${path}${name}/`, found, depth + 1);
  }
  return found;
}

function describe(file) {
  const a = attributes(file);
  if (a.format === "dagan-checkpoint") return checkpoint(file, a);
  if (["inputs", "outputs", "centres"].every((name) => file.get(name) instanceof h5wasm.Dataset))
    return translation(file, a);
  const found = splits(file, "", []);
  if (!found.length) throw new Error("is neither a checkpoint, nor a data set, nor what translate wrote");
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

const calls = {
  async open(id, file) {
    const hdf5 = await h5wasm.ready,
      folder = `/${id}`;
    hdf5.FS.mkdir(folder);
    hdf5.FS.mount(hdf5.FS.filesystems.WORKERFS, { files: [file] }, folder);
    try {
      hdf5.activate_throwing_error_handler(); // else a failure is only printed
      opened.set(id, new h5wasm.File(`${folder}/${file.name}`, "r"));
      hdf5.deactivate_throwing_error_handler(); // asking for what is not there is no failure
      return describe(opened.get(id));
    } catch (error) {
      hdf5.deactivate_throwing_error_handler();
      await calls.close(id);
      throw /^is /.test(error.message) ? error : new Error("cannot be read as HDF5");
    }
  },
  async close(id) {
    const { FS } = await h5wasm.ready;
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
