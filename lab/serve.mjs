// Serves a folder of static files on this machine, below a path of its own if asked to.
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
  ".svg": "image/svg+xml",
  ".json": "application/json",
};

/**
 * @param {string} folder
 * @param {{ port?: number, base?: string }} [options] port 0 is any free one; base: "/", or a subfolder, "/a/b/"
 */
export async function serveFolder(folder, { port = 0, base = "/" } = {}) {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname);
    const inside = path.startsWith(base) ? normalize(`/${path.slice(base.length)}`) : undefined;
    const file = inside && join(folder, inside.endsWith("/") ? `${inside}index.html` : inside);
    if (!file || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end("There is no such file.");
      return;
    }
    response.writeHead(200, { "Content-Type": types[extname(file)] ?? "application/octet-stream" });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, "localhost", resolve));
  const bound = /** @type {import("node:net").AddressInfo} */ (server.address()).port;
  return { address: `http://localhost:${bound}${base}`, close: () => server.close() };
}
