/** Feedback where outputs are many: what it reads of them by itself, and that it remembers fewer numbers than the parameters. */
import { describe, expect, it } from "vitest";
import { aggregators } from "../src/aggregate/aggregators.ts";
import { activations } from "../src/estimate/sites/activations.ts";
import { type FeedbackOptions, feedback } from "../src/guess/feedback.ts";
import type { SignalSizes } from "../src/guess/guess.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { convnet } from "../src/models/convnet.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { countParameters } from "../src/objective/parameters.ts";
import type { Graph, Value } from "../src/onnx/graph.ts";
import { float32, int64 } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/builder.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import type { RunStore } from "../src/storage/run-store.ts";
import { train } from "../src/train/train.ts";

const runtime = nodeRuntime({ threads: 1 });
const batch = 2;
const [tokens, words, width] = [48, 300, 32];

/** A convolutional network of 600 classes: 1,152 numbers at its last block's input, and 1,568 at the site before. */
const pictures = () =>
  convnet({ input: [1, 16, 16], outputs: 600, architecture: "Conv8,3-ReLU--Conv8,3-ReLU--F-FC", seed: 0 });

/** The next of 300 words, at each of 48 tokens, which see each other's mean. */
function language(): Graph {
  const g = new GraphBuilder("language");
  const dense = (name: string, x: Value, inputs: number, outputs: number) => {
    const numbers = Array.from(
      { length: inputs * outputs },
      (_, place) => 0.1 * Math.sin(2 * place + name.length),
    );
    return g.matMul(x, g.parameter(name, float32(numbers, [inputs, outputs])));
  };
  const table = Array.from({ length: words * width }, (_, place) => Math.sin(3 * place));
  const embedded = g.gather(
    g.parameter("embedding", float32(table, [words, width])),
    g.input("input", "int64", [batch, tokens]),
  );
  const mean = g.reduceMean(embedded, [1], { keepdims: 1 });
  const first = g.block("first", () => g.tanh(dense("first", g.add(embedded, mean), width, width)));
  const second = g.block("second", () => g.tanh(dense("second", first, width, width)));
  return g.build({ output: g.block("head", () => dense("head", second, width, words)) });
}

const models = { pictures, language };

/** The plan of a run that hands on what its guess remembers, and how many numbers that are. */
async function planned(network: keyof typeof models, guess?: FeedbackOptions) {
  const objective = await compileObjective({
    model: models[network](),
    loss: crossEntropy(),
    runtime,
    batch,
  });
  const options = { tangents: 2, aggregator: aggregators.projection(), remembers: true };
  const plan = await activations({ guess: guess && feedback(guess) }).plan(objective, options);
  const estimator = await plan.open();
  const input =
    network === "pictures"
      ? float32(
          Array.from({ length: batch * 256 }, (_, place) => Math.sin(place)),
          [batch, 1, 16, 16],
        )
      : int64(
          Array.from({ length: batch * tokens }, (_, place) => place % words),
          [batch, tokens],
        );
  const labels =
    network === "pictures"
      ? int64([3, 599])
      : int64(
          Array.from({ length: batch * tokens }, (_, place) => (7 * place) % words),
          [batch, tokens],
        );
  const state = estimator.init?.() ?? {};
  const feeds = { ...objective.parameters, input, labels };
  const shares: (number | undefined)[] = [];
  for (let step = 0; step < 40; step++)
    shares.push((await estimator.estimate(feeds, keyFromSeed(step), state)).unforeseen);
  await estimator.release();
  const remembered = Object.values(state).reduce((sum, { length }) => sum + length, 0);
  return { plan, remembered, parameters: countParameters(objective.parameters), share: shares.at(-1) ?? 1 };
}

