// The drawing styles: from a person's variants and colours to pixels, and from pixels to part boxes.
// The styles' component tables are read directly: DiceBear's own entry point draws every choice from a
// seed, here each is given. The packages do not export the tables, hence their paths.
import { Resvg } from '@resvg/resvg-js';
import * as adventurer from './node_modules/@dicebear/adventurer/lib/components/index.js';
import * as avataaars from './node_modules/@dicebear/avataaars/lib/components/index.js';
import * as lorelei from './node_modules/@dicebear/lorelei/lib/components/index.js';

export const PARTS = ['hair', 'eyes', 'mouth', 'eyebrows', 'glasses'];

// A component's function as the styles call it, its shapes marked with the part they belong to.
const component = (table, name, variant, part = name) =>
  (parts, colors) => `<g data-part="${part}">${variant ? table[name][variant](parts, colors) : ''}</g>`;

const STYLES = {
  adventurer: {
    side: 762,
    figure(look) {
      const colors = { hair: look.hair_color, skin: look.skin };
      const parts = ['eyes', 'eyebrows', 'mouth', 'glasses', 'hair']
        .map(part => component(adventurer, part, look[part])({}, colors)).join('');
      // Flipped, so that both styles look the same way.
      return '<g transform="translate(762 0) scale(-1 1)">' + adventurer.base.default({}, colors)
           + `<g transform="translate(-161 -83)">${parts}</g></g>`;
    },
  },
  lorelei: {
    side: 980,
    figure(look) {
      const parts = { head: { value: component(lorelei, 'head', 'variant01') }, nose: { value: lorelei.nose.variant01 } };
      const colors = { hair: look.hair_color, skin: look.skin, nose: '#000' };
      for (const part of ['eyes', 'eyebrows', 'mouth', 'glasses']) {
        parts[part] = { value: component(lorelei, part, look[part]) };
        colors[part] = '#000';
      }
      // The hair's function draws the hair behind the head, the head with all it bears, the hair before it.
      return `<g transform="translate(10 -60)">${component(lorelei, 'hair', look.hair)(parts, colors)}</g>`;
    },
  },
  avataaars: {
    side: 280,
    figure(look) {
      const parts = {
        nose: { value: avataaars.nose.default }, clothing: { value: avataaars.clothing.shirtCrewNeck },
        top: { value: component(avataaars, 'top', look.hair, 'hair') },
        accessories: { value: component(avataaars, 'accessories', look.glasses, 'glasses') },
      };
      for (const part of ['eyes', 'eyebrows', 'mouth']) parts[part] = { value: component(avataaars, part, look[part]) };
      const colors = { hair: look.hair_color, skin: look.skin, clothes: '#5199e4', accessories: '#262e33' };
      return `<g transform="translate(8 0)">${avataaars.base.default(parts, colors)}</g>`;
    },
  },
};

// The figure within the unit square, moved by look.place { x, y, scale, degrees } about its centre.
function figure(style, look) {
  const { side, figure } = STYLES[style];
  const { x, y, scale, degrees } = look.place;
  return `<g transform="translate(${0.5 + x} ${0.5 + y}) rotate(${degrees}) scale(${scale / side})`
       + ` translate(${-side / 2} ${-side / 2})">${figure(look)}</g>`;
}

// RGB bytes (size, size, 3) of shapes given in the unit square.
function render(shapes, background, size) {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">${shapes}</svg>`;
  const rgba = new Resvg(svg, { background, fitTo: { mode: 'width', value: size }, font: { loadSystemFonts: false } })
    .render().pixels;
  return new Uint8Array(3 * size * size).map((_, i) => rgba[4 * Math.floor(i / 3) + i % 3]);
}

// The image, uint8 (size, size, 3), of `look`: a variant's name per part (undefined draws none), the
// colours skin, hair_color and background, and the place.
export function draw(style, look, size) {
  return render(figure(style, look), look.background, size);
}

const SHAPES = 'path, ellipse, circle, rect';

// Style rules that leave one part white on black. What lies over the hair hides it, so its box is that of
// the hair that shows; other parts are drawn alone, so an eye has its box under a fringe or dark glasses.
const only = part => part === 'hair'
  ? `${SHAPES} { fill: #000 } [data-part="hair"] * { fill: #fff } [data-part="head"] * { fill: #000 }`
  : `${SHAPES} { display: none } [data-part="${part}"] * { display: inline; fill: #fff }`;

// The box x0 y0 x1 y1, half open, of the pixels of which the part covers an eighth or more.
export function box(style, look, part, size) {
  const pixels = render(`<style>${only(part)}</style>${figure(style, look)}`, '#000', size);
  let [x0, y0, x1, y1] = [size, size, 0, 0];
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++)
      if (pixels[3 * (y * size + x)] >= 32) {
        x0 = Math.min(x0, x); x1 = Math.max(x1, x + 1);
        y0 = Math.min(y0, y); y1 = Math.max(y1, y + 1);
      }
  return x1 ? [x0, y0, x1, y1] : [-1, -1, -1, -1];
}
