import { describe, expect, it } from "vitest";
import { blockSites } from "../src/ad/blocks.ts";
import { activationSites } from "../src/ad/sites.ts";
import { exactGradient } from "../src/estimate/exact.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { mlp } from "../src/models/mlp.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { exampleLayouts } from "../src/objective/coupling.ts";
import type { Objective } from "../src/objective/objective.ts";
import type { Value } from "../src/onnx/graph.ts";
import { elementCount, float32, int64, type Tensor } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { createEstimator, type EstimatorSettings } from "../src/train/settings/estimator.ts";
import { relativeError } from "./relative-error.ts";

const runtime = nodeRuntime({ threads: 1 });
const key = keyFromSeed(7);
const batch = 3;

/** Numbers in [−1, 1] that differ from tensor to tensor. */
function spread(shape: readonly number[], offset: number): Tensor & { readonly data: Float32Array } {
  const data = Float32Array.from({ length: elementCount(shape) }, (_, place) =>
    Math.sin(1.7 * place + 0.9 * offset + 0.3),
  );
  return { ...float32(data, shape), data };
}

/** Two positions an example, flattened into the batch axis, on an axis of their own, and leading. */
function sequenceModel() {
  const [positions, width] = [2, 3];
  const g = new GraphBuilder("sequence");
  const parameter = (name: string, shape: number[], offset: number) =>
    g.parameter(name, spread(shape, offset));
  const x = g.input("x", "float32", [batch, positions * width]);
  const rows = g.reshape(x, [-1, width]);
  const flat = g.matMul(rows, parameter("embed", [width, width], 1));
  const byPosition = g.reshape(flat, [-1, positions, width]);
  const placed = g.add(byPosition, parameter("position", [positions, width], 2));
  const leading = g.tanh(g.transpose(placed, { perm: [1, 0, 2] }));
  const timeMajor = g.matMul(leading, parameter("recurrent", [width, width], 3));
  const interleaved = g.matMul(
    g.reshape(g.tanh(timeMajor), [-1, width]),
    parameter("flat", [width, width], 4),
  );
  const back = g.transpose(g.reshape(interleaved, [positions, -1, width]), { perm: [1, 0, 2] });
  const pooled = g.reduceMean(g.tanh(back), [1], { keepdims: 0 });
  return g.build({ logits: g.matMul(pooled, parameter("head", [width, 2], 5)) });
}

async function objectiveOf(model: ReturnType<typeof sequenceModel>): Promise<Objective> {
  return compileObjective({ model, loss: crossEntropy(), runtime, batch });
}

function feedsOf(objective: Objective, input: string, labels: readonly number[]) {
  const { shape } = objective.graph.values.get(input) as Value;
  return { ...objective.parameters, [input]: spread(shape, 9), labels: int64(labels) };
}

async function expectExact(
  objective: Objective,
  feeds: Readonly<Record<string, Tensor>>,
  settings: EstimatorSettings,
) {
  const estimator = await createEstimator(objective, settings);
  const exact = await exactGradient(objective);
  const expected = (await exact.estimate(feeds, key)).gradients;
  const { gradients } = await estimator.estimate(feeds, key);
  for (const [name, gradient] of Object.entries(gradients))
    expect(relativeError(gradient, expected[name] ?? []), name).toBeLessThan(1e-4);
  await estimator.release();
  await exact.release();
}

describe("examples have their places", () => {
  it("on leading, inner and shared axes, found by value", async () => {
    const objective = await objectiveOf(sequenceModel());
    const sites = activationSites(objective.graph, objective.graph.parameters, "losses");
    expect(sites.map((site) => site.parameters)).toEqual([
      ["embed"],
      ["position"],
      ["recurrent"],
      ["flat"],
      ["head"],
    ]);
    const layouts = await exampleLayouts(
      objective,
      sites.map((site) => site.value),
    );
    expect(layouts).toEqual([
      { outer: 1, inner: 6 },
      { outer: 1, inner: 6 },
      { outer: 2, inner: 3 },
      { outer: 2, inner: 3 },
      { outer: 1, inner: 2 },
    ]);
  });

  it.each([false, true])(
    "and give exact gradients with enough tangents (shared: %s)",
    async (shareTangents) => {
      const objective = await objectiveOf(sequenceModel());
      // 6 + 6 + 6 + 6 + 2 numbers an example.
      await expectExact(objective, feedsOf(objective, "x", [0, 1, 1]), {
        tangents: 40,
        perturb: { name: "activations", shareTangents },
      });
    },
  );
});

describe("blocks", () => {
  /** Layers of the same graph, with the nodes of each in a named block. */
  function named() {
    const g = new GraphBuilder("named");
    let x = g.input("input", "float32", [batch, 6]);
    for (const [index, [from, to]] of [
      [6, 5],
      [5, 4],
      [4, 3],
    ].entries()) {
      x = g.block(`layer${index + 1}`, () => {
        const weight = g.parameter(`w${index + 1}`, spread([from as number, to as number], index));
        const bias = g.parameter(`b${index + 1}`, spread([to as number], index + 5));
        const sum = g.add(g.matMul(x, g.mul(weight, 0.7)), bias);
        return index === 2 ? sum : g.tanh(g.tanh(sum));
      });
    }
    return g.build({ logits: x });
  }

  it("end where a value is read by another block", async () => {
    const { graph } = await objectiveOf(named());
    expect(blockSites(graph, graph.parameters, "losses")).toEqual([
      { value: "layer1/Tanh_1", parameters: ["w1", "b1"] },
      { value: "layer2/Tanh_1", parameters: ["w2", "b2"] },
      { value: "layer3/Add", parameters: ["w3", "b3"] },
    ]);
  });

  it.each([false, true])("give exact gradients with enough tangents (shared: %s)", async (shareTangents) => {
    const objective = await objectiveOf(named());
    const feeds = feedsOf(objective, "input", [2, 0, 1]);
    await expectExact(objective, feeds, { perturb: { name: "blocks", shareTangents }, tangents: 16 });
    // Two blocks that a pattern of one's own finds: layers 1 and 2 together, and layer 3.
    await expectExact(objective, feeds, {
      perturb: { name: "blocks", pattern: /^layer[12]|^layer3/, shareTangents },
      tangents: 16,
    });
  });

  it("must be there, and must contain every parameter", async () => {
    const { graph } = await objectiveOf(mlp({ input: [6], hidden: [4], outputs: 3, batch }));
    expect(() => blockSites(graph, graph.parameters, "losses", { pattern: /nowhere/ })).toThrow(
      "Choose a pattern that finds the blocks' names (perturb.pattern)",
    );
    const { graph: partial } = await objectiveOf(named());
    expect(() => blockSites(partial, partial.parameters, "losses", { pattern: /^layer1/ })).toThrow(
      "The parameter 'w2' reaches 'losses' without passing a site",
    );
  });
});
