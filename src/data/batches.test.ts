import fc from "fast-check";
import { expect, test } from "vitest";
import { keyFromSeed } from "../random/threefry.ts";
import { epochOrder, splitValidation } from "./batches.ts";
import type { Examples } from "./dataset.ts";
import { readBatch } from "./read-batch.ts";

const key = keyFromSeed(1);
const sorted = (indices: Uint32Array) => Array.from(indices).sort((a, b) => a - b);

test("a split holds every index once, and the same ones for the same key", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 300 }),
      fc.nat(),
      fc.integer({ min: 0, max: 2 ** 31 }),
      (count, pick, seed) => {
        const validationCount = pick % count;
        const { train, validation } = splitValidation(count, validationCount, keyFromSeed(seed));
        expect(validation.length).toBe(validationCount);
        expect(sorted(Uint32Array.of(...train, ...validation))).toEqual(
          Array.from({ length: count }, (_, i) => i),
        );
        expect(splitValidation(count, validationCount, keyFromSeed(seed))).toEqual({ train, validation });
      },
    ),
  );
});

test("a split that leaves nothing to train on is refused", () => {
  expect(() => splitValidation(10, 10, key)).toThrow(
    "10 validation examples asked of 10, expected a whole number from 0 to 9",
  );
  expect(() => splitValidation(10, -1, key)).toThrow("-1 validation examples");
  expect(() => splitValidation(10, 1.5, key)).toThrow("1.5 validation examples");
});

test("each epoch visits the same indices in its own order", () => {
  const indices = Uint32Array.from({ length: 100 }, (_, i) => 3 * i);
  const first = epochOrder(indices, key, 0);
  expect(sorted(first)).toEqual(Array.from(indices));
  expect(epochOrder(indices, key, 0)).toEqual(first);
  expect(epochOrder(indices, key, 1)).not.toEqual(first);
  expect(epochOrder(indices, keyFromSeed(2), 0)).not.toEqual(first);
});

const pixels: Examples = {
  count: 3,
  shape: [2],
  inputs: Uint8Array.of(0, 255, 1, 2, 51, 102),
  labels: Int32Array.of(4, 5, 6),
};

test("a batch holds pixels over 255 and labels, in the order of the indices", () => {
  const inputs = new Float32Array(4);
  const labels = new BigInt64Array(2);
  readBatch(pixels, Uint32Array.of(1, 2, 0), 1, 2, inputs, labels);
  expect(inputs).toEqual(Float32Array.of(51 / 255, 102 / 255, 0, 1));
  expect(labels).toEqual(BigInt64Array.of(6n, 4n));
});

test("float inputs and targets are copied as they are", () => {
  const examples: Examples = {
    count: 2,
    shape: [1],
    inputs: Float32Array.of(-3, 7.5),
    labels: Float32Array.of(1, 2, 3, 4),
  };
  const inputs = new Float32Array(2);
  const labels = new Float32Array(4);
  readBatch(examples, Uint32Array.of(1, 0), 0, 2, inputs, labels);
  expect(inputs).toEqual(Float32Array.of(7.5, -3));
  expect(labels).toEqual(Float32Array.of(3, 4, 1, 2));
});

test("arrays and ranges that do not fit are refused", () => {
  const indices = Uint32Array.of(0, 1, 3);
  const labels = new BigInt64Array(2);
  const read = (start: number, size: number, length: number) =>
    readBatch(pixels, indices, start, size, new Float32Array(length), labels);
  expect(() => read(2, 2, 4)).toThrow("examples 2 to 3 asked of 3 indices");
  expect(() => read(0, 2, 5)).toThrow("inputs array has 5 numbers, expected 4 (2 examples of 2)");
  expect(() => read(1, 2, 4)).toThrow("index 3 at position 2, expected 0 to 2");
  expect(() => read(0, 1, 2)).toThrow("labels array has 2 numbers, expected 1");
  expect(() => readBatch(pixels, indices, 0, 2, new Float32Array(4), new Float32Array(2))).toThrow(
    "the examples have class labels, received a Float32Array for them; pass a BigInt64Array",
  );
});
