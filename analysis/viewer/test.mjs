// The viewer in headless Chromium on a real run: node test.mjs PAGE DATA CHECKPOINT... TRANSLATION... whole... RUN/latest.h5...
// The checkpoints are of one run, oldest first, the translations theirs of DATA:/adventurer/test; whole*.h5 are a checkpoint
// without regions and its translation of DATA:/lorelei/test; the newest checkpoints are of that run and of another one, whose
// name follows in the alphabet.  What the page shows
// is compared with what the files hold, read here by h5wasm for Node and computed anew.
import { randomBytes } from "node:crypto";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import h5wasm from "h5wasm/node";
import { check, errors, page, run } from "./testing.mjs";

const [page_file, data, ...others] = process.argv.slice(2).map((name) => resolve(name));
const checkpoints = others.filter((name) => basename(name).startsWith("ckpt-"));
const whole = others.filter((name) => basename(name).startsWith("whole"));
const latest = others.filter((name) => basename(name) === "latest.h5");
const translations = others.filter((name) => ![...checkpoints, ...whole, ...latest].includes(name));

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

// ---- what the files hold ---------------------------------------------------------------------------------

await h5wasm.ready;
const read = (file, path) => {
  const f = new h5wasm.File(file, "r"),
    d = f.get(path),
    found = { value: d.value, classes: d.attrs.classes?.value };
  f.close();
  return found;
};
const SPLIT = "adventurer/test";
const N = 300;
const SIDE = 64;
const REGIONS = 4;
const EYES = 0;
const HALF = 10;
const K = 0.5;
const images = read(data, `${SPLIT}/images`).value;
const glasses = read(data, `${SPLIT}/labels/glasses`);
const eyes = read(data, `${SPLIT}/parts/eyes`).value;
const newest = {
  centres: read(translations.at(-1), "centres").value,
  outputs: read(translations.at(-1), "outputs").value,
};
const all = [...Array(N).keys()];

function distances(centres) {
  return all.map((row) => {
    const [x0, y0, x1, y1] = eyes.slice(4 * row, 4 * row + 4);
    const i = 2 * (row * REGIONS + EYES);
    return x0 < 0 ? NaN : Math.hypot(centres[i] - ((x0 + x1) / 2 - 0.5), centres[i + 1] - ((y0 + y1) / 2 - 0.5));
  });
}
const farFirst = (d) => all.filter((r) => d[r] >= 0).sort((a, b) => d[b] - d[a] || a - b);

// ---- the page ----------------------------------------------------------------------------------------------

const open = async (...list) => {
  await page.setInputFiles("#input", list);
};
const text = (selector) => page.textContent(selector);
const press = async (...keys) => {
  for (const k of keys) await page.keyboard.press(k);
};
// Rows in the order in which they stand on the screen.
const rows = () =>
  page.$$eval(".card", (cards) =>
    cards
      .map((c) => [parseFloat(c.style.top), parseFloat(c.style.left), +c.dataset.row])
      .sort((a, b) => a[0] - b[0] || a[1] - b[1])
      .map((c) => c[2]),
  );
const painted = () =>
  page.waitForFunction(() => document.querySelector(".card") && !document.querySelector(".card.waiting"));
// Colours of a card's canvas at points given in CSS pixels.
const colours = (row, points) =>
  page.$eval(
    `.card[data-row="${row}"] canvas`,
    (c, points) => {
      const g = c.getContext("2d"),
        ratio = c.width / parseFloat(c.style.width);
      return points.map(([x, y]) =>
        [...g.getImageData(Math.round(x * ratio), Math.round(y * ratio), 1, 1).data].slice(0, 3),
      );
    },
    points,
  );
