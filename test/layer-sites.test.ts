import { describe, expect, it } from "vitest";
import { gradientGraph } from "../src/ad/gradient.ts";
import { layerSites } from "../src/ad/layers.ts";
import type { AggregatorName } from "../src/aggregate/aggregators.ts";
import { exactGradient } from "../src/estimate/exact.ts";
import { activations } from "../src/estimate/sites/activations.ts";
import { findSites, localGraph } from "../src/estimate/sites/graphs.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { lenet5 } from "../src/models/lenet5.ts";
import { mlp } from "../src/models/mlp.ts";
import { resnet18 } from "../src/models/resnet18.ts";
import { vit } from "../src/models/vit.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import type { Objective } from "../src/objective/objective.ts";
import { type Graph, getValue, producers } from "../src/onnx/graph.ts";
import { elementCount, float32, int64, type Tensor, tensorOf } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { createEstimator, type EstimatorSettings } from "../src/train/settings/estimator.ts";
import { relativeError } from "./relative-error.ts";

const runtime = nodeRuntime({ threads: 1 });
const key = keyFromSeed(5);
const batch = 3;
const wave = (shape: readonly number[], offset: number) =>
  float32(
    Array.from({ length: elementCount(shape) }, (_, place) => Math.sin(1.7 * place + offset)),
    shape,
  );
const objectiveOf = (model: Graph) => compileObjective({ model, loss: crossEntropy(), runtime, batch });
const sitesOf = ({ graph }: Objective) => layerSites(graph, graph.parameters, "losses");

/** A convolution, ReLU and overlapping pools, then dropout between two linear layers. */
function rectifiedModel() {
  const g = new GraphBuilder("rectified");
  const x = g.input("x", "float32", [batch, 1, 6, 6]);
  const conv = g.conv(x, g.parameter("conv", wave([2, 1, 3, 3], 1)), g.parameter("conv bias", wave([2], 2)));
  const [pooled] = g.node("MaxPool", [g.relu(conv)], { kernel_shape: [2, 2], strides: [1, 1] });
  const [averaged] = g.node("AveragePool", [pooled], { kernel_shape: [2, 2] });
  const hidden = g.relu(g.matMul(g.flatten(averaged), g.parameter("hidden", wave([8, 5], 3))));
  const [dropped] = g.node(
    "Dropout",
    [hidden, g.constant(float32([0.4], [])), g.constant(tensorOf("bool", [1], []))],
    {},
    { name: "drop" },
  );
  return g.build({ logits: g.matMul(dropped, g.parameter("head", wave([5, 3], 4))) });
}

async function rectified() {
  const objective = await objectiveOf(rectifiedModel());
  const feeds: Record<string, Tensor> = {
    ...objective.parameters,
    x: wave([batch, 1, 6, 6], 9),
    "dropout/drop": float32([0, 2, 2, 0, 2, 2, 2, 0, 2, 2, 2, 2, 2, 2, 0], [batch, 5]),
    labels: int64([2, 0, 1]),
  };
  const exact = await exactGradient(objective);
  const gradients = (await exact.estimate(feeds, key)).gradients;
  await exact.release();
  return { objective, feeds, exact: gradients };
}

async function estimateOf(
  objective: Objective,
  feeds: Readonly<Record<string, Tensor>>,
  settings: EstimatorSettings,
) {
  const estimator = await createEstimator(objective, settings);
  const { derivatives, gradients } = await estimator.estimate(feeds, key);
  const result = {
    derivatives: [...derivatives],
    gradients: Object.fromEntries(
      Object.entries(gradients).map(([name, values]) => [name, values.slice()] as const),
    ),
    dimension: estimator.dimension,
  };
  await estimator.release();
  return result;
}

const flat = (gradients: Readonly<Record<string, Float32Array>>) =>
  Object.values(gradients).flatMap((values) => [...values]);

