/** Guesses that start from a gradient known behind the last block: what they foresee, what needs no tangents then, and answers. */
import { describe, expect, it } from "vitest";
import { glyphs } from "../src/data/sets/glyphs.ts";
import { exactGradient } from "../src/estimate/exact.ts";
import { activations } from "../src/estimate/sites/activations.ts";
import { blocks } from "../src/estimate/sites/blocks.ts";
import { findSites } from "../src/estimate/sites/graphs.ts";
import type { Guess, GuessSignal } from "../src/guess/guess.ts";
import { residual } from "../src/guess/residual.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { mlp } from "../src/models/mlp.ts";
import { mlpMixer } from "../src/models/mlp-mixer.ts";
import { resnet18 } from "../src/models/resnet18.ts";
import { vit } from "../src/models/vit.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import type { Objective } from "../src/objective/objective.ts";
import type { Graph } from "../src/onnx/graph.ts";
import { float32, int64 } from "../src/onnx/tensor.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { Tensors } from "../src/runtime/runtime.ts";
import { memoryStore } from "../src/storage/memory-store.ts";
import type { RunStore } from "../src/storage/run-store.ts";
import { createEstimator, type EstimatorSettings } from "../src/train/settings/estimator.ts";
import { train } from "../src/train/train.ts";
import { readGolden } from "./golden.ts";
import { type ModelGolden, openGolden, unpack } from "./model-goldens.ts";
import { relativeError } from "./relative-error.ts";

const runtime = nodeRuntime({ threads: 1 });
const key = keyFromSeed(5);
const golden = readGolden<ModelGolden & { readonly gradient: string }>("residual.golden.json");
const batch = 3;
type Perturbation = EstimatorSettings["perturb"];

const objectiveOf = (model: Graph) => compileObjective({ model, loss: crossEntropy(), runtime, batch });

/** A guess of nothing, which reads a signal. */
const nothing = (signal: GuessSignal): Guess => ({
  name: "nothing",
  gamma: 1,
  sites: { signal, emitGuess: () => undefined },
});

/** The gradients of the parameters that a pattern finds are exact, of those before estimated by two tangents. */
async function expectExact(objective: Objective, feeds: Tensors, perturb: Perturbation, known: RegExp) {
  const estimator = await createEstimator(objective, { perturb, tangents: 2 });
  const exact = await exactGradient(objective);
  const expected = (await exact.estimate(feeds, key)).gradients;
  const { gradients } = await estimator.estimate(feeds, key);
  for (const [name, values] of Object.entries(expected)) {
    const error = relativeError(gradients[name] as Float32Array, values);
    if (known.test(name)) expect(error).toBeLessThan(1e-5);
    else if (name.endsWith("weight")) expect(error).toBeGreaterThan(0.1);
  }
  await Promise.all([estimator.release(), exact.release()]);
}

describe("residual alone", () => {
  it.each([false, true])(
    "passes each block the last one's gradient, as PyTorch does (low memory: %s)",
    async (lowMemory) => {
      const { objective, feeds } = await openGolden(golden, runtime);
      const estimator = await createEstimator(objective, {
        perturb: blocks({ guess: residual() }),
        lowMemory,
      });
      const { loss, gradients, derivatives } = await estimator.estimate(feeds, key);
      expect(loss).toBeCloseTo(golden.loss, 5);
      const flat = golden.parameters.flatMap((name) => [...(gradients[name] as Float32Array)]);
      expect(relativeError(flat, unpack(golden.gradient))).toBeLessThan(1e-5);
      expect(derivatives).toHaveLength(0);
      await estimator.release();
    },
  );

  it("takes no simulated derivatives", async () => {
    const objective = await objectiveOf(vit({ input: [1, 4, 4], outputs: 2, patch: 2, layers: 2, width: 4 }));
    const perturb = blocks({ guess: residual() });
    await expect(createEstimator(objective, { perturb, gradient: "simulated" })).rejects.toThrow(
      /takes no derivatives/,
    );
  });

  it.each([-0.1, 1.5, Number.NaN])("refuses gamma %s", (gamma) => {
    expect(() => residual({ gamma })).toThrow(/gamma.* must be a number from 0 to 1/);
  });
});

