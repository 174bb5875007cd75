import { describe, expect, it } from "vitest";
import { keyFromSeed } from "../../random/threefry.ts";
import { uniform64 } from "../../random/uniform.ts";
import { hosts } from "./hosts.ts";
import { foretold } from "./measured.ts";
import { allReduce, scalars, secondsOf, slicedScalars, slownessOf, stepsForOne } from "./step.ts";

const undisturbed = { quorum: 1, all: 1 };
const setting = {
  ...{ parameters: 1e6, tangents: 16, granule: 4, batch: 64, workers: 4, messages: 1e5 },
  host: { operations: 1e11, draws: 1e9, latency: 0.01, bandwidth: 1e6 },
};

describe("a step's model", () => {
  it("sends as many bytes whatever n is, where numbers cross, and 8n a worker each way, where gradients do", () => {
    const large = { ...setting, parameters: 1e9 };
    expect(scalars(large, undisturbed).bytes).toBe(scalars(setting, undisturbed).bytes);
    // 2·4n·(W − 1)/W out, and as many in.
    expect(allReduce(setting, undisturbed).bytes).toBe(12e6);
    expect(allReduce({ ...setting, workers: 1 }, undisturbed)).toMatchObject({ exchange: 0, bytes: 0 });
  });

  it("is the work of one machine for one worker", () => {
    const alone = { ...setting, workers: 1 };
    // Four passes of 64 examples, each with 4 tangents: 4 · 2n · 64 · 5.
    expect(scalars(alone, undisturbed).compute).toBeCloseTo((4 * 2e6 * 64 * 5) / 1e11, 12);
    expect(allReduce(alone, undisturbed).compute).toBeCloseTo((3 * 2e6 * 64) / 1e11, 12);
    expect(scalars(alone, undisturbed).rebuild).toBeCloseTo((1e6 * 16) / 1e9, 12);
    expect(slicedScalars(alone, undisturbed).rebuild).toBeCloseTo((1e6 * 4) / 1e9, 12);
  });

  it("shares granules first, then the batch, and ends where an example is a worker's whole share", () => {
    const compute = (workers: number) => scalars({ ...setting, workers }, undisturbed).compute;
    expect(compute(4)).toBeCloseTo(compute(1) / 4, 12);
    expect(compute(3)).toBeCloseTo(compute(1) / 2, 12);
    expect(compute(16)).toBeCloseTo(compute(1) / 16, 12);
    expect(compute(10_000)).toBe(compute(256));
  });

  it("waits for the slowest as long as theory says", () => {
    // E of the largest of W exponentials is H_W, of the m-th smallest H_W − H_(W−m); their variances are below π²/6.
    const [workers, draws, spread] = [100, 400, 0.5];
    const harmonic = (count: number) =>
      Array.from({ length: count }, (_, i) => 1 / (i + 1)).reduce((a, b) => a + b, 0);
    let [all, quorum] = [0, 0];
    for (let draw = 0; draw < draws; draw++) {
      const slow = slownessOf(uniform64(keyFromSeed(draw), workers), spread, 0.9);
      all += slow.all / draws;
      quorum += slow.quorum / draws;
    }
    // 4.5 standard errors.
    const bound = (4.5 * spread * Math.PI) / Math.sqrt(6 * draws);
    expect(Math.abs(all - 1 - spread * harmonic(100))).toBeLessThan(bound);
    expect(Math.abs(quorum - 1 - spread * (harmonic(100) - harmonic(10)))).toBeLessThan(bound);
    expect(slownessOf(Float64Array.of(0.5, 0.5), 0, 1)).toEqual(undisturbed);
  });

  it("counts the steps that k numbers take more than a gradient", () => {
    expect(stepsForOne(16, 0)).toBe(1);
    expect(stepsForOne(16, 1600)).toBe(101);
  });

  it("favours k numbers on slow lines and gradients on fast ones, at a thousand workers and a hundred million numbers", () => {
    const far = { ...setting, parameters: 1e8, workers: 1000, batch: 1024 };
    const ratio = (host: keyof typeof hosts) =>
      secondsOf(allReduce({ ...far, host: hosts[host] }, undisturbed)) /
      secondsOf(slicedScalars({ ...far, host: hosts[host] }, undisturbed));
    expect(ratio("homes")).toBeGreaterThan(10);
    expect(ratio("phones")).toBeGreaterThan(10);
    expect(ratio("datacentre")).toBeLessThan(10);
  });

  it("shares two cores among workers and the coordinator of one machine", () => {
    const runs = {
      ...{ about: "", host: "two cores", parameters: 1e6, tangents: 16, granule: 4, cores: 2 },
      ...{ pass: 0.02, rebuild: 0.03, exchange: 0.01, steps: {} },
    };
    // Four passes and an update; two passes and three updates on two cores; four passes and five updates on two.
    expect(foretold(runs, 1)).toBeCloseTo(4 * 0.02 + 0.03 + 0.01, 12);
    expect(foretold(runs, 2)).toBeCloseTo(2 * 0.02 + (3 / 2) * 0.03 + 0.01, 12);
    expect(foretold(runs, 4)).toBeCloseTo((4 / 2) * 0.02 + (5 / 2) * 0.03 + 0.01, 12);
  });
});
