import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const folder = resolve(import.meta.dirname, "../bench");
const { fitLine, inTurns, medianRatio, quantile } = await import(join(folder, "measure.mjs"));

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

describe("node bench/index.mjs", () => {
  it("names the benches when it is asked for one that does not exist", () => {
    const { status, stderr } = spawnSync(process.execPath, [join(folder, "index.mjs"), "speed"], {
      encoding: "utf8",
    });
    expect(status).toBe(2);
    expect(stderr).toContain("There is no bench 'speed'. Benches: steps, peers, tangents,");
  });
});
