// Copies what the pages need from node_modules into static/, under names that carry a version or the
// hash of the bytes, so that browsers may keep them for ever. Run by `npm run vendor`.
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const out = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(dirname(out), "node_modules");
const version = (name) => JSON.parse(readFileSync(join(modules, name, "package.json"))).version;

function replace(pattern, name, source) {
  for (const old of readdirSync(out).filter((n) => pattern.test(n))) rmSync(join(out, old));
  copyFileSync(join(modules, source), join(out, name));
  console.log(name);
}

const htmx = version("htmx.org");
replace(/^htmx-.*\.min\.js$/, `htmx-${htmx}.min.js`, "htmx.org/dist/htmx.min.js");
replace(/^hx-sse-.*\.min\.js$/, `hx-sse-${htmx}.min.js`, "htmx.org/dist/ext/hx-sse.min.js");

// The style sheet names the font, so the font's own name carries its hash (see static.go).
const font = "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2";
const hash = createHash("sha256").update(readFileSync(join(modules, font))).digest("hex").slice(0, 12);
replace(/^inter-latin\..*\.woff2$/, `inter-latin.${hash}.woff2`, font);
