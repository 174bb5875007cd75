/** What a page downloads for our code, minified and gzipped, as esbuild and webpack bundle it; engines and data come on top. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { afterAll, describe, expect, it } from "vitest";
import webpack from "webpack";
import { nodeRuntime } from "../src/runtime/node.ts";

const dist = resolve(import.meta.dirname, "..", "dist");
const folder = mkdtempSync(join(tmpdir(), "forwardgrad-bundle-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Lists the chunks that are loaded. */
const loaded = new Set<string>();
Object.assign(globalThis, { noteChunk: (url: string) => loaded.add(url) });

/** Bundles a module for pages; with `splitting`, whatever is imported dynamically becomes a chunk of its own. */
async function bundle(name: string, contents: string, splitting: boolean) {
  const { metafile } = await build({
    stdin: { contents, resolveDir: dist, sourcefile: `${name}.js` },
    outdir: join(folder, name),
    outExtension: { ".js": ".mjs" },
    banner: { js: "globalThis.noteChunk?.(import.meta.url);" },
    ...{ bundle: true, minify: true, splitting, format: "esm", platform: "browser", metafile: true },
  });
  const inputs = Object.values(metafile.outputs)
    .flatMap((output) => Object.entries(output.inputs))
    .flatMap(([path, { bytesInOutput }]) =>
      bytesInOutput > 0 ? [path.replace(/.*node_modules\//, "")] : [],
    );
  return { entry: pathToFileURL(join(folder, name, "stdin.mjs")).href, inputs };
}

/** As `bundle` with splitting, by webpack, which puts what a page loads anyway into its first chunk, whoever else may load it later. */
async function bundleByWebpack(name: string, contents: string) {
  const [source, out] = [join(folder, `${name}.js`), join(folder, name)];
  writeFileSync(source, contents);
  const banner = new webpack.BannerPlugin({
    banner: "globalThis.noteChunk?.(import.meta.url);",
    raw: true,
    stage: webpack.Compilation.PROCESS_ASSETS_STAGE_REPORT,
  });
  const stats = await new Promise<webpack.Stats | undefined>((resolve, reject) =>
    webpack(
      {
        ...{ mode: "production", target: ["web", "es2022"], entry: source, plugins: [banner] },
        ...{ experiments: { outputModule: true }, performance: { hints: false } },
        output: {
          ...{ path: out, filename: "entry.mjs", chunkFilename: "[id].mjs", library: { type: "module" } },
          ...{ module: true, chunkFormat: "module", chunkLoading: "import" },
        },
      },
      (error, done) => (error ? reject(error) : resolve(done)),
    ),
  );
  expect(stats?.hasErrors()).toBe(false);
  return pathToFileURL(join(out, "entry.mjs")).href;
}

/** Bytes of the chunks that were loaded, gzipped one by one. */
const downloaded = () =>
  [...loaded].reduce((sum, url) => sum + gzipSync(readFileSync(new URL(url)), { level: 9 }).length, 0);

describe("a page that", () => {
  const asked = `export { glyphs, mlp, train } from "${dist}/index.js";`;
  const trainBy = async (entry: string) => {
    const { train, mlp, glyphs } = (await import(entry)) as typeof import("../src/index.ts");
    const data = glyphs({ train: 200, test: 20 });
    const { normalization } = data;
    const model = mlp({ input: [1, 28, 28], hidden: [16], outputs: 10, normalization });
    let saved: Uint8Array | undefined;
    const run = { model, examples: data.train, test: data.test, runtime: nodeRuntime(), steps: 3 };
    for await (const event of train(run)) if (event.kind === "done") saved = event.model;
    expect(saved?.length).toBeGreaterThan(1000);
  };

  it("trains a network on embedded data downloads at most 113 kB", async () => {
    const { entry, inputs } = await bundle("train", asked, true);
    await trainBy(entry);
    // zod's classes, protobuf's descriptions of descriptions, and what only Node has, are no part of any chunk.
    for (const path of inputs)
      expect(path).not.toMatch(
        /^zod\/v4\/classic|descriptor_pb|^onnx-buf|\/(runtime|storage|data)\/node[-.]/,
      );
    expect(downloaded()).toBeLessThanOrEqual(113_000);
  });

  it("trains a network on embedded data downloads at most 97 kB where webpack bundles it", async () => {
    loaded.clear();
    await trainBy(await bundleByWebpack("train-webpack", asked));
    expect(loaded.size).toBe(1);
    expect(downloaded()).toBeGreaterThan(50_000);
    expect(downloaded()).toBeLessThanOrEqual(97_000);
  });

  it("descends closed-form functions downloads at most 15 kB", async () => {
    loaded.clear();
    const { entry } = await bundle(
      "functions",
      `export { functions, optimizeFunction, startDescent } from "${dist}/studies.js";`,
      false,
    );
    await import(entry);
    expect(downloaded()).toBeLessThanOrEqual(15_000);
  });
});
