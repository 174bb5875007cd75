import { describe, expect, it } from "vitest";
import { exactGradient } from "../src/estimate/exact.ts";
import { meanSquaredError } from "../src/losses/mean-squared-error.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { float32, type Tensor } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { fold, keyFromSeed } from "../src/random/threefry.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { createEstimator } from "../src/train/settings/estimator.ts";
import { train } from "../src/train/train.ts";
import { relativeError } from "./relative-error.ts";

const runtime = nodeRuntime({ threads: 1 });
const [batch, channels] = [6, 3];
const key = keyFromSeed(5);
const wave = (shape: number[], offset: number) =>
  float32(
    Array.from({ length: shape.reduce((product, size) => product * size, 1) }, (_, place) =>
      Math.sin(1.3 * place + offset),
    ),
    shape,
  );

async function normalized(batchNorm: "frozen" | "batch") {
  const g = new GraphBuilder("normalized");
  const x = g.input("x", "float32", [batch, 2]);
  const hidden = g.matMul(x, g.parameter("weight", wave([2, channels], 1)));
  const stored = (name: string, values: number[]) => g.parameter(name, float32(values));
  const [y] = g.node(
    "BatchNormalization",
    [
      hidden,
      stored("scale", [1, 0.5, 2]),
      stored("bias", [0, 0.3, -0.2]),
      stored("running_mean", [0.1, 0, -0.4]),
      stored("running_var", [1, 2, 0.5]),
    ],
    { momentum: 0.9 },
    { name: "norm" },
  );
  const graph = g.build({ y: g.tanh(y) });
  const objective = await compileObjective({
    model: graph,
    loss: meanSquaredError(),
    runtime,
    batch,
    batchNorm,
  });
  const inputs = { x: wave([batch, 2], 2), target: wave([batch, channels], 3) };
  const feeds: Record<string, Tensor> = { ...objective.parameters, ...objective.statistics, ...inputs };
  return { objective, feeds };
}

/** Population mean and variance of each channel of x·weight. */
function statisticsOf(feeds: Readonly<Record<string, Tensor>>) {
  const [x, weight] = [feeds.x?.data as Float32Array, feeds.weight?.data as Float32Array];
  return Array.from({ length: channels }, (_, channel) => {
    const values = Array.from(
      { length: batch },
      (_, row) =>
        (x[2 * row] as number) * (weight[channel] as number) +
        (x[2 * row + 1] as number) * (weight[channels + channel] as number),
    );
    const mean = values.reduce((sum, value) => sum + value, 0) / batch;
    return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / batch };
  });
}

describe("batch normalization with the batch's statistics", () => {
  it("has the derivatives of the loss that normalizes so", async () => {
    const { objective, feeds } = await normalized("batch");
    const { gradients } = await (await exactGradient(objective)).estimate(feeds, key);
    for (const name of Object.keys(objective.parameters)) {
      const { shape, data } = feeds[name] as Tensor;
      const direction = wave([...shape], 8).data as Float32Array;
      const at = async (distance: number) => {
        const moved = Float32Array.from(
          data as Float32Array,
          (value, place) => value + distance * (direction[place] as number),
        );
        const { loss } = await evaluate(runtime, objective.graph, {
          ...feeds,
          [name]: float32(moved, shape),
        });
        return Number(loss?.data[0]);
      };
      const difference = ((await at(1e-2)) - (await at(-1e-2))) / 2e-2;
      const along = direction.reduce(
        (sum, value, place) => sum + value * (gradients[name]?.[place] as number),
        0,
      );
      expect(along, name).toBeCloseTo(difference, 3);
    }
    // 6 + 3 + 3 parameters.
    const estimator = await createEstimator(objective, { perturb: "weights", tangents: 12 });
    const estimate = await estimator.estimate(feeds, key);
    for (const [name, gradient] of Object.entries(estimate.gradients))
      expect(relativeError(gradient, gradients[name] ?? []), name).toBeLessThan(1e-3);
  });

  it.each([
    { perturb: "weights", tangents: 5, tangentChunk: 2 },
    { perturb: "weights", tangents: 5, lowMemory: true },
    { gradient: "exact" },
  ] as const)("moves the running statistics once a step (%o)", async (settings) => {
    const { objective, feeds } = await normalized("batch");
    const estimator = await createEstimator(objective, settings);
    const expected = statisticsOf(feeds);
    for (let step = 0; step < 2; step++) {
      const { statistics } = await estimator.estimate(feeds, fold(key, step));
      expect(Object.keys(statistics)).toEqual(["running_mean", "running_var"]);
      expected.forEach(({ mean, variance }, channel) => {
        const stored = (name: string) => Number(feeds[name]?.data[channel]);
        expect(statistics.running_mean?.[channel]).toBeCloseTo(0.9 * stored("running_mean") + 0.1 * mean, 5);
        expect(statistics.running_var?.[channel]).toBeCloseTo(
          0.9 * stored("running_var") + 0.1 * variance,
          5,
        );
      });
    }
  });

  it("couples examples, so that activations are refused, unless the statistics are frozen", async () => {
    const { objective } = await normalized("batch");
    await expect(createEstimator(objective, { tangents: 2 })).rejects.toThrow(
      /BatchNormalization node 'norm' mixes the examples of a batch.*perturb: "weights".*frozen statistics/,
    );
    const { objective: frozen, feeds } = await normalized("frozen");
    const estimator = await createEstimator(frozen, { tangents: 8 });
    const exact = (await (await exactGradient(frozen)).estimate(feeds, key)).gradients;
    const { gradients, statistics } = await estimator.estimate(feeds, key);
    expect(statistics).toEqual({});
    for (const [name, gradient] of Object.entries(gradients))
      expect(relativeError(gradient, exact[name] ?? []), name).toBeLessThan(1e-4);
  });

  it("is saved with the statistics that followed the batches", async () => {
    const { objective, feeds } = await normalized("batch");
    const labels = (feeds.target as Tensor).data as Float32Array;
    // Both epochs have the one batch there is, in some order, and a rate that moves nothing.
    const run = train({
      model: objective.model,
      examples: { inputs: (feeds.x as Tensor).data as Float32Array, labels },
      runtime,
      loss: meanSquaredError(),
      perturb: "weights",
      batchNorm: "batch",
      tangents: 2,
      batch,
      epochs: 2,
      validation: 0,
      learningRate: 1e-30,
    });
    let saved: Uint8Array | undefined;
    for await (const event of run) if (event.kind === "done") saved = event.model;
    const stored = decodeModel(saved as Uint8Array).initializers;
    statisticsOf(feeds).forEach(({ mean, variance }, channel) => {
      const follow = (name: string, target: number) =>
        0.81 * Number(feeds[name]?.data[channel]) + 0.19 * target;
      expect(stored.get("running_mean")?.data[channel]).toBeCloseTo(follow("running_mean", mean), 5);
      expect(stored.get("running_var")?.data[channel]).toBeCloseTo(follow("running_var", variance), 5);
    });
    expect(stored.get("scale")?.data).toEqual(objective.parameters.scale?.data);
  });
});
