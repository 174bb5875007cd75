// Writes the lab, a static site, into lab/dist, or the folder after --to: `npm run lab:build`; with --serve it is served, too: `npm run lab`.
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { serveFolder } from "./serve.mjs";

const lab = import.meta.dirname;
const { to, serve } = parseArgs({ options: { to: { type: "string" }, serve: { type: "boolean" } } }).values;
const packages = resolve(lab, "../node_modules");
const target = resolve(to ?? join(lab, "dist"));

rmSync(target, { recursive: true, force: true });
mkdirSync(join(target, "engine"), { recursive: true });
// The library's entry points are those of the package: its own name leads to its exports. What is loaded first is one file; panels
// share what they have in common, and what trains loads its parts when it needs them.
const bundles = [
  { splitting: false, entries: { main: "main.ts", memory: "memory/memory.ts" } },
  {
    splitting: true,
    entries: {
      ...{
        race: "race/race.ts",
        digits: "digits/digits.ts",
        own: "own/own.ts",
        reports: "reports/reports.ts",
      },
      worker: "worker.ts",
    },
  },
];
for (const { splitting, entries } of bundles)
  await build({
    entryPoints: Object.fromEntries(
      Object.entries(entries).map(([name, source]) => [name, join(lab, source)]),
    ),
    outdir: target,
    ...{ bundle: true, minify: true, format: "esm", platform: "browser", target: "es2022" },
    splitting,
    chunkNames: "parts/[name]-[hash]",
    legalComments: "none",
    tsconfigRaw: {},
    logLevel: "error",
  });
cpSync(join(lab, "example"), join(target, "example"), { recursive: true });
for (const name of ["index.html", "style.css"]) copyFileSync(join(lab, name), join(target, name));
copyFileSync(join(packages, "uplot/dist/uPlot.min.css"), join(target, "charts.css"));
// For the processor; for WebGPU, where WebAssembly waits for promises by itself, and where it does not.
for (const build of ["", ".jspi", ".asyncify"])
  for (const type of ["wasm", "mjs"]) {
    const name = `ort-wasm-simd-threaded${build}.${type}`;
    copyFileSync(join(packages, "onnxruntime-web/dist", name), join(target, "engine", name));
  }

// What makes it work without a network: the names of all files, and a version that changes with any of them.
const files = readdirSync(target, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => relative(target, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
  .sort();
const sum = createHash("sha256");
for (const name of files) sum.update(name).update(readFileSync(join(target, name)));
const known = {
  version: sum.digest("hex").slice(0, 12),
  files: ["./", ...files.filter((name) => !/^engine\/|^index\.html$/.test(name))],
};
writeFileSync(
  join(target, "offline.js"),
  `self.lab = ${JSON.stringify(known)};\n${readFileSync(join(lab, "offline.mjs"), "utf8")}`,
);
if (serve) {
  const { address } = await serveFolder(target, { port: Number(process.env.PORT ?? 5173) });
  console.log(`The lab: ${address}`);
}
