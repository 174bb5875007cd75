import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Examples } from "../src/data/dataset.ts";
import { npzDataset } from "../src/data/files/npz.ts";
import { takeExamples } from "../src/data/split.ts";
import { exactGradient } from "../src/estimate/exact.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { type LossName, losses } from "../src/losses/losses.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { floatOutput } from "../src/objective/importing/import-model.ts";
import type { Objective } from "../src/objective/objective.ts";
import { lossInputs, targetBuffer } from "../src/objective/targets.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import type { Model } from "../src/onnx/read-model.ts";
import { float32, int64, type Tensor, toNumbers } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { evaluateModel } from "../src/train/evaluation/evaluate-model.ts";
import { createEstimator, type EstimatorSettings } from "../src/train/settings/estimator.ts";
import { train } from "../src/train/train.ts";
import { fromGolden, type GoldenTensor, type GoldenTensors } from "./golden.ts";
import { relativeError } from "./relative-error.ts";

/** What cases/targets/make.py says of a file: PyTorch's values in float64. */
interface Golden {
  readonly loss: LossName;
  readonly smoothing?: number;
  readonly input: GoldenTensor;
  readonly target: GoldenTensor;
  readonly output: number[];
  readonly value: number;
  readonly losses: GoldenTensor;
  readonly gradients: GoldenTensors;
}

const runtime = nodeRuntime({ threads: 1 });
const key = keyFromSeed(3);
const batch = 6;
const ranks = ["rank-1", "rank-2", "rank-3-ones", "rank-3", "rank-4", "rank-4-ones"];
const positions = ["tagging", "segmentation", "segmentation-masks", "series", "classes-last"];
const ignored = ["ignored", "ignored-smoothed"];

function readCase(name: string): { model: Model; golden: Golden } {
  const read = (file: string) => readFileSync(new URL(`cases/targets/${file}`, import.meta.url));
  const golden = JSON.parse(read(`${name}.golden.json`).toString()) as Golden;
  return { model: decodeModel(new Uint8Array(read(`${name}.onnx`)), { source: `${name}.onnx` }), golden };
}

function lossOf({ loss, smoothing }: Golden) {
  return loss === "cross-entropy" ? crossEntropy({ smoothing }) : losses[loss]();
}

/** The golden's batch as data. */
function examplesOf({ input, target, loss }: Golden): Examples {
  return {
    count: batch,
    shape: input.shape.slice(1),
    inputs: Float32Array.from(input.data),
    labels: (loss === "cross-entropy" ? Int32Array : Float32Array).from(target.data),
    targetShape: target.shape.slice(1),
  };
}

/** The objective of a file, with a batch to feed. */
async function open(
  name: string,
): Promise<{ golden: Golden; objective: Objective; feeds: Record<string, Tensor> }> {
  const { model, golden } = readCase(name);
  const targetShape = golden.target.shape.slice(1);
  const objective = await compileObjective({ model, loss: lossOf(golden), runtime, batch, targetShape });
  const labels = targetBuffer(lossInputs(objective).target);
  golden.target.data.forEach((value, place) => {
    if (labels.data instanceof BigInt64Array) labels.data[place] = BigInt(value);
    else labels.data[place] = value;
  });
  const feeds = { [model.inputs[0]?.name ?? ""]: fromGolden(golden.input), [objective.target]: labels };
  return { golden, objective, feeds: { ...objective.parameters, ...feeds } };
}

/** Relative to the whole gradient's length. */
function gradientError(found: Readonly<Record<string, Float32Array>>, golden: Golden): number {
  const flat = (values: (name: string) => ArrayLike<number> | undefined) =>
    Object.keys(golden.gradients).flatMap((name) => Array.from(values(name) ?? []));
  return relativeError(
    flat((name) => found[name]),
    flat((name) => golden.gradients[name]?.data),
  );
}

describe("a loss and its gradient are PyTorch's", () => {
  for (const name of [...ranks, ...positions, ...ignored]) {
    it(name, async () => {
      const { golden, objective, feeds } = await open(name);
      const { losses: each } = await evaluate(runtime, objective.graph, feeds);
      expect(relativeError(toNumbers(each as Tensor), golden.losses.data)).toBeLessThan(1e-5);
      const exact = await exactGradient(objective);
      const { loss, gradients } = await exact.estimate(feeds, key);
      await exact.release();
      expect(relativeError([loss], [golden.value])).toBeLessThan(1e-5);
      expect(gradientError(gradients, golden)).toBeLessThan(1e-5);
    });
  }
});

