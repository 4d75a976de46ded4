// Images, outlines and crops on a canvas.  Pixel 0 is centred at 0.0, so it covers -0.5 to 0.5.
import { COLOURS, image } from "./files.js";
import { boundParts, centre, framesOfRun, isKnown, partBox } from "./select.js";

const TAGS_FROM = 180; // CSS pixels: on smaller images the tags would hide what the regions are about
export const colour = (region) => COLOURS[region % COLOURS.length];
export const onColour = (region) => (region % COLOURS.length === 4 ? "#000" : "#fff"); // text on it: 4 is yellow

// Gives a canvas `width` x `height` CSS pixels at the screen's resolution; returns its context, cleared.
export function prepare(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.imageSmoothingEnabled = false;
  return g;
}

function outline(g, box, scale, stroke, width, dash) {
  g.setLineDash(dash);
  g.lineWidth = width;
  g.strokeStyle = stroke;
  g.strokeRect(
    (box.left + 0.5) * scale,
    (box.top + 0.5) * scale,
    (box.right - box.left) * scale,
    (box.bottom - box.top) * scale,
  );
  g.setLineDash([]);
}

// The number of a region on a small tag in a corner of its box, not always the same: boxes may coincide.
function tag(g, region, box, scale, size) {
  const right = region % 2;
  const low = (region >> 1) % 2;
  const wide = size * 0.95;
  const x = ((right ? box.right : box.left) + 0.5) * scale - right * wide;
  const y = ((low ? box.bottom : box.top) + 0.5) * scale - low * size;
  g.fillStyle = colour(region);
  g.fillRect(x, y, wide, size);
  g.font = `700 ${size * 0.85}px system-ui, sans-serif`;
  g.textAlign = "center";
  g.textBaseline = "middle";
  g.fillStyle = onColour(region);
  g.fillText(String(region), x + wide / 2, y + size * 0.54);
}

function dot(g, x, y, radius, fill) {
  g.beginPath();
  g.arc(x, y, radius, 0, 7);
  g.fillStyle = fill;
  g.fill();
  g.lineWidth = radius / 2.5;
  g.strokeStyle = "#fff";
  g.stroke();
}

// Whether the mask is to be seen, and k is known.
export const isMasked = (frame, view) => view.mask && !!frame?.sharpness;

// An image at (left, 0) in a square of `side` CSS pixels, with view.mask what its regions let through; false where it
// is not there yet.
export function drawImage(g, where, frame, row, left, side, view) {
  const found = image(where, row);
  if (!found) return false;
  const known = isMasked(frame, view) && frame.regions && isKnown(frame, row);
  const regions = known ? Array.from({ length: frame.regions }, (_, r) => region(frame, row, r)) : [];
  g.drawImage(known ? masked(found.pixels, regions, frame.sharpness) : found.bitmap, left, 0, side, side);
  return true;
}

// Regions and the boxes of their parts over the image drawn at (0, 0).  `view`: what main.js shows.
export function drawOutlines(g, set, frame, row, side, view) {
  if (!frame) return;
  const scale = side / set.size;
  const bold = Math.max(1.4, side / 110);
  g.save();
  g.beginPath();
  g.rect(0, 0, side, side);
  g.clip();
  const fade = (region) => {
    g.globalAlpha = view.focus === null || view.focus === region ? 1 : 0.15;
  };
  for (const [part, region] of view.parts ? boundParts(set, frame) : []) {
    const box = partBox(set, part, row);
    fade(region);
    if (box) outline(g, box, scale, colour(region), bold * 0.8, [bold * 2.2, bold * 1.8]);
  }
  for (let r = 0; view.regions && isKnown(frame, row) && r < frame.regions; r++) {
    const { x, y } = centre(frame, row, r);
    const { w, h } = frame.half[r];
    const box = { left: x - w, top: y - h, right: x + w, bottom: y + h };
    fade(r);
    outline(g, box, scale, colour(r), bold, []);
    if (side >= TAGS_FROM) tag(g, r, box, scale, side / 18);
    dot(g, (x + 0.5) * scale, (y + 0.5) * scale, bold * 1.5, colour(r));
  }
  g.restore();
}

// The way of each centre over the frames of its run that know this image.
export function drawTracks(g, set, now, row, side, view) {
  const scale = side / set.size;
  for (let r = 0; r < now.regions; r++) {
    if (view.focus !== null && view.focus !== r) continue;
    const known = framesOfRun(set, now).filter((f) => f.regions === now.regions && isKnown(f, row));
    g.beginPath();
    for (const frame of known) {
      const { x, y } = centre(frame, row, r);
      g.lineTo((x + 0.5) * scale, (y + 0.5) * scale);
    }
    for (const [width, stroke] of [
      [3, "#fffc"],
      [1.6, colour(r)],
    ]) {
      g.lineWidth = width;
      g.strokeStyle = stroke;
      g.stroke();
    }
  }
}

// ---- instances -----------------------------------------------------------------------------------------

const sigmoid = (v) => 1 / (1 + Math.exp(-v));

// Centre and half-sides.
const region = (frame, row, r) => ({ ...centre(frame, row, r), ...frame.half[r] });

// An image through the soft boxes of Eq. 4 of some regions.  With one it is what E of Eq. 3 is given, R = X o M:
// outside all is 0, a middle grey.
function masked(pixels, regions, k) {
  const n = pixels.width;
  const out = new ImageData(n, n);
  const weight = new Float32Array(n * n);
  const m = (p, c, half) => sigmoid(k * (p - (c - half))) - sigmoid(k * (p - (c + half)));
  for (const { x, y, w, h } of regions) {
    const across = Array.from({ length: n }, (_, p) => m(p, x, w));
    const down = Array.from({ length: n }, (_, p) => m(p, y, h));
    for (let i = 0; i < n * n; i++) weight[i] = Math.max(weight[i], across[i % n] * down[(i / n) | 0]);
  }
  for (let i = 0; i < n * n; i++) {
    for (let c = 0; c < 3; c++) out.data[4 * i + c] = 127.5 + (pixels.data[4 * i + c] - 127.5) * weight[i];
    out.data[4 * i + 3] = 255;
  }
  const canvas = new OffscreenCanvas(n, n);
  canvas.getContext("2d").putImageData(out, 0, 0);
  return canvas;
}

// The crop around a region of the source's centre, from the source or its translation.
export function drawInstance(g, where, set, frame, row, r, left, side, view) {
  const found = image(where, row);
  if (!found) return false;
  const hasMask = isMasked(frame, view);
  g.fillStyle = hasMask ? "#808080" : getComputedStyle(document.body).getPropertyValue("--hole");
  g.fillRect(left, 0, side, side);
  if (!isKnown(frame, row)) return true;
  const c = region(frame, row, r);
  const reach = Math.max(c.w, c.h) + (hasMask ? 3 / frame.sharpness : 0);
  const scale = side / (2 * reach);
  g.save();
  g.beginPath();
  g.rect(left, 0, side, side);
  g.clip();
  g.drawImage(
    hasMask ? masked(found.pixels, [c], frame.sharpness) : found.bitmap,
    left - (c.x + 0.5 - reach) * scale,
    -(c.y + 0.5 - reach) * scale,
    set.size * scale,
    set.size * scale,
  );
  g.restore();
  return true;
}
