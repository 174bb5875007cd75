import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fold, keyFromSeed } from "../../random/threefry.ts";
import type { Examples } from "../dataset.ts";
import { readBatch } from "../read-batch.ts";
import { augment, checkAugmentation, formatAugmentation, parseAugmentation } from "./augment.ts";

const key = keyFromSeed(3);
const shape = [2, 5, 4];
const size = 40;
/** No two pixels are equal, and none is black. */
const original = Float32Array.from({ length: size }, (_, at) => at + 1);

function changed(steps: Parameters<typeof augment>[2], example: number, from = original): number[] {
  const pixels = from.slice();
  augment(pixels, shape, steps, key, example);
  return Array.from(pixels);
}

/** The image moved and mirrored, pixel by pixel from the definition. */
function expected(rows: number, columns: number, isMirrored: boolean): number[] {
  return Array.from({ length: size }, (_, at) => {
    const [channel, row, column] = [Math.floor(at / 20), Math.floor(at / 4) % 5, at % 4];
    const [y, x] = [row + rows, (isMirrored ? 3 - column : column) + columns];
    return y >= 0 && y < 5 && x >= 0 && x < 4 ? (original[channel * 20 + y * 4 + x] as number) : 0;
  });
}

describe("text", () => {
  test("is read and written back", () => {
    for (const text of ["crop:4", "flip", "crop:12,flip"])
      expect(formatAugmentation(parseAugmentation(text))).toBe(text);
    expect(formatAugmentation(parseAugmentation("flip, crop:1"))).toBe("crop:1,flip");
    expect(formatAugmentation({})).toBeUndefined();
  });

  test("that means nothing is refused", () => {
    for (const text of [
      "",
      "crop",
      "crop:0",
      "crop:-1",
      "crop:1.5",
      "crop:x",
      "flip:2",
      "rotate:3",
      "crop:4,",
    ])
      expect(() => parseAugmentation(text), text).toThrow(/^augmentation '.*', expected/);
    expect(() => parseAugmentation("flip,flip")).toThrow("augmentation 'flip' is given twice");
  });

  test("that does not fit the examples is refused", () => {
    expect(() => checkAugmentation({ flip: true }, [4])).toThrow(
      "The augmentation flip changes images, and the examples have the shape [4]; expected [channels, height, width]",
    );
    expect(() => checkAugmentation({ crop: 4 }, shape)).toThrow("crop:4 leaves nothing of images of 5×4");
    expect(() => checkAugmentation({ crop: 3, flip: true }, shape)).not.toThrow();
    expect(() => checkAugmentation({}, [4])).not.toThrow();
  });
});

describe("changes", () => {
  test("are moves and mirror images, each as often as the others", () => {
    const seen = new Map<string, number>();
    const all = [-1, 0, 1].flatMap((rows) =>
      [-1, 0, 1].flatMap((columns) =>
        [false, true].map((mirrored) => expected(rows, columns, mirrored).join()),
      ),
    );
    const draws = 18 * 200;
    for (let example = 0; example < draws; example++) {
      const text = changed({ crop: 1, flip: true }, example).join();
      expect(all).toContain(text);
      seen.set(text, (seen.get(text) ?? 0) + 1);
    }
    // Chi-squared with 17 degrees of freedom exceeds 46 with probability 1e-4.
    const statistic = all.reduce((sum, text) => sum + ((seen.get(text) ?? 0) - 200) ** 2 / 200, 0);
    expect(statistic).toBeLessThan(46);
  });

  test("are a function of key and example", () => {
    fc.assert(
      fc.property(fc.nat(1e6), (example) => {
        expect(changed({ crop: 2, flip: true }, example)).toEqual(changed({ crop: 2, flip: true }, example));
      }),
    );
    const other = original.slice();
    const differing = Array.from({ length: 50 }, (_, example) => {
      other.set(original);
      augment(other, shape, { crop: 2, flip: true }, fold(key, 1), example);
      return other.join() !== changed({ crop: 2, flip: true }, example).join();
    });
    expect(differing.filter(Boolean).length).toBeGreaterThan(30);
  });

  test("without a step are none", () => {
    expect(changed({}, 5)).toEqual(Array.from(original));
  });
});

test("a batch is changed example by example, wherever an example stands in it, and labels are not", () => {
  const examples: Examples = {
    count: 6,
    shape,
    inputs: Float32Array.from({ length: 6 * size }, (_, at) => at + 1),
    labels: Int32Array.of(0, 1, 2, 3, 4, 5),
  };
  const read = (indices: readonly number[], augmentation?: Parameters<typeof readBatch>[6]) => {
    const inputs = new Float32Array(indices.length * size);
    const labels = new BigInt64Array(indices.length);
    readBatch(examples, Uint32Array.from(indices), 0, indices.length, inputs, labels, augmentation);
    expect(Array.from(labels, Number)).toEqual(indices);
    return indices.map((_, row) => Array.from(inputs.subarray(row * size, (row + 1) * size)));
  };
  const steps = { crop: 1, flip: true };
  const [plain, mixed] = [read([0, 1, 2, 3, 4, 5]), read([5, 3, 1], { steps, key })];
  const again = read([1, 5, 3], { steps, key });
  expect([again[1], again[2], again[0]]).toEqual(mixed);
  [5, 3, 1].forEach((example, row) => {
    expect(mixed[row]).toEqual(changed(steps, example, Float32Array.from(plain[example] ?? [])));
  });
  expect(examples.inputs[0]).toBe(1);
});
