/** From a batch of examples to the inputs of a model. */
import { isArrayOf } from "../arrays/kind.ts";
import type { Examples } from "../data/dataset.ts";
import { readFurther } from "../data/further-inputs.ts";
import { DataError } from "../errors/errors.ts";
import { bindInputs, dimensionName } from "../onnx/bind.ts";
import { type Fill, filledNumber } from "../onnx/fill.ts";
import { own } from "../onnx/own.ts";
import type { Model, ModelValue } from "../onnx/read-model.ts";
import { elementCount, holdsSameOrder, type Tensor, tensorOf, zeros } from "../onnx/tensor.ts";
import type { Tensors } from "../runtime/runtime.ts";
import type { LookupCheck } from "./importing/lookups.ts";

/** Which of a model's inputs get what. */
export interface InputChoice {
  /**
   * The input that examples feed. Default: the only one that is neither filled nor among their further inputs, or the first
   * float one of them.
   */
  readonly input?: string;
  /** Numbers that fill the other inputs, by name. */
  readonly fill?: Fill;
  /** Sizes of open dimensions that do not follow from the data, by name or as "input.axis". */
  readonly dimensions?: Readonly<Record<string, number>>;
}

/** How one of a model's inputs takes what an example holds for it. */
export interface FedInput {
  readonly name: string;
  /** Floats, integers (tokens, categories) or truths. */
  readonly dtype: ModelValue["dtype"];
  /** One example's part, as the model takes it. */
  readonly shape: readonly number[];
  /** Refuses numbers that the model has no use for. Default: it takes all. */
  readonly check?: LookupCheck | undefined;
}

/** How examples reach a model: the input that `inputs` of the examples feed, and its further ones. */
export interface ExampleInput extends FedInput {
  /** Those that the examples' further inputs feed. */
  readonly further: readonly FedInput[];
  /** Sizes of the model's open dimensions that are given or follow from the data, as `bindInputs` takes them. */
  readonly dimensions: Readonly<Record<string, number>>;
}

/** What is looked at of examples to find how they reach a model. */
type ExampleShapes = Pick<Examples, "shape" | "furtherInputs">;

/**
 * Finds the inputs that examples feed, and the sizes that the data give to their open dimensions.
 *
 * @throws when no input or several fit, another input is left without numbers, or the data's shapes or numbers do not fit, such as tokens
 * beyond the vocabulary
 */
export async function checkedInput(
  model: Model,
  examples: ExampleShapes & Pick<Examples, "count">,
  choice: InputChoice = {},
): Promise<ExampleInput> {
  const found = findInput(model, examples, choice);
  if (!found || examples.furtherInputs) {
    // What can be wrong is many sentences, and few models have several inputs.
    const { checkInputs } = await import("./input-errors.ts");
    checkInputs(model, examples, choice, found);
  }
  const input = exampleInput(model, examples, choice);
  if (![input, ...input.further].some(({ dtype }) => dtype.startsWith("int"))) return input;
  const { lookupChecks } = await import("./input-errors.ts");
  const checks = lookupChecks(model, input.shape);
  const further = input.further.map((fed) => ({ ...fed, check: checks.get(fed.name) }));
  return { ...input, check: checks.get(input.name), further };
}

/** As `checkedInput`, of examples that were checked. */
export function exampleInput(model: Model, examples: ExampleShapes, choice: InputChoice = {}): ExampleInput {
  const input = findInput(model, examples, choice);
  if (input) return input;
  throw new DataError(`${model.source} does not take such examples.`, { source: model.source });
}

/** Undefined where something does not fit. */
function findInput(
  { inputs }: Model,
  examples: ExampleShapes,
  { input: chosen, fill = {}, dimensions }: InputChoice,
): ExampleInput | undefined {
  const { furtherInputs = {} } = examples;
  const open = inputs.filter(({ name }) => !Object.hasOwn(fill, name));
  const beside = open.filter(({ name }) => Object.hasOwn(furtherInputs, name));
  const [main, ...unfed] = open.filter((input) => !beside.includes(input));
  const known = open.length + Object.keys(fill).length;
  if (!main || unfed.length > 0 || known !== inputs.length || (chosen ?? main.name) !== main.name)
    return undefined;
  const sizes: [string, number][] = [];
  const fed: FedInput[] = [];
  for (const { name, dtype, dimensions: declared } of [main, ...beside]) {
    const given = (name === main.name ? undefined : own(furtherInputs, name)?.shape) ?? examples.shape;
    // The shape in which the model takes one example's part; its elements must be as many as the data's.
    const shape = declared
      ?.slice(1)
      .map((size, axis) => (typeof size === "number" ? size : (given[axis] ?? 1)));
    if (shape && !holdsSameOrder(shape, given)) return undefined;
    fed.push({ name, dtype, shape: shape ?? given });
    for (const [axis, size] of (shape ?? given).entries()) {
      const dimension = declared?.[axis + 1];
      if (typeof dimension !== "number") sizes.push([dimension ?? dimensionName(name, axis + 1), size]);
    }
  }
  const [first, ...further] = fed;
  return first && { ...first, further, dimensions: { ...Object.fromEntries(sizes), ...dimensions } };
}

