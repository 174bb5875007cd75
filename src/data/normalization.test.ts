import { expect, test } from "vitest";
import { measureNormalization } from "./normalization.ts";

const labels = Int32Array.of(0, 0);

test("images are measured by channel, over 255", () => {
  const inputs = Uint8Array.of(0, 255, 10, 10, 51, 51, 204, 204, 255, 0, 10, 10, 51, 51, 204, 204);
  const { mean, standardDeviation } = measureNormalization({ count: 2, shape: [2, 2, 2], inputs, labels });
  const first = [0, 255, 10, 10, 255, 0, 10, 10].map((byte) => byte / 255);
  const center = first.reduce((sum, value) => sum + value) / 8;
  const spread = Math.sqrt(first.reduce((sum, value) => sum + (value - center) ** 2, 0) / 8);
  expect((mean as number[])[0]).toBeCloseTo(center, 12);
  expect((mean as number[])[1]).toBeCloseTo(0.5, 12);
  expect((standardDeviation as number[])[0]).toBeCloseTo(spread, 12);
  expect((standardDeviation as number[])[1]).toBeCloseTo(0.3, 12);
});

test("float vectors are measured by number; a constant one keeps its scale", () => {
  const inputs = Float32Array.of(1e6, 5, 1e6 + 2, 5);
  expect(measureNormalization({ count: 2, shape: [2], inputs, labels })).toEqual({
    mean: [1e6 + 1, 5],
    standardDeviation: [1, 1],
  });
});

test("byte vectors and images without a channel axis are measured as a whole", () => {
  const inputs = Uint8Array.of(0, 255, 0, 255, 0, 255, 0, 255);
  for (const shape of [[4], [2, 2], [4, 1, 1]])
    expect(measureNormalization({ count: 2, shape, inputs, labels })).toEqual({
      mean: [0.5],
      standardDeviation: [0.5],
    });
});

test("no examples leave inputs as they are", () => {
  expect(
    measureNormalization({ count: 0, shape: [2], inputs: new Float32Array(), labels: new Int32Array() }),
  ).toEqual({ mean: 0, standardDeviation: 1 });
});
