import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { encode } from "fast-png";
import { describe, expect, it } from "vitest";
import { checkExamples, type Dataset, type Examples, exampleSize } from "../src/data/dataset.ts";
import { npzDataset } from "../src/data/files/npz.ts";
import { tableDataset } from "../src/data/files/table.ts";
import golden from "../src/data/files.golden.json" with { type: "json" };
import { folderStore } from "../src/data/node-store.ts";
import { imageFolder } from "../src/data/pictures/image-folder.ts";
import { decodePicture } from "../src/data/pictures/node-picture.ts";
import { datasetNamed, datasets } from "../src/data/sets/list.ts";
import type { FileStore } from "../src/data/store.ts";

/** Bytes that look random and are always the same. */
function noise(count: number): Uint8Array {
  let state = 12345;
  return Uint8Array.from({ length: count }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state >>> 24;
  });
}

function memoryStore(files: Record<string, Uint8Array>): FileStore {
  return { describe: "memory", read: async (name) => files[name] };
}

const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"));

/** MNIST's four files with `count` examples each. */
function idxFiles(count: number): Record<string, Uint8Array> {
  const header = (...numbers: number[]) =>
    numbers.flatMap((number) => [number >>> 24, (number >> 16) & 255, (number >> 8) & 255, number & 255]);
  const images = Uint8Array.of(...header(0x803, count, 28, 28), ...noise(784 * count));
  const labels = Uint8Array.of(...header(0x801, count), ...noise(count).map((byte) => byte % 10));
  return {
    "train-images-idx3-ubyte": images,
    "train-labels-idx1-ubyte": labels,
    "t10k-images-idx3-ubyte": images,
    "t10k-labels-idx1-ubyte": labels,
  };
}

const record = (count: number) => noise(3073 * count).map((byte, at) => (at % 3073 === 0 ? byte % 10 : byte));
const mnistFolder = resolve("../shared/data/mnist");
const cifarFolder = resolve("../shared/data/cifar-10-sample");

/** Small files for each dataset that reads any; a dataset without fails below. */
const stores: Readonly<Record<string, FileStore>> = {
  mnist: memoryStore(idxFiles(30)),
  "fashion-mnist": memoryStore(idxFiles(30)),
  cifar10: memoryStore({ "data_batch_1.bin": record(20), "test_batch.bin": record(7) }),
  svhn: memoryStore({
    "train_32x32.mat": bytesOf(golden.mat.svhn.file),
    "test_32x32.mat": bytesOf(golden.mat.svhnTest.file),
  }),
};

const picture = (seed: number) =>
  encode({ width: 5, height: 4, channels: 3, depth: 8, data: noise(60 * (seed + 1)).subarray(60 * seed) });
const pictures = Object.fromEntries(
  Array.from({ length: 12 }, (_, at) => [`${at % 2 === 0 ? "cats" : "dogs"}/${at}.png`, picture(at)]),
);
const table = `size,color,price\n${Array.from({ length: 40 }, (_, at) => `${(at * 37) % 17},${["red", "blue"][at % 2]},${at % 3}`).join("\n")}\n`;
const tableFile = { name: "own.csv", bytes: new TextEncoder().encode(table) };
const npzFile = { name: "own.npz", bytes: bytesOf(golden.numpy.npz.compressed) };

interface Case {
  readonly load: () => Promise<Dataset>;
  /** Constants of the whole dataset say nothing about a few made-up images. */
  readonly hasForeignNormalization?: boolean;
}

const cases: Record<string, Case> = {
  ...Object.fromEntries(
    datasets.map(({ name, load }) => [
      name,
      {
        load: () => load({ store: stores[name], seed: 0 }),
        hasForeignNormalization: name === "mnist" || name === "fashion-mnist",
      },
    ]),
  ),
  images: {
    load: () =>
      imageFolder(
        { ...memoryStore(pictures), list: async () => Object.keys(pictures).sort() },
        { decode: decodePicture },
      ),
  },
  "csv classes": { load: async () => tableDataset(tableFile, { target: "color", targets: "classes" }) },
  "csv values": { load: async () => tableDataset(tableFile, { target: "price", targets: "values" }) },
  npz: { load: () => npzDataset(npzFile, { targets: "classes" }) },
};
if (existsSync(mnistFolder))
  cases["mnist, all of it"] = {
    load: () => datasetNamed("mnist").load({ store: folderStore(mnistFolder), seed: 0 }),
  };