describe("feedback of many outputs", () => {
  it("reads a sketch by itself, says so, and remembers no more than the parameters", async () => {
    const { plan, remembered, parameters } = await planned("pictures");
    expect(plan.guess?.name).toBe("feedback");
    expect(plan.notes?.map(({ message }) => message).join()).toMatch(
      /reads 384 sums of the 1152 numbers of its signal/,
    );
    expect(remembered).toBeLessThan(parameters);
    expect(remembered).toBeGreaterThan(parameters / 2);
  });

  it("learns one matrix for all tokens by itself, says so, and foresees most of the gradient by it", async () => {
    const { plan, remembered, parameters, share } = await planned("language");
    expect(plan.guess?.name).toBe("feedback");
    expect(plan.notes?.map(({ message }) => message).join()).toMatch(
      /learns one matrix for all 48 positions/,
    );
    expect(remembered).toBeLessThan(parameters / 2);
    expect(share).toBeLessThan(0.5);
  });

  it("reads as many numbers as it is told", async () => {
    const { remembered } = await planned("pictures", { sketch: 30 });
    // 1,568 numbers at the one site; steps, and the share that is not foreseen.
    expect(remembered).toBe(30 * 1568 + 2);
    expect((await planned("language", { sketch: 8 })).remembered).toBeLessThan(10 * 2 * tokens * width);
  });

  it.each<[string, FeedbackOptions]>([
    ["positions", { reduce: "positions" }],
    ["a sketch", { sketch: 20 }],
  ])("goes on from a checkpoint with the same bytes: %s", async (_, given) => {
    const model = language();
    const numbers = Int32Array.from({ length: 8 * tokens }, (_, place) => (11 * place) % words);
    const examples = {
      inputs: [...numbers],
      labels: numbers,
      shape: [tokens],
      targetShape: [tokens],
      count: 8,
    };
    const run = async (store: RunStore, until: number, resume = false) => {
      const stop = new AbortController();
      const perturb = activations({ guess: feedback(given) });
      const settings = {
        model,
        examples,
        runtime,
        store,
        resume,
        perturb,
        batch,
        steps: 8,
        epochs: 2,
        tangents: 2,
      };
      let saved: Uint8Array | undefined;
      for await (const event of train({ ...settings, signal: stop.signal })) {
        if (event.kind === "step" && event.step === until) stop.abort();
        if (event.kind === "done") saved = event.model;
      }
      return saved;
    };
    const store = memoryStore();
    expect(await run(store, 3)).toBeUndefined();
    expect(await run(store, -1, true)).toEqual(await run(memoryStore(), -1));
  });

  it("refuses positions where there are none", async () => {
    await expect(planned("pictures", { reduce: "positions" })).rejects.toThrow(
      /one matrix for all positions, .* have none in common/,
    );
  });
});

type Sizes = Partial<Omit<SignalSizes, "positions">> & { readonly positions?: number };

describe("what feedback reads", () => {
  const sizes = {
    logits: 1000,
    lastInput: 512,
    sites: 100_000,
    positions: 1,
    parameters: 5_000_000,
  };
  const signal = (given: FeedbackOptions, { positions = 1, ...of }: Sizes) => {
    const rule = feedback(given).sites?.signal;
    return typeof rule === "function" ? rule({ ...sizes, ...of, positions: async () => positions }) : rule;
  };

  it.each<[FeedbackOptions, Sizes, unknown]>([
    [{}, {}, { signal: "last input", by: { sketch: 47 } }],
    [{}, { lastInput: undefined }, { signal: "logits", by: { sketch: 50 } }],
    [{}, { positions: 16 }, { signal: "last input", by: { positions: 16 } }],
    // What fits is read whole, and so is what is named.
    [{}, { sites: 9000 }, "last input"],
    [{}, { logits: 10 }, "logits"],
    [{ reduce: "nothing" }, {}, "last input"],
    [{ signal: "last input" }, {}, "last input"],
    // Fewer than 16 sums are not worth their steps, but where they are asked for.
    [{}, { parameters: 1_500_000 }, "last input"],
    [{ reduce: "sketch" }, { parameters: 1_500_000 }, { signal: "last input", by: { sketch: 15 } }],
    [{ signal: "logits", sketch: 4000 }, {}, { signal: "logits", by: { sketch: 1000 } }],
  ])("with %o and %o is %o", async (given, of, expected) => {
    expect(await signal(given, of)).toEqual(expected);
  });
});
