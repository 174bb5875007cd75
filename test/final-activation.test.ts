import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Examples } from "../src/data/dataset.ts";
import { exactGradient } from "../src/estimate/exact.ts";
import { type LossName, losses } from "../src/losses/losses.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { deriveFile } from "../src/objective/derive.ts";
import { floatOutput } from "../src/objective/importing/import-model.ts";
import { lossInputs, targetBuffer } from "../src/objective/targets.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import type { Model } from "../src/onnx/read-model.ts";
import { type Tensor, toNumbers } from "../src/onnx/tensor.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { evaluateModel } from "../src/train/evaluation/evaluate-model.ts";
import type { TrainSettings } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";
import { fromGolden, type GoldenTensor, type GoldenTensors } from "./golden.ts";
import { relativeError } from "./relative-error.ts";

/** What cases/final-activation/make.py says of a file: PyTorch's values in float64, of the value before the activation. */
interface Golden {
  readonly loss: LossName;
  /** The activation; empty where it is none that the loss contains. */
  readonly op: string;
  readonly input: GoldenTensor;
  readonly target: GoldenTensor;
  readonly value: number;
  readonly gradients: GoldenTensors;
}

const runtime = nodeRuntime({ threads: 1 });
const key = keyFromSeed(3);
const batch = 6;
const contained = [
  "softmax-torchscript",
  "log-softmax-dynamo",
  "sigmoid-dynamo",
  "pixels-torchscript",
  "softmax-reshaped-helper",
  "sigmoid-helper",
  "softmax-sklearn",
];

function readCase(name: string): { model: Model; golden: Golden; examples: Examples } {
  const read = (file: string) => readFileSync(new URL(`cases/final-activation/${file}`, import.meta.url));
  const golden = JSON.parse(read(`${name}.golden.json`).toString()) as Golden;
  const { input, target, loss } = golden;
  const examples = {
    count: batch,
    shape: input.shape.slice(1),
    inputs: Float32Array.from(input.data),
    labels: (loss === "cross-entropy" ? Int32Array : Float32Array).from(target.data),
    targetShape: target.shape.slice(1),
  };
  return {
    model: decodeModel(new Uint8Array(read(`${name}.onnx`)), { source: `${name}.onnx` }),
    golden,
    examples,
  };
}

async function objectiveOf(name: string, output?: string) {
  const { model, golden, examples } = readCase(name);
  const { targetShape } = examples;
  const loss = losses[golden.loss]();
  const own = { model, loss, runtime, batch, targetShape, output, keepOutputs: true };
  const objective = await compileObjective(own);
  const labels = targetBuffer(lossInputs(objective).target);
  golden.target.data.forEach((value, place) => {
    if (labels.data instanceof BigInt64Array) labels.data[place] = BigInt(value);
    else labels.data[place] = value;
  });
  const feeds = { [model.inputs[0]?.name ?? ""]: fromGolden(golden.input), [objective.target]: labels };
  return { objective, feeds: { ...objective.parameters, ...feeds } as Record<string, Tensor> };
}

/** What one short run says at its start, and the model that it saves. */
async function run(name: string, settings: Partial<TrainSettings> = {}) {
  const { model, golden, examples } = readCase(name);
  const own = {
    epochs: 2,
    batch: 3,
    validation: 0,
    loss: losses[golden.loss](),
    learningRate: 0.05,
    ...settings,
  };
  let [notes, output]: [readonly string[], string] = [[], ""];
  for await (const event of train({ model, examples, test: examples, runtime, gradient: "exact", ...own })) {
    if (event.kind === "start") [notes, output] = [event.notes.map(String), event.output];
    if (event.kind === "done")
      return { notes, output, result: event.result, saved: decodeModel(event.model) };
  }
  throw new Error("not done");
}

const measure = (model: Model, examples: Examples, loss: LossName, output?: string) =>
  evaluateModel({ model, parameters: {}, examples, loss: losses[loss](), runtime, output });

