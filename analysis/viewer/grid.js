// The grid of images.  Only the cards in sight exist: a data set may have any number of rows.
import { boundParts, distance } from "./select.js";
import { $, el, frameNow, on, px, state } from "./state.js";
import { drawImage, drawInstance, drawOutlines, prepare } from "./draw.js";

const GAP = 10, BETWEEN = 2, CAPTION = 21, BORDER = 2; // CSS pixels, as in viewer.css
const cards = new Map(); // position -> card
let columns = 1, side = 128; // side of an image: state.size, and what is needed to fill the line

const pictures = () => (frameNow()?.outputs ? 2 : 1);
const cardWidth = () => (side + BETWEEN) * pictures() - BETWEEN + BORDER;
const lineHeight = () => side + CAPTION + BORDER + GAP;

export const columnsNow = () => columns;
export const linesInSight = () => Math.max(1, Math.floor($("scroll").clientHeight / lineHeight()));

export function layOut() {
  const room = $("grid").clientWidth + GAP;
  side = state.size;
  columns = Math.max(1, Math.floor(room / (cardWidth() + GAP)));
  side += Math.max(0, Math.floor((room / columns - GAP - cardWidth()) / pictures()));
  $("grid").style.height = `${Math.ceil(state.rows.length / columns) * lineHeight()}px`;
  for (const card of cards.values()) card.remove();
  cards.clear();
  fill();
}

export function fill() {
  if (!state.set) return;
  const { scrollTop, clientHeight } = $("scroll");
  const first = Math.max(0, Math.floor(scrollTop / lineHeight()) - 1) * columns;
  const end = Math.min(state.rows.length, (Math.ceil((scrollTop + clientHeight) / lineHeight()) + 1) * columns);
  for (const [i, card] of cards) {
    if (i >= first && i < end) continue;
    card.remove();
    cards.delete(i);
  }
  for (let i = first; i < end; i++) if (!cards.has(i)) cards.set(i, newCard(i));
}

export function repaintCards() {
  for (const card of cards.values()) paint(card);
}

export function showSelected() {
  const box = $("scroll"), i = state.rows.indexOf(state.selected), top = Math.floor(i / columns) * lineHeight();
  const low = top + lineHeight() - box.clientHeight;
  if (i >= 0 && top < box.scrollTop) box.scrollTop = top;
  if (i >= 0 && low > box.scrollTop) box.scrollTop = low;
  fill();
  for (const card of cards.values()) mark(card);
  box.setAttribute("aria-activedescendant", i >= 0 ? `card-${state.selected}` : "");
}

function mark(card) {
  const isSelected = +card.dataset.row === state.selected;
  card.classList.toggle("selected", isSelected);
  card.ariaSelected = String(isSelected);
}

function newCard(i) {
  const row = state.rows[i], place = { ariaPosInSet: i + 1, ariaSetSize: state.rows.length };
  const card = el("div", { id: `card-${row}`, className: "card", role: "option", ...place }, el("canvas"), el("p"));
  card.dataset.row = row;
  card.style.left = `${(i % columns) * (cardWidth() + GAP)}px`;
  card.style.top = `${Math.floor(i / columns) * lineHeight() + 1}px`;
  card.style.width = `${cardWidth()}px`;
  card.onclick = () => on.pick(row);
  $("grid").append(card);
  paint(card);
  return card;
}

function paint(card) {
  const { set, view, instance } = state, frame = frameNow(), row = +card.dataset.row, [canvas, caption] = card.children;
  const g = prepare(canvas, cardWidth() - BORDER, side);
  const images = frame?.outputs ? [set.images, frame.outputs] : [set.images];
  const done = images.map((where, i) => {
    const left = i * (side + BETWEEN);
    if (instance !== null) return drawInstance(g, where, set, frame, row, instance, left, side, view);
    return drawImage(g, where, frame, row, left, side, view);
  });
  if (instance === null && done[0]) drawOutlines(g, set, frame, row, side, view);
  card.classList.toggle("waiting", done.includes(false));
  mark(card);
  const part = partShown(frame), words = part ? px(distance(set, frame, part, row)) : "";
  card.ariaLabel = part ? `row ${row}, ${part} ${words}` : `row ${row}`;
  caption.replaceChildren(el("span", { textContent: row }), el("span", { textContent: words }));
  caption.title = part ? `row ${row}; ${part}: distance from region to part` : `row ${row}`;
}

// The part whose distance stands under each image: that of the instances shown, or of the order.
function partShown(frame) {
  const found = boundParts(state.set, frame).find(([name, region]) =>
    state.instance === null ? state.order === `error ${name}` : region === state.instance,
  );
  return found?.[0];
}
