import { describe, expect, it } from "vitest";
import { guessingAdvice } from "../src/cli/guessing-advice.ts";
import { binaryCrossEntropy } from "../src/losses/binary-cross-entropy.ts";
import { meanSquaredError } from "../src/losses/mean-squared-error.ts";
import { sgd } from "../src/optim/sgd.ts";
import type { TrainResult } from "../src/train/events.ts";
import { count, finish, inputs, labels } from "./circle.ts";

const test = { count, shape: [2], inputs, labels };
const share = Math.max(...[0, 1].map((label) => labels.filter((each) => each === label).length)) / count;
const targets = Float32Array.from({ length: 2 * count }, (_, index) =>
  index % 2 === 0 ? (inputs[index] as number) * 3 + 1 : (inputs[index] as number) - 5,
);
/** The mean over outputs of the variances. */
const variance = [0, 1]
  .map((place) => targets.filter((_, index) => index % 2 === place))
  .map((values) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / count;
    return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count;
  })
  .reduce((sum, value) => sum + value / 2, 0);

describe("a run is compared with one answer to all", () => {
  it("of class numbers: the most frequent class", async () => {
    const idle = await finish({ test, steps: 5, learningRate: 1e-9 });
    expect(idle.guessing).toEqual({ accuracy: share, loss: undefined, examples: "test", isNear: true });
    const learned = await finish({ test, epochs: 40, optimizer: sgd({ momentum: 0.5 }) });
    expect(learned.testAccuracy).toBeGreaterThan(0.8);
    expect(learned.guessing).toMatchObject({ accuracy: share, isNear: false });
  });

  it("on the validation examples where there are no others, and on none where there are none", async () => {
    const idle = await finish({ steps: 5, learningRate: 1e-9 });
    expect(idle.guessing).toMatchObject({ examples: "validation", isNear: true });
    expect((await finish({ steps: 5, validation: 0 })).guessing).toBeUndefined();
  });

  it("leaves labels out that are ignored", async () => {
    const some = labels.map((label) => (label === 0 ? -100 : label));
    const { guessing } = await finish({ test: { ...test, labels: some }, steps: 1 });
    // All that count are of one class: nothing can be better.
    expect(guessing).toMatchObject({ accuracy: 1, isNear: false });
  });

  it("of values: their mean, in the loss's own units", async () => {
    const values = { examples: { inputs, labels: targets }, test: { ...test, labels: targets } };
    const idle = await finish({ ...values, loss: meanSquaredError(), steps: 5, learningRate: 1e-9 });
    expect(idle.guessing?.loss).toBeCloseTo(variance, 4);
    expect(idle.guessing).toMatchObject({ accuracy: undefined, isNear: true });
    const scaled = await finish({ ...values, loss: meanSquaredError({ scale: [2, 4] }), steps: 1 });
    expect(scaled.guessing?.loss).toBeLessThan(variance / 2);
    const learned = await finish({
      ...values,
      loss: meanSquaredError(),
      gradient: "exact",
      epochs: 30,
      learningRate: 0.05,
    });
    expect(learned.guessing).toMatchObject({ isNear: false });
  });

  it("of shares: their mean, whose loss is the entropy", async () => {
    const shares = Float32Array.from({ length: 2 * count }, (_, index) => (index % 8 < 2 ? 1 : 0));
    const given = {
      examples: { inputs, labels: shares },
      test: { ...test, labels: shares },
      loss: binaryCrossEntropy(),
    };
    const { guessing } = await finish({ ...given, steps: 5, learningRate: 1e-9 });
    const entropy = -0.25 * Math.log(0.25) - 0.75 * Math.log(0.75);
    expect(guessing?.loss).toBeCloseTo(entropy, 5);
  });
});

describe("advice near guessing", () => {
  const flags = { perturb: "weights", learningRate: 3 };
  const outcome = {
    testAccuracy: 0.113,
    epochs: 2,
    tangents: 4,
    guessing: { accuracy: 0.112, loss: undefined, examples: "test", isNear: true },
  } as TrainResult;

  it("says what was compared, and what to try", () => {
    const text = guessingAdvice(outcome, flags).join("\n");
    expect(text).toMatch(
      /near guessing: .*most frequent class is right for 11\.2 % of the test examples.*11\.3 %/,
    );
    for (const part of [
      "--epochs 10",
      "--perturb activations",
      "without --lr 3",
      "forwardgrad search",
      "--tangents 16",
    ])
      expect(text).toContain(part);
  });

  it("names --standardize where a model file reads columns as they are", () => {
    const long = { ...outcome, epochs: 30, steps: 210 };
    expect(guessingAdvice(long, flags, { isUnscaled: true }).join("\n")).toContain("--standardize");
    expect(guessingAdvice(long, flags).join("\n")).not.toContain("--standardize");
  });

  it("says nothing elsewhere", () => {
    const better = { ...outcome, guessing: { ...outcome.guessing, isNear: false } } as TrainResult;
    expect(guessingAdvice(better, flags)).toEqual([]);
    expect(guessingAdvice({ ...outcome, guessing: undefined }, flags)).toEqual([]);
  });
});