const canvasSide = (row) => page.$eval(`.card[data-row="${row}"] canvas`, (c) => parseFloat(c.style.height));
const pixel = (bytes, row, x, y) => [
  ...bytes.slice(3 * ((row * SIDE + y) * SIDE + x), 3 * ((row * SIDE + y) * SIDE + x) + 3),
];
const far = (a, b) => Math.max(...a.map((v, i) => Math.abs(v - b[i])));
const message = (wanted) =>
  page
    .waitForFunction((w) => document.getElementById("messages").textContent.includes(w), wanted, { timeout: 5000 })
    .then(
      () => "",
      () => text("#messages"),
    );

// What DAE told of glasses, against the data set; `sorted`: rows in the order that is shown.
async function check_told(sorted) {
  const wrong_at = translations.map((name) => {
    const told = read(name, "told/glasses").value;
    return { told, rows: all.filter((r) => glasses.value[r] >= 0 && told[r] !== glasses.value[r]) };
  });
  const { told, rows: wrong } = wrong_at.at(-1), summary = (n) => `${n} of ${N} images · glasses: told wrongly`;
  await page.click("#wrong-glasses");
  check(
    "what_is_told_wrongly_can_be_picked",
    wrong.length > 0 && (await text("#summary")).startsWith(summary(wrong.length)),
    await text("#summary"),
  );
  const wanted = sorted.filter((r) => wrong.includes(r)).slice(0, 5);
  check("those_rows_and_no_others", same((await rows()).slice(0, wanted.length), wanted), [await rows(), wanted]);
  await press("Enter");
  const [row] = await rows(), words = `told ${glasses.classes[told[row]]}, true ${glasses.classes[glasses.value[row]]}`;
  check("told_and_true_stand_side_by_side", (await text("#detail dd.wrong")) !== "" && (await text("#detail")).includes(words), [
    await text("#detail"),
    words,
  ]);
  await press("Escape", ",");
  let found = await text("#summary");
  check("another_checkpoint_tells_others", found.startsWith(summary(wrong_at[0].rows.length)), found);
  await press(".", "c");

  // A translation that counts the classes from behind.
  const { classes } = read(translations.at(-1), "told/glasses"), turned = join(dirname(translations[0]), "turned.h5");
  check("a_translation_names_what_it_tells", same(classes, glasses.classes), classes);
  copyFileSync(translations.at(-1), turned);
  const file = new h5wasm.File(turned, "a"), d = file.get("told/glasses");
  d.delete_attribute("classes");
  d.create_attribute("classes", [...classes].reverse());
  d.write_slice([[0, N]], Int16Array.from(told, (k) => classes.length - 1 - k));
  file.close();
  const n = (await page.$$("#files li")).length;
  await open(turned);
  await page.waitForFunction((n) => document.querySelectorAll("#files li").length === n, n + 1);
  await press(".");
  await page.click("#wrong-glasses");
  found = await text("#summary");
  check("classes_are_compared_by_name", (await text("#at")).includes("3 of 3") && found.startsWith(summary(wrong.length)), [
    await text("#at"),
    found,
  ]);
  await press("Enter");
  found = await text("#detail");
  check("and_told_by_it", found.includes(words), [found, words]);
  await press("Escape", "c");
  await page.click('[title="Close turned.h5"]');
  await page.waitForFunction((n) => document.querySelectorAll("#files li").length === n, n);
}

