import { describe, expect, it } from "vitest";
import { fillNormal } from "../random/normal.ts";
import { keyFromSeed } from "../random/threefry.ts";
import { binomialTail, chanceText, freedomOf, jointTail, studentTail } from "./significance.ts";
import { halfWidth95, moments } from "./statistics.ts";

describe("studentTail", () => {
  it("is 5 % where the 95 % interval ends", () => {
    for (const count of [2, 3, 7, 12, 400]) {
      const width = halfWidth95({ count, mean: 0, deviation: Math.sqrt(count) });
      expect(studentTail(width, count - 1)).toBeCloseTo(0.05, 4);
    }
    expect([studentTail(0, 3), studentTail(Number.POSITIVE_INFINITY, 3)]).toEqual([1, 0]);
  });
});

describe("freedomOf", () => {
  it("is that of the mean next to a known value, and twice it for two equal samples", () => {
    const sample = { count: 8, mean: 1, deviation: 2 };
    expect(freedomOf(sample, { count: 1, mean: 3, deviation: 0 })).toBeCloseTo(7, 12);
    expect(freedomOf(sample, { ...sample, mean: 5 })).toBeCloseTo(14, 12);
  });
});

it("binomialTail counts the throws of coins, fair or not", () => {
  expect(binomialTail(0, 4, 0.5)).toBe(1);
  expect(binomialTail(4, 4, 0.5)).toBeCloseTo(1 / 16, 14);
  expect(binomialTail(2, 4, 0.5)).toBeCloseTo(11 / 16, 14);
  expect(binomialTail(1, 3, 0.1)).toBeCloseTo(1 - 0.9 ** 3, 14);
});

describe("jointTail", () => {
  it("of one test is its tail, and of many counts how many there are", () => {
    expect(jointTail([0.03], "any")).toBeCloseTo(0.03, 14);
    expect(jointTail([0.03, 0.5, 0.9], "positive")).toBeCloseTo(0.09, 14);
    expect(jointTail([0.5, 0.03, 0.02, 0.9], "positive")).toBeCloseTo(0.06, 14);
    expect(jointTail([0.03, 0.5], "any")).toBeCloseTo(0.09, 14);
    expect(jointTail([], "any")).toBe(1);
  });

  // What verdicts promise: no more false alarms than stated, however the tests hang together.
  it.each([
    ["independent", "positive", 1],
    ["in groups of ten that share their draws", "any", 10],
    ["all of one draw", "any", 40],
  ] as const)("is rarely small by chance for tests that are %s", (_, dependence, group) => {
    const [runs, tests, draws] = [2000, 40, 12];
    const numbers = new Float32Array(runs * tests * draws);
    fillNormal(keyFromSeed(3), 0, numbers);
    let alarms = 0;
    for (let run = 0; run < runs; run++) {
      const tails = Array.from({ length: tests }, (_, test) => {
        const first = (run * tests + Math.floor(test / group)) * draws;
        const own = moments([...numbers.subarray(first, first + draws)]);
        return studentTail((Math.abs(own.mean) / own.deviation) * Math.sqrt(draws), draws - 1);
      });
      if (jointTail(tails, dependence) < 0.05) alarms += 1;
    }
    expect(alarms / runs).toBeLessThan(0.06);
    if (group === 1) expect(alarms / runs).toBeGreaterThan(0.03);
  });
});

it("chanceText has digits enough", () => {
  expect([0.34, 0.0423, 0.0002, 1e-9, 1].map(chanceText)).toEqual([
    "34 %",
    "4 %",
    "0.02 %",
    "less than 0.001 %",
    "100 %",
  ]);
});
