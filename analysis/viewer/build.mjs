// Makes the viewer one HTML file: node build.mjs OUTPUT.
// Browsers refuse modules, workers and fetch from file://, so script, style and the worker with HDF5 in it are inside.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const output = process.argv[2];
if (!output) throw new Error("usage: node build.mjs OUTPUT");

// esbuild writes ASCII and never "</script", which is what makes its output fit to stand in a page.
async function bundle(name) {
  const made = await build({
    entryPoints: [join(here, name)],
    bundle: true,
    format: "iife",
    minify: true,
    write: false,
    target: "es2022",
    legalComments: "inline",
    logLevel: "error",
    // h5wasm asks for its own address only to find its .wasm, which is inside it; in Node it would load these.
    define: { "import.meta.url": '""' },
    external: ["fs", "path", "url", "crypto", "module"],
  });
  const text = made.outputFiles[0].text;
  if (/<\/script|<!--|[^\x00-\x7f]|\r|\0/i.test(text)) throw new Error(`${name}: its bundle cannot stand in a page`);
  return text;
}

const licence = readFileSync(join(here, "node_modules/h5wasm/LICENSE.txt"), "utf8").replaceAll("--", "- -");
const parts = {
  STYLE: readFileSync(join(here, "viewer.css"), "utf8"),
  WORKER: await bundle("worker.js"),
  SCRIPT: await bundle("main.js"),
  LICENCE: licence,
};
const page = readFileSync(join(here, "index.html"), "utf8").replace(/@([A-Z]+)@/g, (_, name) => parts[name]);
mkdirSync(dirname(output), { recursive: true });
writeFileSync(output, page);
console.log(`${output}, ${(page.length / 2 ** 20).toFixed(1)} MiB`);