describe("a run by residual alone", () => {
  const data = glyphs({ train: 300, test: 20 });
  const model = vit({ input: [1, 28, 28], outputs: 10, patch: 14, layers: 3, width: 8, mlp: 8 });
  const settings = {
    model,
    examples: data.train,
    runtime,
    batch: 20,
    steps: 24,
    seed: 3,
    optimizer: "adam" as const,
    learningRate: 0.02,
  };

  it("says that it is a local method, and where it trains nothing", async () => {
    const said = async (perturb: Perturbation) => {
      for await (const event of train({ ...settings, perturb }))
        if (event.kind === "start") return { ...event, notes: event.notes.map((note) => `${note}`) };
      throw new Error("The run did not start.");
    };
    const named = await said(blocks({ guess: "residual" }));
    expect(named).toMatchObject({ isLocal: true, tangents: 0 });
    expect(named.notes).toHaveLength(1);
    expect(named.notes[0]).toMatch(/That is a local method and no forward gradient/);
    const layers = await said(activations({ guess: "residual" }));
    expect(layers.notes[1]).toMatch(
      /does not pass 5 of the 10 sites \('encoder_layer_0\/Reshape_3', .* is not trained/,
    );
    const measured = await said(activations({ guess: residual({ gamma: 0.5 }) }));
    expect(measured).toMatchObject({ isLocal: false, tangents: 16 });
    expect(measured.notes).toEqual([expect.stringMatching(/tangents alone measure the gradient/)]);
  });

  it("goes on from a checkpoint with the same bytes, and learns", async () => {
    const run = async (store: RunStore, until: number, resume = false) => {
      const stop = new AbortController();
      const losses: number[] = [];
      let saved: Uint8Array | undefined;
      const perturb = blocks({ guess: residual() });
      for await (const event of train({ ...settings, perturb, store, resume, signal: stop.signal })) {
        if (event.kind === "step") losses.push(event.loss);
        if (event.kind === "step" && event.step === until) stop.abort();
        if (event.kind === "done") saved = event.model;
      }
      return { losses, saved };
    };
    const whole = await run(memoryStore(), -1);
    const store = memoryStore();
    const first = await run(store, 9);
    const second = await run(store, -1, true);
    expect(first.saved).toBeUndefined();
    expect([...first.losses, ...second.losses]).toEqual(whole.losses);
    expect(second.saved).toEqual(whole.saved);
    expect(whole.losses.at(-1)).toBeLessThan((whole.losses[0] as number) - 0.01);
  });
});

describe("a signal behind the last block", () => {
  const transformer = vit({ input: [1, 4, 4], outputs: 2, patch: 2, layers: 3, width: 4 });

  it("needs tangents before the last residual block alone, and knows where the stream passes", async () => {
    const objective = await objectiveOf(transformer);
    const guess = residual();
    const named = await findSites(objective, { blocks: true, guess });
    expect(named.sites.map(({ value }) => value.split("/")[0])).toEqual(["embedding", "encoder_layer_0"]);
    expect(named.sites.map(({ isSummed }) => isSummed)).toEqual([true, true]);
    expect(named.signal?.value).toMatch(/^encoder_layer_1\//);
    expect(named.dimension).toBe(2 * 5 * 4);
    const layers = await findSites(objective, { guess });
    // Attention and the hidden layer of a perceptron lie beside the stream.
    expect(layers.sites.map(({ value, isSummed }) => [value.split("/").at(-1), isSummed])).toEqual([
      ["Add_1", true],
      ...["Reshape_3", "Add_2", "Gelu", "Add_5", "Reshape_3", "Add_2", "Gelu", "Add_5", "Reshape_3"].map(
        (value) => [value, value.startsWith("Add")],
      ),
    ]);
    expect(layers.signal?.value).toBe("encoder_layer_2/Add_2");
  });

  it("finds the stream of a mixer", async () => {
    const objective = await objectiveOf(
      mlpMixer({ input: [1, 4, 4], outputs: 2, patch: 2, layers: 2, width: 4 }),
    );
    const { sites } = await findSites(objective, { blocks: true, guess: residual() });
    expect(sites.every(({ isSummed }) => isSummed)).toBe(true);
  });

  it("leaves the residual blocks and the head behind it exact", async () => {
    const { objective, feeds } = await openGolden(golden, runtime);
    const perturb = blocks({ guess: nothing("residual stream") });
    await expectExact(objective, feeds, perturb, /encoder_layer_[23]|^heads|encoder\.ln/);
  });

  it("leaves the last block and the one before it exact", async () => {
    const objective = await objectiveOf(mlp({ input: [9], hidden: [6, 5, 4], outputs: 2 }));
    const numbers = Array.from({ length: 9 * batch }, (_, place) => Math.sin(place));
    const feeds = { ...objective.parameters, input: float32(numbers, [batch, 9]), labels: int64([0, 1, 1]) };
    await expectExact(objective, feeds, activations({ guess: nothing("last input") }), /^layer[34]/);
  });

  it("is answered where there is no residual stream, or none from site to site", async () => {
    const plain = await objectiveOf(mlp({ input: [4], hidden: [5, 5], outputs: 2 }));
    await expect(findSites(plain, { guess: residual() })).rejects.toThrow(
      /needs two sites or more on a residual stream/,
    );
    // Its last stream has one block, behind a downsampling one.
    const stages = await objectiveOf(
      resnet18({ input: [1, 8, 8], outputs: 2, width: 2, norm: "group", groups: 1 }),
    );
    await expect(findSites(stages, { blocks: true, guess: residual() })).rejects.toThrow(
      /needs two sites or more on a residual stream/,
    );
  });
});
