/** What is said of settings that mean something else than they say. */
import { Command, InvalidArgumentError } from "commander";
import { describe, expect, it } from "vitest";
import { addSettingFlags, meantFlag, overlaid } from "../src/cli/flags/setting-flags.ts";
import { guessingAdvice } from "../src/cli/guessing-advice.ts";
import { estimators, perturbations } from "../src/estimate/estimators.ts";
import { adam } from "../src/optim/adam.ts";
import { searchOptions } from "../src/search/options.ts";
import { defaultLearningRate } from "../src/train/learning-rate.ts";
import { type TrainOptions, trainOptions } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";
import { examples, memory, model, runtime } from "./circle.ts";

const base = { model, examples, runtime, batch: 32, steps: 3 };

async function messageOf(options: object): Promise<string> {
  try {
    for await (const _ of train({ ...base, ...options } as TrainOptions));
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

describe("the answer to", () => {
  it.each([
    [{ perturb: "exact" }, 'Choose gradient: "exact" instead.'],
    [{ gradient: "activations" }, 'Choose perturb: "activations" instead.'],
    [{ gradient: "backprop" }, 'Choose gradient: "exact" instead.'],
    [{ batchSize: 3 }, "It is batch here"],
    [{ k: 3 }, "It is tangents here"],
    [{ labelSmoothing: 0.1 }, "crossEntropy({ smoothing: 0.1 })"],
    [{ optimizer: adam }, "call it, with ()"],
    [
      { gradient: "exact", perturb: { name: "activations", guess: "feedback" } },
      'perturb.guess: "feedback" has no effect with',
    ],
  ])("%o leads to what was meant", async (options, answer) => {
    expect(await messageOf(options)).toContain(answer);
  });

  it.each([
    ["--batch-size", "--batch"],
    ["--learning-rate", "--lr"],
    ["--perturbation", "--perturb"],
    ["--label-smoothing", "--smoothing"],
    ["--tangent", "--tangents"],
  ])("%s is %s", (given, meant) => {
    expect(meantFlag({ ...trainOptions, ...searchOptions }, given)).toBe(meant);
  });

  it("more tangents than any memory holds is how much they need, and what helps", async () => {
    for (const options of [
      {},
      { perturb: "weights" },
      { lowMemory: true },
      { perturb: "weights", lowMemory: true },
    ]) {
      const message = await messageOf({ tangents: 1e9, learningRate: 0.1, ...options });
      expect(message).toMatch(
        /^tangents: 1000000000 needs [\d,]+ GiB of memory.*lowMemory: true.*tangentChunk/,
      );
    }
  });

  it("a flag's value that another flag takes is that flag", () => {
    const command = addSettingFlags(new Command(), { perturb: trainOptions.perturb });
    const [flag] = command.options;
    expect(() => flag?.parseArg?.("exact", undefined)).toThrow(InvalidArgumentError);
    expect(() => flag?.parseArg?.("exact", undefined)).toThrow("Choose --gradient exact instead.");
  });
});

describe("numbers by name", () => {
  const command = addSettingFlags(new Command(), { batch: trainOptions.batch });
  const flag = command.options.find(({ long }) => long === "--sampling");

  it("are collected, or a word is said of all of them", () => {
    const first = flag?.parseArg?.("a=2", undefined);
    expect(flag?.parseArg?.("b=3", first)).toEqual({ a: 2, b: 3 });
    expect(flag?.parseArg?.("balanced", undefined)).toBe("balanced");
  });

  it.each([
    ["balanced", "a=2"],
    ["a=2", "balanced"],
  ])("are refused beside a word, which would drop the one or the other: %s, %s", (one, other) => {
    const before = flag?.parseArg?.(one, undefined);
    expect(() => flag?.parseArg?.(other, before)).toThrow("balanced is said of all names");
  });
});

describe("an estimator", () => {
  it("is chosen from one list, and says itself what bounds its rate", () => {
    expect(trainOptions.perturb.names).toEqual(Object.keys(perturbations));
    expect(Object.keys(estimators)).toEqual([...Object.keys(perturbations), "exact"]);
    const own = { name: "own", plan: async () => Promise.reject(new Error("unused")) };
    const rate = (perturb: NonNullable<Parameters<typeof defaultLearningRate>[0]["perturb"]>) =>
      defaultLearningRate({ perturb, dimension: 100 });
    expect(rate(own)).toBe(rate("activations"));
    expect(rate({ ...own, noise: { by: "nothing" } })).toBe(rate("exact"));
    expect(rate({ ...own, noise: { by: "walk", step: 0.5, length: 1.9 } })).toBe(rate("weights"));
    expect(rate("weights")).not.toBe(rate("activations"));
  });
});

describe("a run that is resumed otherwise", () => {
  it("names what was changed, without what follows from it", async () => {
    const store = memory();
    for await (const _ of train({ ...base, store }));
    const message = await messageOf({ store, resume: true, tangents: 8 });
    expect(message).toMatch(/: tangents was 16, now 8(; learningRate was [^;]*)?\. Use the same/);
    const other = { inputs: examples.inputs.map((value) => -value), labels: examples.labels };
    const otherData = await messageOf({ store, resume: true, examples: other });
    expect(otherData).toMatch(/data was another[.;]/);
    expect(otherData).not.toMatch(/[0-9a-f]{64}/);
  });
});

describe("advice near guessing", () => {
  it("speaks of steps where these said how long the run was", () => {
    const outcome = { guessing: { isNear: true, examples: "test" }, epochs: 0.02, tangents: 16 };
    const advice = (settings: object) =>
      guessingAdvice(
        outcome as Parameters<typeof guessingAdvice>[0],
        settings as Record<string, string>,
      ).join("\n");
    expect(advice({ steps: 20 })).toContain("--steps 200 (it was 20)");
    expect(advice({ steps: 20 })).not.toContain("--epochs");
    expect(advice({})).toContain("--epochs 10");
  });
});

it("a flag that names a guess keeps the options that a file gives that guess, and no other's", () => {
  const below = { perturb: { name: "activations", guess: { name: "feedback", gamma: 0.5 } } };
  const guessWith = (guess: string) => overlaid(trainOptions, below, { perturb: { guess } }).perturb;
  expect(guessWith("feedback")).toEqual(below.perturb);
  expect(guessWith("residual")).toEqual({ name: "activations", guess: "residual" });
});
