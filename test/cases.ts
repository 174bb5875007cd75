import { readdirSync, readFileSync } from "node:fs";
import { expect } from "vitest";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import type { Examples } from "../src/data/dataset.ts";
import { exactGradient } from "../src/estimate/exact.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { deriveFile } from "../src/objective/derive.ts";
import type { ObjectiveOptions } from "../src/objective/objective.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { printModel } from "../src/onnx/print.ts";
import type { Model } from "../src/onnx/read-model.ts";
import { elementCount, int64, type Tensor, tensorOf } from "../src/onnx/tensor.ts";
import { keyFromSeed } from "../src/random/threefry.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { evaluateModel } from "../src/train/evaluation/evaluate-model.ts";
import type { TrainSettings } from "../src/train/settings/options.ts";
import { train } from "../src/train/train.ts";
import type { GoldenTensor, GoldenTensors } from "./golden.ts";
import { relativeError } from "./relative-error.ts";

/** What cases/oracle.py says of a file: mean cross-entropy and its gradient in float64. */
export interface CaseGolden {
  readonly inputs: GoldenTensors;
  readonly labels: number[];
  readonly output: string;
  readonly loss: number;
  readonly gradients: GoldenTensors;
}

const runtime = nodeRuntime({ threads: 1 });
const bound = 2e-5;

/** Names of the ONNX files of a kind, without the ending. */
export function casesOf(kind: string): string[] {
  const files = readdirSync(new URL(`cases/${kind}/`, import.meta.url));
  return files.filter((file) => file.endsWith(".onnx")).map((file) => file.slice(0, -".onnx".length));
}

export function readCase(kind: string, name: string): { readonly model: Model; readonly golden: CaseGolden } {
  const read = (file: string) => readFileSync(new URL(`cases/${kind}/${file}`, import.meta.url));
  const model = decodeModel(new Uint8Array(read(`${name}.onnx`)), { source: `${name}.onnx` });
  return { model, golden: JSON.parse(read(`${name}.golden.json`).toString()) as CaseGolden };
}

/** What is trained of a file, and its derivatives. */
export async function holdCase(kind: string, name: string): Promise<void> {
  const { model, golden } = readCase(kind, name);
  await holdDerivatives(model, golden, {});
}

/** Everything that is done with a file: derivatives, training, adapters, measuring, printing. */
export async function useEverywhere(
  kind: string,
  name: string,
  options: Pick<ObjectiveOptions, "trainable" | "dimensions"> & Pick<TrainSettings, "fill" | "input"> = {},
): Promise<void> {
  const { model, golden } = readCase(kind, name);
  await holdDerivatives(model, golden, options);
  expect(printModel(model, new Map())).toContain(golden.output);
  const examples = examplesOf(model, golden, options);
  const base = await lossOf(model, golden, examples, options);
  expect(relativeError([base], [golden.loss])).toBeLessThan(bound);
  for (const settings of settingsTried) {
    const { trainable } = "adapter" in settings ? { trainable: undefined } : options;
    const saved = await trained(model, golden, examples, { ...options, ...settings, trainable });
    const after = await lossOf(saved, golden, examples, options);
    expect(after, JSON.stringify(settings)).toBeLessThan(golden.loss);
    const apart = "adapter" in settings && settings.adapter?.saved === "apart";
    expect(interfaceOf(saved, !apart)).toEqual(interfaceOf(model, !apart));
  }
}

