/** Guesses of the weights' gradient: no bias on any path, what momentum learns, how much of it is taken, and exact resume. */
import { describe, expect, it } from "vitest";
import { aggregators } from "../src/aggregate/aggregators.ts";
import { glyphs } from "../src/data/sets/glyphs.ts";
import type { Estimator } from "../src/estimate/estimator.ts";
import { exactGradient } from "../src/estimate/exact.ts";
import { forwardGradient } from "../src/estimate/forward-gradient.ts";
import { activations } from "../src/estimate/sites/activations.ts";
import { keptSites } from "../src/estimate/sites/kept.ts";
import { copyState, type EstimatorState } from "../src/estimate/state.ts";
import type { WeightsOptions } from "../src/estimate/weights/guess.ts";
import { keptWeights } from "../src/estimate/weights/kept.ts";
import { redrawnWeights } from "../src/estimate/weights/redrawn.ts";
import { weights } from "../src/estimate/weights/weights.ts";
import { feedback } from "../src/guess/feedback.ts";
import type { Guess } from "../src/guess/guess.ts";
import { momentum } from "../src/guess/momentum.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { mlp } from "../src/models/mlp.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import type { Objective } from "../src/objective/objective.ts";
import { float32, int64 } from "../src/onnx/tensor.ts";
import { fold, keyFromSeed } from "../src/random/threefry.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { Tensors } from "../src/runtime/runtime.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import type { RunStore } from "../src/storage/run-store.ts";
import { samplers } from "../src/tangents/samplers.ts";
import { train } from "../src/train/train.ts";

const runtime = nodeRuntime({ threads: 1 });
const batch = 4;
const k = 3;
const options = { tangents: k, aggregator: aggregators.projection(), sampler: samplers.gaussian() };
const key = keyFromSeed(5);

/** A classifier of three classes with 93 parameters, and a batch. */
async function problem(): Promise<{ readonly objective: Objective; readonly feeds: Tensors }> {
  const model = mlp({ input: [5], hidden: [6, 4], outputs: 3, batch });
  const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch });
  const numbers = Array.from({ length: batch * 5 }, (_, place) => Math.sin(3 * place + 1));
  return {
    objective,
    feeds: { ...objective.parameters, input: float32(numbers, [batch, 5]), labels: int64([0, 2, 1, 1]) },
  };
}

const flat = (arrays: Readonly<Record<string, Float32Array>>) =>
  Object.values(arrays).flatMap((values) => [...values]);

/** ∇f of the batch, in the order of the parameters. */
async function exactOf(objective: Objective, feeds: Tensors): Promise<number[]> {
  const exact = await exactGradient(objective);
  const { gradients } = await exact.estimate(feeds, key);
  await exact.release();
  return flat(gradients);
}

const squared = (values: readonly number[]) => values.reduce((total, value) => total + value ** 2, 0);
const difference = (a: readonly number[], b: readonly number[]) =>
  a.map((value, place) => value - (b[place] as number));

/** Lets a guess learn from some steps at the same parameters. */
async function taught(estimator: Estimator, feeds: Tensors, steps: number): Promise<EstimatorState> {
  const state = estimator.init?.() ?? {};
  for (let step = 0; step < steps; step++) await estimator.estimate(feeds, fold(fold(key, 1), step), state);
  return state;
}

/** A guess of a user's own: whatever happened, it foresees this. */
const stubborn: Guess = {
  name: "stubborn",
  gamma: 1,
  weights: {
    scale: 1,
    memory: (size) => ({ wrong: size }),
    guess: ({ wrong = new Float32Array() }) => wrong,
    learn({ wrong = new Float32Array() }) {
      for (const place of wrong.keys()) wrong[place] = 0.2 * Math.cos(place);
    },
  },
};

/** Low-rank tangents are combined by the mean: their projection weighs parameters of few numbers a bit differently. */
const lowRank = { sampler: samplers["low-rank"](), aggregator: aggregators.mean() };

const paths: Readonly<
  Record<string, { readonly open: typeof keptWeights; readonly options?: Partial<WeightsOptions> }>
