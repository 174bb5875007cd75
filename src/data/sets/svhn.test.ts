import fc from "fast-check";
import { expect, test } from "vitest";
import { parseMat } from "../files/mat.ts";
import golden from "../files.golden.json" with { type: "json" };
import type { FileStore } from "../store.ts";
import { svhn } from "./svhn.ts";

const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"));
const { mat } = golden;
const train = bytesOf(mat.svhn.file);
const held = bytesOf(mat.svhnTest.file);

function memoryStore(files: Record<string, Uint8Array>): FileStore {
  return { describe: "memory", read: async (name) => files[name] };
}

test("reads what SciPy wrote: channels first, rows before columns, label 10 as 0", async () => {
  const dataset = await svhn(memoryStore({ "train_32x32.mat": train, "test_32x32.mat": held }));
  expect(dataset.train).toEqual({
    count: 2,
    shape: [3, 32, 32],
    inputs: bytesOf(mat.svhn.inputs),
    labels: Int32Array.from(mat.svhn.labels),
  });
  expect(dataset.test.inputs).toEqual(bytesOf(mat.svhnTest.inputs));
  expect(dataset.test.labels).toEqual(Int32Array.of(1));
  expect(dataset.classes).toBe(10);
});

test("reads every numeric class, small elements and long names, compressed or not", async () => {
  for (const file of [mat.numbers.plain, mat.numbers.compressed]) {
    const arrays = await parseMat(bytesOf(file), "numbers.mat");
    expect([...arrays.keys()].sort()).toEqual(Object.keys(mat.numbers.arrays).sort());
    for (const [name, { shape, data }] of Object.entries(mat.numbers.arrays)) {
      expect(arrays.get(name)?.shape, name).toEqual(shape);
      expect(Array.from(arrays.get(name)?.data ?? []), name).toEqual(data);
    }
  }
});

test("what is no real numeric array is refused by name", async () => {
  const refused = (file: string) => expect(parseMat(bytesOf(file), "odd.mat")).rejects;
  await refused(mat.refused.complex).toThrow("odd.mat: 'z' is of MATLAB class 6");
  await refused(mat.refused.text).toThrow("odd.mat: 't' is of MATLAB class 4");
  await refused(mat.refused.cell).toThrow("odd.mat: ");
  const newer = train.slice();
  newer[125] = 2;
  await expect(parseMat(newer, "new.mat")).rejects.toThrow("new.mat: MAT-file version 2.0, expected 1.0");
  const swapped = train.slice();
  [swapped[126], swapped[127]] = [0x4d, 0x49];
  await expect(parseMat(swapped, "big.mat")).rejects.toThrow("big.mat: a big-endian MAT-file");
  await expect(parseMat(new TextEncoder().encode("<html>"), "page.mat")).rejects.toThrow(
    'page.mat: 6 bytes that begin with "<html>", expected "MATLAB 5.0 MAT-file"',
  );
});

test("any truncation is a named error", async () => {
  for (const file of [mat.numbers.plain, mat.numbers.compressed]) {
    const bytes = bytesOf(file);
    const whole = await parseMat(bytes, "numbers.mat");
    for (let length = 0; length < bytes.length; length++) {
      const read = parseMat(bytes.subarray(0, length), "numbers.mat");
      // A cut between two arrays leaves a valid file with fewer of them; a missing array is the caller's error.
      const outcome = await read.then(
        (arrays) => arrays.size < whole.size,
        (error: Error) => /^numbers.mat: /.test(error.message),
      );
      expect(outcome, `${length} bytes`).toBe(true);
    }
  }
});

test("any flipped bit of a compressed file is a named error or changes nothing", async () => {
  const expected = await parseMat(train, "train");
  await fc.assert(
    fc.asyncProperty(fc.nat(8 * train.length - 1), async (bit) => {
      const bytes = train.slice();
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      await parseMat(bytes, "train").then(
        (arrays) => expect(arrays).toEqual(expected),
        (error: Error) => expect(error.message).toMatch(/^train: /),
      );
    }),
    { numRuns: 1000 },
  );
});

test("files that are no SVHN are refused by name", async () => {
  const numbers = bytesOf(mat.numbers.plain);
  await expect(svhn(memoryStore({ "train_32x32.mat": numbers }))).rejects.toThrow(
    "train_32x32.mat (memory): holds the arrays bytes, doubles, singles, short, long_name_of_an_array, expected X and y",
  );
  await expect(svhn(memoryStore({ "train_32x32.mat": train }))).rejects.toThrow(
    "svhn: no file test_32x32.mat in memory",
  );
  // The last two bytes of the uncompressed file's data are the label in a small element.
  const mislabelled = held.slice();
  const at = mislabelled.lastIndexOf(1);
  mislabelled[at] = 11;
  await expect(
    svhn(memoryStore({ "train_32x32.mat": train, "test_32x32.mat": mislabelled })),
  ).rejects.toThrow("test_32x32.mat (memory): example 0 has label 11, expected 1 to 10");
});