describe("a loss reads the value before an activation that it contains", () => {
  for (const name of contained) {
    it(`${name}: loss and gradient are PyTorch's, and the file keeps the activation`, async () => {
      const { model, golden, examples } = readCase(name);
      const { objective, feeds } = await objectiveOf(name);
      const exact = await exactGradient(objective);
      const { loss, gradients } = await exact.estimate(feeds, key);
      await exact.release();
      expect(relativeError([loss], [golden.value])).toBeLessThan(1e-5);
      expect(Object.keys(gradients).sort()).toEqual(Object.keys(golden.gradients).sort());
      for (const [parameter, { data }] of Object.entries(golden.gradients))
        expect(relativeError(gradients[parameter] ?? [], data), parameter).toBeLessThan(1e-4);

      const said = `'${floatOutput(model)}' ends in ${golden.op} (${golden.op} node`;
      const evaluation = await measure(model, examples, golden.loss);
      expect(evaluation.loss).toBeCloseTo(golden.value, 5);
      const trained = await run(name);
      for (const notes of [objective.notes.map(String), evaluation.notes.map(String), trained.notes])
        expect(notes).toEqual([expect.stringContaining(said)]);
      expect(trained.saved.nodes.map(({ op }) => op)).toEqual(model.nodes.map(({ op }) => op));
      expect(trained.saved.outputs).toEqual(model.outputs);
      const after = await measure(trained.saved, examples, golden.loss);
      expect([after.loss, after.accuracy]).toEqual([trained.result.testLoss, trained.result.testAccuracy]);
      expect(after.loss).toBeLessThan(golden.value);
    });

    it(`${name}: a chosen output is read as it is, and so is the value before by its name`, async () => {
      const { model, golden, examples } = readCase(name);
      const output = floatOutput(model);
      const chosen = await run(name, { output });
      expect(chosen.output).toBe(output);
      expect(chosen.notes.map(String)).toEqual([
        expect.stringContaining("is read as it is, because it was chosen (output)"),
      ]);
      const asItIs = await measure(model, examples, golden.loss, output);
      expect(Math.abs(asItIs.loss - golden.value)).toBeGreaterThan(golden.op === "LogSoftmax" ? -1 : 1e-3);
      const activation = model.nodes.find(({ op }) => op === golden.op);
      const reshaped = model.nodes.at(-1) !== activation;
      if (reshaped) return;
      const before = await measure(model, examples, golden.loss, activation?.inputs[0]);
      expect(before.loss).toBeCloseTo(golden.value, 5);
      expect(before.notes).toEqual([]);
    });
  }

  it("derivative graphs keep the model's own outputs", async () => {
    const { model, golden } = readCase("pixels-torchscript");
    const { objective, feeds } = await objectiveOf("pixels-torchscript");
    const session = await runtime.createSession(deriveFile(objective, { tangents: 1 }));
    const tangents = Object.entries(objective.parameters).map(
      ([name, { shape, data }]) =>
        [`tangent/${name}`, { dtype: "float32", shape: [1, ...shape], data: data.slice() }] as const,
    );
    const names = ["loss", floatOutput(model)];
    const results = await session.run({ ...feeds, ...Object.fromEntries(tangents) }, names);
    await session.release();
    expect(Number(results.loss?.data[0])).toBeCloseTo(golden.value, 5);
    const row = toNumbers(results[floatOutput(model)] as Tensor).slice(0, 5);
    expect(row.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    const { losses: _losses, loss: _loss, ...own } = await evaluate(runtime, objective.graph, feeds);
    expect(Object.keys(own)).toEqual([floatOutput(model)]);
  });
});

describe("a loss reads an activation that it does not contain", () => {
  it("over another axis than the classes' as it is", async () => {
    const { model, golden, examples } = readCase("other-axis-helper");
    const { objective, feeds } = await objectiveOf("other-axis-helper");
    const exact = await exactGradient(objective);
    const { loss, gradients } = await exact.estimate(feeds, key);
    await exact.release();
    expect(loss).toBeCloseTo(golden.value, 5);
    for (const [parameter, { data }] of Object.entries(golden.gradients))
      expect(relativeError(gradients[parameter] ?? [], data)).toBeLessThan(1e-4);
    const evaluation = await measure(model, examples, golden.loss);
    expect(evaluation.loss).toBeCloseTo(golden.value, 5);
    expect([...objective.notes, ...evaluation.notes]).toEqual([]);
  });

  it("says so where another loss fits", async () => {
    const softmax = readCase("softmax-torchscript");
    const targets = { ...softmax.examples, labels: new Float32Array(batch * 3), targetShape: [3] };
    const { notes } = await measure(softmax.model, targets, "binary-cross-entropy");
    expect(notes.map(String)).toEqual([
      expect.stringContaining('use loss: "cross-entropy" with class numbers'),
    ]);
    const squared = await measure(softmax.model, targets, "mean-squared-error");
    expect(squared.notes).toEqual([]);
  });
});

describe("outputs that join 1 − σ(x) and σ(x)", () => {
  it.each(["pair-sklearn", "pair-torchscript", "pair-dynamo"])(
    "%s: the value before is named",
    async (name) => {
      const bytes = readFileSync(new URL(`cases/final-activation/${name}.onnx`, import.meta.url));
      const options = { model: new Uint8Array(bytes), runtime, batch };
      const { notes } = await compileObjective({ ...options, loss: losses["cross-entropy"]() });
      const [note = "", before = ""] =
        /output: "(\S+)", loss: "binary-cross-entropy"/.exec(notes.join()) ?? [];
      expect(note).not.toBe("");
      const chosen = await compileObjective({
        ...options,
        loss: losses["binary-cross-entropy"](),
        output: before,
      });
      expect(chosen.notes).toEqual([]);
    },
  );
});