describe("layers", () => {
  it("end behind activation and pool, where there are fewest numbers; the last at the losses", async () => {
    const objective = await objectiveOf(lenet5({ input: [1, 28, 28], outputs: 10, batch }));
    const { sites, last } = sitesOf(objective);
    expect(
      sites.map(({ value, parameters, rectified }) => [
        elementCount(getValue(objective.graph, value).shape) / batch,
        parameters,
        rectified,
      ]),
    ).toEqual([
      [1176, ["conv1.weight", "conv1.bias"], true],
      [400, ["conv2.weight", "conv2.bias"], true],
      [120, ["fc1.weight", "fc1.bias"], true],
      [84, ["fc2.weight", "fc2.bias"], true],
    ]);
    expect(last).toEqual({ value: "losses", parameters: ["fc3.weight", "fc3.bias"] });
  });

  it("include normalizations, residual sums and what is added to them", async () => {
    const objective = await objectiveOf(
      resnet18({ input: [3, 32, 32], outputs: 10, norm: "group", width: 4, batch }),
    );
    const { sites } = sitesOf(objective);
    // The stem, and two convolutions in each of eight blocks; shortcuts end at the sum.
    expect(sites).toHaveLength(17);
    expect(sites.every(({ rectified }) => rectified)).toBe(true);
    const [strided] = sites.filter(({ parameters }) => parameters.includes("layer2.0.downsample.0.weight"));
    expect([...(strided?.parameters ?? [])].sort()).toEqual([
      "layer2.0.bn2.bias",
      "layer2.0.bn2.weight",
      "layer2.0.conv2.weight",
      "layer2.0.downsample.0.weight",
      "layer2.0.downsample.1.bias",
      "layer2.0.downsample.1.weight",
    ]);
    // The last one ends behind the mean over positions.
    expect(getValue(objective.graph, sites.at(-1)?.value ?? "").shape).toEqual([batch, 32]);
  });

  it("go through attention, which has fewer outputs than queries, keys and values together", async () => {
    const [positions, width] = [5, 8];
    const objective = await objectiveOf(
      vit({ input: [1, 8, 8], outputs: 3, patch: 4, width, heads: 2, layers: 1, mlp: 16, batch }),
    );
    const sizes = sitesOf(objective).sites.map(
      ({ value }) => elementCount(getValue(objective.graph, value).shape) / (batch * positions),
    );
    // Patches with class token and positions, attention, its projection, the perceptron's two layers.
    expect(sizes.at(0)).toBe(width);
    expect(sizes.slice(1, 4)).toEqual([width, width, 2 * width]);
  });

  it("leave the sites of a single layer where they are", async () => {
    const { graph } = await objectiveOf(mlp({ input: [6], hidden: [], outputs: 3, batch }));
    expect(layerSites(graph, graph.parameters, "losses")).toEqual({
      sites: [{ value: "layer1/Gemm", parameters: ["layer1.weight", "layer1.bias"], rectified: false }],
    });
  });

  it("do not depend on what is trained: biases alone keep their layers' sites", async () => {
    const objective = await compileObjective({
      model: lenet5({ input: [1, 28, 28], outputs: 10, batch }),
      loss: crossEntropy(),
      runtime,
      batch,
      trainable: (name) => name.endsWith(".bias"),
    });
    const { sites, last } = sitesOf(objective);
    expect([...sites, last].map((site) => site?.parameters)).toEqual(
      ["conv1", "conv2", "fc1", "fc2", "fc3"].map((name) => [`${name}.bias`]),
    );
  });
});

describe("local transposes of layers", () => {
  it("read the tangents of their own site and no weights behind it", async () => {
    const objective = await objectiveOf(mlp({ input: [6], hidden: [5, 4], outputs: 3, batch }));
    const placed = await findSites(objective, {});
    const local = localGraph(objective, placed, { count: 2, examples: batch });
    const producer = producers(local);
    const readBy = (parameter: string) => {
      const reached = new Set<string>();
      const pending = [`gradient/${parameter}`];
      for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
        if (!reached.has(name)) pending.push(...(producer.get(name)?.inputs ?? []));
        reached.add(name);
      }
      return [...reached].filter((name) => /^tangent\/|^layer.*weight$/.test(name));
    };
    for (const { value, parameters } of placed.sites)
      for (const parameter of parameters) expect(readBy(parameter)).toEqual([`tangent/${value}`]);
    for (const parameter of placed.last?.parameters ?? []) expect(readBy(parameter)).toEqual([]);
  });
});

