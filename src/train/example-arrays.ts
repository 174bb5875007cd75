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
import type { InputNumbers } from "./named-inputs.ts";

/** Examples as plain arrays, for data of one's own. */
export interface ExampleArrays {
  /**
   * All examples one after the other, in the shape of the model's input; bytes stand for value / 255. For a model of several
   * inputs: such arrays by the inputs' names, where bytes stand for themselves if the input takes integers or truths.
   */
  readonly inputs: Float32Array | Uint8Array | readonly number[] | Readonly<Record<string, InputNumbers>>;
  /** Class numbers (Int32Array), target values (Float32Array), or numbers that are what the loss reads. */
  readonly labels: Int32Array | Float32Array | ArrayLike<number | bigint>;
  /** Shape of one example, of all inputs or by their names. Default: that of the model's input, completed by `count`. */
  readonly shape?: readonly number[] | Readonly<Record<string, readonly number[]>>;
  /** How many there are. Default: as many as `inputs` hold. */
  readonly count?: number;
  /** Shape of one example's labels or targets. Default: one number, or as many as there are in a row. */
  readonly targetShape?: readonly number[];
}

const known = ["inputs", "furtherInputs", "labels", "shape", "count", "targetShape", "origin"];

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
export async function examplesFor(
  model: Model,
  given: Examples | ExampleArrays,
  { loss, ...read }: Reading & { readonly loss: Loss },
): Promise<Examples> {
  const { labels, targetShape } = given;
  const inputs = await inputsFor(model, given, read);
  requireList(labels, `${read.option}.labels`);
  const { count, shape } = inputs;
  if (labels.length % count !== 0) {
    throw new DataError(
      `${model.source}: inputs hold ${inputs.inputs.length} numbers and labels ${labels.length}; expected a whole number of ` +
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
export async function inputsFor(
  model: Model,
  all: UnlabelledExamples & Kept,
  { input: name, option }: Reading,
): Promise<Omit<Examples, "labels">> {
  const unknown = Object.keys(all).find((key) => !known.includes(key));
  if (unknown !== undefined) {
    const [near] = nearest(unknown, known);
    throw new SettingError(
      words`${mention(option)} has no '${unknown}'. ${near === undefined ? "" : `Did you mean ${near}? `}It takes
        ${known.join(", ")}.`,
      { option: `${option}.${unknown}`, neighbours: near === undefined ? [] : [`${option}.${near}`] },
    );
  }
  const given = await inOrder(model, all, { input: name, option });
  const { inputs, furtherInputs, origin } = given;
  requireList(inputs, `${option}.inputs`);
  const first: unknown = inputs[0];
  if (inputs.length > 0 && typeof first !== "number")
    throw (await import("./named-inputs.ts")).noNumbers(model, first);
  const shape = given.shape ?? (await shapeOf(model, name, given, option));
  if (!isList(shape) || !shape.every((size) => Number.isSafeInteger(size) && size >= 1))
    throw new SettingError(
      words`${mention(`${option}.shape`)} must be whole numbers from 1, without the batch axis, received ${shown(shape)}.`,
      { option: `${option}.shape` },
    );
  const count = given.count ?? inputs.length / elementCount(shape);
  if (!Number.isInteger(count) || count === 0 || inputs.length !== count * elementCount(shape))
    throw (await import("./named-inputs.ts")).wrongCount(model, { ...given, shape });
  return {
    ...(origin && { origin }),
    ...(furtherInputs && { furtherInputs }),
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

/** What a dataset's examples have besides, which stays as it is. */
type Kept = Pick<Partial<Examples>, "furtherInputs" | "origin">;

/** Examples of which each input is one array. */
type OrderedArrays = Omit<UnlabelledExamples, "inputs" | "shape"> &
  Kept & {
    readonly inputs: Float32Array | Uint8Array | readonly number[];
    readonly shape?: readonly number[];
  };

/** Takes arrays by name apart: the main input's, and the further ones. */
async function inOrder(
  model: Model,
  given: UnlabelledExamples & Kept,
  read: Reading,
): Promise<OrderedArrays> {
  const { inputs, shape } = given;
  if (!isNamed(inputs)) return { ...given, inputs, shape: shape as readonly number[] | undefined };
  const { separateInputs } = await import("./named-inputs.ts");
  return { ...given, ...separateInputs(model, { ...given, inputs }, read) };
}

function isNamed(inputs: ExampleArrays["inputs"]): inputs is Readonly<Record<string, InputNumbers>> {
  return typeof inputs === "object" && inputs !== null && !isList(inputs);
}

/** The shape of one example in the model's input. */
async function shapeOf(
  model: Model,
  name: string | undefined,
  { inputs, count }: Pick<OrderedArrays, "inputs" | "count">,
  option: string,
): Promise<readonly number[]> {
  const input = model.inputs.find((each) => each.name === name) ?? model.inputs[0];
  const dimensions = input?.dimensions?.slice(1);
  if (dimensions?.every((size) => typeof size === "number")) return dimensions;
  return (await import("./named-inputs.ts")).completedShape(model, input, inputs.length, count, option);
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
