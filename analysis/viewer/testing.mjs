// What the tests of the viewer and of reports share: a page in headless Chromium without a network, and the lines that count.
import { chromium } from "playwright-core";

let failed = 0;

export function check(name, good, found = "") {
  if (!good) failed++;
  console.log(
    good ? `ok ${name}` : `not ok ${name}: found ${typeof found === "string" ? found : JSON.stringify(found)}`,
  );
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, offline: true });
export const page = await context.newPage();
export const requests = [];
export const errors = [];
page.on("request", (r) => requests.push(r.url()));
page.on("pageerror", (e) => errors.push(e.message));
page.on("console", (m) => {
  if (m.type() === "error") errors.push(m.text());
});

// The last checks of a test: the page needed one file and no other.
function check_page() {
  const outside = requests.filter((url) => !/^(file:|blob:|data:)/.test(url));
  check(
    "nothing_is_loaded_from_elsewhere",
    !outside.length && requests.filter((u) => u.startsWith("file:")).length === 1,
    requests,
  );
  check("no_error_on_the_way", !errors.length, errors);
}

// Runs a test and ends the process.
export async function run(test) {
  try {
    await test();
    check_page();
  } catch (error) {
    check("the_test_comes_to_its_end", false, error.message);
  }
  await browser.close();
  process.exit(failed ? 1 : 0);
}
