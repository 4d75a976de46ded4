// Draws the faces data set: two drawing styles, `adventurer` and `lorelei` unless told, of people who share
// one table of classes (labels.json), so that a label means the same in both.  Layout of the file:
//   /<domain>/<train|test>/images          uint8  (n, h, w, 3)
//   /<domain>/<split>/labels/<attribute>   int16  (n)       index into the dataset's attribute `classes`
//   /<domain>/<split>/parts/<part>         int16  (n, 4)    box x0 y0 x1 y1, half open; -1 absent
// Images and labels carry the attribute `crc32`, the sum over rows of (row + 1) x CRC-32 of the row, modulo 2^64.
// The train splits are unpaired: each domain draws its own people.  Row i of the test splits is one
// person, placed alike, in both styles.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import h5wasm from 'h5wasm/node';
import { PARTS, box, draw } from './faces_style.mjs';

const HELP = `usage: node make_faces.mjs [--size 64] [--count 2000] [--test 300] [--seed 1] [--styles adventurer,lorelei]
                          [--output faces.h5]
  --size    side of an image in pixels
  --count   train images in each domain
  --test    paired test images
  --seed    another seed draws other people
  --styles  two of adventurer, lorelei, avataaars
  --output  the HDF5 file to write`;

const DOMAINS = {
  adventurer: {
    title: 'Adventurer by Lisa Wischofsky',
    license: 'CC BY 4.0, https://creativecommons.org/licenses/by/4.0/',
    attribution: 'Adventurer by Lisa Wischofsky, CC BY 4.0, rendered via DiceBear; recoloured and flipped',
    source: 'https://www.figma.com/community/file/1184595184137881796',
  },
  lorelei: {
    title: 'Lorelei by Lisa Wischofsky',
    license: 'CC0 1.0, https://creativecommons.org/publicdomain/zero/1.0/',
    attribution: 'Lorelei by Lisa Wischofsky, CC0 1.0, rendered via DiceBear; recoloured',
    source: 'https://www.figma.com/community/file/1198749693280469639',
  },
  avataaars: {
    title: 'Avataaars by Pablo Stanley',
    license: 'Free for personal and commercial use, https://avataaars.com/',
    attribution: 'Avataaars by Pablo Stanley, rendered via DiceBear; recoloured',
    source: 'https://avataaars.com/',
  },
};
const COLORS = ['skin', 'hair_color', 'background'];

// Per attribute the classes that exist in both styles, as [name, variants per style | colour].
const classes_of = styles => Object.fromEntries(
  Object.entries(JSON.parse(readFileSync(new URL('labels.json', import.meta.url)))).map(([attribute, classes]) =>
    [attribute, Object.entries(classes).filter(([, meaning]) =>
      COLORS.includes(attribute) || styles.every(style => meaning[style]))]));