describe("rectified sites", () => {
  it("are found behind pools and dropout", async () => {
    const { objective } = await rectified();
    const { sites } = await findSites(objective, {});
    expect(sites.map(({ size, rectified }) => [size, rectified])).toEqual([
      [8, true],
      [5, true],
    ]);
  });

  it("have derivatives along unit tangents that are the gradient's numbers, and 0 where a value is 0", async () => {
    const { objective, feeds } = await rectified();
    const { sites } = await findSites(objective, {});
    const settings = { tangents: 13, sampler: "standard-basis", aggregate: "sum" } as const;
    const { derivatives } = await estimateOf(objective, feeds, settings);
    const values = sites.map(({ value }) => value);
    const found = await evaluate(runtime, gradientGraph(objective.graph, values, "losses", values), feeds);
    let zeros = 0;
    for (let example = 0; example < batch; example++) {
      const expected: number[] = [];
      for (const { value, size } of sites) {
        const own = ({ data }: Tensor) =>
          [...(data as Float32Array)].slice(example * size, (example + 1) * size);
        const active = own(found[value] as Tensor);
        zeros += active.filter((number) => number === 0).length;
        const gradient = own(found[`gradient/${value}`] as Tensor);
        expected.push(...gradient.map((number, place) => (active[place] === 0 ? 0 : number)));
      }
      const actual = Array.from({ length: 13 }, (_, place) => derivatives[place * batch + example] as number);
      // The basis may come in another order, with other signs and with length √n.
      const sorted = (numbers: readonly number[]) => numbers.map(Math.abs).sort((a, b) => a - b);
      const scale = Math.hypot(...actual) / Math.hypot(...expected);
      expect(relativeError(sorted(actual), sorted(expected.map((number) => scale * number)))).toBeLessThan(
        1e-5,
      );
    }
    expect(zeros).toBeGreaterThan(5);
  });

  // All unit tangents cover the space: the mean of their estimates is exact only if no zeroed number counts.
  it.each<EstimatorSettings>([
    { sampler: "standard-basis", aggregate: "mean", tangents: 13 },
    {
      sampler: "standard-basis",
      aggregate: "mean",
      tangents: 13,
      perturb: { name: "activations", shareTangents: true },
    },
    { sampler: "standard-basis", aggregate: "projection", tangents: 13 },
    { sampler: "orthonormal", aggregate: "projection", tangents: 13 },
    { aggregate: "projection", tangents: 17 },
    { aggregate: "projection", tangents: 17, perturb: { name: "activations", shareTangents: true } },
    { aggregate: "projection", tangents: 17, lowMemory: true },
    {
      aggregate: "projection",
      tangents: 17,
      lowMemory: true,
      perturb: { name: "activations", shareTangents: true },
    },
    { aggregate: "projection", tangents: 17, gradient: "simulated" },
  ])("give exact gradients with enough tangents: %j", async (settings) => {
    const { objective, feeds, exact } = await rectified();
    const { gradients, dimension } = await estimateOf(objective, feeds, settings);
    expect(dimension).toBe(13);
    for (const [name, gradient] of Object.entries(exact))
      expect(relativeError(gradients[name] ?? [], gradient), name).toBeLessThan(1e-4);
  });

  for (const shareTangents of [false, true])
    for (const tangents of [1, 6])
      it(`give the same by dual passes, in pieces and simulated (k = ${tangents}, shared: ${shareTangents})`, async () => {
        // k = 1 of 13 dimensions takes the float32 Gram matrix, k = 6 the float64 one.
        const { objective, feeds } = await rectified();
        const settings = { tangents, perturb: activations({ shareTangents }) };
        const usual = await estimateOf(objective, feeds, settings);
        for (const other of [{ lowMemory: true }, { gradient: "simulated" as const }]) {
          const same = await estimateOf(objective, feeds, { ...settings, ...other });
          expect(relativeError(same.derivatives, usual.derivatives)).toBeLessThan(1e-5);
          expect(relativeError(flat(same.gradients), flat(usual.gradients))).toBeLessThan(1e-4);
        }
      });
});

describe("the last layer's gradient", () => {
  it.each<[AggregatorName, number]>([
    ["mean", 1],
    ["sum", 4],
    ["projection", 4 / 13],
    ["mean-times-dimension", 13],
  ])("is exact, in the scale of the others' estimates: %s", async (aggregate, gain) => {
    const { objective, feeds, exact } = await rectified();
    const { gradients } = await estimateOf(objective, feeds, { aggregate, tangents: 4 });
    const expected = (exact.head ?? new Float32Array()).map((value) => gain * value);
    expect(relativeError(gradients.head ?? [], expected)).toBeLessThan(1e-5);
    expect(relativeError(gradients.hidden ?? [], exact.hidden ?? [])).toBeGreaterThan(0.01);
  });
});
