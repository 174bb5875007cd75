import { option, type Words, words } from "../../errors/words.ts";
import { consumers } from "../../onnx/graph.ts";
import type { Model } from "../../onnx/read-model.ts";
import { isFloat, type Tensor } from "../../onnx/tensor.ts";
import { isBuffer } from "./buffers.ts";
import { isMask, notFiniteIn } from "./finite-weights.ts";
import { runningStatistics } from "./model-file.ts";

/**
 * What a model file may have lost when it was exported, in sentences that say what to do. Nothing is certain here: a file
 * does not tell merged parameters from tied ones, nor, where it was traced, buffers from parameters.
 *
 * @param trained names of the stored tensors that are trained. Default: all float ones with axes that are no buffers
 */
export function importWarnings(model: Model, trained: readonly string[] = candidates(model)): Words[] {
  const merged = mergedParameters(model, trained);
  const buffers = model.declared.size > 0 ? [] : trained.filter((name) => bufferNames.test(name));
  const warnings: Words[] = [];
  const constants = [...model.initializers].filter(
    ([name, tensor]) => !trained.includes(name) && !isMask(tensor),
  );
  const broken = constants.flatMap(([name, tensor]) => notFiniteIn(name, tensor) ?? []);
  if (broken.length > 0)
    warnings.push(
      words`${model.source}: ${listed(broken)}. If this is no mask, losses may be NaN or infinite.`,
    );
  if (merged.length > 0) {
    warnings.push(
      words`${model.source}: exporters store parameters of equal values once, and then they are trained as one. This
        may have happened to ${listed(merged)}. If these are parameters of their own, export again:
        torch.onnx.export(…, optimize=False) with dynamo, training=TrainingMode.TRAINING without; or make them differ,
        by noise of 1e-6 for example.`,
    );
  }
  const [one, other] = twins(model, trained);
  if (one !== undefined && other !== undefined) {
    warnings.push(
      words`${model.source}: '${one}' and '${other}' hold the same numbers. If the model ties them, the exporter stored
        them twice, and training moves them apart: export again with torch.onnx.export(…, optimize=False) with dynamo,
        do_constant_folding=False without, or leave one as it is (${option("frozen")}).`,
    );
  }
  if (buffers.length > 0) {
    const named = buffers.map((name) => `'${name}'`);
    warnings.push(
      words`${model.source} does not say which stored tensors are buffers, and ${listed(named)}
        ${buffers.length === 1 ? "is named like one" : "are named like some"}. If
        ${buffers.length === 1 ? "it is" : "they are"} no parameter of the model, leave it out (${option("frozen")}),
        or export with torch.onnx.export(…, dynamo=True).`,
    );
  }
  return warnings;
}

/** What modules commonly call numbers that are stored but not trained, at the end of a tensor's name. */
const bufferNames =
  /(^|[._/])(mean|std|var|variance|mask|grid|anchors?|(inv_)?freqs?|window|pe|position_ids|sin|cos|basis|buffer)$/;

function candidates(model: Model): string[] {
  const constants = new Set([...model.buffers, ...runningStatistics(model)]);
  return [...model.initializers].flatMap(([name, { dtype, shape }]) =>
    isFloat(dtype) && shape.length > 0 && !constants.has(name) && !isLeftOut(model, name) ? [name] : [],
  );
}

/**
 * Trained tensors that hold one number again and again, as before training, and are read in several places, in words. A
 * tensor that was tied on purpose, such as an embedding, holds different numbers.
 */
function mergedParameters(model: Model, trained: readonly string[]): string[] {
  const readers = consumers(model);
  return trained.flatMap((name) => {
    const tensor = model.initializers.get(name);
    if (!tensor || !isConstant(tensor)) return [];
    // Tracing leaves the other parameters' names on copies.
    const [copies, direct] = [[] as string[], [] as string[]];
    for (const { op, outputs } of readers.get(name) ?? []) {
      if (op !== "Identity") direct.push(outputs[0] ?? "");
      else if ((readers.get(outputs[0] ?? "")?.length ?? 0) > 0) copies.push(outputs[0] ?? "");
    }
    if (copies.length + direct.length < 2) return [];
    return copies.length > 0
      ? [`'${name}' (also ${listed(copies.map((copy) => `'${copy}'`))})`]
      : [`'${name}' (read by ${direct.length} nodes)`];
  });
}

/**
 * Two trained matrices that were one: one is the other transposed, or one is a table that is looked up in and the other is
 * not. Layers that are copies of each other, as before training, are another matter. Empty where there are none.
 */
function twins(model: Model, trained: readonly string[]): string[] {
  const tables = new Set(
    model.nodes.flatMap(({ op, inputs }) => (op === "Gather" ? inputs.slice(0, 1) : [])),
  );
  const seen = new Map<string, { readonly name: string; readonly tensor: Tensor }[]>();
  for (const name of trained) {
    const tensor = model.initializers.get(name);
    if (tensor?.shape.length !== 2 || isConstant(tensor)) continue;
    const { data, shape } = tensor;
    // Both ends stay where they are when a matrix is transposed.
    const key = [...shape.toSorted((a, b) => a - b), data[0], data.at(-1)].join();
    const others = seen.get(key) ?? [];
    const twin = others.find(
      (other) =>
        isTransposed(other.tensor, tensor) ||
        (tables.has(name) !== tables.has(other.name) && isEqual(other.tensor, tensor)),
    );
    if (twin) return [twin.name, name];
    seen.set(key, [...others, { name, tensor }]);
  }
  return [];
}

function isEqual(a: Tensor, b: Tensor): boolean {
  return a.shape.join() === b.shape.join() && a.data.every((value, at) => value === b.data[at]);
}

function isTransposed(a: Tensor, b: Tensor): boolean {
  const [rows = 1, columns = 1] = a.shape;
  const isFlipped = (value: number | bigint, at: number) =>
    value === b.data[(at % columns) * rows + Math.floor(at / columns)];
  return b.shape[0] === columns && b.shape[1] === rows && !isEqual(a, b) && a.data.every(isFlipped);
}

function isLeftOut(model: Model, name: string): boolean {
  const tensor = model.initializers.get(name);
  return !model.declared.has(name) && tensor !== undefined && isBuffer(name, tensor);
}

function isConstant({ data }: Tensor): boolean {
  return data.length > 1 && (data as Float32Array).every((value) => value === data[0]);
}

function listed(names: readonly string[]): string {
  const rest = names.length > 3 ? `, … ${names.length - 3} more` : "";
  return names.slice(0, 3).join(", ") + rest;
}
