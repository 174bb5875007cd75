// Writes the lab, a static site, into lab/dist, or the folder after --to: `npm run lab:build`; with --serve it is served, too: `npm run lab`.
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { serveFolder } from "./serve.mjs";

const lab = import.meta.dirname;
const { to, serve } = parseArgs({ options: { to: { type: "string" }, serve: { type: "boolean" } } }).values;
const packages = resolve(lab, "../node_modules");
const target = resolve(to ?? join(lab, "dist"));

rmSync(target, { recursive: true, force: true });
mkdirSync(join(target, "engine"), { recursive: true });
// The library's entry points are those of the package: its own name leads to its exports. What is loaded first is one file; what
// trains loads its parts when it needs them.
const entries = {
  main: "main.ts",
  digits: "digits/digits.ts",
  memory: "memory/memory.ts",
  worker: "worker.ts",
};
for (const [name, source] of Object.entries(entries))
  await build({
    entryPoints: { [name]: join(lab, source) },
    outdir: target,
    ...{ bundle: true, minify: true, format: "esm", platform: "browser", target: "es2022" },
    splitting: name === "worker",
    chunkNames: `${name}/[name]-[hash]`,
    legalComments: "none",
    tsconfigRaw: {},
    logLevel: "error",
  });
for (const name of ["index.html", "style.css"]) copyFileSync(join(lab, name), join(target, name));
copyFileSync(join(packages, "uplot/dist/uPlot.min.css"), join(target, "charts.css"));
for (const name of ["ort-wasm-simd-threaded.wasm", "ort-wasm-simd-threaded.mjs"])
  copyFileSync(join(packages, "onnxruntime-web/dist", name), join(target, "engine", name));
if (serve) {
  const { address } = await serveFolder(target, { port: Number(process.env.PORT ?? 5173) });
  console.log(`The lab: ${address}`);
}
