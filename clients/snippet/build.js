// node build.js TARGET: minifies em.src.js. The first line names the source's digest, so that a stale file is found out
// without Node.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { transformSync } from "esbuild";

const source = readFileSync(new URL("em.src.js", import.meta.url), "utf8");
const digest = createHash("sha256").update(source).digest("hex").slice(0, 16);
const { code } = transformSync(source, { minify: true, target: "es2019", charset: "utf8" });
writeFileSync(process.argv[2], `/*! eventmill em.js ${digest} */\n${code}`);
