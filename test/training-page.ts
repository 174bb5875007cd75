/** A page that trains in a worker: bundled from its script, and served with the engine's files. */
import type { RequestListener } from "node:http";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { temporaryFolder } from "./cli.ts";
import { serveFiles } from "./lab-site.ts";

const root = resolve(import.meta.dirname, "..");
const engine = join(root, "node_modules/onnxruntime-web/dist");

/**
 * Bundles a page and its worker.
 *
 * @param page the page's script, which imports the package by its name and starts `worker.js`
 * @param serve what the worker does for its page: a function of `forwardgrad/web`
 * @param html default: nothing but the script, `page.js`
 * @returns what answers with them
 */
export async function trainingPage(
  page: string,
  serve = "serveTraining",
  html = '<!doctype html><script type="module" src="page.js"></script>',
): Promise<RequestListener> {
  const folder = temporaryFolder();
  const worker = `import { ${serve} } from "forwardgrad/web"; ${serve}(self);`;
  for (const [name, contents] of Object.entries({ page, worker }))
    await build({
      stdin: { contents, resolveDir: root, sourcefile: `${name}.js` },
      outfile: join(folder, `${name}.js`),
      ...{ bundle: true, format: "esm", platform: "browser", target: "es2022", minify: true },
    });
  return serveFiles("/", (name) =>
    name === "index.html" ? html : join(name.startsWith("ort") ? engine : folder, name),
  );
}