// By keyboard alone; `row` is the one that lies furthest off, by `pixels`.
async function check_keyboard(row, pixels) {
  const focused = () => page.evaluate(() => document.activeElement.id);
  const visits = [];
  await page.focus("#facet-glasses");
  await press("Tab");
  for (const key of ["Space", "Space", "Tab"]) {
    await press(key);
    visits.push(await focused());
  }
  check("a_tick_keeps_the_focus", same(visits, ["wrong-glasses", "wrong-glasses", "class-glasses-0"]), visits);
  await page.focus("#choice-null");
  await press("Tab", "Enter");
  check("so_does_the_choice_of_a_region", (await focused()) === `choice-${EYES}`, await focused());
  await page.focus("#scroll");
  await press("Home");
  const name = `row ${row}, eyes ${pixels.toFixed(1)} px`;
  const card = page.getByRole("option", { name, exact: true, selected: true });
  check("cards_say_what_they_are", (await card.count()) === 1, [name, await page.innerHTML(".card.selected")]);
  const active = await page.getAttribute("#scroll", "aria-activedescendant");
  check("the_list_knows_its_selected_card", active === (await card.getAttribute("id")), active);
  await press("Enter");
  await page.focus("#close");
  await press("ArrowRight");
  check("the_panel_keeps_the_focus", (await focused()) === "close", await focused());
  await press("Enter");
  check("and_gives_it_back", (await focused()) === "scroll" && !(await page.isVisible("#detail")), await focused());
  await press("a", "Home");
}

// Writes an HDF5 file beside the others; fill(file) puts something in it.
function write(name, fill) {
  const path = join(dirname(translations[0]), name), file = new h5wasm.File(path, "w");
  fill(file);
  file.close();
  return path;
}

