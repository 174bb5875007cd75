/** Estimates that are drawn by their law: distributed as those of true forward mode, whatever combines the tangents. */
import { describe, expect, it } from "vitest";
import { expectedProjectionCosine } from "../src/aggregate/expected-cosine.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { mlp } from "../src/models/mlp.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { float32, int64 } from "../src/onnx/tensor.ts";
import { fold, keyFromSeed } from "../src/random/threefry.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { createEstimator, type EstimatorSettings } from "../src/train/settings/estimator.ts";
import { train } from "../src/train/train.ts";
import { examples, memory, model } from "./circle.ts";

const runtime = nodeRuntime({ threads: 1 });
const batch = 4;

async function problem(hidden: number[]) {
  const model = mlp({ input: [5], hidden, outputs: 3, batch });
  const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch });
  const numbers = Array.from({ length: batch * 5 }, (_, place) => Math.sin(3 * place + 1));
  return {
    objective,
    feeds: { ...objective.parameters, input: float32(numbers, [batch, 5]), labels: int64([0, 2, 1, 1]) },
  };
}

const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, value, place) => sum + value * (b[place] as number), 0);
const length = (a: readonly number[]) => Math.sqrt(dot(a, a));
const average = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** ∇f, and draws of an estimate, with their derivatives. */
async function drawsOf(settings: EstimatorSettings, draws: number, seed: number, hidden = [6, 4]) {
  const { objective, feeds } = await problem(hidden);
  const estimateAll = async (chosen: EstimatorSettings, count: number) => {
    const estimator = await createEstimator(objective, chosen);
    const all = [];
    for (let draw = 0; draw < count; draw++) {
      const { gradients, derivatives, loss } = await estimator.estimate(feeds, fold(keyFromSeed(seed), draw));
      all.push({
        estimate: Object.values(gradients).flatMap((values) => [...values]),
        derivatives: [...derivatives],
        loss,
      });
    }
    await estimator.release();
    return all;
  };
  const [exact] = await estimateAll({ gradient: "exact" }, 1);
  if (!exact) throw new Error("no gradient");
  return { exact, drawn: await estimateAll(settings, draws) };
}

/** The largest distance between the distributions of two samples; numbers that only rounding tells apart are one. */
function distance(...samples: readonly [readonly number[], readonly number[]]): number {
  const unit = 1e-5 * Math.max(...samples.flat().map(Math.abs));
  const counts = new Map<number, [number, number]>();
  for (const [which, sample] of samples.entries())
    for (const value of sample) {
      const both = counts.get(Math.round(value / unit)) ?? [0, 0];
      both[which] = (both[which] as number) + 1 / sample.length;
      counts.set(Math.round(value / unit), both);
    }
  let [below, largest] = [0, 0];
  for (const [, [a, b]] of [...counts].sort(([one], [other]) => one - other)) {
    below += a - b;
    largest = Math.max(largest, Math.abs(below));
  }
  return largest;
}

describe("an estimate that is drawn by its law is distributed as one of true forward mode", () => {
  it.each<EstimatorSettings>([
    { perturb: "weights", tangents: 3, aggregate: "mean" },
    { perturb: "weights", tangents: 5, aggregate: "projection" },
    { perturb: "weights", tangents: 4, aggregate: "max" },
    { perturb: "weights", tangents: 6, aggregate: { name: "near-best", within: 0.5 }, sampler: "sphere" },
    { perturb: "weights", tangents: 30, aggregate: "projection" },
    { perturb: { name: "weights", exactLastLayer: true }, tangents: 2, aggregate: "max-normalized" },
    {
      perturb: "weights",
      tangents: 3,
      aggregate: "mean-times-dimension",
      sampler: { name: "sphere", unit: true },
    },
    { perturb: "activations", tangents: 3, aggregate: "projection" },
    { perturb: "activations", tangents: 4, aggregate: "projection" },
    { perturb: "activations", tangents: 2, aggregate: "mean", sampler: "sphere" },
    { perturb: "blocks", tangents: 3, aggregate: "sum" },
  ])("%j", async (settings) => {
    const draws = 500;
    // Signs are the default of true forward mode.
    const forward = await drawsOf({ sampler: "gaussian", ...settings }, draws, 1);
    const law = await drawsOf({ ...settings, gradient: "law" }, draws, 2);
    const gradient = forward.exact.estimate;
    const samples: Readonly<Record<string, (one: (typeof law.drawn)[number]) => number>> = {
      along: ({ estimate }) => dot(estimate, gradient),
      length: ({ estimate }) => length(estimate),
      cosine: ({ estimate }) => dot(estimate, gradient) / length(estimate) / length(gradient),
      derivative: ({ derivatives }) => derivatives[0] as number,
      last: ({ derivatives }) => derivatives.at(-1) as number,
      joint: ({ derivatives, estimate }) => Math.abs(derivatives[0] as number) * length(estimate),
      // A distribution is known by its projections on all directions (Cramér and Wold).
      ...Object.fromEntries(
        [1, 2, 3, 4].map((turn) => [
          `direction ${turn}`,
          ({ estimate }: (typeof law.drawn)[number]) =>
            dot(
              estimate,
              gradient.map((_, place) => Math.sin(turn * place + turn ** 2)),
            ),
        ]),
      ),
    };
    // Two samples of one distribution differ by more with probability 1e-5 (Kolmogorov and Smirnov).
    const bound = 2.471 * Math.sqrt(2 / draws);
    for (const [name, of] of Object.entries(samples))
      expect([name, distance(forward.drawn.map(of), law.drawn.map(of)) < bound]).toEqual([name, true]);
    expect(law.drawn[0]?.loss).toBeCloseTo(forward.exact.loss, 5);
  });
});

