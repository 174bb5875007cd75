/** Examples as users have them, plain arrays, in the form that runs read. */
import { isArrayOf } from "../arrays/kind.ts";
import type { Examples } from "../data/dataset.ts";
import { DataError, SettingError } from "../errors/errors.ts";
import { option as mention, words } from "../errors/words.ts";
import type { Loss } from "../losses/loss.ts";
import type { Model } from "../onnx/read-model.ts";
import { elementCount } from "../onnx/tensor.ts";
import { shown } from "../settings/check.ts";
import { nearest } from "../settings/nearest.ts";

/** Examples as plain arrays, for data of one's own. */
export interface ExampleArrays {
  /** All examples one after the other, in the shape of the model's input; bytes stand for value / 255. */
  readonly inputs: Float32Array | Uint8Array | readonly number[];
  /** Class numbers (Int32Array), target values (Float32Array), or numbers that are what the loss reads. */
  readonly labels: Int32Array | Float32Array | ArrayLike<number | bigint>;
  /** Shape of one example. Default: that of the model's input. */
  readonly shape?: readonly number[];
  /** How many there are. Default: as many as `inputs` hold. */
  readonly count?: number;
  /** Shape of one example's labels or targets. Default: one number, or as many as there are in a row. */
  readonly targetShape?: readonly number[];
}

const known = ["inputs", "labels", "shape", "count", "targetShape", "origin"];

/** Examples that a model is asked about: a dataset's, whose labels are left alone, or plain arrays. */
export type UnlabelledExamples = Omit<ExampleArrays, "labels"> & Partial<Pick<ExampleArrays, "labels">>;

/** How examples are read, and as which option they were given. */
interface Reading {
  readonly input?: string;
  readonly option: string;
}

/**
 * Examples as a run reads them, from either form.
 *
 * @param read what reads them, and the option that they were given as
 * @throws SettingError for what are no examples; DataError where numbers and shapes do not agree
 */
export function examplesFor(
  model: Model,
  given: Examples | ExampleArrays,
  { loss, ...read }: Reading & { readonly loss: Loss },
): Examples {
  const { labels, targetShape } = given;
  const inputs = inputsFor(model, given, read);
  requireList(labels, `${read.option}.labels`);
  const { count, shape } = inputs;
  if (labels.length % count !== 0) {
    throw new DataError(
      `${model.source}: inputs hold ${given.inputs.length} numbers and labels ${labels.length}; expected a whole number of ` +
        `examples of shape [${shape.join(", ")}] and as many labels${given.count === undefined ? "" : `, ${count} of them`}.`,
    );
  }
  return { ...inputs, ...(targetShape && { targetShape }), labels: targetsFrom(labels, loss) };
}

/**
 * Examples without their labels, where they have some.
 *
 * @throws as `examplesFor`
 */
export function inputsFor(
  model: Model,
  given: UnlabelledExamples & Pick<Partial<Examples>, "origin">,
  { input: name, option }: Reading,
): Omit<Examples, "labels"> {
  const { inputs, labels } = given;
  const unknown = Object.keys(given).find((key) => !known.includes(key));
  if (unknown !== undefined) {
    const [near] = nearest(unknown, known);
    throw new SettingError(
      words`${mention(option)} has no '${unknown}'. ${near === undefined ? "" : `Did you mean ${near}? `}It takes
        ${known.join(", ")}.`,
      { option: `${option}.${unknown}`, neighbours: near === undefined ? [] : [`${option}.${near}`] },
    );
  }
  requireList(inputs, `${option}.inputs`);
  const first: unknown = inputs[0];
  if (inputs.length > 0 && typeof first !== "number") {
    throw new DataError(
      `${model.source}: inputs[0] is ${isList(first) ? "a list" : `of type ${typeof first}`}, expected ` +
        "numbers, all examples one after the other; flatten rows (inputs.flat())",
      { source: model.source },
    );
  }
  const shape = given.shape ?? shapeOf(model, name, option);
  if (!isList(shape) || !shape.every((size) => Number.isSafeInteger(size) && size >= 1)) {
    throw new SettingError(
      words`${mention(`${option}.shape`)} must be whole numbers from 1, without the batch axis, received ${shown(shape)}.`,
      { option: `${option}.shape` },
    );
  }
  const count = given.count ?? inputs.length / elementCount(shape);
  if (!Number.isInteger(count) || count === 0 || inputs.length !== count * elementCount(shape)) {
    const of = labels === undefined ? "" : ` and labels ${labels.length}`;
    throw new DataError(
      `${model.source}: inputs hold ${inputs.length} numbers${of}; expected a whole number of ` +
        `examples of shape [${shape.join(", ")}]${labels === undefined ? "" : " and as many labels"}` +
        `${given.count === undefined ? "" : `, ${count} of them`}.`,
    );
  }
  return {
    ...("origin" in given ? { origin: given.origin } : {}),
    count,
    shape,
    inputs: isTyped(inputs) ? inputs : Float32Array.from(inputs),
  };
}

/** @throws SettingError for what is no list of numbers */
function requireList(values: unknown, option: string): void {
  if (isList(values)) return;
  throw new SettingError(
    words`${mention(option)} must be numbers, one after the other, received ${shown(values)}.`,
    { option },
  );
}

/** The shape of one example in the model's input. */
function shapeOf(model: Model, name: string | undefined, option: string): readonly number[] {
  const input = model.inputs.find((each) => each.name === name) ?? model.inputs[0];
  const dimensions = input?.dimensions?.slice(1);
  if (dimensions?.every((size) => typeof size === "number")) return dimensions;
  throw new SettingError(
    words`${model.source}: the shape of one example is open in '${input?.name ?? ""}'; give it
      (${mention(`${option}.shape`)}).`,
    { option: `${option}.shape` },
  );
}

/** Numbers as what the loss reads: class numbers, or values. @throws for class numbers that are no whole ones */
function targetsFrom(
  labels: Int32Array | Float32Array | ArrayLike<number | bigint>,
  loss: Loss,
): Int32Array | Float32Array {
  if (isArrayOf("Int32Array", labels) || isArrayOf("Float32Array", labels)) return labels;
  const numbers = Array.from(labels as ArrayLike<number | bigint>, Number);
  if (!loss.classAxis) return Float32Array.from(numbers);
  const wrong = numbers.findIndex((number) => (number | 0) !== number);
  if (wrong < 0) return Int32Array.from(numbers);
  throw new DataError(
    `labels: ${loss.name} reads class numbers, whole and counted from 0, and labels[${wrong}] is ${numbers[wrong]}; pass class ` +
      "numbers, or choose a loss of values (meanSquaredError, binaryCrossEntropy).",
  );
}

function isTyped(inputs: Float32Array | Uint8Array | readonly number[]): inputs is Float32Array | Uint8Array {
  return isArrayOf("Float32Array", inputs) || isArrayOf("Uint8Array", inputs);
}

function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && "length" in value);
}
