import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { listen } from "../../test/server.ts";
import { sha256 } from "../storage/sha256.ts";
import { downloadStore } from "./download.ts";
import { folderCache } from "./node-store.ts";

const content = new TextEncoder().encode("handwritten digits ".repeat(100));
const packed = gzipSync(content);
const folder = mkdtempSync(join(tmpdir(), "forwardgrad-download-"));
const requests: string[] = [];
let address = "";
let reported: string[] = [];

const server = createServer((request, response) => {
  const url = request.url ?? "";
  requests.push(url);
  if (url.startsWith("/good/")) response.end(packed);
  else if (url.startsWith("/encoded/")) response.setHeader("Content-Encoding", "gzip").end(packed);
  else if (url.startsWith("/other/")) response.end(gzipSync("other digits"));
  else if (url.startsWith("/short/")) response.end(packed.subarray(0, packed.length - 9));
  else if (url.startsWith("/plain/")) response.end(content);
  else if (url.startsWith("/slow/")) {
    // Takes longer as a whole than a mirror may be silent.
    let sent = 0;
    const timer = setInterval(() => {
      response.write(packed.subarray(sent, sent + 12));
      sent += 12;
      if (sent < packed.length) return;
      clearInterval(timer);
      response.end();
    }, 200);
  } else if (url.startsWith("/stalled/")) {
    response.writeHead(200, { "Content-Length": packed.length });
    response.write(packed.subarray(0, 20));
  } else if (url.startsWith("/broken/")) {
    response.writeHead(200, { "Content-Length": packed.length });
    response.write(packed.subarray(0, 20), () => response.destroy());
  } else if (!url.startsWith("/silent/")) response.writeHead(404).end("<html>");
});