describe("training reads targets of every shape", () => {
  for (const name of [...ranks, ...positions, ...ignored]) {
    it(name, async () => {
      const { model, golden } = readCase(name);
      const examples = examplesOf(golden);
      const loss = lossOf(golden);
      const settings = { epochs: 1, batch: 3, validation: 0, seed: 1, loss, tangents: 4 } as const;
      let trained: Model | undefined;
      for await (const event of train({ model, examples, test: examples, runtime, ...settings }))
        if (event.kind === "done") trained = decodeModel(event.model);
      const measure = (of: Model) =>
        evaluateModel({ model: of, parameters: {}, examples, loss, output: floatOutput(of), runtime });
      expect((await measure(model)).loss).toBeCloseTo(golden.value, 5);
      expect((await measure(trained as Model)).loss).toBeLessThan(golden.value);
    });
  }
});

describe("NumPy's arrays hold labels at positions", () => {
  for (const name of ["tagging", "segmentation", "segmentation-masks", "classes-last", ...ignored]) {
    it(name, async () => {
      const { model, golden } = readCase(name);
      const bytes = new Uint8Array(readFileSync(new URL(`cases/targets/${name}.npz`, import.meta.url)));
      const file = { name: `${name}.npz`, bytes };
      const { test: examples } = await npzDataset(file, { targets: "classes", testFraction: 1 });
      const loss = lossOf(golden);
      const { loss: value, counted } = await evaluateModel({
        model,
        parameters: {},
        examples,
        loss,
        runtime,
      });
      expect(value).toBeCloseTo(golden.value, 5);
      expect(counted).toBe(2 * golden.target.data.filter((label) => label !== -100).length);
      const options = { model, examples, loss, runtime, batch: 4, validation: 0, steps: 2 };
      let steps = 0;
      for await (const event of train(options)) if (event.kind === "step" && event.loss > 0) steps++;
      expect(steps).toBe(2);
    });
  }
});

describe("with unequal numbers of ignored positions, estimators with enough tangents give PyTorch's gradient", () => {
  const sampler = "gaussian";
  const settings: [string, EstimatorSettings][] = [
    ["tagging", { sampler, tangents: 24 }],
    ["tagging", { sampler, tangents: 24, tangentChunk: 5 }],
    ["tagging", { sampler, tangents: 24, perturb: { name: "activations", shareTangents: true } }],
    ["tagging", { sampler, tangents: 24, lowMemory: true }],
    ["tagging", { sampler, tangents: 24, gradient: "simulated" }],
    ["ignored-smoothed", { sampler, tangents: 24 }],
    ["tagging", { sampler, tangents: 64, perturb: "weights" }],
    ["tagging", { sampler, tangents: 64, perturb: "weights", tangentChunk: 7 }],
    ["tagging", { sampler, tangents: 64, perturb: "weights", lowMemory: true, tangentChunk: 16 }],
    ["tagging", { sampler, tangents: 64, perturb: "weights", gradient: "simulated" }],
    ["segmentation", { sampler, tangents: 180, perturb: { name: "blocks", pattern: /^\/(first|second)/ } }],
  ];
  for (const [name, setting] of settings) {
    it(`${name}, ${JSON.stringify(setting)}`, async () => {
      const { golden, objective, feeds } = await open(name);
      const estimator = await createEstimator(objective, setting);
      const { loss, gradients } = await estimator.estimate(feeds, key);
      await estimator.release();
      expect(loss).toBeCloseTo(golden.value, 5);
      expect(gradientError(gradients, golden)).toBeLessThan(1e-4);
    });
  }
});

