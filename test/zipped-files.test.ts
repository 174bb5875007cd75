/** Archives that Python's zipfile wrote, as places of files. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodePicture } from "../src/data/pictures/node-picture.ts";
import { imageFolder, tableColumns, zippedFiles } from "../src/data.ts";

const root = join(import.meta.dirname, "..");
const bytesOf = (path: string) => new Uint8Array(readFileSync(join(root, path)));
const name = "pictures.zip";

describe("a ZIP archive", () => {
  it("is a folder of images", async () => {
    const files = await zippedFiles({ name, bytes: bytesOf("test/cases/lab/pictures.zip") });
    expect((await files.list())[0]).toMatch(/^one\/\d+\.png$/);
    expect(await files.read("one/nothing.png")).toBeUndefined();
    const dataset = await imageFolder(files, { decode: decodePicture });
    expect(dataset.classNames).toEqual(["one", "zero"]);
    expect(dataset.train.shape).toEqual([1, 8, 8]);
  });

  it("is refused where it is none, is damaged, or unpacks to too much", async () => {
    const bytes = bytesOf("test/cases/lab/pictures.zip");
    await expect(zippedFiles({ name, bytes: new Uint8Array([1, 2]) })).rejects.toThrow(
      "pictures.zip: the file is no ZIP, expected a ZIP archive",
    );
    await expect(zippedFiles({ name, bytes: bytes.slice(0, 900) })).rejects.toThrow("truncated or damaged");
    const spoilt = bytes.slice();
    spoilt.fill(0, 60, 120);
    const files = await zippedFiles({ name, bytes: spoilt });
    const reading = Promise.all((await files.list()).map((path) => files.read(path)));
    await expect(reading).rejects.toThrow("pictures.zip: truncated or damaged");
    const small = await zippedFiles({ name, bytes }, { unpackedBytes: 10 });
    await expect(small.read((await small.list())[0] ?? "")).rejects.toThrow("unpackedBytes is 10");
  });
});

describe("a table's columns", () => {
  it("are known before one is chosen", () => {
    const bytes = bytesOf("lab/example/turned-digits.csv");
    const columns = tableColumns({ name: "turned-digits.csv", bytes });
    expect(columns).toHaveLength(65);
    expect(columns.at(-1)?.name).toBe("digit");
    expect(Number(columns.at(-1)?.first)).toBeLessThan(10);
  });
});