/**
 * A batch of a model's inputs: examples are written into `values`, `written` adds what they hold for further inputs, and `tensors` is
 * what a session takes.
 */
export interface BatchInputs {
  /** [batch, ...shape of one example] */
  readonly values: Float32Array;
  readonly tensors: Tensors;
  /** Those of the tensors that examples feed. */
  readonly fed: Tensors;
  /**
   * Call after writing `values`.
   *
   * @param indices of the examples, [batch]
   * @throws when an integer input got a fraction, or a number that its type does not hold
   */
  written(examples: Pick<Examples, "furtherInputs" | "origin">, indices: Uint32Array): void;
}

/** Buffers for a batch. */
export function batchInputs(
  model: Model,
  input: ExampleInput,
  batch: number,
  fill: InputChoice["fill"] = {},
): BatchInputs {
  const [main, ...further] = [input, ...input.further].map((each) => inputBuffer(model, each, batch)) as [
    InputBuffer,
    ...InputBuffer[],
  ];
  const fed = Object.fromEntries([main, ...further].map(({ name, tensor }) => [name, tensor]));
  const filled = bindInputs(model, { batch, dimensions: input.dimensions })
    .filter(({ name }) => !Object.hasOwn(fed, name))
    .map(({ name, dtype, shape: size }) => {
      const number = filledNumber(dtype, own(fill, name) ?? 0);
      return [
        name,
        tensorOf(
          dtype,
          Array.from({ length: elementCount(size) }, () => number),
          size,
        ),
      ] as const;
    });
  return {
    values: main.values,
    tensors: { ...fed, ...Object.fromEntries(filled) },
    fed,
    written({ furtherInputs = {}, origin }, indices) {
      const exampleIn = (values: Float32Array) => (position: number) => {
        const index = indices[Math.floor((position * batch) / values.length)] ?? 0;
        return origin?.[index] ?? index;
      };
      main.written();
      main.check?.(main.values, exampleIn(main.values));
      for (const { name, values, written, check } of further) {
        const given = own(furtherInputs, name);
        if (!given)
          throw new DataError(`${model.source}: the examples hold nothing for its input '${name}'.`, {
            source: model.source,
          });
        readFurther(given, indices, values);
        written();
        check?.(values, exampleIn(values));
      }
    },
  };
}

/** One input's part of a batch: numbers are written as float32, and reach the model in its type. */
interface InputBuffer {
  readonly name: string;
  readonly values: Float32Array;
  readonly tensor: Tensor;
  written(): void;
  readonly check: FedInput["check"];
}

function inputBuffer(
  model: Model,
  { name, dtype, shape: each, check }: FedInput,
  batch: number,
): InputBuffer {
  const shape = [batch, ...each];
  const values = new Float32Array(elementCount(shape));
  if (dtype === "float32")
    return { name, values, tensor: { dtype, shape, data: values }, written: () => undefined, check };
  const tensor = zeros(dtype, shape);
  const { data } = tensor;
  const isWide = isArrayOf("BigInt64Array", data) || isArrayOf("BigUint64Array", data);
  const refuse = (value: number) =>
    new DataError(
      `${model.source}: input '${name}' takes whole numbers (${dtype}), and the data have ${value}; pass ` +
        "token or category numbers, not scaled ones.",
      { source: model.source },
    );
  return {
    ...{ name, values, tensor, check },
    written() {
      for (let index = 0; index < values.length; index++) {
        const value = values[index] as number;
        if (isWide) {
          if (!Number.isInteger(value) || value >= 2 ** 63) throw refuse(value);
          data[index] = BigInt(value);
        } else {
          data[index] = value;
          if (data[index] !== value || (dtype === "bool" && value > 1)) throw refuse(value);
        }
      }
    },
  };
}
