// Writes built/: the page's module and its worker, and the engine's two files, which an extension may not fetch from elsewhere.
import { cpSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

await build({
  entryPoints: ["main.js", "worker.js"],
  outdir: "built",
  ...{ bundle: true, splitting: true, minify: true, format: "esm", target: "es2022" },
});
for (const name of ["ort-wasm-simd-threaded.wasm", "ort-wasm-simd-threaded.mjs"])
  cpSync(fileURLToPath(import.meta.resolve(`onnxruntime-web/${name}`)), `built/engine/${name}`);