describe("by their law", () => {
  it.each([
    [1, "mean"],
    [4, "mean"],
    [2, "projection"],
    [16, "projection"],
  ] as const)(
    "estimates from %i tangents have the mean and the cosine of the closed forms (%s)",
    async (k, aggregate) => {
      const draws = 1500;
      const { exact, drawn } = await drawsOf(
        { gradient: "law", perturb: "weights", tangents: k, aggregate },
        draws,
        3,
      );
      const gradient = exact.estimate;
      const n = gradient.length;
      const gain = aggregate === "mean" ? 1 : k / n;
      for (const [place, value] of gradient.entries()) {
        const numbers = drawn.map(({ estimate }) => estimate[place] as number);
        const mean = average(numbers);
        const error = Math.sqrt(average(numbers.map((number) => (number - mean) ** 2)) / draws);
        expect(Math.abs(mean - gain * value)).toBeLessThan(4.5 * error + 1e-7);
      }
      const cosines = drawn.map(
        ({ estimate }) => dot(estimate, gradient) / length(estimate) / length(gradient),
      );
      if (aggregate === "mean") {
        // E‖ĝ‖² = (1 + (n + 1)/k) ‖∇f‖²
        const squares = drawn.map(({ estimate }) => dot(estimate, estimate) / dot(gradient, gradient));
        const mean = average(squares);
        const error = Math.sqrt(average(squares.map((square) => (square - mean) ** 2)) / draws);
        expect(Math.abs(mean - (1 + (n + 1) / k))).toBeLessThan(4 * error);
        return;
      }
      const expected = expectedProjectionCosine(n, k);
      // The variance of the squared cosine, Beta(k/2, (n − k)/2) distributed.
      const ofSquare = (2 * k * (n - k)) / (n ** 2 * (n + 2));
      expect(Math.abs(average(cosines.map((cosine) => cosine ** 2)) - k / n)).toBeLessThan(
        4 * Math.sqrt(ofSquare / draws),
      );
      expect(Math.abs(average(cosines) - expected)).toBeLessThan(
        4 * Math.sqrt((k / n - expected ** 2) / draws),
      );
    },
  );

  it("as many tangents as dimensions, or more, leave nothing of the gradient out", async () => {
    for (const perturb of ["weights", "activations"] as const)
      for (const tangents of [93, 200]) {
        const { exact, drawn } = await drawsOf({ gradient: "law", perturb, tangents }, 3, 4);
        for (const { estimate } of drawn)
          for (const [place, value] of exact.estimate.entries())
            expect(estimate[place]).toBeCloseTo(value, 5);
      }
  });

  it("a step takes no memory that grows with k times n", async () => {
    const { objective, feeds } = await problem([400, 400]);
    const before = process.memoryUsage().arrayBuffers;
    const estimator = await createEstimator(objective, {
      gradient: "law",
      perturb: "weights",
      tangents: 512,
    });
    const { derivatives } = await estimator.estimate(feeds, keyFromSeed(1));
    // 512 tangents of 164,003 numbers are 336 MB.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40e6);
    expect(derivatives).toHaveLength(512);
    await estimator.release();
  });

  it("a step is a function of its key, and a run ends with the same bytes when it is interrupted", async () => {
    const settings = { gradient: "law", perturb: "weights", tangents: 3 } as const;
    const first = await drawsOf(settings, 3, 5);
    expect((await drawsOf(settings, 3, 5)).drawn).toEqual(first.drawn);
    const run = async (store = memory(), stopAt = Number.POSITIVE_INFINITY) => {
      const stop = new AbortController();
      const options = {
        model,
        examples,
        runtime,
        batch: 32,
        steps: 30,
        store,
        resume: true,
        signal: stop.signal,
      };
      for await (const event of train({ ...options, ...settings })) {
        if (event.kind === "step" && event.step === stopAt) stop.abort();
        if (event.kind === "done") return event.model;
      }
      return undefined;
    };
    const whole = await run();
    const store = memory();
    expect(await run(store, 11)).toBeUndefined();
    expect(await run(store)).toEqual(whole);
    expect(whole).toBeDefined();
  });

  it.each<[EstimatorSettings, string]>([
    [
      { sampler: "rademacher" },
      "knows no law of estimates from tangents of the sampler 'rademacher'. Known is the law",
    ],
    [{ sampler: "orthonormal", perturb: "weights" }, "of the sampler 'orthonormal'"],
    [{ sampler: "low-rank", perturb: "weights" }, "of the sampler 'low-rank'"],
    [
      { perturb: { name: "weights", guess: "momentum" } },
      'that correct guess: "momentum", which learns from tangents',
    ],
    [{ perturb: { name: "activations", guess: "feedback" } }, 'that correct guess: "feedback"'],
    [{ perturb: { name: "blocks", shareTangents: true } }, "depend on each other through all tangents"],
    [{ lowMemory: true }, 'has no effect with gradient: "law", which keeps what a reverse pass needs'],
    [{ tangentChunk: 2 }, 'has no effect with gradient: "law", which draws no tangents'],
  ])("%j is refused: %s", async (settings, words) => {
    const { objective } = await problem([6, 4]);
    await expect(createEstimator(objective, { gradient: "law", ...settings })).rejects.toThrow(words);
  });
});
