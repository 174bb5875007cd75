import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { cacheDirectory, folderCache, folderStore } from "./node-store.ts";

const folder = mkdtempSync(join(tmpdir(), "forwardgrad-store-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a folder store reads its files and has no others", async () => {
  writeFileSync(join(folder, "digits"), "abc");
  const store = folderStore(folder);
  expect(new TextDecoder().decode(await store.read("digits"))).toBe("abc");
  expect(await store.read("letters")).toBeUndefined();
  expect(store.describe).toBe(`folder ${folder}`);
});

test("a missing folder is refused by name", () => {
  expect(() => folderStore(join(folder, "nowhere"))).toThrow(`${join(folder, "nowhere")}: no such folder`);
  writeFileSync(join(folder, "file"), "");
  expect(() => folderStore(join(folder, "file"))).toThrow("no such folder");
});

test("something that is no file is refused, not taken for absent", async () => {
  await expect(folderStore(tmpdir()).read(folder.slice(tmpdir().length + 1))).rejects.toThrow(
    "cannot be read",
  );
});

test("a cache makes its folder, replaces files and leaves no temporary ones", async () => {
  const cache = folderCache(join(folder, "cache", "mnist"));
  expect(await cache.read("digits")).toBeUndefined();
  await cache.write("digits", Uint8Array.of(1, 2));
  await cache.write("digits", Uint8Array.of(3));
  expect(Array.from((await cache.read("digits")) ?? [])).toEqual([3]);
  expect(readdirSync(join(folder, "cache", "mnist"))).toEqual(["digits"]);
});

test("the cache folder follows each platform's convention", () => {
  expect(cacheDirectory("linux", {}, "/home/a")).toBe("/home/a/.cache/forwardgrad");
  expect(cacheDirectory("linux", { XDG_CACHE_HOME: "/cache" }, "/home/a")).toBe("/cache/forwardgrad");
  expect(cacheDirectory("darwin", {}, "/Users/a")).toBe("/Users/a/Library/Caches/forwardgrad");
  expect(cacheDirectory("win32", { LOCALAPPDATA: "/local" }, "/a")).toBe("/local/forwardgrad/Cache");
});