describe("what counts", () => {
  const weighed = (parts: readonly (readonly [count: number, value: number])[]) =>
    parts.reduce((sum, [count, value]) => sum + count * value, 0) /
    parts.reduce((sum, [count]) => sum + count, 0);

  it("weighs the parts of a batch: losses and gradients of micro-batches add up by their counts", async () => {
    const { golden, objective: whole, feeds } = await open("tagging");
    const { model } = readCase("tagging");
    const part = await compileObjective({ model, loss: lossOf(golden), runtime, batch: 2 });
    const exact = await exactGradient(part);
    const total: Record<string, number[]> = {};
    const parts: [number, number][] = [];
    for (const start of [0, 2, 4]) {
      const rows = ({ dtype, shape, data }: Tensor) => {
        const size = data.length / batch;
        return { dtype, shape: [2, ...shape.slice(1)], data: data.slice(start * size, (start + 2) * size) };
      };
      const own = Object.entries(feeds).map(([name, tensor]) =>
        name in whole.parameters ? ([name, tensor] as const) : ([name, rows(tensor)] as const),
      );
      const { loss, gradients } = await exact.estimate(Object.fromEntries(own), key);
      const labels = golden.target.data.slice(start * 3, (start + 2) * 3);
      const count = labels.filter((label) => label !== -100).length;
      parts.push([count, loss]);
      for (const [name, values] of Object.entries(gradients))
        total[name] = Array.from(values, (value, place) => (total[name]?.[place] ?? 0) + count * value);
    }
    await exact.release();
    expect(new Set(parts.map(([count]) => count)).size).toBeGreaterThan(1);
    const count = parts.reduce((sum, [each]) => sum + each, 0);
    const mean = Object.entries(total).map(
      ([name, values]) => [name, Float32Array.from(values, (value) => value / count)] as const,
    );
    expect(weighed(parts)).toBeCloseTo(golden.value, 5);
    expect(gradientError(Object.fromEntries(mean), golden)).toBeLessThan(1e-5);
  });

  it("is the same for evaluation in batches of any size", async () => {
    const { model, golden } = readCase("tagging");
    const once = examplesOf(golden);
    const { inputs, labels } = once;
    // More than a batch of evaluation; the copies weigh as much as the originals.
    const many = 200;
    const repeat = <A extends Float32Array | Int32Array>(values: A, to: A): A => {
      for (let copy = 0; copy < many; copy++) to.set(values, copy * values.length);
      return to;
    };
    const examples = {
      ...once,
      count: many * batch,
      inputs: repeat(inputs as Float32Array, new Float32Array(many * inputs.length)),
      labels: repeat(labels as Int32Array, new Int32Array(many * labels.length)),
    };
    const options = { model, parameters: {}, loss: lossOf(golden), output: floatOutput(model), runtime };
    const expected = await evaluateModel({ ...options, examples: once });
    const found = await evaluateModel({ ...options, examples });
    const counted = golden.target.data.filter((label) => label !== -100).length;
    expect([expected.counted, found.counted]).toEqual([counted, many * counted]);
    expect(expected.loss).toBeCloseTo(golden.value, 5);
    expect(found.loss).toBeCloseTo(golden.value, 5);
    expect(found.accuracy).toBeCloseTo(expected.accuracy ?? 0, 10);
    const correct = (expected.accuracy ?? 0) * counted;
    expect(correct).toBeCloseTo(Math.round(correct), 10);
  });

  it("is nothing: loss and gradient are 0", async () => {
    for (const name of ["tagging", "ignored-smoothed"]) {
      const { objective, feeds } = await open(name);
      const labels = feeds.labels as Tensor;
      const none = {
        ...feeds,
        labels: { ...labels, data: new BigInt64Array(labels.data.length).fill(-100n) },
      };
      const settings = [{ gradient: "exact" }, { tangents: 4 }, { tangents: 4, perturb: "weights" }] as const;
      for (const setting of settings) {
        const estimator = await createEstimator(objective, setting);
        const { loss, gradients } = await estimator.estimate(none, key);
        await estimator.release();
        expect(loss).toBe(0);
        for (const values of Object.values(gradients))
          for (const value of values) expect(Math.abs(value)).toBe(0);
      }
    }
  });
});

