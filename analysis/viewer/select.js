// Which images of a set are shown and in what order, and how far their regions lie from their parts.
// Centres are x, y in pixels and pixel 0 is centred at 0.0; boxes of parts are x0 y0 x1 y1, half open, -1 where absent.

// [[part, region]]: the parts of the data set to which a region is bound.
export function boundParts(set, frame) {
  return frame ? Object.entries(frame.bound).filter(([name]) => set.parts[name]) : [];
}

// The frames of the same run: those of another are on no way with them.
export const framesOfRun = (set, frame) => set.frames.filter((f) => f.run === frame.run);

export const isKnown = (frame, row) => !frame.visited || frame.visited[row] >= 0;

export function partBox(set, part, row) {
  const b = set.parts[part].subarray(4 * row, 4 * row + 4);
  return b[0] < 0 ? null : { left: b[0] - 0.5, top: b[1] - 0.5, right: b[2] - 0.5, bottom: b[3] - 0.5 };
}

export function centre(frame, row, region) {
  const i = 2 * (row * frame.regions + region);
  return { x: frame.centres[i], y: frame.centres[i + 1] };
}

// Pixels from the region's centre to its part's; NaN where there is no such part or the image was never seen.
export function distance(set, frame, part, row) {
  const box = partBox(set, part, row);
  if (!box || !isKnown(frame, row)) return NaN;
  const c = centre(frame, row, frame.bound[part]);
  return Math.hypot(c.x - (box.left + box.right) / 2, c.y - (box.top + box.bottom) / 2);
}

export function isInside(set, frame, part, row) {
  const box = partBox(set, part, row);
  const c = centre(frame, row, frame.bound[part]);
  return c.x >= box.left && c.x <= box.right && c.y >= box.top && c.y <= box.bottom;
}

// ---- filter and order ----------------------------------------------------------------------------------

// Whether a frame tells a label that the data set has, too.
export const areBothKnown = (set, frame, label) => !!set.labels[label] && !!frame?.told?.[label];

export const className = (label, k) => (k < 0 ? "unknown" : (label?.classes[k] ?? `class ${k}`));

// The name of the class that a frame tells: by its own list, as another data set may number classes otherwise, or by that
// of the data set where the file has none.
export function toldName(set, frame, label, row) {
  const told = frame.told[label], truth = set.labels[label];
  return className(told.classes.length && truth?.classes.length !== 0 ? told : truth, told.values[row]);
}

export function isWrong(set, frame, label, row) {
  const truth = set.labels[label], k = truth.values[row];
  return k >= 0 && toldName(set, frame, label, row) !== className(truth, k);
}

// `filters`: Map of label -> Set of classes, any of which will do; `wrong`: labels that the frame must tell wrongly,
// where it can.  All must agree.
export function filtered(set, frame, { filters, wrong }, except = null) {
  const tests = [...filters]
    .filter(([name, classes]) => name !== except && classes.size && set.labels[name])
    .map(([name, classes]) => (row) => classes.has(set.labels[name].values[row]));
  for (const name of wrong) if (areBothKnown(set, frame, name)) tests.push((row) => isWrong(set, frame, name, row));
  return range(set.n).filter((row) => tests.every((test) => test(row)));
}

// How many rows each class of a label has, among those that the other labels let through.
export function counts(set, frame, which, label) {
  const n = new Map();
  for (const row of filtered(set, frame, which, label)) {
    const k = set.labels[label].values[row];
    n.set(k, (n.get(k) ?? 0) + 1);
  }
  return n;
}

// The orders to choose from: { key, title, of(row) }; larger first, NaN last.
export function orders(set, frame) {
  const list = [{ key: "row", title: "row", of: (row) => -row }];
  const parts = boundParts(set, frame);
  for (const [part, region] of parts)
    list.push({
      key: `error ${part}`,
      title: `distance: ${part}`,
      region,
      of: (row) => distance(set, frame, part, row),
    });
  if (parts.length > 1) {
    // Distances count in units of their part's median, or the largest part would decide alone.
    const scale = new Map(parts.map(([part]) => [part, median(distances(set, frame, part, range(set.n))) || 1]));
    const worst = (row) => {
      const there = parts.map(([part]) => distance(set, frame, part, row) / scale.get(part)).filter((d) => d >= 0);
      return there.length ? Math.max(...there) : NaN;
    };
    list.push({ key: "worst", title: "distance: the worst, against the usual", of: worst });
  }
  if (frame?.visited) list.push({ key: "visit", title: "last visit", of: (row) => frame.visited[row] });
  return list;
}

export function ordered(rows, order, reversed) {
  const score = new Map(rows.map((row) => [row, order.of(row)]));
  const sign = reversed ? -1 : 1;
  return [...rows].sort((a, b) => {
    const x = score.get(a);
    const y = score.get(b);
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || a - b;
    return sign * (y - x) || a - b;
  });
}

// ---- statistics ----------------------------------------------------------------------------------------

const range = (n) => Array.from({ length: n }, (_, i) => i);

export function median(values) {
  const v = [...values].sort((a, b) => a - b);
  const n = v.length;
  return n ? (v[(n - 1) >> 1] + v[n >> 1]) / 2 : NaN;
}

function distances(set, frame, part, rows) {
  return rows.map((row) => distance(set, frame, part, row)).filter((d) => d >= 0);
}

// Over some rows: { n, median, inside } of a part.  Remembered for as long as the array of rows lives.
const remembered = new WeakMap(); // rows -> Map of frame -> { part: statistics }
export function statistics(set, frame, part, rows) {
  if (!remembered.has(rows)) remembered.set(rows, new Map());
  const of = remembered.get(rows);
  if (!of.has(frame)) of.set(frame, {});
  return (of.get(frame)[part] ??= compute(set, frame, part, rows));
}

function compute(set, frame, part, rows) {
  const there = rows.filter((row) => distance(set, frame, part, row) >= 0);
  const inside = there.filter((row) => isInside(set, frame, part, row)).length / there.length;
  return { n: there.length, median: median(distances(set, frame, part, there)), inside };
}
