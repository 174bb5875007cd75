/** Guesses of the gradient: what tangents correct stays without bias on every path, and what is learned is the Jacobian. */
import { describe, expect, it } from "vitest";
import { guessArrayName } from "../src/ad/names.ts";
import { aggregators } from "../src/aggregate/aggregators.ts";
import { glyphs } from "../src/data/sets/glyphs.ts";
import type { Estimator } from "../src/estimate/estimator.ts";
import { exactGradient } from "../src/estimate/exact.ts";
import { forwardGradient } from "../src/estimate/forward-gradient.ts";
import { activations } from "../src/estimate/sites/activations.ts";
import { type ActivationsOptions, keptSites } from "../src/estimate/sites/kept.ts";
import { redrawnSites } from "../src/estimate/sites/redrawn.ts";
import type { EstimatorState } from "../src/estimate/state.ts";
import { feedback } from "../src/guess/feedback.ts";
import type { Guess } from "../src/guess/guess.ts";
import { type GuessName, guessSetting } from "../src/guess/guesses.ts";
import { residual } from "../src/guess/residual.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { meanSquaredError } from "../src/losses/mean-squared-error.ts";
import { mlp } from "../src/models/mlp.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import type { Objective } from "../src/objective/objective.ts";
import type { Graph, Value } from "../src/onnx/graph.ts";
import { float32, int64 } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { fold, keyFromSeed } from "../src/random/threefry.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { Tensors } from "../src/runtime/runtime.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import type { RunStore } from "../src/storage/run-store.ts";
import { samplers } from "../src/tangents/samplers.ts";
import { train } from "../src/train/train.ts";
import { relativeError } from "./relative-error.ts";

const runtime = nodeRuntime({ threads: 1 });
const batch = 4;
const k = 3;
const options = { tangents: k, aggregator: aggregators.projection(), sampler: samplers.gaussian() };

/** A classifier of three classes with three residual blocks, x + W·relu(V·x). */
function residualNetwork(): Graph {
  const g = new GraphBuilder("residual network");
  const dense = (name: string, x: Value, inputs: number, outputs: number) => {
    const numbers = Array.from({ length: inputs * outputs }, (_, place) => Math.sin(2 * place + name.length));
    return g.matMul(x, g.parameter(name, float32(numbers, [inputs, outputs])));
  };
  let x = g.block("stem", () => dense("stem", g.input("input", "float32", [batch, 5]), 5, 7));
  for (const block of ["first", "second", "third"])
    x = g.block(block, () => g.add(x, dense(`${block}.out`, g.relu(dense(`${block}.in`, x, 7, 4)), 4, 7)));
  return g.build({ output: g.block("head", () => dense("head", x, 7, 3)) });
}

/** Classes of each of two tokens, which a mixing of the tokens lets depend on each other; one site has other positions. */
function tokenNetwork(): Graph {
  const g = new GraphBuilder("token network");
  const dense = (name: string, x: Value, inputs: number, outputs: number) => {
    const numbers = Array.from({ length: inputs * outputs }, (_, place) => Math.sin(2 * place + name.length));
    return g.matMul(x, g.parameter(name, float32(numbers, [inputs, outputs])));
  };
  const tokens = g.reshape(g.input("input", "float32", [batch, 6]), [batch, 2, 3]);
  const wide = g.block("wide", () => g.relu(dense("wide", tokens, 3, 8)));
  const turned = g.transpose(wide, { perm: [0, 2, 1] });
  const mixed = g.block("mixing", () => g.tanh(dense("mixing", turned, 2, 2)));
  const back = g.add(wide, g.transpose(mixed, { perm: [0, 2, 1] }));
  const narrow = g.block("narrow", () => g.tanh(dense("narrow", back, 8, 4)));
  return g.build({ output: g.block("head", () => dense("head", narrow, 4, 5)) });
}

type Network = "layers" | "residual" | "tokens";

/** A classifier of three classes with hidden layers of ReLUs or on a residual stream, or of five for each of two tokens; and a batch. */
async function problem(
  network: Network = "layers",
): Promise<{ readonly objective: Objective; readonly feeds: Tensors }> {
  const isOfTokens = network === "tokens";
  const models = {
    layers: () => mlp({ input: [5], hidden: [20, 12], outputs: 3, batch }),
    residual: residualNetwork,
    tokens: tokenNetwork,
  };
  const model = models[network]();
  const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch });
  const width = isOfTokens ? 6 : 5;
  const numbers = Array.from({ length: batch * width }, (_, place) => Math.sin(3 * place + 1));
  const labels = isOfTokens ? int64([0, 2, 1, 4, 3, 1, 2, 2], [batch, 2]) : int64([0, 2, 1, 1]);
  return { objective, feeds: { ...objective.parameters, input: float32(numbers, [batch, width]), labels } };
}

