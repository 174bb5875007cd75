import { expect, test } from "vitest";
import { checkExamples, type Examples, exampleSize } from "./dataset.ts";

const good: Examples = {
  count: 3,
  shape: [2, 2],
  inputs: new Float32Array(12),
  labels: Int32Array.of(0, 1, -100),
};

test("accepts class labels, ignored labels, targets and byte pixels", () => {
  expect(exampleSize(good)).toBe(4);
  expect(() => checkExamples(good, "train", 2)).not.toThrow();
  expect(() => checkExamples({ ...good, inputs: new Uint8Array(12) }, "train", 2)).not.toThrow();
  expect(() => checkExamples({ ...good, labels: new Float32Array(6) }, "train", 2)).not.toThrow();
});

test("lengths that disagree name what was received and expected", () => {
  expect(() => checkExamples({ ...good, inputs: new Float32Array(11) }, "train", 2)).toThrow(
    "train: inputs hold 11 numbers, expected 12 (3 examples of shape [2,2])",
  );
  expect(() => checkExamples({ ...good, labels: new Int32Array(2) }, "train", 2)).toThrow(
    "train: 2 labels for 3 examples",
  );
  expect(() => checkExamples({ ...good, labels: new Float32Array(4) }, "train", 2)).toThrow(
    "train: targets hold 4 numbers, expected a multiple of the 3 examples",
  );
  expect(() => checkExamples({ ...good, count: 0 }, "train", 2)).toThrow("train: count is 0");
  expect(() => checkExamples({ ...good, shape: [2, -2] }, "train", 2)).toThrow(
    "train: shape [2,-2] holds -2",
  );
});

test("a number that is not finite names its example", () => {
  const inputs = new Float32Array(12);
  inputs[9] = Number.NaN;
  expect(() => checkExamples({ ...good, inputs }, "train", 2)).toThrow(
    "train: example 2 has NaN among its inputs",
  );
  const labels = Float32Array.of(0, 0, 0, Number.POSITIVE_INFINITY, 0, 0);
  expect(() => checkExamples({ ...good, labels }, "train", 2)).toThrow(
    "train: example 1 has Infinity among its targets",
  );
});

test("a label outside the classes names its example, the label and the range", () => {
  expect(() => checkExamples({ ...good, labels: Int32Array.of(0, 7, 1) }, "test", 2)).toThrow(
    "test: example 1 has label 7, expected 0 to 1 (or -100 to ignore it)",
  );
  expect(() => checkExamples({ ...good, labels: Int32Array.of(0, 1, -1) }, "test", 2)).toThrow(
    "example 2 has label -1",
  );
});