describe("data that do not fit are refused in our words", () => {
  const refused = async (
    name: string,
    change: Partial<Examples> & { loss?: LossName },
    ...messages: string[]
  ) => {
    const { model, golden } = readCase(name);
    const { loss: chosen, ...changed } = change;
    const examples = { ...examplesOf(golden), ...changed };
    const loss = chosen ? losses[chosen]() : lossOf(golden);
    const output = floatOutput(model);
    const results = [
      () => train({ model, examples, runtime, loss, steps: 1, batch: 3, validation: 0 }).next(),
      () => evaluateModel({ model, parameters: {}, examples, loss, output, runtime }),
    ];
    for (const result of results)
      for (const message of messages) await expect(result()).rejects.toThrow(message);
  };
  const floats = (size: number) => new Float32Array(batch * size);
  const classes = (size: number) => new Int32Array(batch * size);

  it("targets of another size or order", async () => {
    await refused("rank-1", { labels: floats(2), targetShape: [2] }, "'y' of shape [", ", 2]");
    await refused("rank-4", { labels: floats(40), targetShape: [4, 5, 2] }, ", 2, 4, 5]", ", 4, 5, 2]");
    await refused("rank-3", { labels: floats(20), targetShape: [5, 4] }, ", 4, 5]", ", 5, 4]");
    await refused("rank-3", { labels: floats(40), targetShape: [20] }, "targetShape [20] holds 20 numbers");
  });

  it("labels of another size or order", async () => {
    await refused(
      "segmentation",
      { labels: classes(20), targetShape: [5, 4] },
      "labels of shape [",
      ", 5, 4]",
    );
    await refused(
      "tagging",
      { labels: classes(1), targetShape: undefined },
      "takes labels of shape [",
      ", 3]",
    );
    await refused("ignored", { labels: classes(3), targetShape: [3] }, "argmax of one-hot rows");
    await refused(
      "tagging",
      { labels: floats(15), targetShape: [3, 5] },
      "choose the loss that fits the data",
    );
    await refused(
      "rank-1",
      { loss: "cross-entropy", labels: classes(1), targetShape: [] },
      "binary-cross-entropy",
    );
  });

  it("labels that no class has, of which none counts, or targets outside the loss's range", async () => {
    const labels = classes(3);
    labels[7] = 1_000_000_000;
    await refused("tagging", { labels }, "position 1 of example 2 has label 1000000000, expected 0 to 4");
    await refused("tagging", { labels: classes(3).fill(-100) }, "all 18 labels are -100");
    const targets = floats(1).fill(1);
    targets[4] = -1;
    const message = "example 4 has the target -1, and binary-cross-entropy takes targets from 0 to 1";
    await refused("rank-2", { labels: targets, targetShape: [] }, message);
  });

  it("examples by their number in the data that they were taken from", async () => {
    const { golden } = readCase("rank-2");
    const targets = Float32Array.of(0, 1, 0, 1, 2, 1);
    const all = { ...examplesOf(golden), labels: targets, targetShape: [] };
    const taken = takeExamples(all, Uint32Array.of(1, 3, 4, 5));
    await refused("rank-2", taken, "example 4 has the target 2");
  });

  it("outputs whose first axis is not the batch; the value before is read by its name", async () => {
    const g = new GraphBuilder("flattened");
    const logits = g.matMul(
      g.input("x", "float32", [2, 3, 4]),
      g.parameter("w", float32(new Float32Array(8), [4, 2])),
    );
    const model = g.build({ y: g.reshape(logits, g.constant(int64([-1, 2]))) });
    const inputs = Float32Array.from({ length: 6 * 12 }, (_, place) => Math.sin(place));
    const examples = { count: 6, shape: [3, 4], inputs, labels: new Int32Array(18), targetShape: [3] };
    const options = { model, examples, runtime, batch: 2, validation: 0, steps: 1 };
    await expect(train(options).next()).rejects.toThrow(
      "The loss reads 'y' of shape [6, 2] for a batch of 2 examples",
    );
    const { value } = await train({ ...options, output: logits.name }).next();
    expect(value).toMatchObject({ kind: "start", output: logits.name });
  });

  it("labels that fit two axes, unless one is chosen", () => {
    const logits = { name: "y", dtype: "float32", shape: [2, 4, 4] } as const;
    expect(() => crossEntropy().target(logits, [4])).toThrow(
      "labels of shape [2, 4] fit classes on axis 2 and on axis 1; say which one it is (loss.classAxis: …)",
    );
    for (const classAxis of [1, 2, -1])
      expect(crossEntropy({ classAxis }).target(logits, [4]).shape).toEqual([2, 4]);
    for (const classAxis of [0, 3, -3])
      expect(() => crossEntropy({ classAxis }).target(logits, [4])).toThrow("expected an axis from 1 to 2");
  });
});