const paths: Readonly<
  Record<string, { readonly open: typeof keptSites; readonly options?: Partial<ActivationsOptions> }>
> = {
  kept: { open: keptSites },
  "in chunks": { open: keptSites, options: { tangentChunk: 2 } },
  "shared by the batch": { open: keptSites, options: { shareTangents: true } },
  "at blocks": { open: keptSites, options: { blocks: true } },
  "a mean": { open: keptSites, options: { aggregator: aggregators.mean() } },
  "many, with a float64 Gram matrix": { open: keptSites, options: { tangents: 9 } },
  "drawn again": { open: redrawnSites },
  "drawn again, shared": { open: redrawnSites, options: { shareTangents: true, tangentChunk: 2 } },
};

const key = keyFromSeed(11);

/** Lets a guess learn from some steps at the same parameters. */
async function taught(estimator: Estimator, feeds: Tensors, steps: number): Promise<EstimatorState> {
  const state = estimator.init?.() ?? {};
  for (let step = 0; step < steps; step++) await estimator.estimate(feeds, fold(fold(key, 1), step), state);
  return state;
}

const copyOf = (state: EstimatorState): EstimatorState =>
  Object.fromEntries(Object.entries(state).map(([name, data]) => [name, data.slice()]));

/** Mean and variance of estimates under one state, by number. */
async function moments(estimator: Estimator, feeds: Tensors, state: EstimatorState, draws: number) {
  const sums: number[] = [];
  const squares: number[] = [];
  for (let draw = 0; draw < draws; draw++) {
    const { gradients } = await estimator.estimate(feeds, fold(fold(key, 2), draw), copyOf(state));
    const all = Object.values(gradients).flatMap((values) => [...values]);
    for (const [place, value] of all.entries()) {
      sums[place] = (sums[place] ?? 0) + value;
      squares[place] = (squares[place] ?? 0) + value ** 2;
    }
  }
  const mean = sums.map((sum) => sum / draws);
  return {
    mean,
    variance: squares.map((square, place) => Math.max(0, square / draws - (mean[place] as number) ** 2)),
  };
}

/** Each guess at sites, corrected without bias. */
const corrected: Readonly<
  Record<
    Exclude<GuessName, "none" | "momentum"> | `feedback from ${"the logits" | "a sketch" | "positions"}`,
    () => Guess
  >
> = {
  feedback: () => feedback(),
  "feedback from the logits": () => feedback({ signal: "logits" }),
  "feedback from a sketch": () => feedback({ sketch: 5 }),
  "feedback from positions": () => feedback({ reduce: "positions" }),
  residual: () => residual({ gamma: 1 }),
};

describe.each(Object.entries(corrected))("the guess %s", (name, make) => {
  const network = name === "residual" ? "residual" : name.endsWith("positions") ? "tokens" : "layers";

  it.each(Object.entries(paths))("is corrected without bias by tangents that are %s", async (_, path) => {
    const { objective, feeds } = await problem(network);
    const guess = make();
    const estimator = forwardGradient(await path.open(objective, { ...options, ...path.options, guess }));
    const exact = await exactGradient(objective);
    const expected = Object.values((await exact.estimate(feeds, key)).gradients).flatMap((values) => [
      ...values,
    ]);
    const state = await taught(estimator, feeds, 5);
    const draws = 1500;
    const { mean, variance } = await moments(estimator, feeds, state, draws);
    // Each number is normal about ∇f with this error; the largest of 400 such numbers stays below 4.5 of them.
    for (const [place, value] of expected.entries()) {
      const error = Math.sqrt((variance[place] as number) / draws) + 1e-6;
      expect(Math.abs((mean[place] as number) - value) / error).toBeLessThan(4.5);
    }
    await Promise.all([estimator.release(), exact.release()]);
  });

  it("gives the same estimates drawn again as kept, and learns the same", async () => {
    const { objective, feeds } = await problem(network);
    const open = { ...options, guess: make() };
    const kept = forwardGradient(await keptSites(objective, open));
    const redrawn = forwardGradient(await redrawnSites(objective, { ...open, tangentChunk: 2 }));
    const states = [await taught(kept, feeds, 4), await taught(redrawn, feeds, 4)];
    for (const [array, data] of Object.entries(states[0] as EstimatorState))
      for (const [place, value] of data.entries()) expect(states[1]?.[array]?.[place]).toBeCloseTo(value, 5);
    await Promise.all([kept.release(), redrawn.release()]);
  });
});

