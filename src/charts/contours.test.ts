import { describe, expect, it } from "vitest";
import { contourLines, levelsOf, sampleField } from "./contours.ts";

describe("contourLines", () => {
  it("of a bowl are circles, each one closed line", () => {
    const field = sampleField([-2, 2], [-2, 2], 81, (x, y) => x * x + y * y);
    for (const radius of [0.5, 1, 1.5]) {
      const lines = contourLines(field, radius ** 2);
      expect(lines).toHaveLength(1);
      const [line = []] = lines;
      expect(line[0]).toEqual(line.at(-1));
      for (const [x, y] of line) expect(Math.hypot(x, y)).toBeCloseTo(radius, 2);
      const length = line.slice(1).reduce((sum, [x, y], i) => {
        const [px, py] = line[i] as readonly [number, number];
        return sum + Math.hypot(x - px, y - py);
      }, 0);
      expect(length).toBeCloseTo(2 * Math.PI * radius, 1);
    }
  });

  it("of a plane are straight lines from frame to frame", () => {
    const field = sampleField([0, 4], [10, 12], 9, (x) => x);
    const [line = [], ...others] = contourLines(field, 1.3);
    expect(others).toEqual([]);
    expect(line.map(([, y]) => y).sort((a, b) => a - b)).toEqual([
      10, 10.25, 10.5, 10.75, 11, 11.25, 11.5, 11.75, 12,
    ]);
    for (const [x] of line) expect(x).toBeCloseTo(1.3, 12);
  });

  it("of a saddle are two branches that do not meet", () => {
    const field = sampleField([-1, 1], [-1, 1], 40, (x, y) => x * y);
    for (const level of [-0.1, 0.1]) {
      const lines = contourLines(field, level);
      expect(lines).toHaveLength(2);
      for (const line of lines) for (const [x, y] of line) expect(x * y).toBeCloseTo(level, 2);
    }
  });

  it("are none outside the values, and pass by places without one", () => {
    expect(
      contourLines(
        sampleField([0, 1], [0, 1], 5, () => 3),
        3,
      ),
    ).toEqual([]);
    expect(
      contourLines(
        sampleField([0, 1], [0, 1], 5, (x) => x),
        7,
      ),
    ).toEqual([]);
  });
});

it("levelsOf cuts the area into equal parts", () => {
  const field = sampleField([0, 1], [0, 1], 101, (x) => Math.exp(10 * x));
  const levels = levelsOf(field, 4);
  const parts = levels.map(
    (level) => field.values.filter((value) => value < level).length / field.values.length,
  );
  for (const [i, part] of parts.entries()) expect(part).toBeCloseTo((i + 0.5) / 4, 1.7);
});
