import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { folderStore } from "../node-store.ts";
import type { FileStore } from "../store.ts";
import { cifar10, parseCifar10 } from "./cifar10.ts";

const sample = resolve("../shared/data/cifar-10-sample");
const folder = mkdtempSync(join(tmpdir(), "forwardgrad-cifar10-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Records whose pixels count up, with these labels. */
function records(...labels: number[]): Uint8Array {
  return Uint8Array.from({ length: 3073 * labels.length }, (_, at) =>
    at % 3073 === 0 ? (labels[at / 3073] as number) : at % 251,
  );
}

function memoryStore(files: Record<string, Uint8Array>): FileStore {
  return { describe: "memory", read: async (name) => files[name] };
}

const batches = {
  "data_batch_1.bin": records(0, 9),
  "data_batch_2.bin": records(4),
  "test_batch.bin": records(7, 7, 1),
};

test("a record is a label and its planes", () => {
  const { count, shape, inputs, labels } = parseCifar10(records(3, 8), "batch");
  expect({ count, shape, labels }).toEqual({ count: 2, shape: [3, 32, 32], labels: Int32Array.of(3, 8) });
  expect(inputs.length).toBe(2 * 3072);
  expect(Array.from(inputs.subarray(0, 3))).toEqual([1, 2, 3]);
  expect(inputs[3072]).toBe(3074 % 251);
});

test("plain files, gzipped files, files in their folder and the archive hold the same", async () => {
  const plain = await cifar10(memoryStore(batches));
  expect(plain.train).toMatchObject({ count: 3, labels: Int32Array.of(0, 9, 4) });
  expect(plain.test.count).toBe(3);
  const entries = Object.entries(batches);
  const gzipped = Object.fromEntries(entries.map(([name, bytes]) => [`${name}.gz`, gzipSync(bytes)]));
  expect(await cifar10(memoryStore(gzipped))).toEqual(plain);
  mkdirSync(join(folder, "cifar-10-batches-bin"));
  for (const [name, bytes] of entries) writeFileSync(join(folder, "cifar-10-batches-bin", name), bytes);
  expect(await cifar10(folderStore(folder))).toEqual(plain);
  execFileSync("tar", ["-czf", "cifar-10-binary.tar.gz", "cifar-10-batches-bin"], { cwd: folder });
  const archive = new Uint8Array(readFileSync(join(folder, "cifar-10-binary.tar.gz")));
  expect(await cifar10(memoryStore({ "cifar-10-binary.tar.gz": archive }))).toEqual(plain);
  const damaged = archive.slice();
  damaged[200] = (damaged[200] as number) ^ 1;
  await expect(cifar10(memoryStore({ "cifar-10-binary.tar.gz": damaged }))).rejects.toThrow(
    "cifar-10-binary.tar.gz (memory): truncated or damaged gzip",
  );
});

test("missing files are named", async () => {
  const without = (name: keyof typeof batches) => memoryStore({ ...batches, [name]: undefined as never });
  await expect(cifar10(without("data_batch_1.bin"))).rejects.toThrow("no file data_batch_1.bin in memory");
  await expect(cifar10(without("test_batch.bin"))).rejects.toThrow("no file test_batch.bin in memory");
  const gap = memoryStore({ ...batches, "data_batch_4.bin": records(1) });
  await expect(cifar10(gap)).rejects.toThrow("has data_batch_4.bin but no data_batch_3.bin");
});

test("a length that is no whole number of records and a label above 9 are refused by name", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 * 3073 }), (length) => {
      fc.pre(length % 3073 !== 0 || length === 0);
      expect(() => parseCifar10(records(1, 2).subarray(0, length), "batch")).toThrow(
        `batch: ${length} bytes, expected records of 3073 bytes`,
      );
    }),
  );
  expect(() => parseCifar10(records(1, 10), "batch")).toThrow(
    "batch: example 1 has label 10, expected 0 to 9",
  );
});

describe.skipIf(!existsSync(sample))(`the sample of real images (skipped when ${sample} is absent)`, () => {
  test("has every class as often, and colors as published", async () => {
    const { train, test: held, normalization } = await cifar10(folderStore(sample));
    expect([train.count, held.count]).toEqual([10_000, 2_000]);
    for (const [examples, each] of [
      [train, 1000],
      [held, 200],
    ] as const)
      for (let label = 0; label < 10; label++)
        expect(examples.labels.filter((value) => value === label).length).toBe(each);
    // The statistics of all 50,000 training images; the sample's differ by its choice of images.
    const published = { mean: [0.4914, 0.4822, 0.4465], deviation: [0.247, 0.2435, 0.2616] };
    published.mean.forEach((mean, channel) => {
      expect(Math.abs(((normalization.mean as number[])[channel] as number) - mean)).toBeLessThan(0.01);
    });
    published.deviation.forEach((deviation, channel) => {
      const measured = (normalization.standardDeviation as number[])[channel] as number;
      expect(Math.abs(measured - deviation)).toBeLessThan(0.01);
    });
  });
});
