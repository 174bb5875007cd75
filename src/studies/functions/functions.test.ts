import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { functions as testFunctions } from "../../functions/functions.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import { anglesFunctions } from "../angles/functions.ts";
import type { Environment, Row, Settings, Study } from "../study.ts";
import { functions } from "./functions.ts";
import { curveSteps, follow } from "./runs.ts";
import { functionTables, functionVerdicts, summarizeRuns } from "./summary.ts";

const environment: Environment = {
  runtime: nodeRuntime({ threads: 1 }),
  signal: new AbortController().signal,
  dataset: () => Promise.reject(new Error("This study reads no data.")),
  scratch: () => {
    throw new Error("This study needs no room for files.");
  },
  advance: () => {},
};

async function measure<S extends Settings>(study: Study<S>, settings: S): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const unit of study.plan(settings)) rows.push(...((await unit.measure(environment)) ?? []));
  return rows;
}

const settings = { ...functions.full, dimensions: [1, 8, 64], curveDimension: 0, paths: [] };
const paper = measure(functions, { ...settings, functions: ["sphere", "styblinski-tang"] });

describe("functions", () => {
  it("reproduces the authors' results", async () => {
    const verdicts = functionVerdicts(summarizeRuns(await paper), 5);
    expect(verdicts.map(({ holds, evidence }) => ({ holds, evidence }))).toEqual(
      verdicts.map(({ evidence }) => ({ holds: true, evidence })),
    );
    expect(verdicts.filter(({ evidence }) => /overlap in 2[0-4] of 24/.test(evidence))).toHaveLength(2);
  });

  it("says so when they differ: by learning rate, by a wrong gradient, by one run that diverges", async () => {
    const rows = await paper;
    const holding = (changed: readonly Row[]) =>
      functionVerdicts(summarizeRuns(changed), 5).map(({ holds }) => holds);
    const higher = rows.map((row) =>
      row.n === 64 ? { ...row, best: Math.abs(Number(row.best)) * 10 + 1 } : row,
    );
    expect(holding(higher).slice(2, 4)).toEqual([false, false]);
    const exact = rows.map((row) =>
      row.gradient === "exact" ? { ...row, best: Number(row.best) + 1e-3 } : row,
    );
    expect(holding(exact).slice(2, 4)).toEqual([false, false]);
    const diverged = rows.map((row, index) => (index === 3 ? { ...row, ending: "diverged" } : row));
    expect(holding(diverged).at(-1)).toBe(false);
    const swapped = rows.map((row) => ({
      ...row,
      k: row.k === 1 ? 16 : row.k === 16 && row.gradient === "mean" ? 1 : row.k,
    }));
    expect(holding(swapped)[0]).toBe(false);
  });

  it("lists where they differ", async () => {
    const rows = (await paper).map((row) => (row.n === 64 && row.k === 1 ? { ...row, best: 77 } : row));
    const tables = functionTables(summarizeRuns(rows));
    expect(tables.map(({ title }) => title)).toEqual([
      "Sphere: mean lowest value (authors' code)",
      "Styblinski-Tang: mean lowest value (authors' code)",
      "Where the ranges over the seeds do not overlap (≠)",
    ]);
    expect(tables[2]?.rows).toEqual([
      ["sphere", "64", "mean, k = 1", "77 to 77", "1.2e-5 to 3.5e-5"],
      ["styblinski-tang", "64", "mean, k = 1", "77 to 77", "−2363.83 to −2284.44"],
    ]);
    expect(tables[0]?.rows[2]?.[2]).toBe("77 (2.3e-5) ≠");
  });

  it("leaves out what has no definition, and refuses what has no learning rate", () => {
    const keys = functions.plan({ ...settings, functions: ["rosenbrock"] }).map(({ key }) => key);
    expect(keys).toHaveLength(16);
    expect(keys[0]).toBe("function=rosenbrock/n=8/exact");
    expect(z.safeParse(functions.settings.dimensions, [3]).error?.message).toContain("Expected a power of 2");
    expect(z.safeParse(functions.settings.dimensions, [2048]).success).toBe(false);
    expect(z.safeParse(functions.settings.tangents, [8]).success).toBe(false);
  });

  it("keeps Rosenbrock's runs finite or says where they end, with all eight methods", async () => {
    const rows = await measure(functions, {
      ...settings,
      functions: ["rosenbrock"],
      dimensions: [2, 8],
      seeds: 1,
    });
    expect(rows).toHaveLength(16);
    for (const row of rows) {
      expect(Number(row.best)).toBeLessThan(4);
      expect(row.ending === "diverged" || Number.isFinite(row.last)).toBe(true);
    }
  });

  it("stops between steps when it is told to", async () => {
    const options = {
      ...{ fn: testFunctions.rosenbrock, n: 1024, method: { gradient: "projection", k: 16 } as const },
      ...{ learningRate: 1e-3, steps: 25_000, patience: 0, seed: 0 },
    };
    const everyStep = Array.from({ length: options.steps + 1 }, (_, step) => step);
    const seen: number[] = [];
    const stopped = await follow({ signal: AbortSignal.abort() }, options, everyStep, ({ steps }) =>
      seen.push(steps),
    );
    expect(stopped).toBeUndefined();
    expect(seen.length).toBeLessThan(options.steps);
    expect(seen).toEqual(everyStep.slice(0, seen.length));
  });
});

it("curveSteps ascend from 0 to the limit, close together", () => {
  for (const limit of [1, 7, 1000]) {
    const steps = curveSteps(limit);
    expect(steps[0]).toBe(0);
    expect(steps.at(-1)).toBe(limit);
    for (const [i, step] of steps.slice(1).entries()) expect(step).toBeGreaterThan(steps[i] as number);
  }
});

describe("angles-functions", () => {
  it("reproduces the authors' results", async () => {
    const some = { angles: [15, 60], tangents: [16], seeds: 5 };
    const rows = await measure(anglesFunctions, some);
    const summary = anglesFunctions.summarize(rows, some);
    const verdicts = anglesFunctions.verdicts({ settings: some, rows, summary });
    expect(verdicts.map(({ holds, statement }) => [holds, statement])).toEqual(
      verdicts.map(({ statement }) => [true, statement]),
    );
    expect(verdicts[2]?.evidence).toContain("of 4 combinations");
    const worse = summary.map((row) => (row.gradient === "projection" ? { ...row, best_max: -2492 } : row));
    expect(anglesFunctions.verdicts({ settings: some, rows, summary: worse })[0]?.holds).toBe(false);
  });
});
