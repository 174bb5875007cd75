import { describe, expect, it } from "vitest";
import { chiSquares } from "./chi-square.ts";
import { fillNormal } from "./normal.ts";
import { fold, keyFromSeed } from "./threefry.ts";

const key = keyFromSeed(11);

describe("numbers of χ²", () => {
  it.each([1, 2, 3, 7, 40])("are distributed as the sum of %i squares", (degrees) => {
    const draws = 4000;
    const drawn = [...chiSquares(fold(key, degrees), new Array<number>(draws).fill(degrees))].sort(
      (a, b) => a - b,
    );
    const normals = new Float32Array(draws * degrees);
    fillNormal(fold(key, 1000 + degrees), 0, normals);
    const sums = Array.from({ length: draws }, (_, index) =>
      normals.subarray(index * degrees, (index + 1) * degrees).reduce((sum, value) => sum + value ** 2, 0),
    ).sort((a, b) => a - b);
    // Kolmogorov-Smirnov: two samples of one distribution differ by more with probability 1e-4.
    let [position, distance] = [0, 0];
    for (const [index, value] of drawn.entries()) {
      while (position < draws && (sums[position] as number) <= value) position++;
      distance = Math.max(distance, Math.abs((index + 1 - position) / draws));
    }
    expect(distance).toBeLessThan(2.226 * Math.sqrt(2 / draws));
  });

  it("have mean ν and variance 2ν for hundreds of thousands of degrees, and are 0 for none", () => {
    const [draws, degrees] = [4000, 269_321];
    const drawn = chiSquares(key, new Array<number>(draws).fill(degrees));
    const mean = drawn.reduce((sum, value) => sum + value, 0) / draws;
    const variance = drawn.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (draws - 1);
    // Four standard errors.
    expect(Math.abs(mean - degrees)).toBeLessThan(4 * Math.sqrt((2 * degrees) / draws));
    expect(Math.abs(variance / (2 * degrees) - 1)).toBeLessThan(4 * Math.sqrt(2 / draws));
    expect([...chiSquares(key, [0, 0])]).toEqual([0, 0]);
  });

  it("are a function of the key", () => {
    const degrees = [5, 1, 900, 3];
    expect(chiSquares(key, degrees)).toEqual(chiSquares(key, degrees));
    expect(chiSquares(fold(key, 1), degrees)).not.toEqual(chiSquares(key, degrees));
  });
});
