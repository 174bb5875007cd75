import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { listen } from "../../test/server.ts";
import { nodeFetch } from "./node-fetch.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

function listening(server: Server): Promise<number> {
  servers.push(server);
  return listen(server);
}

/** A server that answers "data", and a proxy that counts the tunnels that are asked of it. */
async function serverBehindProxy() {
  const port = await listening(createServer((_request, response) => response.end("data")));
  const asked: string[] = [];
  const proxy = createServer();
  proxy.on("connect", (request, client) => {
    asked.push(request.url ?? "");
    const target = connect(port, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      target.pipe(client);
      client.pipe(target);
    });
    target.on("error", () => client.destroy());
    client.on("error", () => target.destroy());
  });
  return { port, asked, proxy: `http://127.0.0.1:${await listening(proxy)}` };
}

const read = async (fetch: Awaited<ReturnType<typeof nodeFetch>>, url: string) => {
  const { body } = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  const part = await body?.getReader().read();
  return new TextDecoder().decode(part?.value);
};

describe("nodeFetch", () => {
  it.each(["HTTP_PROXY", "http_proxy"])("goes through the proxy that %s names", async (variable) => {
    const { asked, proxy } = await serverBehindProxy();
    // Nothing but the proxy knows this host.
    const fetch = await nodeFetch({ [variable]: proxy });
    expect(await read(fetch, "http://datasets.invalid/images.gz")).toBe("data");
    expect(asked).toEqual(["datasets.invalid:80"]);
  });

  it("asks HTTPS_PROXY for a tunnel where the address is https", async () => {
    const { asked, proxy } = await serverBehindProxy();
    const fetch = await nodeFetch({ HTTPS_PROXY: proxy });
    // The server behind it does not speak TLS.
    await expect(read(fetch, "https://datasets.invalid/images.gz")).rejects.toThrow();
    expect(asked).toEqual(["datasets.invalid:443"]);
  });

  it("goes past the proxy for the hosts of NO_PROXY, and without one", async () => {
    const { port, asked, proxy } = await serverBehindProxy();
    const past = await nodeFetch({ HTTP_PROXY: proxy, NO_PROXY: "127.0.0.1" });
    const without = await nodeFetch({});
    for (const fetch of [past, without]) expect(await read(fetch, `http://127.0.0.1:${port}/`)).toBe("data");
    expect(asked).toEqual([]);
  });
});
