/** The inputs of the loss: labels or targets, and their checks. */
import { isArrayOf } from "../arrays/kind.ts";
import {
  checkExamples,
  describePosition,
  type Examples,
  IGNORED_LABEL,
  targetShapeOf,
} from "../data/dataset.ts";
import { DataError, SettingError } from "../errors/errors.ts";
import { option, type Words, words } from "../errors/words.ts";
import type { Loss } from "../losses/loss.ts";
import { formatShape, getValue, type Value } from "../onnx/graph.ts";
import { elementCount, holdsSameOrder, type Tensor } from "../onnx/tensor.ts";
import type { Objective } from "./objective.ts";

/** A loss, what it reads of the model, and its target input. */
export interface LossInputs {
  readonly loss: Loss;
  readonly prediction: Value;
  readonly target: Pick<Value, "dtype" | "shape">;
}

/** What the loss of an objective reads. */
export function lossInputs({ graph, loss, output, target }: Objective): LossInputs {
  return { loss, prediction: getValue(graph, output), target: getValue(graph, target) };
}

/** A buffer for a batch of targets: class numbers, or float targets. */
export function targetBuffer({
  dtype,
  shape,
}: Pick<Value, "dtype" | "shape">): Tensor & { readonly data: BigInt64Array | Float32Array } {
  const count = elementCount(shape);
  return dtype === "int64"
    ? { dtype: "int64", shape, data: new BigInt64Array(count) }
    : { dtype: "float32", shape, data: new Float32Array(count) };
}

/** @throws when the loss reads an output whose first axis is not the batch that the model's inputs have */
export function checkBatch({ graph, model, output }: Objective): void {
  const prediction = getValue(graph, output);
  const names = new Set(model.inputs.map(({ name }) => name));
  const sizes = graph.inputs.flatMap(({ name, shape: [size] }) => (names.has(name) && size ? [size] : []));
  if (sizes.length === 0 || sizes.some((size) => size === prediction.shape[0])) return;
  throw new SettingError(describeOtherBatch(prediction, sizes[0] as number), { option: "output" });
}

/** In words: the loss reads an output whose first axis is not the batch. */
export function describeOtherBatch({ name, shape }: Pick<Value, "name" | "shape">, batch: number): Words {
  return words`The loss reads '${name}' of shape ${formatShape(shape)} for a batch of ${batch} examples; expected the
    examples on the first axis. Choose another output, or a value inside the model, such as the one before it is
    reshaped (${option("output")}; for a new head to read, ${option("head.from")}).`;
}

/** @throws when the examples' labels do not fit the loss and the model's output, or none of them counts */
export function checkTargets(
  { loss, prediction, target }: LossInputs,
  examples: Examples,
  name: string,
): void {
  const isClasses = isArrayOf("Int32Array", examples.labels);
  const [batch = 1, ...shape] = target.shape;
  if (isClasses && loss.together)
    throw new SettingError(
      words`${name}: ${loss.name} reads the number of the group that each example is of as floats (Float32Array), and the data has class
        numbers (Int32Array); give ${loss.together === 2 ? "the numbers of pairs: 0, 0, 1, 1, …" : "such"} (Float32Array.from(labels)), or choose cross-entropy
        for classes (${option("loss", "cross-entropy")}).`,
      { option: "loss" },
    );
  if (isClasses !== (target.dtype === "int64")) {
    throw new SettingError(
      words`The loss reads ${target.dtype} targets of shape ${formatShape(target.shape)}, and the data has
        ${isClasses ? "class numbers (Int32Array)" : "float targets (Float32Array)"}; choose the loss that fits the
        data (${option("loss")}): cross-entropy for class numbers, mean-squared-error or binary-cross-entropy for float
        targets.`,
      { option: "loss" },
    );
  }
  const given = targetShapeOf(examples);
  if (!holdsSameOrder(shape, given)) {
    throw new DataError(
      words`${name}: ${loss.name} reads '${prediction.name}' of shape ${formatShape(prediction.shape)} and takes
      ${isClasses ? "labels" : "targets"} of shape ${formatShape([batch, ...shape])}, and those of the data have the shape
      ${formatShape([batch, ...given])} for ${batch} examples;
      ${
        isClasses
          ? words`give one class number for each position (the argmax of one-hot rows), or choose another output
            (${option("output")}); a new head has one prediction for each position where it reads positions and makes nothing of them (${option("head.from")},
            ${option("head.pool", "none")}).`
          : "the targets must have the shape of the output, or equally many numbers in the same order."
      }`,
      { source: name },
    );
  }
  checkLabels({ loss, prediction, target }, examples, name);
  if (isClasses && examples.labels.every((label) => label === IGNORED_LABEL)) {
    throw new DataError(
      `${name}: all ${examples.labels.length.toLocaleString("en")} labels are ${IGNORED_LABEL}, which do not count; ` +
        "give class numbers.",
      { source: name },
    );
  }
}

/** @throws for the first label or target that the loss does not take, and numbers that are not finite */
export function checkLabels(
  { loss, prediction, target }: LossInputs,
  examples: Examples,
  name: string,
): void {
  const classAxis = loss.classAxis?.(prediction.shape, target.shape);
  checkExamples(examples, name, classAxis === undefined ? 0 : (prediction.shape[classAxis] as number));
  checkRange(loss, examples, name);
}

/** @throws for the first target outside the loss's range */
function checkRange({ name: loss, range }: Loss, examples: Examples, name: string): void {
  if (!range) return;
  const [least, most] = range;
  const index = (examples.labels as Float32Array).findIndex((value) => !(value >= least && value <= most));
  if (index === -1) return;
  throw new DataError(
    words`${name}: ${describePosition(examples, index)} has the target ${examples.labels[index]}, and ${loss} takes
      targets from ${least} to ${most}; scale them (classes −1 and 1: to 0 and 1), or use
      ${option("loss", "mean-squared-error")}.`,
    { source: name },
  );
}

/** Of the examples at these indices, how many labels count; for targets that are values, how many examples. */
export function countTargets(examples: Examples, indices: Uint32Array): number {
  if (!isArrayOf("Int32Array", examples.labels)) return indices.length;
  const each = examples.labels.length / examples.count;
  let counted = 0;
  for (const index of indices)
    for (let position = index * each; position < (index + 1) * each; position++)
      if (examples.labels[position] !== IGNORED_LABEL) counted++;
  return counted;
}
