// node vendor.js TARGET: copies the dashboard's libraries there as modules that import each other by file, with their
// licences, their types, and vendor.json, which names version and SHA-256 of every file.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const LIBRARIES = [
  { name: "preact", files: { "preact.js": "dist/preact.mjs", "hooks.js": "hooks/dist/hooks.mjs" } },
  { name: "htm", files: { "htm.js": "dist/htm.mjs" } },
  { name: "@preact/signals-core", files: { "signals-core.js": "dist/signals-core.mjs" } },
  { name: "@preact/signals", files: { "signals.js": "dist/signals.mjs" } },
  { name: "uplot", files: { "uplot.js": "dist/uPlot.esm.js", "uplot.css": "dist/uPlot.min.css" } },
];
const PLACES = {
  preact: "./preact.js",
  "preact/hooks": "./hooks.js",
  "@preact/signals-core": "./signals-core.js",
};
// What tsc reads in place of the copies.
const TYPES = {
  "preact.d.ts": 'export * from "preact";\n',
  "hooks.d.ts": 'export * from "preact/hooks";\n',
  "htm.d.ts": 'export { default } from "htm";\n',
  "signals.d.ts": 'export * from "@preact/signals";\n',
  "uplot.d.ts": 'export { default } from "uplot";\n',
};

const target = process.argv[2];
const source = (name, file) => readFileSync(new URL(`node_modules/${name}/${file}`, import.meta.url), "utf8");
const digest = (text) => createHash("sha256").update(text).digest("hex");

function browserModule(text) {
  const found = text.replace(/\b(from\s*)"([@a-z][\w@/-]*)"/g, (whole, from, name) => {
    if (!PLACES[name]) throw new Error(`${name} is not vendored`);
    return `${from}"${PLACES[name]}"`;
  });
  return found.replace(/\n?\/\/# sourceMappingURL=.*\n?/g, "\n");
}

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
const listed = LIBRARIES.map(({ name, files }) => {
  const { version, license } = JSON.parse(source(name, "package.json"));
  const licence = `${name.replace("@", "").replace("/", "-")}.LICENSE`;
  const texts = { [licence]: source(name, "LICENSE") };
  for (const [file, from] of Object.entries(files)) texts[file] = browserModule(source(name, from));
  const sha256 = {};
  for (const [file, text] of Object.entries(texts)) {
    writeFileSync(join(target, file), text);
    sha256[file] = digest(text);
  }
  return { name, version, license, sha256 };
});
for (const [file, text] of Object.entries(TYPES)) writeFileSync(join(target, file), text);
writeFileSync(join(target, "vendor.json"), `${JSON.stringify(listed, null, 2)}\n`);