> = {
  kept: { open: keptWeights },
  "in chunks": { open: keptWeights, options: { tangentChunk: 2 } },
  "low-rank": { open: keptWeights, options: lowRank },
  "of rank 2": { open: keptWeights, options: { ...lowRank, sampler: samplers["low-rank"]({ rank: 2 }) } },
  "many, with a float64 Gram matrix": { open: keptWeights, options: { tangents: 20 } },
  "along a simulated gradient": { open: keptWeights, options: { simulated: true } },
  "drawn again": { open: redrawnWeights },
  "drawn again, in chunks": { open: redrawnWeights, options: { tangentChunk: 2 } },
};
const some = Object.fromEntries(
  Object.entries(paths).filter(([name]) => ["kept", "low-rank", "drawn again"].includes(name)),
);

describe.each([
  ["momentum", momentum({ beta: 1 }), some],
  ["a user's own", stubborn, paths],
] as const)("the guess %s", (_, guess, tried) => {
  it.each(Object.entries(tried))("is corrected without bias by tangents that are %s", async (_name, path) => {
    const { objective, feeds } = await problem();
    const expected = await exactOf(objective, feeds);
    const estimator = forwardGradient(await path.open(objective, { ...options, ...path.options, guess }));
    const state = await taught(estimator, feeds, 12);
    const draws = 1200;
    const sums = expected.map(() => 0);
    const squares = expected.map(() => 0);
    for (let draw = 0; draw < draws; draw++) {
      const { gradients } = await estimator.estimate(feeds, fold(fold(key, 2), draw), copyState(state));
      for (const [place, value] of flat(gradients).entries()) {
        sums[place] = (sums[place] as number) + value;
        squares[place] = (squares[place] as number) + value ** 2;
      }
    }
    // Each number is normal about ∇f with this error; the largest of 93 such numbers stays below 4.5 of them.
    for (const [place, value] of expected.entries()) {
      const mean = (sums[place] as number) / draws;
      const variance = Math.max(0, (squares[place] as number) / draws - mean ** 2);
      expect(Math.abs(mean - value) / (Math.sqrt(variance / draws) + 1e-6)).toBeLessThan(4.5);
    }
    await estimator.release();
  });
});

/** p, in the order of the parameters. */
const meanIn = (state: EstimatorState) =>
  Object.entries(state).flatMap(([name, data]) => (name.includes("momentum/mean/") ? [...data] : []));

