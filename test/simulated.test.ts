import { describe, expect, it } from "vitest";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { mlp } from "../src/models/mlp.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import type { Graph } from "../src/onnx/graph.ts";
import type { Tensor } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { fillUniform } from "../src/random/uniform.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { createEstimator, type EstimatorSettings } from "../src/train/settings/estimator.ts";
import { relativeError } from "./relative-error.ts";

const runtime = nodeRuntime({ threads: 1 });
const key = keyFromSeed(7);
const batch = 5;

/** A tied weight, a site that feeds two others, and a site of shape [batch, positions, width]. */
function branching(): Graph {
  const g = new GraphBuilder("branching");
  const wave = (count: number, phase: number) =>
    Float32Array.from({ length: count }, (_, index) => Math.sin(index + phase));
  const x = g.input("input", "float32", [batch, 6]);
  const w = g.parameter("w", { dtype: "float32", shape: [6, 6], data: wave(36, 0) });
  const b = g.parameter("b", { dtype: "float32", shape: [6], data: wave(6, 1) });
  const u = g.parameter("u", { dtype: "float32", shape: [3, 4], data: wave(12, 2) });
  const h = g.tanh(g.add(g.matMul(x, w), b));
  const again = g.tanh(g.matMul(h, g.transpose(w)));
  const positions = g.reshape(g.add(h, again), [batch, 2, 3]);
  return g.build({ logits: g.reshape(g.matMul(positions, u), [batch, 8]) });
}

const models: Record<string, () => Graph> = {
  mlp: () => mlp({ input: [6], hidden: [7, 5], outputs: 3, seed: 3 }),
  branching,
};

async function estimateOf(name: string, settings: EstimatorSettings) {
  const model = models[name]?.() ?? branching();
  const objective = await compileObjective({ model, loss: crossEntropy(), runtime, batch });
  const data = new Float32Array(batch * 6);
  fillUniform(key, 0, data);
  const feeds: Record<string, Tensor> = {
    ...objective.parameters,
    input: { dtype: "float32", shape: [batch, 6], data },
    labels: { dtype: "int64", shape: [batch], data: BigInt64Array.of(0n, 2n, 1n, 2n, 0n) },
  };
  const estimator = await createEstimator(objective, settings);
  const { loss, derivatives, gradients } = await estimator.estimate(feeds, key);
  const result = {
    loss,
    derivatives: [...derivatives],
    gradients: Object.values(gradients).flatMap((values) => [...values]),
  };
  await estimator.release();
  return result;
}

describe.each(Object.keys(models))("simulated derivatives of %s are those of dual passes", (name) => {
  it.each<EstimatorSettings>([
    { perturb: "weights", tangents: 6 },
    { perturb: "weights", tangents: 6, sampler: { name: "low-rank", rank: 2 }, aggregate: "mean" },
    { perturb: "weights", tangents: 5, sampler: { name: "fixed-angle", degrees: 60 } },
    { perturb: "weights", tangents: 4, sampler: "standard-basis", aggregate: "sum" },
    { perturb: "activations", tangents: 6 },
    { perturb: { name: "activations", shareTangents: true }, tangents: 6 },
    { perturb: "activations", tangents: 4, sampler: "sphere", aggregate: "max" },
    {
      perturb: "activations",
      tangents: 5,
      sampler: "orthonormal",
      aggregate: { name: "near-best", within: 0.5 },
    },
  ])("%j", async (settings) => {
    const forward = await estimateOf(name, settings);
    const simulated = await estimateOf(name, { ...settings, gradient: "simulated" });
    expect(simulated.loss).toBeCloseTo(forward.loss, 5);
    expect(relativeError(simulated.derivatives, forward.derivatives)).toBeLessThan(1e-5);
    expect(relativeError(simulated.gradients, forward.gradients)).toBeLessThan(1e-5);
    expect(forward.derivatives.some((value) => value !== 0)).toBe(true);
  });
});