else console.warn(`skipped: ${mnistFolder} is absent`);
if (existsSync(cifarFolder))
  cases["cifar10, real images"] = {
    load: () => datasetNamed("cifar10").load({ store: folderStore(cifarFolder), seed: 0 }),
  };
else console.warn(`skipped: ${cifarFolder} is absent`);

/** Means and variances of the normalized training inputs, one for each number that the normalization has. */
function normalizedMoments({ train, normalization }: Dataset) {
  const means = [normalization.mean].flat();
  const deviations = [normalization.standardDeviation].flat();
  const size = exampleSize(train) / means.length;
  const scale = train.inputs instanceof Uint8Array ? 255 : 1;
  return means.map((mean, place) => {
    const deviation = (deviations[place] ?? deviations[0]) as number;
    let [sum, squares] = [0, 0];
    for (let example = 0; example < train.count; example++)
      for (let at = 0; at < size; at++) {
        const raw = train.inputs[(example * means.length + place) * size + at] as number;
        const value = (raw / scale - mean) / deviation;
        sum += value;
        squares += value ** 2;
      }
    const count = train.count * size;
    return { mean: sum / count, variance: squares / count - (sum / count) ** 2 };
  });
}

for (const [name, { load, hasForeignNormalization }] of Object.entries(cases)) {
  describe(name, () => {
    it("holds sound examples of one shape, with labels in range", async () => {
      const { train, test, classes, classNames } = await load();
      for (const [examples, split] of [
        [train, "train"],
        [test, "test"],
      ] as const satisfies readonly (readonly [Examples, string])[]) {
        expect(() => checkExamples(examples, `${name} ${split}`, classes)).not.toThrow();
        expect(examples.shape).toEqual(train.shape);
        expect(examples.labels instanceof Int32Array).toBe(classes > 0);
      }
      if (classes > 0) expect(classes).toBeGreaterThan(1);
      if (classNames) {
        expect(classNames.length).toBe(classes);
        expect(new Set(classNames).size).toBe(classes);
      }
    });

    it("is the same each time", async () => {
      const [first, second] = [await load(), await load()];
      expect(second.train.labels).toEqual(first.train.labels);
      for (const split of ["train", "test"] as const)
        expect(Buffer.compare(bytesIn(first[split].inputs), bytesIn(second[split].inputs))).toBe(0);
      expect(second.normalization).toEqual(first.normalization);
    });

    it.skipIf(hasForeignNormalization)("is normalized by what its training inputs are", async () => {
      const dataset = await load();
      const { columns = [] } = dataset;
      const isCategory = columns.flatMap((column) =>
        column.kind === "category" ? column.categories.map(() => true) : [false],
      );
      normalizedMoments(dataset).forEach(({ mean, variance }, place) => {
        if (isCategory[place]) return;
        // Stated constants are rounded, and those of glyphs hold for any seed.
        expect(Math.abs(mean), `mean ${place}`).toBeLessThan(0.01);
        expect(Math.abs(variance - 1), `variance ${place}`).toBeLessThan(0.02);
      });
    });
  });
}

const bytesIn = (values: Uint8Array | Float32Array) =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

for (const { name, files, load } of datasets) {
  if (files === undefined) continue;
  describe(`${name}'s files`, () => {
    it("have mirrors and checksums", () => {
      expect(files.mirrors.length).toBeGreaterThan(0);
      for (const mirror of files.mirrors) expect(mirror).toMatch(/^https?:\/\/[\w.~/-]+\/$/);
      for (const sum of Object.values(files.sha256)) expect(sum).toMatch(/^[0-9a-f]{64}$/);
    });

    it("are those that the reader asks for, and nothing else is needed", async () => {
      const asked = new Set<string>();
      const nothing: FileStore = {
        describe: "nothing",
        read: async (file) => {
          asked.add(file);
          return undefined;
        },
      };
      await expect(load({ store: nothing, seed: 0 })).rejects.toThrow(
        new RegExp(`^${name}: no file .* in nothing`),
      );
      expect(Object.keys(files.sha256)).toEqual(
        expect.arrayContaining([[...asked].find((file) => file in files.sha256)]),
      );
    });

    it("are asked for by name where there is no store", async () => {
      await expect((async () => load({ seed: 0 }))()).rejects.toThrow(`${name}: needs its`);
    });
  });
}