beforeAll(async () => {
  address = `http://127.0.0.1:${await listen(server)}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

beforeEach(() => {
  requests.length = 0;
  reported = [];
});

async function store(cacheName: string, ...mirrors: string[]) {
  return downloadStore({
    files: {
      mirrors: mirrors.map((mirror) => `${address}/${mirror}/`),
      sha256: { digits: await sha256(content) },
    },
    cache: folderCache(join(folder, cacheName)),
    fetch,
    timeoutSeconds: 0.5,
    report: (line) => reported.push(line),
  });
}

test("a good file is downloaded once, checked and kept", async () => {
  const first = await store("good", "good");
  expect(await first.read("digits")).toEqual(content);
  expect(await first.read("letters")).toBeUndefined();
  expect(await first.read("toString")).toBeUndefined();
  const second = await store("good", "good");
  expect(Array.from((await second.read("digits")) ?? [])).toEqual(Array.from(content));
  expect(requests).toEqual(["/good/digits.gz"]);
  expect(readdirSync(join(folder, "good"))).toEqual(["digits"]);
});

test("a file that the server marks as encoded is taken as well", async () => {
  expect(await (await store("encoded", "encoded")).read("digits")).toEqual(content);
});

test("a file may be kept as it is, and then counts as it is", async () => {
  const plain = async (mirror: string, bytes: Uint8Array) =>
    downloadStore({
      files: {
        mirrors: [`${address}/${mirror}/`],
        sha256: { "digits.gz": await sha256(bytes) },
        packing: "none",
      },
      cache: folderCache(join(folder, mirror)),
      fetch,
    }).read("digits.gz");
  expect(await plain("plain", content)).toEqual(content);
  expect(await plain("good", packed)).toEqual(new Uint8Array(packed));
  expect(requests).toEqual(["/plain/digits.gz", "/good/digits.gz"]);
  await expect(plain("other", packed)).rejects.toThrow(
    /other\/digits.gz: SHA-256 of the \d+ bytes is [0-9a-f]{64}, expected [0-9a-f]{64}/,
  );
});

test("a slow mirror is waited for as long as it goes on, and one that stops is given up", async () => {
  expect(packed.length / 12).toBeGreaterThan(4);
  expect(await (await store("slow", "slow")).read("digits")).toEqual(content);
  await expect((await store("stalled", "stalled")).read("digits")).rejects.toThrow(
    /stalled\/digits.gz: .*timeout: nothing received for 0.5 s/,
  );
});

test("bad mirrors are passed over", async () => {
  const mirrors = ["missing", "other", "short", "broken", "silent", "good"];
  expect(await (await store("passed", ...mirrors)).read("digits")).toEqual(content);
  expect(requests).toEqual(mirrors.map((mirror) => `/${mirror}/digits.gz`));
});

test("when every mirror fails, each has its reason and nothing is kept", async () => {
  const failing = await store("failed", "missing", "other", "short", "broken", "silent");
  const error = await failing.read("digits").then(
    () => new Error("no error"),
    (reason: Error) => reason,
  );
  const lines = error.message.split("\n");
  expect(lines[0]).toBe("digits: no mirror gave the file:");
  expect(lines[1]).toBe(`  ${address}/missing/digits.gz: HTTP status 404 Not Found`);
  expect(lines[2]).toContain(
    `SHA-256 of the 12 uncompressed bytes is ${await sha256(new TextEncoder().encode("other digits"))}`,
  );
  expect(lines[3]).toContain("truncated or damaged gzip");
  expect(lines[4]).toMatch(/broken\/digits.gz: .*(terminated|closed|aborted)/);
  expect(lines[5]).toMatch(/silent\/digits.gz: .*timeout/);
  expect(lines[6]).toContain("pass their folder (directory)");
  expect(() => readdirSync(join(folder, "failed"))).toThrow("ENOENT");
});

test("an address nobody answers gives the network's reason", async () => {
  const unreachable = downloadStore({
    files: { mirrors: ["http://127.0.0.1:1/"], sha256: { digits: "00" } },
    cache: folderCache(join(folder, "unreachable")),
    fetch,
  });
  await expect(unreachable.read("digits")).rejects.toThrow(/127\.0\.0\.1:1\/digits\.gz: fetch failed \(.+\)/);
});

test("a damaged cached file is downloaded again", async () => {
  await (await store("damaged", "good")).read("digits");
  writeFileSync(join(folder, "damaged", "digits"), content.subarray(1));
  expect(await (await store("damaged", "good")).read("digits")).toEqual(content);
  expect(requests.length).toBe(2);
  expect(reported).toContain(`digits in folder ${join(folder, "damaged")} is damaged: downloading it again`);
  expect(Array.from(readFileSync(join(folder, "damaged", "digits")))).toEqual(Array.from(content));
});

test("what cannot be read of a cache is downloaded again", async () => {
  mkdirSync(join(folder, "odd", "digits"), { recursive: true });
  expect(await (await store("odd", "good")).read("digits")).toEqual(content);
  expect(reported.join()).toMatch(/cannot be read .*is no regular file.*cannot be kept in/s);
});

test("a cache that cannot be written to does not lose the download", async () => {
  writeFileSync(join(folder, "blocked"), "a file where the folder should be");
  const cache = { ...folderCache(join(folder, "blocked")), read: async () => undefined };
  const blocked = downloadStore({
    files: { mirrors: [`${address}/good/`], sha256: { digits: await sha256(content) } },
    cache,
    fetch,
    report: (line) => reported.push(line),
  });
  expect(await blocked.read("digits")).toEqual(content);
  expect(reported.at(-1)).toContain("cannot be kept in");
});

test("a mirror that sends more than the limit is left before it has sent it, or before it is unpacked", async () => {
  const limited = async (limits: { downloadBytes?: number; unpackedBytes?: number }, mirror: string) =>
    downloadStore({
      files: { mirrors: [`${address}/${mirror}/`], sha256: { digits: await sha256(content) } },
      cache: folderCache(join(folder, `limited-${mirror}`)),
      fetch,
      limits,
    }).read("digits");
  await expect(limited({ downloadBytes: 20 }, "stalled")).rejects.toThrow(
    /stalled\/digits.gz: \d+ bytes and more; the limit downloadBytes is 20/,
  );
  await expect(limited({ downloadBytes: 20 }, "slow")).rejects.toThrow(
    /slow\/digits.gz: .*downloadBytes is 20/,
  );
  await expect(limited({ unpackedBytes: 1000 }, "good")).rejects.toThrow(/unpackedBytes is 1,000/);
});

test("where the sum of the packed file is known, no other is unpacked", async () => {
  const known = async (mirror: string, sum: string) =>
    downloadStore({
      files: {
        mirrors: [`${address}/${mirror}/`],
        sha256: { digits: await sha256(content) },
        packedSha256: { digits: sum },
      },
      cache: folderCache(join(folder, `known-${mirror}`)),
      fetch,
    }).read("digits");
  const sum = await sha256(new Uint8Array(packed));
  expect(await known("good", sum)).toEqual(content);
  await expect(known("other", sum)).rejects.toThrow(/SHA-256 of the \d+ compressed bytes/);
  // Fetch has unpacked it already.
  expect(await known("encoded", sum)).toEqual(content);
});
