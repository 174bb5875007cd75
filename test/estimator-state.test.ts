/** What estimators remember is part of a run: saved with it, gone back to with it, and the same bytes after kills. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import type { EstimatorDefinition } from "../src/estimate/estimator.ts";
import { estimators } from "../src/estimate/estimators.ts";
import { runFolder } from "../src/storage/node-run-folder.ts";
import { loadRunCheckpoint } from "../src/train/run-state-schema.ts";
import { train } from "../src/train/train.ts";
import { examples, finish, memory, model, runtime } from "./circle.ts";
import { temporaryFolder } from "./cli.ts";

const script = resolve(import.meta.dirname, "cases/remembering.mjs");

/** Trains in a process of its own with the estimator of `cases/remembering.mjs`. */
function child(folder: string, options: Readonly<Record<string, unknown>>) {
  const { signal, status, stdout, stderr } = spawnSync(
    process.execPath,
    [script, folder, JSON.stringify(options)],
    {
      encoding: "utf8",
    },
  );
  return { signal, status, stdout, stderr };
}

const modelOf = (folder: string) => readFileSync(join(folder, "model.onnx"));
const newFolder = () => join(temporaryFolder(), "run");

describe("an estimator that remembers", () => {
  const settings = {
    ...{ steps: 60, batch: 32, learningRate: 0.05, patience: 5, quality: { draws: 2 } },
    optimizer: { name: "sgd", momentum: 0.5 },
  };

  it("ends with the same bytes after kills at any step", async () => {
    const calm = newFolder();
    const reference = child(calm, settings);
    expect(reference.status, reference.stderr).toBe(0);
    const folder = newFolder();
    // A fixed sequence of steps, epochs' ends (18, 36, 54) among them.
    for (const killAt of [1, 13, 18, 37, 54]) {
      expect(child(folder, { ...settings, killAt }).signal).toBe("SIGKILL");
      const checkpoint = await loadRunCheckpoint(runFolder(folder));
      expect(checkpoint?.state.step).toBe(killAt - 1);
      expect(checkpoint?.estimator.steps).toEqual(Int32Array.of(killAt - 1));
      expect(checkpoint?.estimator.loss).toBeInstanceOf(Float64Array);
    }
    const resumed = child(folder, settings);
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(modelOf(folder).equals(modelOf(calm))).toBe(true);
    const resultOf = (run: string) =>
      readFileSync(join(run, "metrics.jsonl"), "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => ({ ...(JSON.parse(line) as object), seconds: 0, secondsPerStep: 0 }));
    expect(resultOf(folder)).toEqual(resultOf(calm));
  });

  it("goes back to what it knew in the last good state when the default rate diverges", async () => {
    const settings = {
      ...{ steps: 300, batch: 8, divergenceFactor: 1.8, tangents: 2 },
      optimizer: { name: "sgd", momentum: 0.5 },
    };
    const calm = newFolder();
    const reference = child(calm, settings);
    expect(reference.status, reference.stderr).toBe(0);
    const recovery = JSON.parse(reference.stdout) as { from: number; divergedAt: number };
    expect(recovery.divergedAt).toBeGreaterThan(recovery.from);
    const folder = newFolder();
    expect(child(folder, { ...settings, killAtRecovery: true }).signal).toBe("SIGKILL");
    // From here on, what the process remembered is gone; what the files hold must be what it went on with.
    const checkpoint = await loadRunCheckpoint(runFolder(folder));
    expect(checkpoint?.state.step).toBe(recovery.from);
    expect(checkpoint?.estimator.steps).toEqual(Int32Array.of(recovery.from));
    const resumed = child(folder, settings);
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(modelOf(folder).equals(modelOf(calm))).toBe(true);
  });
});

/** Estimates by activations, and counts the steps. */
function counting(config?: EstimatorDefinition["config"]): EstimatorDefinition {
  return {
    name: "counting",
    ...(config && { config }),
    async plan(objective, options) {
      const { dimension, open } = await estimators.activations().plan(objective, options);
      return {
        dimension,
        async open() {
          const estimator = await open();
          return {
            ...estimator,
            init: () => ({ steps: new Int32Array(1) }),
            async estimate(feeds, key, state) {
              const estimate = await estimator.estimate(feeds, key);
              if (state?.steps) state.steps[0] = (state.steps[0] as number) + 1;
              return estimate;
            },
          };
        },
      };
    },
  };
}

describe("an estimator of the user's own", () => {
  const settings = { model, examples, runtime, batch: 32, steps: 20 } as const;

  it("trains as the one that it wraps, at the same default rate", async () => {
    const own = await finish({ gradient: counting(), steps: 20 });
    const known = await finish({ perturb: { name: "activations", guess: "none" }, steps: 20 });
    expect({ ...own, secondsPerStep: 0 }).toEqual({ ...known, secondsPerStep: 0 });
  });

  it("is part of the run's identity, with its options, and its state must fit", async () => {
    const store = memory();
    for await (const event of train({ ...settings, gradient: counting({ size: 1 }), store }))
      if (event.kind === "step" && event.step === 5) break;
    const resume = async (options: object) => {
      for await (const _ of train({ ...settings, store, resume: true, ...options }));
    };
    await expect(resume({})).rejects.toThrow("gradient was counting, now forward");
    await expect(resume({ gradient: counting({ size: 2 }) })).rejects.toThrow("gradient.size was 1, now 2");
    const other = { ...counting({ size: 1 }), plan: estimators.activations().plan };
    await expect(resume({ gradient: other })).rejects.toThrow(
      "it holds steps: int32 [1] where the run has nothing",
    );
    await resume({ gradient: counting({ size: 1 }) });
    expect((await loadRunCheckpoint(store))?.estimator.steps).toEqual(Int32Array.of(20));
  });
});
