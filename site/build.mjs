// Builds the docs' site into site/.vitepress/dist: `npm run docs`; with --serve it is shown while pages change.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Application } from "typedoc";
import { build, createServer } from "vitepress";
import { onSite, pages } from "./pages.mjs";

const root = resolve(import.meta.dirname, "..");
const site = join(root, "site");
const content = join(site, "pages");

/** Copies the repository's pages, with their links as the site has them, and pictures. */
function copyPages() {
  for (const { source, path } of pages) {
    const text = readFileSync(join(root, source), "utf8");
    const target = join(content, path);
    mkdirSync(dirname(target), { recursive: true });
    // Code stays as it is.
    const parts = text.split(/(^ *```[\s\S]*?^ *```$|`[^`\n]*`)/m);
    const linked = parts.map((part, index) =>
      index % 2 === 1
        ? part
        : part.replaceAll(/\]\(([^)\s]+)\)/g, (_, link) => `](${onSite(link, source, root)})`),
    );
    writeFileSync(target, linked.join(""));
  }
  const pictures = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" });
  for (const picture of pictures.filter((name) => /\.(svg|png)$/.test(name)))
    cpSync(join(root, "docs", picture), join(content, "public", picture));
}

/** Writes the API reference, a page for each entry point. */
async function writeReference() {
  const app = await Application.bootstrapWithPlugins({
    options: join(site, "typedoc.json"),
    out: join(content, "api"),
  });
  const project = await app.convert();
  if (!project) throw new Error("typedoc found errors, see above.");
  await app.generateOutputs(project);
  if (app.logger.hasErrors()) throw new Error("typedoc found errors, see above.");
  // Pages hold no HTML: the anchors of single rows are left out. Their class is for tables on phones.
  for (const name of readdirSync(join(content, "api"), { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".md")) continue;
    const path = join(content, "api", name);
    const text = readFileSync(path, "utf8").replaceAll(/<a id="[^"]*"><\/a> ?/g, "");
    writeFileSync(path, `---\npageClass: reference\n---\n\n${text}`);
  }
}

rmSync(content, { recursive: true, force: true });
copyPages();
await writeReference();
if (process.argv.includes("--serve")) {
  const server = await createServer(site);
  await server.listen();
  server.printUrls();
} else await build(site);