describe("feedback", () => {
  it("carries back what is known at the last block's input, where it is small, and leaves the site there alone", async () => {
    const { objective } = await problem();
    const dimension = async (given: Parameters<typeof feedback>[0]) => {
      const plan = await activations({ guess: feedback(given) }).plan(objective, options);
      return plan.dimension;
    };
    // Hidden layers of 20 and 12 numbers.
    expect(await dimension({})).toBe(20);
    expect(await dimension({ signal: "last input" })).toBe(20);
    expect(await dimension({ signal: "logits" })).toBe(32);
  });

  it("learns nothing, and stays finite, from a batch of which a ReLU lets nothing through", async () => {
    const { objective, feeds } = await problem();
    const dead = Object.fromEntries(
      Object.entries(objective.parameters).map(([name, { shape, data }]) => [
        name,
        float32(
          name.endsWith("bias") ? Array.from(data, () => -100) : Array.from(data as Float32Array),
          shape,
        ),
      ]),
    );
    for (const open of [keptSites, redrawnSites])
      for (const shareTangents of [false, true]) {
        const guess = feedback();
        const estimator = forwardGradient(await open(objective, { ...options, shareTangents, guess }));
        const state = await taught(estimator, feeds, 3);
        const before = copyOf(state);
        await estimator.estimate({ ...feeds, ...dead }, fold(key, 4), state);
        const [matrix = ""] = Object.keys(state).filter((name) => name.includes("matrix"));
        expect(state[matrix]).toEqual(before[matrix]);
        const { gradients } = await estimator.estimate(feeds, fold(key, 5), state);
        expect(
          Object.values(gradients)
            .flatMap((values) => [...values])
            .every(Number.isFinite),
        ).toBe(true);
        await estimator.release();
      }
  });

  it.each([
    ["signs", samplers.rademacher(), 4],
    ["an axis", samplers["standard-basis"](), 4],
    ["an angle of 20 degrees", samplers["fixed-angle"]({ degrees: 20 }), 9],
    ["unit length", samplers.sphere({ unit: true }), 4],
  ] as const)(
    "learns the Jacobian from tangents of %s, and where few examples are active",
    async (_, sampler, tangents) => {
      const { objective, feeds } = await problem();
      // One example of four has numbers, the others none: blank pictures.
      const input = float32(
        Array.from({ length: batch * 5 }, (_, place) => (place < 5 ? Math.sin(3 * place + 1) : 0)),
        [batch, 5],
      );
      const unbiased = Object.fromEntries(
        Object.entries(objective.parameters).map(([name, { shape, data }]) => [
          name,
          float32(
            Array.from(data as Float32Array, (value) => (name.endsWith("bias") ? 0 : value)),
            shape,
          ),
        ]),
      );
      const open = { ...options, tangents, sampler, guess: feedback() };
      const estimator = forwardGradient(await keptSites(objective, open));
      const state = await taught(estimator, { ...feeds, ...unbiased, input }, 1500);
      expect((state["guess/unforeseen"] as Float64Array)[0]).toBeLessThan(0.05);
      await estimator.release();
    },
  );

  it("forgets a batch that was right already as fast as another", async () => {
    const { objective, feeds } = await problem();
    const estimator = forwardGradient(await keptSites(objective, { ...options, guess: feedback() }));
    const state = await taught(estimator, feeds, 3);
    (state["guess/unforeseen"] as Float64Array)[0] = 0.5;
    // Errors of the guess that are huge next to the derivatives: a matrix that is wrong.
    const [matrix = ""] = Object.keys(state).filter((name) => name.includes("matrix"));
    (state[matrix] as Float32Array).fill(1e6);
    await estimator.estimate(feeds, fold(key, 6), state);
    expect((state["guess/unforeseen"] as Float64Array)[0]).toBeCloseTo(0.5 + 0.1 * 0.5, 9);
    await estimator.release();
  });

  it("foresees all of a layer before the last block's input, whichever numbers a ReLU lets through", async () => {
    const { objective, feeds } = await problem();
    const estimator = forwardGradient(await keptSites(objective, { ...options, guess: feedback() }));
    const exact = await exactGradient(objective);
    const state = await taught(estimator, feeds, 300);
    const { gradients } = await estimator.estimate(feeds, fold(key, 3), state);
    const expected = (await exact.estimate(feeds, key)).gradients;
    for (const [name, values] of Object.entries(expected))
      for (const [place, value] of values.entries()) expect(gradients[name]?.[place]).toBeCloseTo(value, 3);
    await Promise.all([estimator.release(), exact.release()]);
  });

  it("learns the Jacobian of a linear model, and then leaves no variance", async () => {
    const g = new GraphBuilder("linear");
    const weights = (name: string, rows: number, columns: number) =>
      g.parameter(
        name,
        float32(
          Array.from({ length: rows * columns }, (_, place) => Math.sin(place)),
          [rows, columns],
        ),
      );
    const hidden = g.matMul(g.input("input", "float32", [batch, 5]), weights("first", 5, 6));
    const model = g.build({ output: g.matMul(hidden, weights("second", 6, 2)) });
    const objective = await compileObjective({ model, loss: meanSquaredError(), runtime, batch });
    const inputs = Array.from({ length: batch * 5 }, (_, place) => Math.cos(place));
    const targets = Array.from({ length: batch * 2 }, (_, place) => Math.sin(place));
    const feeds = {
      ...objective.parameters,
      input: float32(inputs, [batch, 5]),
      target: float32(targets, [batch, 2]),
    };
    const estimator = forwardGradient(await keptSites(objective, { ...options, guess: feedback() }));
    const exact = await exactGradient(objective);
    const expected = (await exact.estimate(feeds, key)).gradients;
    const state = await taught(estimator, feeds, 200);
    const { gradients } = await estimator.estimate(feeds, key, state);
    for (const [name, values] of Object.entries(expected))
      for (const [place, value] of values.entries()) expect(gradients[name]?.[place]).toBeCloseTo(value, 4);
    await Promise.all([estimator.release(), exact.release()]);
  });

  it("starts from nothing: the first estimate is the projection's, brought to the length of ∇f", async () => {
    const { objective, feeds } = await problem();
    const plain = forwardGradient(await keptSites(objective, options));
    const guessing = forwardGradient(
      await keptSites(objective, { ...options, guess: feedback({ signal: "logits" }) }),
    );
    const before = (await plain.estimate(feeds, key)).gradients;
    const after = (await guessing.estimate(feeds, key)).gradients;
    const { dimension } = plain;
    for (const [name, values] of Object.entries(before))
      for (const [place, value] of values.entries())
        expect(after[name]?.[place]).toBeCloseTo((value * dimension) / k, 3);
    await Promise.all([plain.release(), guessing.release()]);
  });

  it("varies several times less once it has learned", async () => {
    const { objective, feeds } = await problem();
    const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
    const variances: number[] = [];
    for (const steps of [0, 200]) {
      const estimator = forwardGradient(await keptSites(objective, { ...options, guess: feedback() }));
      const state = await taught(estimator, feeds, steps);
      variances.push(total((await moments(estimator, feeds, state, 300)).variance));
      await estimator.release();
    }
    expect((variances[0] as number) / (variances[1] as number)).toBeGreaterThan(3);
  });

  it("alone (gamma 0) needs no luck: estimates do not depend on the tangents", async () => {
    const { objective, feeds } = await problem();
    const estimator = forwardGradient(
      await keptSites(objective, { ...options, guess: feedback({ gamma: 0 }) }),
    );
    const state = await taught(estimator, feeds, 20);
    const estimates: Float32Array[][] = [];
    for (const draw of [1, 2]) {
      const { gradients } = await estimator.estimate(feeds, fold(key, draw), copyOf(state));
      estimates.push(Object.values(gradients).map((values) => values.slice()));
    }
    expect(estimates[0]).toEqual(estimates[1]);
    await estimator.release();
  });

  it("goes on from a checkpoint with the same bytes, and with a rate that grows as it learns", async () => {
    const data = glyphs({ train: 600, test: 50 });
    const run = async (store: RunStore, until: number, resume = false) => {
      const stop = new AbortController();
      const rates: number[] = [];
      let saved: Uint8Array | undefined;
      const options = { model: mlp({ input: [1, 28, 28], hidden: [24], outputs: 10 }), examples: data.train };
      const perturb = activations({ guess: feedback() });
      const schedule = "constant" as const;
      const settings = {
        ...options,
        perturb,
        schedule,
        runtime,
        store,
        resume,
        batch: 20,
        steps: 24,
        seed: 3,
        tangents: 4,
      };
      for await (const event of train({ ...settings, signal: stop.signal })) {
        if (event.kind === "step") rates.push(event.learningRate);
        if (event.kind === "step" && event.step === until) stop.abort();
        if (event.kind === "done") saved = event.model;
      }
      return { rates, saved };
    };
    const whole = await run(memoryStore(), -1);
    const store = memoryStore();
    const first = await run(store, 9);
    const second = await run(store, -1, true);
    expect(first.saved).toBeUndefined();
    expect([...first.rates, ...second.rates]).toEqual(whole.rates);
    expect(second.saved).toEqual(whole.saved);
    expect(whole.rates.at(-1)).toBeGreaterThan(1.05 * (whole.rates[0] as number));
  });

  it.each<[string, Partial<ActivationsOptions>]>([
    ["some", { tangents: 5, guess: feedback() }],
    ["the first two at a time", { tangents: 5, tangentChunk: 2, guess: feedback({ signal: "logits" }) }],
    ["shared ones", { shareTangents: true, guess: feedback() }],
  ])("learns the same where derivatives are simulated: %s", async (_name, more) => {
    const { objective, feeds } = await problem();
    const [forward, simulated] = await Promise.all(
      [false, true].map(async (simulated) => {
        const estimator = forwardGradient(await keptSites(objective, { ...options, ...more, simulated }));
        const state = await taught(estimator, feeds, 12);
        const { gradients, unforeseen } = await estimator.estimate(feeds, key, state);
        await estimator.release();
        return [
          ...Object.values({ ...state, ...gradients }).flatMap((values) => [...values]),
          unforeseen ?? 1,
        ];
      }),
    );
    expect(relativeError(simulated ?? [], forward ?? [])).toBeLessThan(1e-4);
    expect(forward?.at(-1)).toBeLessThan(0.9);
  });

  it("is answered where it cannot be used", () => {
    expect(() => activations({ guess: "feedbak" as "feedback" })).toThrow(/Did you mean "feedback"/);
  });

  it("is chosen as data, with options of its own", () => {
    const chosen = guessSetting.choose({ name: "feedback", gamma: 0.5 });
    expect(chosen).toMatchObject({ name: "feedback", gamma: 0.5, config: { gamma: 0.5 } });
    expect(chosen.sites).toBeDefined();
    expect(() => guessSetting.choose({ name: "feedback", gamma: 2 })).toThrow(/gamma.* from 0 to 1/);
  });

  it.each([-0.1, 1.5, Number.NaN])("refuses gamma %s", (gamma) => {
    expect(() => feedback({ gamma })).toThrow(/gamma.* must be a number from 0 to 1/);
  });
});

