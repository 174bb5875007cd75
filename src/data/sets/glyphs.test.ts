import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { checkExamples, type Examples } from "../dataset.ts";
import { glyphStrokes } from "./glyph-strokes.ts";
import { glyphs } from "./glyphs.ts";

const small = glyphs({ seed: 0, train: 100, test: 50 });

/** SHA-256 of the inputs and labels of both splits. */
function hash({ train, test }: { train: Examples; test: Examples }): string {
  const digest = createHash("sha256");
  for (const { inputs, labels } of [train, test])
    digest.update(Uint8Array.from(inputs)).update(Uint8Array.from(labels));
  return digest.digest("hex");
}

test("the same bytes on every platform, now and later", () => {
  expect(hash(small)).toBe("1ab9048a7508819569f7cb95d73898721a3b1c777c2e99b7e0b79bd8c91c65f0");
  expect(hash(glyphs({ seed: 7, train: 100, test: 50 }))).toBe(
    "5bf9a56503df44c05167cfa392914419d119a68c5e0a39afe2f35831c7ebb2eb",
  );
});

test("drawing uses exactly rounded arithmetic only", () => {
  for (const file of ["glyphs.ts", "glyph-pen.ts", "glyph-strokes.ts"]) {
    const source = readFileSync(new URL(file, import.meta.url), "utf8");
    const functions = Array.from(source.matchAll(/Math\.(\w+)/g), ([, name]) => name);
    for (const name of functions) expect(["min", "max", "floor", "ceil", "sqrt"], file).toContain(name);
    expect(source.replaceAll(/\/\*\*[\s\S]*?\*\//g, ""), file).not.toContain("**");
  }
});

test("a smaller set is the beginning of a larger one, and each seed and split has its own digits", () => {
  const fewer = glyphs({ seed: 0, train: 13, test: 1 });
  expect(fewer.train.inputs).toEqual(small.train.inputs.subarray(0, 13 * 784));
  expect(fewer.train.labels).toEqual(small.train.labels.subarray(0, 13));
  expect(fewer.test.inputs).toEqual(small.test.inputs.subarray(0, 784));
  expect(glyphs({ seed: 1, train: 100, test: 50 }).train.inputs).not.toEqual(small.train.inputs);
  expect(small.train.inputs.subarray(0, 50 * 784)).not.toEqual(small.test.inputs);
});

test("every ten examples hold every digit once", () => {
  for (let start = 0; start < 100; start += 10) {
    const block = Array.from(small.train.labels.subarray(start, start + 10));
    expect(block.sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  }
});

test("examples are sound, and the stated normalization is that of the pixels", () => {
  const { train, test, classes, normalization } = glyphs({ train: 5000, test: 10 });
  checkExamples(train, "train", classes);
  checkExamples(test, "test", classes);
  const pixels = Float64Array.from(train.inputs, (byte) => byte / 255);
  const mean = pixels.reduce((sum, value) => sum + value) / pixels.length;
  const variance = pixels.reduce((sum, value) => sum + (value - mean) ** 2, 0) / pixels.length;
  expect(Math.abs(mean - Number(normalization.mean))).toBeLessThan(0.003);
  expect(Math.abs(Math.sqrt(variance) - Number(normalization.standardDeviation))).toBeLessThan(0.003);
});

test("every example has a digit on it, inside the canvas", () => {
  for (let index = 0; index < small.train.count; index++) {
    const image = small.train.inputs.subarray(index * 784, (index + 1) * 784);
    expect(image.filter((byte) => byte > 128).length, `example ${index}`).toBeGreaterThan(10);
  }
});

test("strokes are whole numbers of points, at least two, with every digit written in several ways", () => {
  expect(glyphStrokes.length).toBe(10);
  for (const variants of glyphStrokes) {
    expect(variants.length).toBeGreaterThanOrEqual(3);
    for (const stroke of variants.flat()) {
      expect(stroke.length % 2).toBe(0);
      expect(stroke.length).toBeGreaterThanOrEqual(4);
      expect(stroke.every(Number.isFinite)).toBe(true);
    }
  }
});

test("a size that is not a whole number of at least 1 is refused", () => {
  expect(() => glyphs({ train: 0 })).toThrow("train must be a whole number from 1, received 0");
  expect(() => glyphs({ test: 2.5 })).toThrow("test must be a whole number from 1, received 2.5");
});
