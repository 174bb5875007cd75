/** The built lab, served in a subfolder with the policy that a page of it needs, and a browser that looks at it. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { extname, join, resolve } from "node:path";
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from "playwright";
import { temporaryFolder } from "./cli.ts";
import { listen } from "./server.ts";

const executablePath = "/usr/bin/chromium";
export const hasBrowser = existsSync(executablePath);
if (!hasBrowser) console.warn(`Tests of the lab's panels are skipped: there is no ${executablePath}.`);

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
  ".json": "application/json",
};
/** All that a page with a worker and WebAssembly needs; pictures of the page's own come as data. */
const policy =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:";
const subfolder = "/somewhere/lab/";

/** @returns the folder of the built site */
export function buildLab(): string {
  const folder = temporaryFolder();
  execFileSync(process.execPath, [resolve(import.meta.dirname, "../lab/build.mjs"), "--to", folder]);
  return folder;
}

/**
 * Answers with files.
 *
 * @param base the path that they lie below @param find a file's path by its name; text that begins with "<" is what is answered itself
 */
export function serveFiles(
  base: string,
  find: (name: string) => string,
  headers: Readonly<Record<string, string>> = {},
): RequestListener {
  return (request, response) => {
    const path = (request.url ?? "").split("?")[0] ?? "";
    const name = path.startsWith(base) ? path.slice(base.length) || "index.html" : undefined;
    const found = name === undefined ? "" : find(name);
    if (!found.startsWith("<") && !existsSync(found)) return response.writeHead(404).end();
    const type = types[extname(name ?? "")] ?? "application/octet-stream";
    response.writeHead(200, { "Content-Type": type, ...headers });
    return response.end(found.startsWith("<") ? found : readFileSync(found));
  };
}

export interface LabSite {
  readonly address: string;
  readonly browser: Browser;
  /** What no page may do: errors, requests to anywhere else, and requests that carry something. */
  readonly wrongs: string[];
  /** A page of its own, or one of a context that others share. */
  open(query?: string, options?: BrowserContextOptions, context?: BrowserContext): Promise<Page>;
  close(): Promise<void>;
}

/** What a browser needs for WebGPU without a graphics card. */
export const softwareWebgpu = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

/**
 * @param folder of the built site
 * @param more switches of the browser
 */
export async function openLabSite(folder: string, more: readonly string[] = []): Promise<LabSite> {
  const wrongs: string[] = [];
  const server = createServer(
    serveFiles(subfolder, (name) => join(folder, name), {
      // For the worker, too.
      "Content-Security-Policy": policy,
    }),
  );
  const address = `http://localhost:${await listen(server)}${subfolder}`;
  const browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-background-networking", ...more],
  });
  return {
    ...{ address, browser, wrongs },
    async open(query = "", options = {}, context) {
      const page = await (context ?? (await browser.newContext(options))).newPage();
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") wrongs.push(message.text());
      });
      page.on("pageerror", (error) => wrongs.push(error.message));
      page.context().on("request", (request) => {
        const url = request.url();
        if (!url.startsWith(address) && !/^(data|blob):/.test(url)) wrongs.push(url);
        if (request.method() !== "GET" || request.postData() !== null)
          wrongs.push(`${request.method()} ${url}`);
      });
      page.on("websocket", (socket) => wrongs.push(socket.url()));
      await page.goto(address + query);
      return page;
    },
    async close() {
      await browser.close();
      server.close();
    },
  };
}

export const text = (page: Page, id: string) => page.locator(`#${id}`).innerText();
export const number = async (page: Page, id: string) => Number.parseFloat(await text(page, id));