async function check_damage() {
  const before = await rows(), n = (await page.$$("#files li")).length;
  const cut = join(dirname(translations[0]), "cut.h5"), bytes = readFileSync(translations[0]);
  writeFileSync(cut, bytes.subarray(0, bytes.length / 2));
  await open(cut);
  // The end that HDF5 noted; room that was reserved beyond it may be left.
  const end = bytes.readBigUInt64LE(28), lengths = `it has ${Math.floor(bytes.length / 2)} bytes, wanted ${end}`;
  let found = await message(`cut.h5 is cut short: ${lengths}`);
  check("a_file_cut_short_says_so", found === "", [found, lengths]);
  const foreign = write("foreign.h5", (f) => {
    for (const name of ["inputs", "outputs", "centres"])
      f.create_dataset({ name, data: new Float32Array(8), shape: [2, 2, 2] });
  });
  await open(foreign);
  found = await message("foreign.h5 has no attribute checkpoint at /");
  check("a_foreign_file_is_told_what_it_lacks", found === "", found);
  check("what_was_open_stays", same(await rows(), before) && (await page.$$("#files li")).length === n, await rows());

  // Noise is deflated to itself, so that the bytes of one image are found in the file.
  const side = 16, each = 3 * side * side, data = new Uint8Array(randomBytes(4 * each));
  const damaged = write("damaged.h5", (f) =>
    f.create_group("odd").create_dataset({
      name: "images",
      data,
      shape: [4, side, side, 3],
      chunks: [1, side, side, 3],
      compression: 9,
    }),
  );
  const broken = readFileSync(damaged);
  broken[broken.indexOf(data.subarray(2 * each + 100, 2 * each + 200))] ^= 255;
  writeFileSync(damaged, broken);
  await open(damaged);
  await page.waitForFunction((n) => document.querySelectorAll("#files li").length === n, n + 1);
  await page.selectOption("#set", "odd");
  found = await message("damaged.h5 is damaged or has changed: row 2 of odd/images cannot be read");
  check("an_image_that_cannot_be_read_is_named", found === "", found);
  const pending = await page.$$eval(".card.waiting", (cards) => cards.map((c) => c.dataset.row));
  check("the_others_are_shown", same(pending, ["2"]), pending);
  errors.splice(0, errors.length, ...errors.filter((e) => !/^HDF5-DIAG|^ +(#\d|major:|minor:)/.test(e))); // HDF5 prints why
}

async function main() {
  await page.goto(pathToFileURL(page_file).href);
  check("it_says_what_to_open", (await text("#start")).includes("translate") && (await page.isVisible("#start")));

  const broken = join(dirname(checkpoints[0]), "broken.h5");
  writeFileSync(broken, "no HDF5 at all");
  await open(broken);
  let found = await message(`${basename(broken)} cannot be read as HDF5`);
  check("a_file_that_is_no_hdf5_is_named", found === "", found);
  await open(checkpoints[0]);
  found = await message(`${basename(checkpoints[0])} knows regions of adventurer/train: open faces.h5 too`);
  check("a_checkpoint_alone_asks_for_its_data_set", found === "", found);

  const renamed = join(dirname(checkpoints[0]), "others.h5");
  copyFileSync(data, renamed);
  await open(renamed);
  found = await message(`${basename(checkpoints[0])} knows regions of faces.h5, shown on others.h5`);
  check("a_checkpoint_on_a_data_set_of_another_name_says_so", found === "", found);
  await page.click('[title="Close others.h5"]');
  await page.waitForFunction(() => document.querySelectorAll("#files li").length === 1);

  await open(data, ...checkpoints, ...translations);
  await page.waitForFunction(
    (n) => document.querySelectorAll("#files li").length === n,
    1 + checkpoints.length + translations.length,
  );
  await painted();
  const sets = await page.$$eval("#set option", (o) => o.map((x) => x.textContent));
  check(
    "every_split_can_be_chosen",
    sets.length === 4 && sets.includes("adventurer/train") && sets.includes("lorelei/test (no regions)"),
    sets,
  );
  check("the_translated_split_is_shown_first", (await page.$eval("#set", (s) => s.value)) === SPLIT);
  check("it_stands_at_the_newest_checkpoint", (await text("#at")).startsWith("step 4 "), await text("#at"));
  check("all_images_are_there", (await text("#summary")).startsWith(`${N} of ${N} images`), await text("#summary"));
  check("in_the_order_of_rows", same((await rows()).slice(0, 8), all.slice(0, 8)), await rows());

  // ---- pictures
  await press("r", "p");
  const side = await canvasSide(0);
  const scale = side / SIDE;
  const points = [];
  const wanted = [];
  for (let y = 1; y < SIDE; y += 7)
    for (let x = 1; x < SIDE; x += 7) {
      points.push([(x + 0.5) * scale, (y + 0.5) * scale], [(x + 0.5) * scale + side + 2, (y + 0.5) * scale]);
      wanted.push(pixel(images, 2, x, y), pixel(newest.outputs, 2, x, y));
    }
  found = await colours(2, points);
  check(
    "source_and_translation_are_the_files_pixels",
    found.every((c, i) => same(c, wanted[i])),
    [found[0], wanted[0]],
  );
  const larger = Array(8).fill("+");
  const smaller = Array(8).fill("-");
  await press("r", ...larger); // lines of several pixels
  const c = newest.centres.slice(2 * 2 * REGIONS, 2 * 3 * REGIONS);
  const [x3, y3] = c.slice(6);
  const now_side = await canvasSide(2);
  found = await colours(
    2,
    [
      [x3 - HALF, y3],
      [x3, y3 + HALF],
    ].map((p) => p.map((v) => ((v + 0.5) * now_side) / SIDE)),
  );
  check(
    "regions_are_outlined_where_they_are",
    found.every((f) => far(f, [204, 121, 167]) < 12),
    found,
  );
  await press(...smaller, "r", "m");
  [found] = await colours(2, [[1, 1]]);
  check("the_mask_greys_what_no_region_sees", far(found, [128, 128, 128]) <= 1, found);
  await press("m", "1");
  const crop = await canvasSide(2);
  // Pixels of the image, each looked at 0.3 pixels off its middle: one pixel of the canvas covers 0.15 of them, so that
  // nearer to an edge it may show the next one.
  const where = [...Array(60).keys()].map((i) => [
    Math.ceil(c[2] - HALF) + 1 + Math.floor((i % 10) * 1.9) + (i % 2 ? 0.3 : -0.3),
    Math.ceil(c[3] - HALF) + 1 + Math.floor(i / 10) * 3 + (i % 3 ? 0.3 : -0.3),
  ]);
  found = await colours(
    2,
    where.map(([x, y]) => [((x - c[2] + HALF) * crop) / (2 * HALF), ((y - c[3] + HALF) * crop) / (2 * HALF)]),
  );
  const those_there = where.map(([x, y]) => pixel(images, 2, Math.round(x), Math.round(y)));
  check(
    "instances_are_crops_around_their_centre",
    found.every((f, i) => same(f, those_there[i])),
    [crop, found, those_there],
  );
  await press("a", "r", "p");

  // ---- order, labels, checkpoints
  await page.selectOption("#order", "error eyes");
  const now = farFirst(distances(newest.centres));
  check("sorted_by_region_error", same((await rows()).slice(0, 12), now.slice(0, 12)), await rows());
  await painted();
  await press("r", "p");
  const another = now.slice(0, 12).find((r) => r > 100); // not one of those that were shown before
  [found] = await colours(another, [
    [(20.5 * (await canvasSide(another))) / SIDE, (40.5 * (await canvasSide(another))) / SIDE],
  ]);
  check("each_row_with_its_own_image", same(found, pixel(images, another, 20, 40)), [
    found,
    pixel(images, another, 20, 40),
  ]);
  await press("r", "p", "d");
  check(
    "and_the_other_way_round",
    same(
      (await rows()).slice(0, 12),
      all
        .filter((r) => now.includes(r))
        .sort((a, b) => now.indexOf(b) - now.indexOf(a))
        .slice(0, 12),
    ),
    await rows(),
  );
  await press("d");
  const median = (v) => (v.sort((a, b) => a - b), (v[(v.length - 1) >> 1] + v[v.length >> 1]) / 2);
  const stated = `${median(distances(newest.centres).filter((d) => d >= 0)).toFixed(1)} px`;
  found = await text("#instances button:nth-child(2) small");
  check("the_median_distance_is_stated", found.startsWith(stated), [found, stated]);

  const sunglasses = glasses.classes.indexOf("sunglasses");
  const those = all.filter((r) => glasses.value[r] === sunglasses);
  await page.click("#facets summary:has-text('glasses')");
  await page.click("#facets label:has-text('sunglasses')");
  check(
    "filtered_by_label",
    (await text("#summary")).startsWith(`${those.length} of ${N} images · glasses: sunglasses`),
    await text("#summary"),
  );
  check(
    "filtered_and_sorted",
    same((await rows()).slice(0, 5), now.filter((r) => those.includes(r)).slice(0, 5)),
    await rows(),
  );
  await press("c");
  check("filters_can_be_dropped", (await text("#summary")).startsWith(`${N} of`));

  await press(",");
  check("a_step_back_is_the_older_checkpoint", (await text("#at")).startsWith("step 2 "), await text("#at"));
  const before = farFirst(distances(read(translations[0], "centres").value));
  check(
    "with_its_own_regions",
    same((await rows()).slice(0, 12), before.slice(0, 12)) && !same(before, now),
    await rows(),
  );
  await press(".");
  check("and_forth_again", same((await rows()).slice(0, 12), now.slice(0, 12)), await rows());

  await check_told(now);
  await check_keyboard(now[0], distances(newest.centres)[now[0]]);

  // ---- one image
  await press("Enter");
  check("enter_opens_an_image", (await text("#detail h2")) === `Row ${now[0]}`, await text("#detail"));
  check(
    "with_its_instances_and_labels",
    (await page.$$eval(".instance", (x) => x.length)) === REGIONS && (await text("#detail dl")).includes("hair"),
  );
  await press("ArrowRight");
  check("arrows_go_on", (await text("#detail h2")) === `Row ${now[1]}`, await text("#detail h2"));
  await press("Escape");
  check("escape_closes_it", !(await page.isVisible("#detail")));
  await press("End");
  check(
    "the_last_image_is_scrolled_to",
    (await rows()).includes(now.length < N ? all.filter((r) => !now.includes(r)).at(-1) : now.at(-1)),
    await rows(),
  );
  await press("?");
  check("a_key_shows_the_keys", await page.isVisible("#keys"));
  await press("Escape");

  // ---- training images
  await page.selectOption("#set", "adventurer/train");
  await page.selectOption("#order", "visit");
  await painted();
  const visited = [...read(checkpoints.at(-1), "attention/source/step").value].map(Number);
  const last = Math.max(...visited);
  const first_row = visited.indexOf(last);
  check("training_images_know_their_last_visit", (await rows())[0] === first_row, [await rows(), first_row]);
  await press("Home", "Enter");
  check(
    "and_say_it",
    (await text("#detail header")).includes(`last visit: step ${last}`),
    await text("#detail header"),
  );
  check(
    "checkpoints_are_stepped_through",
    (await text("#at")).includes(`${checkpoints.length} of ${checkpoints.length}`),
    await text("#at"),
  );
  await press("d", "Home");
  check(
    "an_image_never_visited_has_no_instances",
    (await text("#detail header")).includes("never visited") && !(await page.$(".instance")),
    await text("#detail header"),
  );
  await page.selectOption("#order", "worst");
  await press("Home");
  const [nearest] = await rows();
  check("by_the_worst_those_without_a_distance_stay_last", visited[nearest] >= 0, nearest);
  await page.selectOption("#order", "visit");

  // ---- files
  for (const name of translations) await page.click(`[title="Close ${basename(name)}"]`);
  await page.waitForFunction((n) => document.querySelectorAll("#files li").length === n, 1 + checkpoints.length);
  check(
    "a_closed_file_is_gone",
    (await page.$$eval("#set option", (o) => o.map((x) => x.textContent))).includes(`${SPLIT} (no regions)`),
  );
  await open(translations[0]);
  await page.waitForFunction((n) => document.querySelectorAll("#files li").length === n, 2 + checkpoints.length);
  check(
    "and_can_be_opened_again",
    (await page.$$eval("#set option", (o) => o.map((x) => x.textContent))).includes(SPLIT),
  );

  await open(data); // the same again
  await page.waitForTimeout(300);
  check("a_file_is_not_listed_twice", (await page.$$("#files li")).length === 2 + checkpoints.length);

  // ---- two runs
  const runs = latest.map(dirname);
  await open(...latest);
  await page.waitForFunction((n) => document.querySelectorAll("#files li").length === n, 4 + checkpoints.length);
  const names = await page.$$eval("#files li span", (x) => x.map((e) => e.textContent));
  check("files_of_one_name_are_told_apart", runs.every((run) => names.includes(`latest.h5 of ${run}`)), names);
  await page.selectOption("#set", "adventurer/train");
  await press(...Array(9).fill("."), "Home", "Enter");
  const last_of_all = `step 4 of ${runs[1]} · ${checkpoints.length + 2} of ${checkpoints.length + 2}`;
  check("and_so_are_steps", (await text("#at")) === last_of_all, await text("#at"));
  await open(data);
  await page.waitForTimeout(300);
  check("another_file_changes_neither_run", (await text("#at")) === last_of_all, await text("#at"));
  await open(latest[1]);
  await page.waitForTimeout(300);
  check("nor_does_its_own_opened_again", (await text("#at")) === last_of_all, await text("#at"));
  const ways = async () => (await text("#detail .pair figcaption")).includes("ways");
  check("its_one_checkpoint_shows_no_way", !(await ways()), await text("#detail"));
  await press(",");
  check("those_of_the_first_run_do", await ways(), await text("#detail"));
  await press("Escape");
  for (const run of runs) await page.click(`[title="Close latest.h5 of ${run}"], [title="Close latest.h5"]`);
  await page.waitForFunction((n) => document.querySelectorAll("#files li").length === n, 2 + checkpoints.length);

  // ---- the mask's k, which another run has otherwise
  for (const name of checkpoints) await page.click(`[title="Close ${basename(name)}"]`);
  await open(latest[1]);
  await page.waitForFunction(() => document.querySelectorAll("#files li").length === 3);
  await page.selectOption("#set", SPLIT);
  await page.selectOption("#order", "row");
  await press("m", "r", "p", "d", "Home");
  await painted();
  const older_centres = read(translations[0], "centres").value.slice(2 * 2 * REGIONS, 2 * 3 * REGIONS);
  const side_now = await canvasSide(2), spots = [5, 17, 29, 41, 53].flatMap((x) => [7, 25, 43, 61].map((y) => [x, y]));
  const box = (v, c) => 1 / (1 + Math.exp(-K * (v - c + HALF))) - 1 / (1 + Math.exp(-K * (v - c - HALF)));
  const seen = ([x, y]) =>
    Math.max(...[0, 2, 4, 6].map((i) => box(x, older_centres[i]) * box(y, older_centres[i + 1])));
  const through = spots.map((p) => pixel(images, 2, ...p).map((v) => 127.5 + (v - 127.5) * seen(p)));
  found = await colours(2, spots.map((p) => p.map((v) => ((v + 0.5) * side_now) / SIDE)));
  check("the_mask_is_as_soft_as_its_file_says", found.every((f, i) => far(f, through[i]) <= 1), [found, through]);
  const older = join(dirname(translations[0]), "older.h5");
  copyFileSync(translations.at(-1), older);
  const file = new h5wasm.File(older, "a");
  file.get("/").delete_attribute("sharpness");
  file.close();
  await open(older);
  await page.waitForFunction(() => document.querySelectorAll("#files li").length === 4);
  await press(".");
  check("no_mask_where_nothing_says_k", await page.isDisabled("#mask"), await text("#at"));
  await open(join(dirname(older), "this.h5"));
  await page.waitForFunction(() => document.querySelectorAll("#files li").length === 5);
  check("but_where_the_checkpoint_does", !(await page.isDisabled("#mask")), await text("#at"));
  await press("m", "r", "p", "d");

  // ---- more pixels than are kept: 400 MiB
  const large = join(dirname(older), "large.h5");
  await open(large);
  await page.waitForFunction(() => document.querySelectorAll("#files li").length === 6);
  await page.selectOption("#set", "large");
  await press(...Array(12).fill("-"));
  await press("Home");
  for (const [key, row] of [["End", 0], ["Home", 399]]) { // they are turned round
    await press(key);
    await painted();
    check("large_images_are_shown", same((await colours(row, [[9, 9]]))[0], [90, 90, 90]), await rows());
  }
  await press(...Array(3).fill("+"));
  await page.click('[title="Close large.h5"]');
  await page.waitForFunction(() => document.querySelectorAll("#files li").length === 5);
  await page.selectOption("#set", SPLIT);

  // ---- a model without regions
  await open(...whole);
  found = await message("whole.h5 is of a model without regions: open what translate made with it");
  check("a_checkpoint_without_regions_says_so", found === "", found);
  await page.selectOption("#set", "lorelei/test");
  check("it_has_no_instances_to_choose", (await page.$$("#instances button")).length === 1);
  await press("d", "m"); // rows from 0 again; a mask would be of no region
  await painted();
  const at = ((20.5 * (await canvasSide(2))) / SIDE), there = (await canvasSide(2)) + 2;
  found = await colours(2, [[at, at], [at + there, at]]);
  const two = [read(data, "lorelei/test/images").value, read(whole.find((name) => name.endsWith("-test.h5")), "outputs").value].map((f) => pixel(f, 2, 20, 20));
  check("images_stand_beside_translations", same(found, two), [found, two]);
  await press("m", "Home", "Enter");
  check(
    "and_one_large_without_instances",
    (await text("#detail")).includes("translation") && !(await text("#detail")).includes("Instances"),
    await text("#detail"),
  );
  await press("Escape");
  await check_damage();
}

await run(main);
