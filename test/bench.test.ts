import { spawnSync } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const folder = resolve(import.meta.dirname, "../bench");
const { fitLine, inTurns, medianInterval, medianRatio, quantile } = await import(join(folder, "measure.mjs"));
const { bestMultiple, curveOf, openRecords, secondsPerStep, stepsTo } = await import(
  join(folder, "time-to-accuracy-records.mjs")
);

describe("what the benches compute from times", () => {
  it("fits a line and its standard error", () => {
    // By hand: x̄ = 3, ȳ = 4, Σ(x − x̄)² = 10, Σ(x − x̄)(y − ȳ) = 6, Σ(y − ȳ)² = 6, residual 2.4 on 3 degrees of freedom.
    const line = fitLine([1, 2, 3, 4, 5], [2, 4, 5, 4, 5]);
    expect(line.slope).toBeCloseTo(0.6, 12);
    expect(line.intercept).toBeCloseTo(2.2, 12);
    expect(line.standardError).toBeCloseTo(Math.sqrt(0.08), 12);
    expect(line.explained).toBeCloseTo(0.6, 12);
  });

  it("takes the ratio within each round, so that a slow machine cancels", () => {
    expect(medianRatio([10, 200, 30], [5, 100, 10])).toBe(2);
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
  });

  it("bounds a median by ranks", () => {
    // 25 values: 12.5 − 4.9 leaves 7 on each side, P(at most 7 of 25 heads) = 0.022.
    const values = Array.from({ length: 25 }, (_, index) => 24 - index);
    expect(medianInterval(values)).toEqual([7, 17]);
    expect(medianInterval([3, 1, 2])).toEqual([1, 3]);
  });

  it("runs everyone once a round, another one first each time, and counts no warm-up", async () => {
    const order: string[] = [];
    const contestants = {
      a: () => order.push("a") && 1,
      b: () => order.push("b") && 2,
    };
    const times = await inTurns(contestants, { rounds: 2, warmUp: 1 });
    expect(order.join("")).toBe("abbaab");
    expect(times).toEqual({ a: [1, 1], b: [2, 2] });
  });

  it("stops between turns when it is told to", async () => {
    const stop = new AbortController();
    let runs = 0;
    const contestants = {
      a: () => {
        if (++runs === 3) stop.abort();
      },
    };
    await expect(inTurns(contestants, { rounds: 10, warmUp: 0, signal: stop.signal })).rejects.toThrow(
      /abort/,
    );
    expect(runs).toBe(3);
  });
});

describe("what time-to-accuracy computes", () => {
  const place = { kind: "run", model: "mlp", method: "exact", multiple: 1 };
  const point = (steps: number, accuracy: number) => ({ steps, accuracy });

  it("reaches a target between two budgets, on the logarithm of the steps", () => {
    const curve = [point(100, 0.9), point(400, 0.94), point(800, 0.97)];
    expect(stepsTo(curve, 0.92).steps).toBeCloseTo(200, 9);
    expect(stepsTo(curve, 0.92).isBound).toBe(false);
    expect(stepsTo(curve, 0.9)).toEqual({ steps: 100, isBound: true });
    expect(stepsTo(curve, 0.98)).toBeUndefined();
  });

  it("takes the seeds' mean, and the speed that was measured in turns last", () => {
    const run = (seed: number, testAccuracy: number) => ({
      ...place,
      ...{ seed, testAccuracy, steps: 100, secondsPerStep: 9 },
    });
    const speed = (session: string, seconds: number) => ({
      ...place,
      ...{ kind: "speed", session, secondsPerStep: seconds },
    });
    const diverged = { ...place, seed: 2, steps: 100, diverged: true };
    const runs = [run(0, 0.9), run(1, 0.6), diverged];
    expect(secondsPerStep(runs, "mlp", "exact")).toBe(9);
    const [only] = curveOf([...runs, speed("a", 5), speed("b", 1), speed("b", 2), speed("b", 3)], place);
    expect(only.seconds).toBe(200);
    expect(only.accuracy).toBeCloseTo(0.5, 12);
    expect([only.seeds, only.low, only.high]).toEqual([3, 0, 0.9]);
  });

  it("goes on where the best rate is at an end of those tried, within bounds", () => {
    const range = { smallest: 1 / 4, largest: 4 };
    const tried = (...accuracies: readonly [number, number][]) =>
      accuracies.map(([multiple, validationAccuracy]) => ({ multiple, validationAccuracy }));
    expect(bestMultiple(tried([1, 0.9], [0.5, 0.9], [2, 0.8]), range)).toEqual({ best: 1, next: undefined });
    expect(bestMultiple(tried([1, 0.9], [0.5, 0.8], [2, 0.95]), range)).toEqual({ best: 2, next: 4 });
    expect(bestMultiple(tried([1, 0.9], [0.5, 0.8], [4, 0.95]), range).next).toBeUndefined();
    expect(bestMultiple([], range)).toEqual({});
  });

  it("goes on from a file that was cut off, and leaves others' files alone", () => {
    const directory = mkdtempSync(join(tmpdir(), "time-to-accuracy-"));
    try {
      const file = join(directory, "records.jsonl");
      openRecords(file, { batch: 64 }).add({ kind: "run", seed: 0 });
      appendFileSync(file, '{"kind":"run","se');
      openRecords(file, { batch: 64 }).add({ kind: "run", seed: 1 });
      const { records } = openRecords(file, { batch: 64 });
      expect(records.map(({ seed }: { seed: number }) => seed)).toEqual([0, 1]);
      expect(() => openRecords(file, { batch: 32 })).toThrow(/give another file with --file/);
      const other = join(directory, "notes.txt");
      writeFileSync(other, "mine\n");
      expect(() => openRecords(other, { batch: 64 })).toThrow(/notes\.txt begins with mine/);
      expect(readFileSync(other, "utf8")).toBe("mine\n");
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe("node bench/index.mjs", () => {
  it("names the benches when it is asked for one that does not exist", () => {
    const { status, stderr } = spawnSync(process.execPath, [join(folder, "index.mjs"), "speed"], {
      encoding: "utf8",
    });
    expect(status).toBe(2);
    expect(stderr).toContain("There is no bench 'speed'. Benches: steps, peers, tangents,");
  });
});