describe("momentum", () => {
  it.each(["gaussian", "low-rank"] as const)(
    "comes nearer to a gradient that stays, with each step (%s)",
    async (sampler) => {
      const { objective, feeds } = await problem();
      const expected = await exactOf(objective, feeds);
      const open = { ...options, sampler: samplers[sampler](), guess: momentum({ beta: 1 }) };
      const estimator = forwardGradient(await keptWeights(objective, open));
      const state = estimator.init?.() ?? {};
      let before = squared(expected);
      for (let step = 0; step < 150; step++) {
        await estimator.estimate(feeds, fold(key, step), state);
        const left = squared(difference(expected, meanIn(state)));
        expect(left).toBeLessThan(before + 1e-6);
        before = left;
      }
      expect(before / squared(expected)).toBeLessThan(0.1);
      await estimator.release();
    },
  );

  it("leaves less and less to the tangents, and says how much", async () => {
    const { objective, feeds } = await problem();
    const estimator = forwardGradient(await keptWeights(objective, { ...options, guess: momentum() }));
    const state = await taught(estimator, feeds, 200);
    const { unforeseen } = await estimator.estimate(feeds, key, state);
    expect(unforeseen).toBeLessThan(0.2);
    await estimator.release();
  });

  it("takes as much of a guess as the steps before measured, so that a wrong one does no harm", async () => {
    const { objective, feeds } = await problem();
    const expected = await exactOf(objective, feeds);
    const { scale: _, ...rule } = stubborn.weights ?? {
      memory: () => ({}),
      guess: () => new Float32Array(),
      learn() {},
    };
    const guess = { ...stubborn, weights: rule };
    const estimator = forwardGradient(await keptWeights(objective, { ...options, tangents: 20, guess }));
    const state = await taught(estimator, feeds, 400);
    // What the guess foresees, by what is best of it: β = ∇f·m / ‖m‖².
    const wrong = Object.values(objective.parameters).flatMap(({ data }) =>
      Array.from(data, (_value, place) => 0.2 * Math.cos(place)),
    );
    const along = expected.reduce((total, value, place) => total + value * (wrong[place] as number), 0);
    const best = Math.max(0, along / squared(wrong));
    const left = squared(expected.map((value, place) => value - best * (wrong[place] as number)));
    const { unforeseen } = await estimator.estimate(feeds, key, state);
    expect(unforeseen).toBeLessThan(1.15 * (left / squared(expected)));
    expect(squared(difference(expected, wrong))).toBeGreaterThan(1.5 * squared(expected));
    await estimator.release();
  });

  it.each([1, 2])("learns the same from tangents that are drawn again, %s at once", async (tangentChunk) => {
    const { objective, feeds } = await problem();
    const guess = momentum();
    const kept = forwardGradient(await keptWeights(objective, { ...options, guess }));
    const redrawn = forwardGradient(await redrawnWeights(objective, { ...options, guess, tangentChunk }));
    const states = [await taught(kept, feeds, 20), await taught(redrawn, feeds, 20)];
    for (const [array, data] of Object.entries(states[0] as EstimatorState))
      for (const [place, value] of data.entries()) expect(states[1]?.[array]?.[place]).toBeCloseTo(value, 5);
    const state = states[0] as EstimatorState;
    const first = await kept.estimate(feeds, key, copyState(state));
    const second = await redrawn.estimate(feeds, key, copyState(state));
    for (const [place, value] of flat(first.gradients).entries())
      expect(flat(second.gradients)[place]).toBeCloseTo(value, 4);
    await Promise.all([kept.release(), redrawn.release()]);
  });

  it.each([false, true])(
    "goes on from a checkpoint with the same bytes (low memory: %s)",
    async (lowMemory) => {
      const data = glyphs({ train: 300, test: 20 });
      const run = async (store: RunStore, until: number, resume = false) => {
        const stop = new AbortController();
        let saved: Uint8Array | undefined;
        const model = mlp({ input: [1, 28, 28], hidden: [8], outputs: 10 });
        const perturb = weights({ guess: momentum() });
        const settings = { model, examples: data.train, perturb, lowMemory, runtime, store, resume };
        for await (const event of train({
          ...settings,
          batch: 20,
          steps: 16,
          seed: 3,
          tangents: 4,
          signal: stop.signal,
        })) {
          if (event.kind === "step" && event.step === until) stop.abort();
          if (event.kind === "done") saved = event.model;
        }
        return saved;
      };
      const whole = await run(memoryStore(), -1);
      const store = memoryStore();
      expect(await run(store, 7)).toBeUndefined();
      expect(await run(store, -1, true)).toEqual(whole);
      expect(whole).toBeDefined();
    },
  );

  it("is answered where it cannot be used, as guesses at sites are for weights", async () => {
    const { objective } = await problem();
    await expect(keptWeights(objective, { ...options, guess: feedback() })).rejects.toThrow(
      'guess: "feedback" is no guess for perturb: "weights"; choose guess: "momentum", or leave it out.',
    );
    await expect(redrawnWeights(objective, { ...options, guess: feedback() })).rejects.toThrow(
      /is no guess for/,
    );
    await expect(keptSites(objective, { ...options, guess: momentum() })).rejects.toThrow(
      'guess: "momentum" is no guess for activations and blocks; choose another, perturb what it is for (perturb: "weights"), or leave it out.',
    );
    const { guess } = await activations({ guess: "momentum" }).plan(objective, options);
    expect(guess?.name).toBe("momentum");
    const short: Guess = {
      name: "short",
      gamma: 1,
      weights: { memory: () => ({}), guess: () => new Float32Array(2), learn() {} },
    };
    const estimator = forwardGradient(await keptWeights(objective, { ...options, guess: short }));
    await expect(estimator.estimate({ ...(await problem()).feeds }, key)).rejects.toThrow(
      /guess: "short" foresees 2 numbers of the parameter '.*', which has 30; its 'guess' must return one for each/,
    );
  });

  it.each([
    [{ beta: 1.2 }, /beta.* must be a number from 0 to 1/],
    [{ gamma: 0 }, /gamma.* must be a number above 0/],
  ])("refuses %s", (given, message) => {
    expect(() => momentum(given)).toThrow(message);
  });
});