/** Gradient by reverse mode and directional derivatives, held to the golden's. */
async function holdDerivatives(
  model: Model,
  golden: CaseGolden,
  { trainable, dimensions, fill }: Pick<ObjectiveOptions, "trainable" | "dimensions" | "fill">,
): Promise<void> {
  const objective = await compileObjective({
    model,
    loss: crossEntropy(),
    runtime,
    batch: golden.labels.length,
    output: golden.output,
    ...{ trainable, dimensions, fill },
  });
  const { graph, parameters } = objective;
  expect(Object.keys(parameters).sort()).toEqual(Object.keys(golden.gradients).sort());
  const fed = Object.entries(golden.inputs).filter(([key]) => !Object.hasOwn(fill ?? {}, key));
  const inputs = Object.fromEntries(fed.map(([key, value]) => [key, inputOf(model, key, value)] as const));
  const feeds = { ...parameters, ...inputs, labels: int64(golden.labels) };
  const exact = await exactGradient(objective);
  const { gradients, loss } = await exact.estimate(feeds, keyFromSeed(1));
  await exact.release();
  expect(relativeError([loss], [golden.loss])).toBeLessThan(bound);
  const scale = Math.hypot(...Object.values(golden.gradients).flatMap(({ data }) => data));
  for (const [parameter, { data }] of Object.entries(golden.gradients)) {
    const found = gradients[parameter] as Float32Array;
    const error = Math.hypot(...data.map((value, place) => value - (found[place] as number)));
    expect(error / scale, parameter).toBeLessThan(bound);
  }
  const tangents = Object.entries(parameters).map(([parameter, tensor]) => {
    const data = Float32Array.from(tensor.data, (_, place) => Math.cos(place));
    return [`tangent/${parameter}`, { ...tensor, shape: [1, ...tensor.shape], data }] as const;
  });
  const forms = new Map(Object.keys(parameters).map((parameter) => [parameter, "stacked"] as const));
  const derived = derivativeGraph(graph, forms, 1, "loss");
  const { derivatives } = await evaluate(runtime, derived, { ...feeds, ...Object.fromEntries(tangents) });
  const expected = Object.values(golden.gradients).reduce(
    (sum, { data }) => sum + data.reduce((part, value, place) => part + value * Math.cos(place), 0),
    0,
  );
  expect(Math.abs(Number(derivatives?.data[0]) - expected) / scale).toBeLessThan(bound);
  const session = await runtime.createSession(deriveFile(objective, { tangents: 2 }));
  await session.release();
}

/** In the type that the model takes. */
function inputOf({ inputs }: Model, name: string, { data, shape }: GoldenTensor): Tensor {
  return tensorOf(inputs.find((each) => each.name === name)?.dtype ?? "float32", data, shape);
}

/** What training leaves as it is. */
function interfaceOf({ opset, inputs, outputs, proto }: Model, withNodes: boolean) {
  const nodes = withNodes ? proto.graph?.node.map(({ opType, output }) => [opType, ...output]) : [];
  return { opset, inputs, outputs, ir: proto.irVersion, producer: proto.producerName, nodes };
}

const settingsTried: readonly TrainSettings[] = [
  { gradient: "exact" },
  { perturb: "activations", tangents: 16 },
  { perturb: "weights", tangents: 16, aggregate: "mean", learningRate: 0.02 },
  { adapter: { rank: 1 }, gradient: "exact" },
  { adapter: { rank: 1, saved: "apart" }, gradient: "exact" },
];

/** The golden's batch, several times over, so that batches of any order are the same. */
export function examplesOf(
  model: Model,
  golden: CaseGolden,
  { input, fill = {} }: Pick<TrainSettings, "fill" | "input"> = {},
): Examples {
  const fed = input ?? model.inputs.find((each) => each.dtype === "float32")?.name ?? "";
  const copies = Array.from({ length: 4 });
  const read = (name: string) => {
    const { shape, data } = golden.inputs[name] as GoldenTensor;
    const one = shape.slice(1);
    const each = data.slice(0, golden.labels.length * elementCount(one));
    return { shape: one, values: Float32Array.from(copies.flatMap(() => each)) };
  };
  const others = Object.keys(golden.inputs).filter((name) => name !== fed && !Object.hasOwn(fill, name));
  const { shape, values } = read(fed);
  return {
    count: copies.length * golden.labels.length,
    shape,
    inputs: values,
    furtherInputs: Object.fromEntries(others.map((name) => [name, read(name)])),
    labels: Int32Array.from(copies.flatMap(() => golden.labels)),
  };
}

async function trained(
  model: Model,
  golden: CaseGolden,
  examples: Examples,
  settings: TrainSettings,
): Promise<Model> {
  const events = train({
    model,
    examples,
    runtime,
    batch: golden.labels.length,
    steps: 20,
    validation: 0,
    output: golden.output,
    learningRate: 0.05,
    ...settings,
  });
  for await (const event of events)
    if (event.kind === "done") return decodeModel(event.model, { source: model.source });
  throw new Error("the run did not end");
}

async function lossOf(
  model: Model,
  { output }: CaseGolden,
  examples: Examples,
  { fill, input, dimensions }: Pick<TrainSettings, "fill" | "input" | "dimensions">,
): Promise<number> {
  const measured = { model, parameters: {}, examples, loss: crossEntropy(), output, runtime };
  return (await evaluateModel({ ...measured, fill, input, dimensions })).loss;
}