describe("a guess of the user's own", () => {
  const sites = { signal: "logits", emitGuess: () => undefined } as const;

  it.each([
    [{}, /guess: "mine" needs sites or weights/],
    [{ sites: { ...sites, signal: "output" } }, /needs sites\.signal: logits, .*received "output"/],
    [{ sites: { signal: "logits" } }, /needs sites\.emitGuess: a function/],
    [{ sites: { ...sites, emitStep: true } }, /needs sites\.emitStep: a function/],
    [
      { weights: { memory: () => ({}), guess: () => new Float32Array() } },
      /needs weights\.learn: a function/,
    ],
  ])("lacks nothing: %o", (parts, message) => {
    expect(() => guessSetting.choose({ name: "mine", gamma: 1, ...parts })).toThrow(message);
  });

  it("emits values of the shapes that it says", async () => {
    const { objective } = await problem();
    const open = (own: Guess["sites"]) =>
      keptSites(objective, { ...options, guess: { name: "mine", gamma: 1, sites: own } });
    await expect(open({ ...sites, emitGuess: (_, delta) => delta })).rejects.toThrow(
      /guess: "mine": emitGuess at '.*' must be a value of shape \[4, 20\], and has \[4, 3\]/,
    );
    await expect(open({ ...sites, memory: () => ({ a: [2] }), emitStep: () => [] })).rejects.toThrow(
      /'a' of emitStep at '.*' must be a value of shape \[2\], and is missing/,
    );
  });

  it("keeps arrays apart whose names and sites' names read alike", () => {
    expect(guessArrayName("mine", "a/x", "b")).not.toBe(guessArrayName("mine", "a", "x/b"));
    expect(guessArrayName("feedback", "matrix", "layer1/Relu")).toBe("guess/feedback/matrix/layer1/Relu");
  });
});

it("feedback for one layer says that its gradient is known", async () => {
  const model = mlp({ input: [5], hidden: [], outputs: 3, batch });
  const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch });
  const { notes = [] } = await activations({ guess: feedback() }).plan(objective, options);
  expect(notes.map(String).join()).toMatch(
    /The model is one layer, .* guess: "feedback" has to learn what is known/,
  );
});
