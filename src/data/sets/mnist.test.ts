import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { checkExamples } from "../dataset.ts";
import { folderStore } from "../node-store.ts";
import type { FileStore } from "../store.ts";
import { mnist, mnistEntry, mnistFiles } from "./mnist.ts";

const folder = resolve("../shared/data/mnist");
const present = existsSync(folder);

function memoryStore(files: Record<string, Uint8Array>): FileStore {
  return { describe: "memory", read: async (name) => files[name] };
}

function images(count: number, side = 28): Uint8Array {
  const bytes = new Uint8Array(16 + count * side * side);
  new DataView(bytes.buffer).setUint32(0, 0x0803);
  [count, side, side].forEach((size, axis) => {
    new DataView(bytes.buffer).setUint32(4 + 4 * axis, size);
  });
  return bytes;
}

function labels(...values: number[]): Uint8Array {
  return Uint8Array.of(0, 0, 8, 1, 0, 0, 0, values.length, ...values);
}

const small = {
  "train-images-idx3-ubyte": images(2),
  "train-labels-idx1-ubyte": labels(3, 9),
  "t10k-images-idx3-ubyte": images(1),
  "t10k-labels-idx1-ubyte": labels(0),
};

test("reads plain and gzipped files in both spellings", async () => {
  const plain = await mnist(memoryStore(small));
  expect(plain.train).toMatchObject({ count: 2, shape: [1, 28, 28], labels: Int32Array.of(3, 9) });
  const dotted = Object.entries(small).map(([name, bytes]) => [
    `${name.replace("-idx", ".idx")}.gz`,
    gzipSync(bytes),
  ]);
  expect(await mnist(memoryStore(Object.fromEntries(dotted)))).toEqual(plain);
});

test("files that do not fit together are refused by name", async () => {
  const refused = (files: Record<string, Uint8Array>) =>
    expect(mnist(memoryStore({ ...small, ...files }))).rejects;
  await refused({ "train-labels-idx1-ubyte": labels(1, 2, 3) }).toThrow(
    "train-images-idx3-ubyte (memory) has 2 images and train-labels-idx1-ubyte (memory) has 3 labels",
  );
  await refused({ "t10k-labels-idx1-ubyte": labels(10) }).toThrow(
    "t10k-labels-idx1-ubyte (memory): example 0 has label 10, expected 0 to 9",
  );
  await refused({ "t10k-images-idx3-ubyte": images(1, 27) }).toThrow(
    "shape [1,27,27], expected [count,28,28]",
  );
  await refused({ "t10k-images-idx3-ubyte": labels(0) }).toThrow("shape [1], expected [count,28,28]");
  await refused({ "t10k-labels-idx1-ubyte": images(1) }).toThrow("shape [1,28,28], expected [count]");
  await expect(mnist(memoryStore({}))).rejects.toThrow(
    "mnist: no file train-images-idx3-ubyte, train-images.idx3-ubyte, train-images-idx3-ubyte.gz, train-images.idx3-ubyte.gz in memory",
  );
  expect(() => mnistEntry.load({ seed: 0 })).toThrow("mnist: needs its four files, received no store");
});

describe.skipIf(!present)(`the real files (skipped when ${folder} is absent)`, () => {
  test("reads all of MNIST", async () => {
    const dataset = await mnist(folderStore(folder));
    expect(dataset.train.count).toBe(60_000);
    expect(dataset.test.count).toBe(10_000);
    expect(Array.from(dataset.train.labels.subarray(0, 5))).toEqual([5, 0, 4, 1, 9]);
    expect(() => checkExamples(dataset.train, "train", 10)).not.toThrow();
    const pixels = dataset.train.inputs;
    let sum = 0;
    for (const byte of pixels) sum += byte;
    const mean = sum / pixels.length / 255;
    expect(mean).toBeCloseTo(Number(dataset.normalization.mean), 4);
  });

  test("their uncompressed bytes have the SHA-256 that downloads are checked against", async () => {
    const store = folderStore(folder);
    for (const [name, expected] of Object.entries(mnistFiles.sha256)) {
      const packed = await store.read(`${name}.gz`);
      const bytes = gunzipSync(packed ?? new Uint8Array());
      expect(createHash("sha256").update(bytes).digest("hex"), name).toBe(expected);
    }
  });
});
