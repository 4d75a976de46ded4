// A report in headless Chromium: node report.test.mjs REPORT.html, of a run with at least three samples and regions.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { check, page, run } from "./testing.mjs";

const SECTIONS = "overview samples losses timing regions heat drift evaluation config machine".split(" ");

const shown = () => page.$$eval(".samples img", (list) => list.flatMap((p, i) => (p.hidden ? [] : [i])));
const step = () => page.textContent(".samples output");
const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

async function samples() {
  const steps = await page.$$eval(".samples img", (list) => list.map((p) => p.alt)),
    last = steps.length - 1;
  check("samples_grow_in_time", steps.length >= 3 && new Set(steps).size === steps.length, steps);
  check("the_newest_is_shown_first", (await shown()).join() === `${last}` && (await step()) === steps[last]);
  await page.focus(".samples input");
  await page.keyboard.press("Home");
  check("the_slider_shows_the_oldest", (await shown()).join() === "0" && (await step()) === steps[0], await step());
  await page.keyboard.press("ArrowRight");
  check("and_the_next", (await shown()).join() === "1" && (await step()) === steps[1], await step());
  await page.click(".samples button");
  await page.waitForFunction((alt) => document.querySelector(".samples output").textContent === alt, steps[last]);
  check("the_film_runs_to_the_end", (await shown()).join() === `${last}`, await shown());
}

async function charts() {
  const chart = page.locator("#losses [data-chart]").first();
  const name = await chart.locator("strong").textContent();
  await chart.locator("svg").first().hover();
  const under = await page.$$eval("[data-chart] strong", (list) => list.map((s) => s.textContent));
  const at = under[0].match(/ · (\d+)$/)?.[1];
  check("a_pointer_in_one_chart_tells_its_step", under[0].startsWith(name) && at !== undefined, under);
  check("and_the_others_show_the_same", under.filter((t) => t.endsWith(` · ${at}`)).length > 1, under);
  await page.mouse.move(0, 0);
  check("without_it_they_show_the_last", (await chart.locator("strong").textContent()) === name);
}

await run(async () => {
  await page.goto(pathToFileURL(resolve(process.argv[2])).href);
  const sections = await page.$$eval("main section", (list) => list.filter((s) => s.offsetHeight > 60).map((s) => s.id));
  check("every_section_has_something_to_show", sections.join() === SECTIONS.join(), sections);
  const pictures = await page.$$eval("img", (list) => list.filter((p) => !p.naturalWidth).map((p) => p.alt));
  check("every_picture_can_be_read", !pictures.length, pictures);
  const names = await page.$$eval("main svg:not(svg svg)", (list) => list.filter((s) => !s.ariaLabel).length);
  check("every_drawing_has_a_name", !names, names);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  check("nothing_reaches_beyond_the_window", wide <= 0, `${wide}`);
  await samples();
  await charts();
  const before = await background();
  await page.click("#scheme");
  check("light_becomes_dark", (await background()) !== before, before);
  const tick = page.locator("[data-hides]").first(),
    what = await tick.getAttribute("data-hides");
  await tick.uncheck();
  check("outlines_can_be_hidden", await page.evaluate((w) => document.body.classList.contains(`no-${w}`), what), what);
});
