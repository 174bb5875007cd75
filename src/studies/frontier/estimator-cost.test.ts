import { describe, expect, it } from "vitest";
import { crossEntropy } from "../../losses/cross-entropy.ts";
import { lenet5 } from "../../models/lenet5.ts";
import { mlp } from "../../models/mlp.ts";
import { compileObjective } from "../../objective/compile-objective.ts";
import { importGraph } from "../../objective/importing/import-model.ts";
import type { Objective } from "../../objective/objective.ts";
import { decodeModel } from "../../onnx/decode.ts";
import type { Graph } from "../../onnx/graph.ts";
import { zeros } from "../../onnx/tensor.ts";
import { GraphBuilder } from "../../ops/full-builder.ts";
import { keyFromSeed } from "../../random/threefry.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import type { Runtime, Session } from "../../runtime/runtime.ts";
import { lowRank } from "../../tangents/low-rank.ts";
import { createEstimator, type EstimatorSettings } from "../../train/settings/estimator.ts";
import { estimatorCost, productOperations } from "./estimator-cost.ts";

const runtime = nodeRuntime({ threads: 1 });
const compile = (model: Graph, batch: number, on: Runtime = runtime) =>
  compileObjective({ model, loss: crossEntropy(), runtime: on, batch });

describe("estimatorCost of a fully connected network", () => {
  const [batch, k] = [7, 3];
  const model = mlp({ input: [1, 3, 4], hidden: [5, 4], outputs: 3 });
  const layers = [
    { rows: 5, columns: 12 },
    { rows: 4, columns: 5 },
    { rows: 3, columns: 4 },
  ];
  /** Multiplications of one example's pass through all layers, and through all but the first. */
  const [all, later] = [12 * 5 + 5 * 4 + 4 * 3, 5 * 4 + 4 * 3];
  const n = all + 5 + 4 + 3;
  const cost = async (settings: EstimatorSettings) =>
    estimatorCost(await compile(model, batch), { tangents: k, ...settings });

  it("is 2·batch·n operations a unit", async () => {
    const { graph } = await compile(model, batch);
    expect(productOperations(graph)).toBe(2 * batch * all);
  });

  it("of the exact gradient: a pass, one back through all but the first layer, one product a matrix", async () => {
    const { units, numbers, bytes } = await cost({ gradient: "exact" });
    expect(units).toBeCloseTo((all + later + all) / all, 12);
    expect([numbers, bytes]).toEqual([0, 4 * n]);
  });

  it.each(["mean", "projection"] as const)("of dense weights, %s", async (aggregate) => {
    const { units, numbers, bytes } = await cost({ perturb: "weights", aggregate });
    const passes = batch * (all + k * later + k * all);
    const gram = aggregate === "mean" ? 0 : k * k * n;
    expect(units).toBeCloseTo((passes + gram + k * n) / (batch * all), 12);
    expect([numbers, bytes]).toEqual([k * n, 4 * k]);
  });

  it.each([1, 2])("of low-rank weights of rank %i", async (rank) => {
    const sampler = lowRank({ rank });
    const { units, numbers, bytes } = await cost({ perturb: "weights", sampler, aggregate: "projection" });
    const total = (of: (layer: { rows: number; columns: number }) => number) =>
      layers.reduce((sum, layer) => sum + of(layer), 0);
    // Thin products; those of rank 1 are multiplied out elementwise.
    const thin = total(({ rows, columns }) => k * rank * (columns + (rank > 1 ? rows : 0)));
    const gram = total(({ rows, columns }) => (k * rank) ** 2 * (rows + columns) + k * k * rows);
    const combine = total(({ rows, columns }) => k * rank * rows * columns + k * rows);
    const passes = batch * (all + k * later + thin);
    expect(units).toBeCloseTo((passes + gram + combine) / (batch * all), 12);
    expect(numbers).toBe(k * total(({ rows, columns }) => rank * (rows + columns) + rows));
    expect(bytes).toBe(4 * k);
  });

  it.each([
    // The last layer's gradient is known, so its outputs are no site.
    ["activations of each example", { perturb: "activations" }, 5 + 4, batch],
    ["shared activations", { perturb: { name: "activations", shareTangents: true } }, 5 + 4, 1],
    ["blocks", { perturb: "blocks" }, 5 + 4 + 3, batch],
  ] as const)("of %s", async (_, settings, dimension, examples) => {
    for (const aggregate of ["mean", "projection"] as const) {
      const { units, numbers, bytes } = await cost({ ...settings, aggregate });
      // A pass, tangents through all but the first layer, one product a matrix.
      const passes = batch * (all + k * later + all);
      const gram = aggregate === "mean" ? 0 : k * k * batch * dimension;
      expect(units).toBeCloseTo((passes + gram + k * batch * dimension) / (batch * all), 12);
      expect([numbers, bytes]).toEqual([k * examples * dimension, 4 * k * batch]);
    }
  });

  it("sends sites' gradients where they are fewer than tangents", async () => {
    expect((await cost({ perturb: "activations", tangents: 20 })).bytes).toBe(4 * batch * (5 + 4));
  });
});

