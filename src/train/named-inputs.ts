/** What few examples need: arrays by the names of a model's inputs become a main input and further ones; shapes that a file leaves open; errors. */
import { isArrayOf } from "../arrays/kind.ts";
import type { FurtherInputs } from "../data/further-inputs.ts";
import { DataError, SettingError } from "../errors/errors.ts";
import { option as mention, words } from "../errors/words.ts";
import { own } from "../onnx/own.ts";
import type { Model, ModelValue } from "../onnx/read-model.ts";
import { elementCount, isFloat } from "../onnx/tensor.ts";

/** Numbers of one input, one after the other. */
export type InputNumbers = Float32Array | Uint8Array | ArrayLike<number | bigint | boolean>;

/** One array for each of a model's inputs. */
export interface NamedInputs {
  readonly inputs: Readonly<Record<string, InputNumbers>>;
  /** Shape of one example: of all inputs, or by their names. */
  readonly shape?: readonly number[] | Readonly<Record<string, readonly number[]>>;
  readonly count?: number;
}

/** The same as examples hold them. */
export interface SeparateInputs {
  readonly inputs: Float32Array | Uint8Array;
  readonly shape: readonly number[];
  readonly furtherInputs: FurtherInputs;
}

/**
 * Takes the input that is chosen as the main one, or the first float one, or the first.
 *
 * @param read the chosen input, and the option that the examples were given as
 * @throws SettingError for a name that is no input, or a shape that stays open; DataError for numbers that an input cannot hold
 */
export function separateInputs(
  model: Model,
  { inputs, shape, count }: NamedInputs,
  { input: chosen, option }: { readonly input?: string; readonly option: string },
): SeparateInputs {
  const names = Object.keys(inputs);
  const stray = names.find((name) => !model.inputs.some((input) => input.name === name));
  if (stray !== undefined || names.length === 0) {
    const list = model.inputs.map(({ name, dtype }) => `'${name}' ${dtype}`).join(", ") || "none";
    throw new SettingError(
      words`${mention(`${option}.inputs`)} has ${stray === undefined ? "no arrays" : `an array '${stray}'`}, and
        ${model.source} has the inputs ${list}; give an array for each of them, under its name.`,
      { option: `${option}.inputs` },
    );
  }
  const given = model.inputs.filter(({ name }) => names.includes(name));
  const main =
    given.find(({ name }) => name === chosen) ??
    given.find(({ dtype }) => isFloat(dtype)) ??
    (given[0] as ModelValue);
  const read = (input: ModelValue) => {
    const numbers = own(inputs, input.name) ?? [];
    checkNumbers(numbers, `${option}.inputs.${input.name}`);
    const known = isShape(shape) ? shape : own(shape, input.name);
    return {
      shape: known ?? completedShape(model, input, numbers.length, count, option),
      values: valuesOf(model, input, numbers),
    };
  };
  const { values, shape: mainShape } = read(main);
  const further = given.filter((input) => input !== main).map((input) => [input.name, read(input)] as const);
  return { inputs: values, shape: mainShape, furtherInputs: Object.fromEntries(further) };
}

/** @throws SettingError for what are no numbers one after the other */
function checkNumbers(numbers: unknown, option: string): void {
  const isList = Array.isArray(numbers) || (ArrayBuffer.isView(numbers) && "length" in numbers);
  if (isList && typeof (numbers as ArrayLike<unknown>)[0] !== "object") return;
  throw new SettingError(
    words`${mention(option)} must be numbers, one after the other, received ${isList ? "rows; flatten them (.flat())" : `what is of type ${typeof numbers}`}.`,
    { option },
  );
}

/** Whether one shape is given for all inputs, or none. */
function isShape(shape: NamedInputs["shape"]): shape is readonly number[] | undefined {
  return shape === undefined || Array.isArray(shape);
}

/**
 * The shape of one example in a model's input. One open size follows from how many numbers and examples there are.
 *
 * @throws SettingError where a size stays open
 */
export function completedShape(
  model: Model,
  input: ModelValue | undefined,
  numbers: number,
  count: number | undefined,
  option: string,
): readonly number[] {
  const dimensions = input?.dimensions?.slice(1);
  const open = dimensions?.filter((size) => typeof size !== "number").length;
  if (dimensions && (open === 0 || (open === 1 && count !== undefined))) {
    const known = elementCount(dimensions.filter((size) => typeof size === "number"));
    return dimensions.map((size) => (typeof size === "number" ? size : numbers / ((count ?? 1) * known)));
  }
  throw new SettingError(
    words`${model.source}: the shape of one example is open in '${input?.name ?? ""}'; give it
      (${mention(`${option}.shape`)})${open === 1 ? words`, or how many examples there are (${mention(`${option}.count`)})` : ""}.`,
    { option: `${option}.shape` },
  );
}

/** Numbers as floats; bytes stay pixels where the model takes floats. @throws for integers that float32 does not hold */
function valuesOf(
  model: Model,
  { name, dtype }: ModelValue,
  numbers: InputNumbers,
): Float32Array | Uint8Array {
  if (isArrayOf("Float32Array", numbers)) return numbers;
  if (isArrayOf("Uint8Array", numbers) && isFloat(dtype)) return numbers;
  const values = Float32Array.from(numbers as ArrayLike<number>, Number);
  if (isFloat(dtype)) return values;
  const wrong = values.findIndex((value, index) => value !== Number(numbers[index]));
  if (wrong === -1) return values;
  throw new DataError(
    `${model.source}: '${name}' takes whole numbers (${dtype}), and the data have ${numbers[wrong]} at ${wrong}; expected ` +
      "numbers up to 2^24.",
    { source: model.source },
  );
}

/** @param first of the inputs, which is no number */
export function noNumbers({ source }: Model, first: unknown): DataError {
  const isRow = Array.isArray(first) || ArrayBuffer.isView(first);
  return new DataError(
    `${source}: inputs[0] is ${isRow ? "a list" : `of type ${typeof first}`}, expected ` +
      "numbers, all examples one after the other; flatten rows (inputs.flat())",
    { source },
  );
}

/** Of numbers that make no whole examples, or another number of them than was said. */
export function wrongCount(
  { source }: Model,
  given: {
    readonly inputs: ArrayLike<unknown>;
    readonly labels?: ArrayLike<unknown> | undefined;
    readonly shape: readonly number[];
    readonly count?: number | undefined;
  },
): DataError {
  const { inputs, labels, shape, count } = given;
  const of = labels === undefined ? "" : ` and labels ${labels.length}`;
  return new DataError(
    `${source}: inputs hold ${inputs.length} numbers${of}; expected a whole number of ` +
      `examples of shape [${shape.join(", ")}]${labels === undefined ? "" : " and as many labels"}` +
      `${count === undefined ? "" : `, ${count} of them`}.`,
  );
}