// Numbers in [0, 1): the generator sfc32, whose state is the image's address, so that an image depends
// neither on the number of images nor on those before it.
function random_at(seed, domain, split, index) {
  let [a, b, c, d] = [seed, domain, split, index];
  const next = () => {
    const t = (a + b | 0) + d | 0;
    d = d + 1 | 0;
    a = b ^ b >>> 9;
    b = c + (c << 3) | 0;
    c = (c << 21 | c >>> 11) + t | 0;
    return (t >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 20; i++) next();   // spreads the address over all bits of the state
  return next;
}

// A person: a class per attribute, all equally likely, save that half wear no glasses; `variant` in
// [0, 1) says which of a style's drawings of the class; `place` where in the image.
function draw_person(classes, random) {
  const label = {}, variant = {};
  for (const attribute in classes) {
    const n = classes[attribute].length;
    const u = random();
    label[attribute] = attribute !== 'glasses' ? Math.floor(u * n)
                     : u < 0.5 ? 0 : 1 + Math.floor((2 * u - 1) * (n - 1));
    variant[attribute] = random();
  }
  const between = (low, high) => low + (high - low) * random();
  const place = {
    x: between(-0.08, 0.08), y: between(-0.08, 0.08), scale: between(0.75, 0.95), degrees: between(-15, 15),
  };
  return { label, variant, place };
}

// What the style needs to draw the person: a variant's name per part and the colours.
function in_style(classes, person, style) {
  const look = { place: person.place };
  for (const attribute in classes) {
    const [, meaning] = classes[attribute][person.label[attribute]];
    look[attribute] = COLORS.includes(attribute) ? meaning
                    : meaning[style][Math.floor(person.variant[attribute] * meaning[style].length)];
  }
  return look;
}

const CRC = Int32Array.from({ length: 256 }, (_, c) => {
  for (let i = 0; i < 8; i++) c = c & 1 ? c >>> 1 ^ 0xedb88320 : c >>> 1;
  return c;
});

// What a row adds to the checksum of its dataset.
function checksum(row, bytes) {
  let c = -1;
  for (const b of bytes) c = CRC[(c ^ b) & 255] ^ c >>> 8;
  return BigInt(row + 1) * BigInt(~c >>> 0);
}
const write_checksum = (dataset, sum) => dataset.create_attribute('crc32', BigUint64Array.of(sum), [], '<Q');

// Writes one split.  Images go to the file one by one, so memory does not grow with their number.
async function write_split(domain, style, split, n, size, classes, person_at) {
  const group = domain.create_group(split);
  const images = group.create_dataset({
    name: 'images', data: new Uint8Array(0), dtype: '<B', shape: [0, size, size, 3], maxshape: [n, size, size, 3],
    chunks: [1, size, size, 3], compression: 'gzip', compression_opts: [9],
  });
  images.resize([n, size, size, 3]);
  const labels = Object.fromEntries(Object.keys(classes).map(attribute => [attribute, new Int16Array(n)]));
  const boxes = Object.fromEntries(PARTS.map(part => [part, new Int16Array(4 * n)]));

  let sum = 0n;
  for (let i = 0; i < n; i++) {
    const person = person_at(i);
    const look = in_style(classes, person, style);
    const image = draw(style, look, size);
    images.write_slice([[i, i + 1], [], [], []], image);
    sum += checksum(i, image);
    for (const attribute in labels) labels[attribute][i] = person.label[attribute];
    for (const part of PARTS) boxes[part].set(box(style, look, part, size), 4 * i);
    if (i % 50 === 49 || i === n - 1) {
      if (process.stderr.isTTY)
        process.stderr.write(`\r${style} ${split} ${i + 1}/${n}${i === n - 1 ? '\n' : ''}`);
      await setImmediate();   // The renderer's pixels are freed only between two turns of the event loop.
    }
  }
  write_checksum(images, sum);

  const labels_group = group.create_group('labels');
  for (const attribute in labels) {
    const dataset = labels_group.create_dataset({ name: attribute, data: labels[attribute], shape: [n] });
    dataset.create_attribute('classes', classes[attribute].map(([name]) => name));
    write_checksum(dataset, labels[attribute].reduce((s, x, i) => s + checksum(i, [x & 255, x >> 8 & 255]), 0n));
  }
  const parts_group = group.create_group('parts');
  for (const part of PARTS) parts_group.create_dataset({ name: part, data: boxes[part], shape: [n, 4] });
}

function options() {
  const { values } = parseArgs({ options: {
    size: { type: 'string', default: '64' }, count: { type: 'string', default: '2000' },
    test: { type: 'string', default: '300' }, seed: { type: 'string', default: '1' },
    styles: { type: 'string', default: 'adventurer,lorelei' }, output: { type: 'string', default: 'faces.h5' }, help: { type: 'boolean', short: 'h' },
  } });
  const range = { size: [16, 1024], count: [1, 1e6], test: [1, 1e6], seed: [0, 2 ** 31 - 1] };
  for (const [name, [low, high]] of Object.entries(range)) {
    const x = Number(values[name]);
    if (!Number.isInteger(x) || x < low || x > high)
      throw new Error(`--${name} is '${values[name]}', wanted is a whole number from ${low} to ${high}`);
    values[name] = x;
  }
  const known = Object.keys(DOMAINS), styles = values.styles.split(',');
  if (styles.length !== 2 || styles[0] === styles[1] || !styles.every(style => known.includes(style)))
    throw new Error(`--styles is '${values.styles}', wanted are two of ${known.join(', ')}, as in adventurer,lorelei`);
  return { ...values, styles };
}

async function main() {
  const { size, count, test, seed, styles, output, help } = options();
  if (help) return console.log(HELP);
  await h5wasm.ready;
  const unfinished = `${output}.tmp`;
  writeFileSync(unfinished, '');   // The system's word on a path that cannot be written, not a trace of HDF5's.
  try {
    const file = new h5wasm.File(unfinished, 'w');
    const classes = classes_of(styles);
    for (const [domain, style] of styles.entries()) {
      const group = file.create_group(style);
      for (const [name, text] of Object.entries(DOMAINS[style])) group.create_attribute(name, text);
      await write_split(group, style, 'train', count, size, classes, i => draw_person(classes, random_at(seed, domain, 0, i)));
      await write_split(group, style, 'test', test, size, classes, i => draw_person(classes, random_at(seed, 0, 1, i)));
    }
    file.close();
    renameSync(unfinished, output);
  } finally {
    rmSync(unfinished, { force: true });
  }
}

main().catch(error => {
  console.error(`make_faces: ${error.message}`);
  process.exit(1);
});