describe("estimatorCost of a convolutional network", () => {
  const batch = 2;
  const layers = [
    6 * 28 * 28 * 25,
    16 * 10 * 10 * 6 * 25,
    400 * 120,
    120 * 84,
    84 * 10, // multiplications of LeNet-5 for one example, layer by layer
  ];
  const all = layers.reduce((sum, layer) => sum + layer, 0);
  const model = lenet5({ input: [1, 28, 28], outputs: 10 });

  it("counts what LeNet-5 multiplies", async () => {
    const { graph } = await compile(model, batch);
    expect(productOperations(graph)).toBe(2 * batch * all);
  });

  it("counts an exact gradient as three passes without the way back to the images", async () => {
    const { units } = await estimatorCost(await compile(model, batch), { gradient: "exact" });
    expect(units).toBeCloseTo((3 * all - (layers[0] ?? 0)) / all, 12);
  });

  it("counts one more tangent of activations as a pass behind the first layer, its Gram entries and its share", async () => {
    const objective = await compile(model, batch);
    const units = async (tangents: number) =>
      (await estimatorCost(objective, { perturb: "activations", aggregate: "mean", tangents })).units;
    const dimension = 6 * 14 * 14 + 16 * 5 * 5 + 120 + 84;
    const expected = (all - (layers[0] ?? 0) + dimension) / all;
    expect((await units(5)) - (await units(4))).toBeCloseTo(expected, 12);
  });
});

describe("estimatorCost", () => {
  /** Counts in the graphs whose sessions run during one estimate, with the shapes that the runtime finds in them. */
  async function operationsRun(model: Graph, batch: number, settings: EstimatorSettings): Promise<number> {
    const ran: Uint8Array[] = [];
    const recording: Runtime = {
      ...runtime,
      async createSession(bytes, options): Promise<Session> {
        const session = await runtime.createSession(bytes, options);
        return {
          outputTypes: session.outputTypes,
          run(feeds, fetches) {
            ran.push(bytes);
            return session.run(feeds, fetches);
          },
          release: () => session.release(),
        };
      },
    };
    const objective = await compile(model, batch, recording);
    const estimator = await createEstimator(objective, settings);
    const feeds = Object.fromEntries(
      objective.graph.inputs.map(({ name, dtype, shape }) => [
        name,
        objective.parameters[name] ?? zeros(dtype, shape),
      ]),
    );
    ran.length = 0;
    await estimator.estimate(feeds, keyFromSeed(1));
    await estimator.release();
    const graphs = await Promise.all(
      [...ran].map((bytes) => importGraph(decodeModel(bytes), { runtime, batch })),
    );
    return graphs.reduce((sum, graph) => sum + productOperations(graph), 0);
  }

  const lenet = lenet5({ input: [1, 28, 28], outputs: 10, channels: [3, 4], hidden: [20, 10] });
  const dense = mlp({ input: [1, 6, 8], hidden: [40, 30], outputs: 5 });
  const cases: readonly (readonly [string, EstimatorSettings])[] = [
    ["exact", { gradient: "exact" }],
    ["activations", { perturb: "activations", tangents: 4 }],
    ["shared", { perturb: { name: "activations", shareTangents: true }, tangents: 4, aggregate: "mean" }],
    ["feedback", { perturb: { name: "activations", guess: { name: "feedback", gamma: 0.5 } }, tangents: 4 }],
    ["blocks", { perturb: "blocks", tangents: 4 }],
    ["dense", { perturb: "weights", tangents: 4 }],
    ["low rank", { perturb: "weights", tangents: 4, sampler: { name: "low-rank", rank: 2 } }],
  ];
  it.each(
    [
      { name: "mlp", model: dense },
      { name: "lenet5", model: lenet },
    ].flatMap(({ name, model }) =>
      cases.map(([estimator, settings]) => [estimator, name, settings, model] as const),
    ),
  )("is what %s of %s runs", async (_, __, settings, model) => {
    const batch = 3;
    const objective: Objective = await compile(model, batch);
    const { units } = await estimatorCost(objective, settings);
    const run = await operationsRun(model, batch, settings);
    expect(units * productOperations(objective.graph)).toBeCloseTo(run, 3);
  });
});

describe("productOperations", () => {
  it("counts transposed and grouped convolutions and transposed operands", () => {
    const g = new GraphBuilder("products");
    const x = g.input("x", "float32", [2, 4, 5, 5]);
    const grouped = g.conv(x, g.input("w", "float32", [6, 2, 3, 3]), { group: 2 });
    const spread = g.convTranspose(x, g.input("v", "float32", [4, 3, 2, 2]));
    const product = g.gemm(g.input("a", "float32", [7, 3]), g.input("b", "float32", [7, 2]), {
      transA: 1,
    });
    const graph = g.build({ grouped, spread, product });
    expect(productOperations(graph)).toBe(
      2 * (2 * 6 * 3 * 3 * (2 * 3 * 3)) + 2 * (2 * 4 * 5 * 5 * (3 * 2 * 2)) + 2 * 3 * 2 * 7,
    );
  });

  it("refuses what it does not know to count", () => {
    const g = new GraphBuilder("einsum");
    const x = g.input("x", "float32", [2, 3]);
    const y = g.einsum(x, x, { equation: "ij,ij->i" });
    expect(() => productOperations(g.build({ y }))).toThrow(/operations of Einsum nodes are not counted/);
  });
});
