/** The examples for pages, built as their readers build them and opened in a browser. */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { build as bundle } from "esbuild";
import { type Browser, chromium, type Page } from "playwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "./cli.ts";
import { hasBrowser, serveFiles } from "./lab-site.ts";
import { listen } from "./server.ts";

const root = resolve(import.meta.dirname, "..");
const read = { timeout: 60_000 };

describe.skipIf(!hasBrowser)("the example", () => {
  let browser: Browser;
  const servers: Server[] = [];
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
  });
  afterAll(async () => {
    await browser?.close();
    for (const server of servers) server.close();
  });
  async function serve(folder: string): Promise<string> {
    const server = createServer(serveFiles("/a/", (name) => join(folder, name)));
    servers.push(server);
    return `http://localhost:${await listen(server)}/a/`;
  }
  /** The example in a folder of its own, as after npm install. */
  function installed(name: string): string {
    const folder = temporaryFolder();
    cpSync(join(root, "examples/pages", name), folder, { recursive: true });
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(root, join(folder, "node_modules/forwardgrad"));
    for (const other of ["onnxruntime-web", "esbuild"])
      symlinkSync(join(root, "node_modules", other), join(folder, "node_modules", other));
    return folder;
  }
  const state = (page: Page) => page.locator("#state").innerText();

  it("for Vite is built, trains in its worker, and reads digits", async () => {
    const folder = installed("vite");
    const { build } = await import("vite");
    await build({ root: folder, logLevel: "error" });
    const page = await browser.newPage();
    await page.goto(await serve(join(folder, "dist")));
    await expect.poll(() => state(page), read).toMatch(/^reads [5-9]\d\.\d %$/);
    await page.close();
  });

  it("for webpack is built with no loader and no plugin, and trains in its worker", async () => {
    const folder = installed("webpack");
    const { default: configuration } = await import(pathToFileURL(join(folder, "webpack.config.js")).href);
    const { default: webpack } = await import("webpack");
    // Not minimized, which takes most of the time.
    const optimization = { minimize: false };
    const compiler = webpack({ ...configuration, context: folder, optimization });
    const told = await promisify(compiler.run.bind(compiler))();
    expect(told?.toString({ all: false, errors: true, warnings: true })).toBe("");
    const page = await browser.newPage();
    await page.goto(await serve(folder));
    await expect.poll(() => state(page), read).toMatch(/^reads [5-9]\d\.\d %$/);
    await page.close();
  });

  it("for an extension trains under the policy of its manifest", async () => {
    const folder = installed("extension");
    await promisify(execFile)(process.execPath, ["build.mjs"], { cwd: folder });
    const context = await chromium.launchPersistentContext(temporaryFolder(), {
      executablePath: "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--headless=new",
        `--disable-extensions-except=${folder}`,
        `--load-extension=${folder}`,
      ],
      ignoreDefaultArgs: ["--headless", "--disable-extensions"],
    });
    const [background = await context.waitForEvent("serviceworker")] = context.serviceWorkers();
    const page = await context.newPage();
    await page.goto(new URL("page.html", background.url()).href);
    await expect.poll(() => state(page), read).toMatch(/^reads [5-9]\d\.\d %$/);
    await context.close();
  });

  it("without a bundler trains with modules of a server that resolves packages", async () => {
    const packed = temporaryFolder();
    // What such a server makes of a package's entry points: modules of their own, and what they share.
    await bundle({
      entryPoints: { index: join(root, "dist/index.js"), web: join(root, "dist/web.js") },
      outdir: packed,
      ...{ bundle: true, splitting: true, format: "esm", platform: "browser", target: "es2022" },
      logLevel: "error",
    });
    const page = await browser.newPage();
    await page.route("https://esm.sh/**", (route) => {
      const { pathname } = new URL(route.request().url());
      const [, engine] = /^\/onnxruntime-web@[\d.]+\/(dist\/.*)$/.exec(pathname) ?? [];
      const last = pathname.split("/").at(-1) ?? "";
      const own = last.endsWith(".js") ? last : last === "web" ? "web.js" : "index.js";
      const path =
        engine === undefined ? join(packed, own) : join(root, "node_modules/onnxruntime-web", engine);
      return route.fulfill({
        body: readFileSync(path),
        contentType: path.endsWith(".wasm") ? "application/wasm" : "text/javascript",
        headers: { "Access-Control-Allow-Origin": "*" },
      });
    });
    await page.goto(await serve(join(root, "examples/pages/plain")));
    await expect.poll(() => state(page), read).toMatch(/^reads [5-9]\d\.\d %$/);
    await page.close();
  });
});
